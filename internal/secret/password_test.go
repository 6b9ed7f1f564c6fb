package secret

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const right = "correct-horse-7"

// cheap hashes in no time.
func cheap() *Hasher { return NewHasher(Argon2{Memory: 64, Time: 1, Threads: 1}, 4) }

// hashesOf are hashes of the right password by other programs (Python's bcrypt, argon2-cffi
// and hashlib, and Werkzeug).
func hashesOf() []string {
	return []string{
		"$2b$04$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq",
		"$argon2i$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MpUlERhGXVIvYSr8Tl1nCPKVVnb9wZdEr1G1vlU/uco",
		"$argon2d$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$cz6aSnw15E3IrNj3yItzYRQ5IpvIE9zk9CpHnPmX1Pk",
		"$argon2id$v=19$m=64,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$E+I8Q/ljh6oJlB8O2VNWrD8U36z3RD4I",
		"$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$qA3SzJ4j9G3d1EnH83uX4zAG96kKuVjqa4jnSmM7u0c",
		"scrypt:16:8:1$saltsaltsalt$b1b1d3b64bd7871019fd0b1e1acbcd9281e35375c457e47e12d31d91436fc5c9523992e095c898febd7244c63e3d1205f5132a739ad1bf697aa78ecc69611b4a",
	}
}

func matches(t *testing.T, h *Hasher, stored Stored, password string) Checked {
	t.Helper()
	got, err := h.Check(t.Context(), "site", stored, NewText(password))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// takes reports whether what is stored takes a password. What would cost more than all of ours is
// another hash by that.
func takes(stored, password string) bool {
	h, err := ParseHash(stored)
	return h.work < 10*time.Millisecond && h.Match(password, err == nil)
}

// TestPW05_NewHashes say with what they were made, which is no less than what is asked for
// today, and no less can be configured.
func TestPW05_NewHashes(t *testing.T) {
	t.Parallel()
	h := NewHasher(DefaultArgon2(), 1)
	seen := map[string]bool{}
	for range 2 {
		stored, scheme, err := h.Hash(t.Context(), "site", NewText(right))
		if err != nil {
			t.Fatal(err)
		}
		var memory, passes, threads int
		part := strings.Split(stored, "$")
		if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); len(part) != 6 || n != 3 || err != nil || part[1] != "argon2id" || part[2] != "v=19" {
			t.Fatalf("%s: %v", stored, err)
		}
		salt, err := base64.RawStdEncoding.DecodeString(part[4])
		if err != nil || memory < 19*1024 || passes < 2 || threads < 1 || len(salt) < 16 || seen[part[4]] || scheme != "argon2id$"+part[3] {
			t.Errorf("%s is %s: %v", stored, scheme, err)
		}
		seen[part[4]] = true
	}
	for _, weak := range []string{"m=19455,t=2,p=1", "m=19456,t=1,p=1", "m=64,t=10,p=1", "m=47103,t=1,p=1", "m=0,t=2,p=1", "m=262145,t=2,p=1", "m=19456,t=11,p=1", "m=19456,t=2,p=17", "t=2,m=19456,p=1", ""} {
		if a, err := ParseArgon2(weak, false); err == nil {
			t.Errorf("%q is %v", weak, a)
		}
	}
	for _, strong := range []string{"m=19456,t=2,p=1", "m=47104,t=1,p=1", "m=65536,t=3,p=4"} {
		if a, err := ParseArgon2(strong, false); err != nil || a.String() != strong {
			t.Errorf("%q is %v: %v", strong, a, err)
		}
	}
}

// TestPW06_WhatIsNotTheHashMatchesNothing: no prefix of a hash and no hash with another
// character takes the password, and the whole one takes no other.
func TestPW06_WhatIsNotTheHashMatchesNothing(t *testing.T) {
	t.Parallel()
	for _, good := range hashesOf() {
		if got := matches(t, cheap(), Stored{good, true}, right); !got.Match || !got.Rehash || !takes(good, right) {
			t.Errorf("%s: %+v", good, got)
		}
		for _, wrong := range []string{"", right[1:], right + " ", strings.ToUpper(right), good} {
			if takes(good, wrong) {
				t.Errorf("%s takes %q", good, wrong)
			}
		}
		for i := range good {
			spare := good[:2] == "$2" && i == 28          // bits of the last character of bcrypt's salt that nobody reads
			short := strings.Contains(good[:7], "scrypt") // whose shorter keys are the beginnings of longer ones, down to 16 bytes
			for what, bad := range map[string]string{"without its end": good[:i], "with another character": good[:i] + string(good[i]+1) + good[i+1:]} {
				if takes(bad, right) && !spare && (!short || what != "without its end") {
					t.Errorf("%s %s (%d): %s", good, what, i, bad)
				}
			}
		}
	}
	for _, none := range []string{"", "null", "undefined", "$", "$2b$04$", "correct-horse-7", "{PLAIN}" + right, "$1$salt$x"} {
		if takes(none, right) || matches(t, cheap(), Stored{none, false}, none).Match {
			t.Errorf("%q takes a password", none)
		}
	}
}

