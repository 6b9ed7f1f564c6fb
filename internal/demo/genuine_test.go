package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"testing"
	"time"
)

func sign(secret string, at time.Time, body string) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "." + body))
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func TestGenuine(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	good := sign("whsec_a", now, "{}")
	for name, c := range map[string]struct {
		secret, header, body string
		at                   time.Time
		want                 bool
	}{
		"right":                {"whsec_a", good, "{}", now, true},
		"one of two":           {"whsec_a", sign("whsec_b", now, "{}") + ",v1=" + good[len("t=1800000000,v1="):], "{}", now, true},
		"five minutes old":     {"whsec_a", good, "{}", now.Add(5 * time.Minute), true},
		"older":                {"whsec_a", good, "{}", now.Add(5*time.Minute + time.Second), false},
		"from the future":      {"whsec_a", good, "{}", now.Add(-6 * time.Minute), false},
		"another body":         {"whsec_a", good, "{ }", now, false},
		"another secret":       {"whsec_b", good, "{}", now, false},
		"no secret yet":        {"", sign("", now, "{}"), "{}", now, false},
		"no signature":         {"whsec_a", "t=1800000000", "{}", now, false},
		"no time":              {"whsec_a", good[len("t=1800000000,"):], "{}", now, false},
		"another time":         {"whsec_a", "t=1800000001," + good[len("t=1800000000,"):], "{}", now, false},
		"an empty signature":   {"whsec_a", "t=1800000000,v1=", "{}", now, false},
		"half of a signature":  {"whsec_a", good[:len(good)-32], "{}", now, false},
		"nothing":              {"whsec_a", "", "{}", now, false},
		"something altogether": {"whsec_a", "=,=,t=x,v1=y", "{}", now, false},
	} {
		if got := genuine(c.secret, c.header, []byte(c.body), c.at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzGenuine: nothing but the signature itself passes.
func FuzzGenuine(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	good := sign("whsec_a", now, "{}")
	for _, s := range []string{good, "", "t=1", "v1=00,t=1800000000", "t==,v1=,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if genuine("whsec_other", header, []byte("{}"), now) {
			t.Fatalf("%q passes", header)
		}
	})
}
