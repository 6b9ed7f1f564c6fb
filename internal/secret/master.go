package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MasterSize is the length of a master key in bytes.
const MasterSize = 32

// Master is the key that everything sealed at rest depends on. It lives outside
// the database: a dump of the database alone opens nothing (SR-01). Each purpose
// gets a key of its own derived from it (RFC 5869).
type Master struct {
	current  Text // raw bytes, wrapped so that they are not printed
	previous []Text
}

// NewMaster makes a random master key.
func NewMaster() Master { return Master{current: NewText(string(Bytes(MasterSize)))} }

// ParseMaster reads a master key of 32 bytes in base64, and the keys it
// replaced, which still open what they sealed. Keys that are too short, that
// are plain text, that repeat few bytes or count are refused (SR-05).
func ParseMaster(current string, previous ...string) (Master, error) {
	var m Master
	var err error
	if m.current, err = parseMasterKey(current); err != nil {
		return Master{}, err
	}
	for _, p := range previous {
		key, err := parseMasterKey(p)
		if err != nil {
			return Master{}, err
		}
		m.previous = append(m.previous, key)
	}
	return m, nil
}

func parseMasterKey(s string) (Text, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil || len(key) != MasterSize {
		return Text{}, errors.New("must be 32 random bytes in base64; make one with: openssl rand -base64 32")
	}
	seen, steps := map[byte]bool{}, map[byte]bool{}
	for i, b := range key {
		seen[b] = true
		steps[b-key[max(i-1, 0)]] = true
	}
	if readable(key) || len(seen) < 16 || len(steps) < 16 {
		return Text{}, errors.New("is not random; make one with: openssl rand -base64 32")
	}
	return NewText(string(key)), nil
}

// readable reports whether a key is text somebody typed, with the line end that
// "echo" leaves or without.
func readable(key []byte) bool {
	return utf8.Valid(key) && !bytes.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) })
}

// Encode gives the key in the form ParseMaster reads.
func (m Master) Encode() Text {
	return NewText(base64.StdEncoding.EncodeToString([]byte(m.current.Reveal())))
}

// Derive gives the 32-byte key for one purpose. Different purposes never share
// a key.
func (m Master) Derive(purpose string) []byte { return derive(m.current, purpose) }

// DeriveAll gives the key for one purpose under the current master key and
// under every one it replaced, the current one first.
func (m Master) DeriveAll(purpose string) [][]byte {
	out := [][]byte{derive(m.current, purpose)}
	for _, p := range m.previous {
		out = append(out, derive(p, purpose))
	}
	return out
}

func derive(master Text, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(master.Reveal()), nil, "otl/"+purpose, 32)
	if err != nil { // only for lengths this call cannot ask for
		panic(err)
	}
	return key
}

// sealVersion is the first byte of everything sealed; a later format gets
// another one. It is followed by 4 bytes that name the key, a 96-bit random
// nonce and the AES-256-GCM ciphertext.
const (
	sealVersion = 1
	sealNamed   = 5
)

// ErrSealed means that sealed bytes were made under another key, for another
// place, or were altered.
var ErrSealed = errors.New("cannot open sealed value: wrong key, wrong place or altered")

// Seal encrypts plain for one place. The place, such as
// "signing_keys|<id>|private", is bound to the result, so that a sealed value
// copied to another row does not open there (SR-02).
func (m Master) Seal(plain []byte, place string) []byte {
	name, aead := sealer(m.current)
	out := append([]byte{sealVersion}, name...)
	return aead.Seal(out, nil, plain, []byte(place))
}

// Open decrypts what Seal made for the same place, under the current master key
// or one it replaced. The error is ErrSealed.
func (m Master) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) < sealNamed || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	for _, key := range append([]Text{m.current}, m.previous...) {
		name, aead := sealer(key)
		if !bytes.Equal(name, sealed[1:sealNamed]) {
			continue
		}
		plain, err := aead.Open(nil, nil, sealed[sealNamed:], []byte(place))
		if err != nil {
			return nil, ErrSealed
		}
		return plain, nil
	}
	return nil, ErrSealed
}

// Stale reports whether sealed was made under a master key that has been
// replaced, and should be sealed again.
func (m Master) Stale(sealed []byte) bool {
	name, _ := sealer(m.current)
	return len(sealed) < sealNamed || !bytes.Equal(name, sealed[1:sealNamed])
}

func sealer(master Text) (name []byte, aead cipher.AEAD) {
	key := derive(master, "seal")
	sum := sha256.Sum256(key)
	block, err := aes.NewCipher(key)
	if err != nil { // only for key lengths derive cannot give
		panic(err)
	}
	aead, err = cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sum[:sealNamed-1], aead
}
