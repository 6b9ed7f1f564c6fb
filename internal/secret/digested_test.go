package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// TestPW08_Digested: our hash of a salted digest matches the password it was made of, also
// written otherwise, is one of a scheme of its own, and is refused when it is malformed.
func TestPW08_Digested(t *testing.T) {
	t.Parallel()
	h := NewHasher(Argon2{Memory: 64, Time: 1, Threads: 1}, 2)
	for salt, password := range map[string]string{"": "correct-horse-9", "sält": "pässword-9", strings.Repeat("s", 64): "x"} {
		sum := sha256.Sum256([]byte(salt + password))
		d, err := ParseDigested(salt, strings.ToUpper(hex.EncodeToString(sum[:])))
		if err != nil {
			t.Fatal(err)
		}
		stored, scheme, err := h.HashDigest(t.Context(), "site", d)
		if err != nil {
			t.Fatal(err)
		}
		if scheme != "sha256+argon2id$m=64,t=1,p=1" {
			t.Error(scheme)
		}
		if err := NewHasher(DefaultArgon2(), 1).Learn(scheme); err != nil {
			t.Error(err)
		}
		got, err := h.Check(t.Context(), "site", Stored{stored, true}, NewText(password))
		if err != nil || !got.Match || !got.Rehash {
			t.Errorf("%q: %+v %v", password, got, err)
		}
		for _, wrong := range []string{password + "x", "", "y" + salt + password, hex.EncodeToString(sum[:])} {
			if got, err := h.Check(t.Context(), "site", Stored{stored, true}, NewText(wrong)); err != nil || got.Match {
				t.Errorf("%q matches (%v)", wrong, err)
			}
		}
		for _, bad := range []string{
			"$sha256$", "$sha256$zz" + stored[len("$sha256$"):], strings.Replace(stored, "argon2id", "scrypt", 1), "$sha256$00" + stored,
			"$sha256$" + strings.Repeat("00", 65) + stored[strings.Index(stored, "$argon2"):], strings.Replace(stored, "m=64", "m=999999999", 1),
		} {
			if _, err := ParseHash(bad); err == nil {
				t.Errorf("%q was read", bad)
			}
		}
	}
	sum := sha256.Sum256(nil)
	for salt, digest := range map[string]string{"a": "", "b": "xyz", "c": hex.EncodeToString(sum[:31]), strings.Repeat("s", 65): hex.EncodeToString(sum[:])} {
		if _, err := ParseDigested(salt, digest); err == nil {
			t.Errorf("%q %q was read", salt, digest)
		}
	}
}
