package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Bytes gives n bytes from the operating system's generator. crypto/rand does
// not fail: it ends the process rather than return weak bytes.
func Bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// entropy makes the ids of one millisecond follow one another (DD-07).
var entropy = &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(rand.Reader, 0)}

// NewID gives a ULID for the given time: 26 characters, sorted by time and, of
// this process, in the order they were made; never reused, never a secret (SE-01,
// TE-08).
func NewID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), entropy).String()
}

// FirstID gives what no id of a moment, exact to a millisecond, or later comes before.
func FirstID(now time.Time) string {
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(now)); err != nil { // after the year 10889
		panic(err)
	}
	return id.String()
}

// ValidID reports whether s has the form of an id made by NewID.
func ValidID(s string) bool {
	id, err := ulid.ParseStrict(s)
	return err == nil && id.String() == s
}

// NewCode makes a one-time code of so many decimal digits, each as likely as any
// other (OT-01).
func NewCode(digits int) string {
	code := make([]byte, 0, digits)
	for len(code) < digits {
		for _, b := range Bytes(digits) {
			// 250 is the largest multiple of 10 in a byte: no bias.
			if b < 250 && len(code) < digits {
				code = append(code, '0'+b%10)
			}
		}
	}
	return string(code)
}

// NewWord makes a one-time code of so many letters of an alphabet of at most 128 that
// stand for one byte each, each as likely as any other.
func NewWord(alphabet string, letters int) string {
	word, most := make([]byte, 0, letters), 256-256%len(alphabet) // no bias
	for len(word) < letters {
		for _, b := range Bytes(letters) {
			if int(b) < most && len(word) < letters {
				word = append(word, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(word)
}

// CodeDigest is what is kept of a one-time code: keyed, because a code has so few
// values, and bound to what it is for (OT-03).
func CodeDigest(key []byte, code string, bound ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range append(bound, code) {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	return h.Sum(nil)
}

// DerivedToken gives the token that belongs to what it is for, 64 hexadecimal
// characters: always the same for the same key of 32 random bytes, and of no use to
// learn another.
func DerivedToken(key []byte, bound ...string) Text {
	return NewText(hex.EncodeToString(CodeDigest(key, "", bound...)))
}

// Digest gives the SHA-256 of a random token: what is stored in its place
// (SR-03). Not for passwords, which have little entropy of their own.
func Digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Slot names the place of a ticket that stands for nobody, by what he was called: where one of
// somebody would take the place of the one before, his does (OT-10).
func Slot(called string) string { return hex.EncodeToString(Digest(called)[:16]) }

// SameDigest compares two digests in constant time; empty ones match nothing.
func SameDigest(a, b []byte) bool {
	return len(a) == sha256.Size && subtle.ConstantTimeCompare(a, b) == 1
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const (
	keyRandom = 34 // characters of base62: 202 bits
	keyCheck  = 6  // characters of base62: a CRC-32
	keyShown  = 8  // characters kept for display

	tokenRandom = 43 // characters of base62: 256 bits
)

// NewKey makes a long-lived key: prefix, 34 random base62 characters, 6
// characters of checksum (contract 1.2, "Key format").
func NewKey(prefix string) Text { return keyFrom(prefix, rand.Read) }

// DerivedKey makes the key that belongs to a seed: always the same for the same
// seed. Development worlds use it, so that a second start finds the same keys.
func DerivedKey(prefix string, seed []byte) Text {
	counter := byte(0)
	return keyFrom(prefix, func(b []byte) (int, error) {
		block := sha256.Sum256(append([]byte{counter}, seed...))
		counter++
		return copy(b, block[:]), nil
	})
}

func keyFrom(prefix string, read func([]byte) (int, error)) Text {
	body := base62From(keyRandom, read)
	return NewText(prefix + body + keyChecksum(prefix+body))
}

// NewToken makes a one-time secret of 256 random bits for a link: prefix and 43 base62
// characters (OT-14).
func NewToken(prefix string) Text { return NewText(prefix + base62From(tokenRandom, rand.Read)) }

// base62From gives n characters, each as likely as any other.
func base62From(n int, read func([]byte) (int, error)) string {
	var body strings.Builder
	buf := make([]byte, 32)
	for body.Len() < n {
		m, _ := read(buf)
		for _, c := range buf[:m] {
			// 248 is the largest multiple of 62 in a byte: no bias.
			if c < 248 && body.Len() < n {
				body.WriteByte(base62[c%62])
			}
		}
	}
	return body.String()
}

func keyChecksum(s string) string {
	sum := crc32.ChecksumIEEE([]byte(s))
	out := make([]byte, keyCheck)
	for i := range out {
		out[keyCheck-1-i] = base62[sum%62]
		sum /= 62
	}
	return string(out)
}

// CheckKey reports whether s is a key with this prefix and a right checksum,
// and gives the characters that may be displayed. It refuses a typing error
// without asking the store; it proves nothing.
func CheckKey(prefix, s string) (shown string, ok bool) {
	body, found := strings.CutPrefix(s, prefix)
	if !found || len(body) != keyRandom+keyCheck {
		return "", false
	}
	for i := range len(body) {
		if strings.IndexByte(base62, body[i]) < 0 {
			return "", false
		}
	}
	if keyChecksum(prefix+body[:keyRandom]) != body[keyRandom:] {
		return "", false
	}
	return body[:keyShown], true
}
