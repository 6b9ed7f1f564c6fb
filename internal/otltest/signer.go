package otltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// Signer is a key of somebody else's, who signs with it what a server is to take or to refuse:
// assertions of clients (RFC 7523), proofs of a key (RFC 9449).
type Signer struct {
	crypto.Signer
	Algorithm jose.SignatureAlgorithm
}

// NewSigner makes a key for an algorithm: ES256, ES384, PS256, RS256 or EdDSA.
func NewSigner(t testing.TB, alg jose.SignatureAlgorithm) Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.PS256, jose.RS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no key for %s", alg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Signer{key, alg}
}

// JWK gives the public key without a name, as proofs carry it.
func (s Signer) JWK() jose.JSONWebKey { return jose.JSONWebKey{Key: s.Public()} }

// JWKS gives the public key as the JSON of a JWK set, named by its thumbprint.
func (s Signer) JWKS(t testing.TB) string {
	t.Helper()
	key := s.JWK()
	key.KeyID = s.Thumbprint(t)
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Thumbprint gives the SHA-256 thumbprint of the key in base64url (RFC 7638).
func (s Signer) Thumbprint(t testing.TB) string {
	t.Helper()
	key := s.JWK()
	print, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(print)
}

// Sign makes a JWT with members of the header besides alg, nil for none.
func (s Signer) Sign(t testing.TB, head map[jose.HeaderKey]any, claims any) string {
	t.Helper()
	return SignJWT(t, s.Algorithm, s.Signer, head, claims)
}

// SignJWT makes a JWT with any algorithm and key, such as nobody should take. Whatever claims
// are is its payload, in JSON.
func SignJWT(t testing.TB, alg jose.SignatureAlgorithm, key any, head map[jose.HeaderKey]any, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: head})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
