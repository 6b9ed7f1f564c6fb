package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Algorithm is one way of signing an access token (decision D5). There is no
// symmetric one: whoever can verify must not be able to issue.
type Algorithm string

// The algorithms. ES256 is the default.
const (
	ES256 Algorithm = "ES256"
	RS256 Algorithm = "RS256"
	EdDSA Algorithm = "EdDSA"
)

// ParseAlgorithm reads the name of an algorithm.
func ParseAlgorithm(s string) (Algorithm, error) {
	switch a := Algorithm(s); a {
	case ES256, RS256, EdDSA:
		return a, nil
	}
	return "", fmt.Errorf("must be ES256, RS256 or EdDSA")
}

// rsaBits is the size of an RSA key.
const rsaBits = 2048

// Key is one signing key and the time it serves. A key signs from SignFrom
// until the next one does, and verifies until VerifyUntil.
type Key struct {
	ID          string
	Algorithm   Algorithm
	Private     crypto.Signer
	SignFrom    time.Time
	VerifyUntil time.Time // zero: no end yet
}

// Generate makes a key pair.
func Generate(alg Algorithm) (crypto.Signer, error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("unknown algorithm %q", alg)
}

// MarshalPrivate gives a private key as PKCS #8, to be sealed.
func MarshalPrivate(key crypto.Signer) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(key) }

// ParsePrivate reads what MarshalPrivate gives.
func ParsePrivate(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%T cannot sign", key)
	}
	return signer, nil
}

// Public gives the public half as a JWK (RFC 7517).
func (k Key) Public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"}
}

// PublicJSON gives the public half as the text of a JWK.
func (k Key) PublicJSON() (string, error) {
	b, err := json.Marshal(k.Public())
	return string(b), err
}

// The types of tokens ("typ"): a token of one is never taken for another.
const (
	TypeAccess = "at+jwt"     // of a person, for an API (RFC 9068 section 2.1)
	TypeID     = "JWT"        // that tells a client who signed in (OpenID Connect Core section 2)
	TypeClient = "client+jwt" // of a client itself
	TypeLogout = "logout+jwt" // that tells a client of the end of a session (OpenID Connect Back-Channel Logout section 2.4)
)

var types = [...]string{TypeAccess, TypeID, TypeClient, TypeLogout}

// header is the first part of every token of a type that the key signs. It is
// always the same bytes, so a verifier of ours compares it whole instead of believing it.
func (k Key) header(typ string) string {
	b, err := json.Marshal(map[string]string{"alg": string(k.Algorithm), "kid": k.ID, "typ": typ})
	if err != nil { // a map of strings
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
