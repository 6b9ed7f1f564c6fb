package secret

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	crypt "github.com/go-crypt/x/argon2"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"
)

// Argon2 holds the cost of an argon2id hash (RFC 9106).
type Argon2 struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultArgon2 is the cost of new hashes unless configured upward (PW-05).
func DefaultArgon2() Argon2 { return Argon2{Memory: 19456, Time: 2, Threads: 1} }

// onePass is the memory in KiB from which a single pass is worth the default
// (OWASP password storage: m=47104,t=1 equals m=19456,t=2).
const onePass = 47104

// Bounds of what is computed for anybody (decision D11, DS-01): a stored hash
// that asks for more is refused before any work.
const (
	maxArgonMemory  = 256 << 10 // KiB
	maxArgonTime    = 10
	maxArgonThreads = 16
	maxScryptBytes  = 256 << 20
	maxScryptR      = 1024 // 8 in practice; a large one with a small N costs memory of its own
	maxScryptP      = 16
	minBcryptCost   = 4
	maxBcryptCost   = 14
	argonSalt       = 16
	argonKey        = 32
	werkzeugKey     = 64
)

// ParseArgon2 reads "m=19456,t=2,p=1". Values under the default are refused
// unless weak is true, which is for tests.
func ParseArgon2(s string, weak bool) (Argon2, error) {
	v, err := params(s, "m", "t", "p")
	if err != nil {
		return Argon2{}, errors.New("must look like m=19456,t=2,p=1")
	}
	if v[0] > maxArgonMemory || v[1] > maxArgonTime || v[2] > maxArgonThreads || v[0] < 8*v[2] || v[1] < 1 || v[2] < 1 {
		return Argon2{}, errors.New("must stay within m<=262144, t<=10, p<=16 and m>=8p")
	}
	a := Argon2{uint32(v[0]), uint32(v[1]), uint8(v[2])}
	if least := DefaultArgon2(); !weak && a.Memory < onePass && (a.Memory < least.Memory || a.Time < least.Time) {
		return Argon2{}, errors.New("is weaker than m=19456,t=2,p=1")
	}
	return a, nil
}

// String gives the form ParseArgon2 reads.
func (a Argon2) String() string { return fmt.Sprintf("m=%d,t=%d,p=%d", a.Memory, a.Time, a.Threads) }

// scheme names algorithm and cost, the same for every hash that takes the same
// time.
func (a Argon2) scheme() string { return "argon2id$" + a.String() }

