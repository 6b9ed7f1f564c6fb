package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fixedMaster gives a master key that is the same in every run.
func fixedMaster(t testing.TB, n byte, previous ...string) Master {
	t.Helper()
	m, err := ParseMaster(fixedKey(n), previous...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func fixedKey(n byte) string { return base64.StdEncoding.EncodeToString(Digest(string([]byte{n}))) }

func TestMasterKeyIsReadAsWritten(t *testing.T) {
	t.Parallel()
	m := NewMaster()
	text := m.Encode().Reveal()
	for _, s := range []string{text, " " + text + "\n", text + "\r\n", "\t" + text} {
		again, err := ParseMaster(s)
		if err != nil {
			t.Fatal(err)
		}
		if again.Encode().Reveal() != text || !bytes.Equal(again.Derive("x"), m.Derive("x")) {
			t.Errorf("%q is read as another key", s)
		}
	}
	if NewMaster().Encode().Reveal() == text {
		t.Error("two new keys are the same")
	}
}

func TestSR05_WeakMasterKeysAreRefused(t *testing.T) {
	t.Parallel()
	encode := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	counting, stepping := make([]byte, 32), make([]byte, 32)
	for i := range counting {
		counting[i], stepping[i] = byte(i), byte(200-7*i)
	}
	const typed = "a long sentence that was typed!!"
	good := Digest("good")
	for name, s := range map[string]string{
		"empty": "", "blank": "  \n", "one word": "secret", "31 bytes": encode(good[:31]), "33 bytes": encode(append(slices.Clone(good), 1)),
		"16 bytes": encode(good[:16]), "64 bytes": encode(append(slices.Clone(good), good...)),
		"hexadecimal": hex.EncodeToString(good), "without padding": strings.TrimRight(encode(good), "="), "URL alphabet": "_" + encode(good)[1:],
		"two keys": encode(good) + "\n" + encode(good), "all zero": encode(make([]byte, 32)), "one byte": encode(bytes.Repeat([]byte{0xa7}, 32)),
		"few bytes": encode(bytes.Repeat([]byte{1, 2, 3, 250, 251, 252, 253, 254}, 4)), "counting": encode(counting), "counting down": encode(stepping),
		"text": encode([]byte(typed)), "text from echo": encode([]byte(typed[:31] + "\n")), "text from Windows": encode([]byte(typed[:30] + "\r\n")),
		"text with umlauts": encode([]byte("ein längerer Satz, den man täp")), "hexadecimal in base64": encode([]byte(hex.EncodeToString(good)[:32])),
	} {
		if name == "text with umlauts" && len(mustDecode(t, s)) != 32 {
			t.Fatalf("%s has %d bytes", name, len(mustDecode(t, s)))
		}
		_, err := ParseMaster(s)
		if err == nil {
			t.Errorf("%s is taken", name)
			continue
		}
		if strings.Contains(err.Error(), s) && strings.TrimSpace(s) != "" {
			t.Errorf("%s: the error repeats the key: %v", name, err)
		}
		if _, err := ParseMaster(encode(good), s); err == nil {
			t.Errorf("%s is taken for a previous key", name)
		}
	}
}

func mustDecode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The rules against weak keys must never hit one that NewMaster makes.
func TestNewMasterKeysPassTheirOwnRules(t *testing.T) {
	t.Parallel()
	for range 2000 {
		if _, err := ParseMaster(NewMaster().Encode().Reveal()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeriveGivesEachPurposeItsKey(t *testing.T) {
	t.Parallel()
	m := fixedMaster(t, 1)
	seen := map[string]string{}
	for _, purpose := range []string{"", "seal", "refresh", "cursor", "refresh ", "Refresh", "refresh/2"} {
		key := m.Derive(purpose)
		if len(key) != 32 || seen[string(key)] != "" {
			t.Errorf("%q shares its key with %q", purpose, seen[string(key)])
		}
		seen[string(key)] = purpose + "!"
		if bytes.Equal(key, fixedMaster(t, 2).Derive(purpose)) {
			t.Errorf("%q has the same key under another master key", purpose)
		}
	}
	// Computed with Python's hmac (RFC 5869, no salt, info "otl/refresh"), so that
	// a change of the derivation, which would void every token, is noticed.
	if got := hex.EncodeToString(m.Derive("refresh")); got != "acb7d8ac7a3ac310915152d5fe44c86002125eb4b02fb5e96ac0584aa384acb6" {
		t.Errorf("got %s", got)
	}
}

func TestSR04_DeriveAllGivesTheCurrentKeyFirst(t *testing.T) {
	t.Parallel()
	m := fixedMaster(t, 3, fixedKey(2), fixedKey(1))
	all := m.DeriveAll("refresh")
	if len(all) != 3 {
		t.Fatalf("got %d keys", len(all))
	}
	for i, n := range []byte{3, 2, 1} {
		if !bytes.Equal(all[i], fixedMaster(t, n).Derive("refresh")) {
			t.Errorf("key %d is another's", i)
		}
	}
	if !bytes.Equal(all[0], m.Derive("refresh")) {
		t.Error("Derive and DeriveAll disagree")
	}
}

const place = "signing_keys|01JGJY3T8GXQ7Z4N5V6M2KDPRS|private"

func TestSealedOpensInItsPlace(t *testing.T) {
	t.Parallel()
	m := fixedMaster(t, 1)
	for _, plain := range [][]byte{nil, {}, {0}, []byte("text"), bytes.Repeat([]byte{0xff}, 4096)} {
		sealed := m.Seal(plain, place)
		got, err := m.Open(sealed, place)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes come back as %d, %v", len(plain), len(got), err)
		}
		if len(plain) > 2 && bytes.Contains(sealed, plain[:3]) {
			t.Error("the plain text can be read in the sealed one")
		}
	}
}

func TestSR07_SealingTwiceGivesTwoNonces(t *testing.T) {
	t.Parallel()
	m := fixedMaster(t, 1)
	seen := map[string]bool{}
	for range 2000 {
		nonce := string(m.Seal([]byte("same"), place)[sealNamed : sealNamed+12])
		if seen[nonce] {
			t.Fatalf("nonce %x came twice", nonce)
		}
		seen[nonce] = true
	}
}

func TestSR02_SealedDoesNotOpenElsewhere(t *testing.T) {
	t.Parallel()
	m := fixedMaster(t, 1)
	sealed := m.Seal([]byte("private"), place)
	for _, other := range []string{
		"", "signing_keys|01JGJY3T8GXQ7Z4N5V6M2KDPRT|private", "signing_keys|01JGJY3T8GXQ7Z4N5V6M2KDPRS|public", place + "|", place[1:],
		strings.ToLower(place), place + "\x00",
	} {
		if plain, err := m.Open(sealed, other); !errors.Is(err, ErrSealed) || plain != nil {
			t.Errorf("opens at %q: %q, %v", other, plain, err)
		}
	}
	a, b := m.Seal([]byte("A"), "row|1"), m.Seal([]byte("B"), "row|2")
	if _, err := m.Open(a, "row|2"); err == nil {
		t.Error("the value of row 1 opens in row 2")
	}
	if _, err := m.Open(b, "row|1"); err == nil {
		t.Error("the value of row 2 opens in row 1")
	}
}

func TestSealedDoesNotOpenOnceAltered(t *testing.T) {
	t.Parallel()
	m := fixedMaster(t, 2, fixedKey(1))
	sealed := m.Seal([]byte("a private key"), place)
	refused := func(b []byte, what string) {
		t.Helper()
		if plain, err := m.Open(b, place); !errors.Is(err, ErrSealed) || plain != nil {
			t.Errorf("%s opens: %q, %v", what, plain, err)
		}
	}
	for i := range sealed {
		refused(sealed[:i], "a prefix")
		refused(sealed[i+1:], "a suffix")
		for v := range 256 {
			if byte(v) != sealed[i] {
				b := slices.Clone(sealed)
				b[i] = byte(v)
				refused(b, fmt.Sprintf("byte %d changed", i))
			}
		}
	}
	refused(nil, "nothing")
	refused(append(slices.Clone(sealed), 0), "one byte more")
	// The name of a previous key in front of what the current one sealed.
	old := fixedMaster(t, 1).Seal(nil, place)
	refused(append(slices.Clone(old[:sealNamed]), sealed[sealNamed:]...), "another key's name")
}

func TestSealedUnderAnotherKeyDoesNotOpen(t *testing.T) {
	t.Parallel()
	sealed := fixedMaster(t, 1).Seal([]byte("x"), place)
	if _, err := fixedMaster(t, 2).Open(sealed, place); !errors.Is(err, ErrSealed) {
		t.Errorf("another key: %v", err)
	}
	if _, err := fixedMaster(t, 2, fixedKey(3)).Open(sealed, place); !errors.Is(err, ErrSealed) {
		t.Errorf("other keys: %v", err)
	}
}

func TestSR04_SealedUnderAPreviousKeyOpensAndIsStale(t *testing.T) {
	t.Parallel()
	old, older := fixedMaster(t, 1), fixedMaster(t, 2)
	m := fixedMaster(t, 3, fixedKey(1), fixedKey(2))
	for _, by := range []Master{old, older} {
		sealed := by.Seal([]byte("kept"), place)
		plain, err := m.Open(sealed, place)
		if err != nil || string(plain) != "kept" {
			t.Errorf("got %q, %v", plain, err)
		}
		if !m.Stale(sealed) {
			t.Error("a value under a previous key is not stale")
		}
		if by.Stale(sealed) {
			t.Error("a value under the current key is stale")
		}
		again := m.Seal(plain, place)
		if m.Stale(again) {
			t.Error("a value sealed again is stale")
		}
		if _, err := by.Open(again, place); err == nil {
			t.Error("the previous key opens what the current one sealed")
		}
	}
	for _, b := range [][]byte{nil, {1}, {1, 2, 3, 4}} {
		if !m.Stale(b) {
			t.Errorf("%x is not stale", b)
		}
	}
}

func FuzzMasterOpen(f *testing.F) {
	m := fixedMaster(f, 1, fixedKey(2))
	f.Add(m.Seal([]byte("plain"), place), place)
	f.Add(fixedMaster(f, 2).Seal([]byte("old"), place), place)
	f.Add([]byte{1, 0, 0, 0, 0}, "")
	f.Add([]byte{}, "")
	known := map[string]bool{}
	for _, plain := range []string{"plain", "old"} {
		known[plain] = true
	}
	f.Fuzz(func(t *testing.T, sealed []byte, at string) {
		m.Stale(sealed)
		// Nobody without the key makes anything that opens; the seeds are ours.
		if plain, err := m.Open(sealed, at); err == nil && !known[string(plain)] {
			t.Errorf("%x opens at %q: %q", sealed, at, plain)
		}
	})
}