// FuzzPW06_StoredHashes: nothing that is stored panics, and nothing takes a password that it
// was not made of.
func FuzzPW06_StoredHashes(f *testing.F) {
	for _, s := range hashesOf() {
		f.Add(s)
	}
	f.Add("$sha256$616263$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$E+I8Q/ljh6oJlB8O2VNWrD8U36z3RD4I")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHash(s)
		if err != nil {
			if h.Match(right, true) {
				t.Errorf("%q takes a password", s)
			}
			return
		}
		if h.work < time.Millisecond && h.Match("nobody's password", true) {
			t.Errorf("%q takes another password", s)
		}
	})
}

// TestPW07_LongPasswords: bcrypt reads 72 bytes, so that what stood behind them was lost where
// the hash was made; the hash that takes its place has all of it. Ours never cut.
func TestPW07_LongPasswords(t *testing.T) {
	t.Parallel()
	h := cheap()
	long := strings.Repeat("0123456789", 20)
	raw, err := bcrypt.GenerateFromPassword([]byte(long[:72]), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	theirs := Stored{string(raw), true}
	if got := matches(t, h, theirs, long); !got.Match || !got.Rehash {
		t.Errorf("%+v", got)
	}
	if matches(t, h, theirs, long[:71]+"x"+long[72:]).Match || matches(t, h, theirs, long[:71]).Match {
		t.Error("another password within 72 bytes is taken")
	}
	for n := 1; n <= 300; n += 7 {
		password := strings.Repeat("a", n)
		ours, _, err := h.Hash(t.Context(), "site", NewText(password))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(ours, "$2") {
			t.Fatal("bcrypt is only read")
		}
		if !matches(t, h, Stored{ours, false}, password).Match || matches(t, h, Stored{ours, false}, password[1:]+"b").Match || matches(t, h, Stored{ours, false}, password+"a").Match {
			t.Errorf("%d bytes", n)
		}
	}
}

// TestPW10_NobodyCostsTheMost: for nobody the costliest kind of hash that is stored is computed,
// and what fails takes longer than the slowest of them.
func TestPW10_NobodyCostsTheMost(t *testing.T) {
	t.Parallel()
	h := cheap()
	if h.pretend().Scheme != "argon2id$m=64,t=1,p=1" || h.floor() != 0 {
		t.Errorf("%s %s", h.pretend().Scheme, h.floor())
	}
	for _, scheme := range []string{"scrypt$N=16,r=8,p=1", "bcrypt$6", "argon2id$m=128,t=1,p=1"} {
		if err := h.Learn(scheme); err != nil {
			t.Fatal(err)
		}
	}
	for _, stored := range []string{"", "no hash", "$2b$31$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq"} {
		h.schemes["bcrypt$6"] = pace{}
		if got := matches(t, h, Stored{stored, true}, right); got.Match {
			t.Errorf("%q takes a password", stored)
		}
		if !h.schemes["bcrypt$6"].measured {
			t.Errorf("%q: the costliest was not computed: %v", stored, h.schemes)
		}
	}
	if slowest := h.schemes["bcrypt$6"].took; h.floor() <= slowest {
		t.Errorf("%s, where one takes %s", h.floor(), slowest)
	}
	for _, bad := range []string{"", "md5", "bcrypt$x", "argon2id$m=999999999,t=1,p=1", "scrypt$N=15,r=8,p=1"} {
		if err := h.Learn(bad); err == nil {
			t.Errorf("%q was learnt", bad)
		}
	}
}

// TestIM02_CostsAreBounded before anything is computed.
func TestIM02_CostsAreBounded(t *testing.T) {
	t.Parallel()
	const salt, key = "MDEyMzQ1Njc4OWFiY2RlZg", "MpUlERhGXVIvYSr8Tl1nCPKVVnb9wZdEr1G1vlU/uco"
	for _, bad := range []string{
		"$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=262145,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=11,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=1,p=17$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=9$" + salt + "$" + key, "$argon2id$v=19$m=99999999999999999999,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=1$" + salt + "\n$" + key, "$argon2id$v=19$m=64,t=1,p=1$$" + key, "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key[:8],
		"$2b$31$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq", "$2b$15$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq", "$2b$03$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq",
		"$2x$04$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq", "$2b$+4$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq",
		"$scrypt$ln=31,r=8,p=1$" + salt + "$" + key, "$scrypt$ln=20,r=8,p=16$" + salt + "$" + key, "$scrypt$ln=4,r=1025,p=1$" + salt + "$" + key, "$scrypt$ln=0,r=8,p=1$" + salt + "$" + key,
		"scrypt:2147483648:8:1$s$" + strings.Repeat("00", 64), "scrypt:15:8:1$s$" + strings.Repeat("00", 64), "scrypt:16:8:1$$" + strings.Repeat("00", 64), "scrypt:16:8:1$s$zz",
	} {
		if h, err := ParseHash(bad); err == nil {
			t.Errorf("%q is read as %s", bad, h.Scheme)
		}
	}
}
