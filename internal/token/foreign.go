package token

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Tokens of others: what a client signs with a key of its own.

// ForeignAlgorithms are those that keys of others may sign with: none that whoever
// verifies could sign with too.
func ForeignAlgorithms() []string {
	return []string{"ES256", "ES384", "PS256", "RS256", "EdDSA"}
}

// AlgorithmsOf are those of a client: fewer where it is held to FAPI 2.0's security profile
// (section 5.4.1).
func AlgorithmsOf(fapi bool) []string {
	if fapi {
		return []string{"ES256", "PS256", "EdDSA"}
	}
	return ForeignAlgorithms()
}

func signatures(algorithms []string) []jose.SignatureAlgorithm {
	var out []jose.SignatureAlgorithm
	for _, one := range algorithms {
		out = append(out, jose.SignatureAlgorithm(one))
	}
	return out
}

const (
	// maxKeys is how many keys a client may have.
	maxKeys = 20
	// leastRSA is the least size of an RSA key in bits.
	leastRSA = 2048
)

// Keys are the public keys of somebody else.
type Keys struct{ set jose.JSONWebKeySet }

// ParseKeys reads a JWK set (RFC 7517): one to 20 public keys to sign with. Keys of kinds
// that are not used here are passed over, a private or symmetric one is an error: it was
// not meant to be shown.
func ParseKeys(raw []byte) (Keys, error) {
	var loose struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &loose); err != nil {
		return Keys{}, errors.New("is not a JWK set")
	}
	var k Keys
	for _, one := range loose.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(one); err != nil {
			continue // of a kind that nobody here knows
		}
		if !key.IsPublic() {
			return Keys{}, errors.New("holds a key that is not public")
		}
		if key.Use == "enc" || weak(key) {
			continue
		}
		k.set.Keys = append(k.set.Keys, key)
	}
	if len(k.set.Keys) == 0 || len(loose.Keys) > maxKeys {
		return Keys{}, fmt.Errorf("must hold 1 to %d public keys to verify signatures with", maxKeys)
	}
	return k, nil
}

func weak(key jose.JSONWebKey) bool {
	public, ok := key.Key.(*rsa.PublicKey)
	return !key.Valid() || ok && public.N.BitLen() < leastRSA
}

// ErrUnknownKey means that a token names a key that is not among those given.
var ErrUnknownKey = errors.New("signed with a key that is not known")

// Assertion reads a JWT that was signed with one of the keys by one of some algorithms. Nothing
// it says is held against anything. The error is ErrUnknownKey where it names a key there is
// not, and ErrInvalid for all else.
func (k Keys) Assertion(raw string, algorithms []string) (Claims, error) {
	if len(raw) > MaxSize {
		return nil, ErrInvalid
	}
	jws, err := jose.ParseSignedCompact(raw, signatures(algorithms))
	if err != nil || jws.Signatures[0].Protected.JSONWebKey != nil {
		return nil, ErrInvalid
	}
	among := k.set.Keys
	if id := jws.Signatures[0].Protected.KeyID; id != "" {
		if among = k.set.Key(id); len(among) == 0 {
			return nil, ErrUnknownKey
		}
	}
	for _, key := range among {
		if key.Algorithm != "" && key.Algorithm != jws.Signatures[0].Protected.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return claimsOf(payload)
		}
	}
	return nil, ErrInvalid
}

func claimsOf(payload []byte) (Claims, error) {
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil || c == nil {
		return nil, ErrInvalid
	}
	return c, nil
}

// Proof is what somebody who holds a key says of a request he makes (RFC 9449
// section 4.2).
type Proof struct {
	ID       string    // jti
	Method   string    // htm
	URL      string    // htu
	Access   string    // ath: digest of the access token that comes along, "" for none
	IssuedAt time.Time // iat
	Key      string    // thumbprint of the key (RFC 7638)
}

// TypeProof is the "typ" of a proof.
const TypeProof = "dpop+jwt"

// ReadProof reads a proof and checks that it was signed with the key in it by one of some
// algorithms. The error is ErrInvalid.
func ReadProof(raw string, algorithms []string) (Proof, error) {
	if len(raw) > MaxSize {
		return Proof{}, ErrInvalid
	}
	jws, err := jose.ParseSignedCompact(raw, signatures(algorithms))
	if err != nil {
		return Proof{}, ErrInvalid
	}
	head := jws.Signatures[0].Protected
	key := head.JSONWebKey
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); typ != TypeProof || key == nil || !key.IsPublic() || weak(*key) {
		return Proof{}, ErrInvalid
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return Proof{}, ErrInvalid
	}
	c, err := claimsOf(payload)
	if err != nil {
		return Proof{}, err
	}
	print, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return Proof{}, ErrInvalid
	}
	return Proof{
		ID: c.Text("jti"), Method: c.Text("htm"), URL: c.Text("htu"), Access: c.Text("ath"),
		IssuedAt: time.Unix(c.Number("iat"), 0).UTC(), Key: base64.RawURLEncoding.EncodeToString(print),
	}, nil
}

// Peek gives a claim of a JWT that nobody has verified, "" where there is none: to find
// the keys to verify it with, and for nothing else.
func Peek(raw, name string) string {
	if len(raw) > MaxSize {
		return ""
	}
	jws, err := jose.ParseSignedCompact(raw, signatures(ForeignAlgorithms()))
	if err != nil {
		return ""
	}
	c, err := claimsOf(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return ""
	}
	return c.Text(name)
}
