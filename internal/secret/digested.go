package secret

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// Digested is a password of which only a salted SHA-256 digest is known, as some systems
// keep them. That is quick to guess at, so what is stored is our own hash of the digest;
// the next sign-in replaces it by one of the password.
type Digested struct {
	salt   string
	digest string // in lower-case hexadecimal
}

// maxDigestSalt is the longest salt of a Digested in bytes.
const maxDigestSalt = 64

// What our hash of a Digested begins with, stored and as a scheme.
const (
	digestPrefix = "$sha256$"
	digestScheme = "sha256+"
)

// ParseDigested reads the SHA-256 digest of salt and password, in hexadecimal.
func ParseDigested(salt, digest string) (Digested, error) {
	raw, err := hex.DecodeString(digest)
	switch {
	case err != nil || len(raw) != sha256.Size:
		return Digested{}, errors.New("must be a SHA-256 digest in hexadecimal")
	case len(salt) > maxDigestSalt:
		return Digested{}, errors.New("has a salt of more than 64 bytes")
	}
	return Digested{salt, hex.EncodeToString(raw)}, nil
}

// HashDigest makes the stored form of a password that is known by its digest, and names
// its scheme.
func (h *Hasher) HashDigest(ctx context.Context, owner string, d Digested) (stored, scheme string, err error) {
	stored, scheme, err = h.Hash(ctx, owner, NewText(d.digest))
	return digestPrefix + hex.EncodeToString([]byte(d.salt)) + stored, digestScheme + scheme, err
}

// parseDigested reads "$sha256$salt", the salt in hexadecimal, with our own hash behind it.
func parseDigested(s string) (Hash, error) {
	salt, inner, found := strings.Cut(s[len(digestPrefix):], "$")
	raw, err := hex.DecodeString(salt)
	if err != nil || !found || len(raw) > maxDigestSalt || !strings.HasPrefix(inner, "argon2") {
		return Hash{}, errors.New("hash of a digest is malformed")
	}
	h, err := parseArgon2Hash("$" + inner)
	if err != nil {
		return Hash{}, err
	}
	of := h.check
	h.Scheme = digestScheme + h.Scheme
	h.check = func(password []byte) bool {
		sum := sha256.Sum256(append(raw[:len(raw):len(raw)], password...))
		return of([]byte(hex.EncodeToString(sum[:])))
	}
	return h, nil
}