// hash makes the PHC string of a password, normalised to NFKC (PW-03).
func (a Argon2) hash(password string) string {
	salt := Bytes(argonSalt)
	key := argon2.IDKey(norm.NFKC.AppendString(nil, password), salt, a.Time, a.Memory, a.Threads, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$%s$%s$%s", argon2.Version, a, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// Hash is a stored password hash, parsed and found within the bounds. Its zero
// value matches nothing.
type Hash struct {
	Scheme string        // algorithm and cost, for example "bcrypt$12"
	work   time.Duration // rough time of one verification
	check  func(password []byte) bool
}

// ParseHash reads a stored hash: argon2id, argon2i and argon2d in PHC form with
// v=19, bcrypt $2a$ $2b$ $2y$, scrypt in PHC form and in Werkzeug's, and ours over a
// Digested. Parameters beyond the bounds are an error, before any work is done with them (IM-02).
func ParseHash(s string) (Hash, error) {
	switch {
	case strings.HasPrefix(s, "$argon2"):
		return parseArgon2Hash(s)
	case strings.HasPrefix(s, "$2a$"), strings.HasPrefix(s, "$2b$"), strings.HasPrefix(s, "$2y$"):
		return parseBcrypt(s)
	case strings.HasPrefix(s, "$scrypt$"):
		return parseScrypt(s)
	case strings.HasPrefix(s, "scrypt:"):
		return parseWerkzeug(s)
	case strings.HasPrefix(s, digestPrefix):
		return parseDigested(s)
	}
	return Hash{}, errors.New("unknown password hash format")
}

// Match reports whether the password fits. Bytes are compared as given first
// and, where that differs, normalised to NFKC (decision D11): a hash made
// elsewhere may have been made of either. Our own are of the NFKC form only; for
// them the first comparison is made too and does not count, so that time does
// not tell an imported account from others.
func (h Hash) Match(password string, imported bool) bool {
	if h.check == nil {
		return false
	}
	given := false
	if rounds(password) > 1 {
		given = h.check([]byte(password)) && imported
	}
	return given || h.check(norm.NFKC.AppendString(nil, password))
}

// rounds is how many computations a failed Match of the password takes.
func rounds(password string) int {
	if norm.NFKC.IsNormalString(password) {
		return 1
	}
	return 2
}

func parseArgon2Hash(s string) (Hash, error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[2] != "v=19" {
		return Hash{}, errors.New("argon2 hash is not in PHC form with v=19")
	}
	cost, err := ParseArgon2(part[3], true)
	if err != nil {
		return Hash{}, fmt.Errorf("argon2 cost %w", err)
	}
	salt, key, err := saltAndKey(part[4], part[5])
	if err != nil {
		return Hash{}, err
	}
	kinds := map[string]func(password, salt []byte, time, memory uint32, threads uint8, size uint32) []byte{
		"argon2id": argon2.IDKey,
		"argon2i":  argon2.Key,
		"argon2d": func(password, salt []byte, time, memory uint32, threads uint8, size uint32) []byte {
			return crypt.DKey(password, salt, time, memory, uint32(threads), size)
		},
	}
	derive, known := kinds[part[1]]
	if !known {
		return Hash{}, errors.New("unknown kind of argon2")
	}
	return Hash{
		Scheme: part[1] + "$" + cost.String(),
		work:   time.Duration(cost.Memory) * time.Duration(cost.Time) * 1400 * time.Nanosecond,
		check: func(password []byte) bool {
			got := derive(password, salt, cost.Time, cost.Memory, cost.Threads, uint32(len(key)))
			return subtle.ConstantTimeCompare(got, key) == 1
		},
	}, nil
}

// bcryptAlphabet is that of bcrypt's own base64.
const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// parseBcrypt checks every character: the library looks at the salt only when it
// computes, and a hash that fails there would be told by its time.
func parseBcrypt(s string) (Hash, error) {
	if len(s) != 60 || s[6] != '$' || strings.Trim(s[4:6], "0123456789") != "" || strings.Trim(s[7:], bcryptAlphabet) != "" {
		return Hash{}, errors.New("bcrypt hash is malformed")
	}
	cost, err := strconv.Atoi(s[4:6])
	if err != nil {
		return Hash{}, errors.New("bcrypt hash is malformed")
	}
	if cost < minBcryptCost || cost > maxBcryptCost {
		return Hash{}, fmt.Errorf("bcrypt cost %d is out of range (%d-%d)", cost, minBcryptCost, maxBcryptCost)
	}
	return Hash{
		Scheme: "bcrypt$" + strconv.Itoa(cost),
		work:   80 * time.Microsecond << cost,
		check: func(password []byte) bool {
			// bcrypt reads 72 bytes. What a longer password had beyond them was
			// lost at the source; the rehash after this match covers all of it.
			return bcrypt.CompareHashAndPassword([]byte(s), password[:min(len(password), 72)]) == nil
		},
	}, nil
}

func parseScrypt(s string) (Hash, error) {
	part := strings.Split(s, "$")
	if len(part) != 5 {
		return Hash{}, errors.New("scrypt hash is not in PHC form")
	}
	v, err := params(part[2], "ln", "r", "p")
	if err != nil || v[0] > 30 {
		return Hash{}, errors.New("scrypt cost must look like ln=15,r=8,p=1")
	}
	salt, key, err := saltAndKey(part[3], part[4])
	if err != nil {
		return Hash{}, err
	}
	return scryptHash(1<<v[0], v[1], v[2], salt, key)
}

// parseWerkzeug reads "scrypt:N:r:p$salt$hex", where the salt is text.
func parseWerkzeug(s string) (Hash, error) {
	part := strings.Split(s, "$")
	cost := strings.Split(part[0], ":")
	if len(part) != 3 || len(cost) != 4 || part[1] == "" || len(part[1]) > 64 {
		return Hash{}, errors.New("scrypt hash is malformed")
	}
	var v [3]uint64
	for i := range v {
		n, err := strconv.ParseUint(cost[i+1], 10, 31)
		if err != nil {
			return Hash{}, errors.New("scrypt cost is malformed")
		}
		v[i] = n
	}
	key, err := hex.DecodeString(part[2])
	if err != nil || len(key) != werkzeugKey { // what is shorter was cut, and would match
		return Hash{}, errors.New("scrypt hash is malformed")
	}
	return scryptHash(v[0], v[1], v[2], []byte(part[1]), key)
}

func scryptHash(n, r, p uint64, salt, key []byte) (Hash, error) {
	if n < 2 || bits.OnesCount64(n) != 1 || r < 1 || p < 1 || p > maxScryptP || r > maxScryptR || n > maxScryptBytes || 128*n*r > maxScryptBytes || 128*n*r*p > 2*maxScryptBytes {
		return Hash{}, errors.New("scrypt cost is out of range (128*N*r <= 256 MiB, 128*N*r*p <= 512 MiB, r <= 1024, p <= 16)")
	}
	if len(key) < 16 || len(key) > 128 {
		return Hash{}, errors.New("scrypt hash has a bad length")
	}
	return Hash{
		Scheme: fmt.Sprintf("scrypt$N=%d,r=%d,p=%d", n, r, p),
		work:   time.Duration(n*r*p) * 670 * time.Nanosecond,
		check: func(password []byte) bool {
			got, err := scrypt.Key(password, salt, int(n), int(r), int(p), len(key))
			return err == nil && subtle.ConstantTimeCompare(got, key) == 1
		},
	}, nil
}

// saltAndKey decodes the last two parts of a PHC string.
func saltAndKey(salt, key string) (s, k []byte, err error) {
	b64 := base64.RawStdEncoding
	s, err1 := b64.DecodeString(salt)
	k, err2 := b64.DecodeString(key)
	// The decoder passes over line ends and spare bits, so spellings are compared.
	if err1 != nil || err2 != nil || b64.EncodeToString(s) != salt || b64.EncodeToString(k) != key || len(s) < 8 || len(s) > 64 || len(k) < 16 || len(k) > 128 {
		return nil, nil, errors.New("salt or hash is malformed")
	}
	return s, k, nil
}

// params reads "name=number,…" with exactly these names in this order.
func params(s string, names ...string) ([]uint64, error) {
	parts := strings.Split(s, ",")
	if len(parts) != len(names) {
		return nil, errors.New("wrong number of parameters")
	}
	out := make([]uint64, len(names))
	for i, p := range parts {
		digits, ok := strings.CutPrefix(p, names[i]+"=")
		n, err := strconv.ParseUint(digits, 10, 31)
		if !ok || err != nil {
			return nil, errors.New("malformed parameter")
		}
		out[i] = n
	}
	return out, nil
}

// shamHash makes a hash of the given scheme that no password has, so that the
// work of a check can be done for nobody. It costs nothing: the key is random
// instead of computed.
func shamHash(scheme string) (Hash, error) {
	salt, key := Bytes(argonSalt), Bytes(argonKey)
	b64 := base64.RawStdEncoding
	if inner, ok := strings.CutPrefix(scheme, digestScheme); ok {
		h, err := shamHash(inner)
		h.Scheme = scheme
		return h, err
	}
	name, cost, _ := strings.Cut(scheme, "$")
	switch name {
	case "argon2id", "argon2i", "argon2d":
		return ParseHash("$" + name + "$v=19$" + cost + "$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(key))
	case "scrypt":
		v, err := params(cost, "N", "r", "p")
		if err != nil {
			return Hash{}, err
		}
		return scryptHash(v[0], v[1], v[2], salt, key)
	case "bcrypt":
		n, err := strconv.Atoi(cost)
		if err != nil {
			return Hash{}, err
		}
		// bcrypt's alphabet is not base64's; letters and digits are in both.
		return ParseHash(fmt.Sprintf("$2b$%02d$%s", n, hex.EncodeToString(Bytes(27))[:53]))
	}
	return Hash{}, fmt.Errorf("unknown scheme %q", scheme)
}
