package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBytesAreNeverTheSame(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		b := Bytes(16)
		if len(b) != 16 || seen[string(b)] {
			t.Fatalf("%x came twice or short", b)
		}
		seen[string(b)] = true
	}
	if len(Bytes(0)) != 0 {
		t.Error("no bytes were asked for")
	}
}

func TestTE08_IDsSortByTimeAndNeverRepeat(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var ids []string
	for i := range 2000 {
		ids = append(ids, NewID(start.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids of later moments do not sort later")
	}
	far := []string{NewID(time.Unix(0, 0)), NewID(start), NewID(start.AddDate(0, 0, 1)), NewID(start.AddDate(1000, 0, 0))}
	if !slices.IsSorted(far) {
		t.Errorf("ids of moments far apart do not sort by time: %q", far)
	}
	seen := map[string]bool{}
	for range 2000 { // of one and the same moment
		id := NewID(start)
		if next := NewID(start); next <= id {
			t.Errorf("%s was made before %s", id, next)
		}
		if seen[id] || !ValidID(id) || len(id) != 26 {
			t.Fatalf("%q is not a new id", id)
		}
		seen[id] = true
	}
	// The zone of the clock must not matter, only the moment.
	if a, b := NewID(start)[:10], NewID(start.In(time.FixedZone("", 3600)))[:10]; a != b {
		t.Errorf("one moment gives %q and %q", a, b)
	}
}

func TestValidIDTakesOneSpelling(t *testing.T) {
	t.Parallel()
	const good = "01JGJY3T8GXQ7Z4N5V6M2KDPRS"
	for in, want := range map[string]bool{
		good: true, "00000000000000000000000000": true, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ": true,
		"": false, strings.ToLower(good): false, good[:25]: false, good + "0": false, " " + good[1:]: false, good[:25] + "\n": false,
		"8ZZZZZZZZZZZZZZZZZZZZZZZZZ": false, // more than 128 bits
		good[:25] + "U":              false, // not in the alphabet
		good[:25] + "O":              false, // read as zero by some
		good[:25] + "I":              false, // read as one by some
		good[:25] + "L":              false,
		good[:24] + "é":              false,
		good[:25] + "\x00":           false,
	} {
		if ValidID(in) != want {
			t.Errorf("%q: got %v", in, !want)
		}
	}
}

func TestDigestIsSHA256(t *testing.T) {
	t.Parallel()
	// FIPS 180-2 appendix B.1
	want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := hex.EncodeToString(Digest("abc")); got != want {
		t.Errorf("got %s", got)
	}
}

func TestSameDigestMatchesWholeDigestsOnly(t *testing.T) {
	t.Parallel()
	a := Digest("a")
	for name, c := range map[string]struct {
		a, b []byte
		want bool
	}{
		"same": {a, Digest("a"), true}, "other": {a, Digest("b"), false}, "prefix": {a, a[:31], false}, "prefixes": {a[:31], a[:31], false},
		"longer": {append(slices.Clone(a), 0), append(slices.Clone(a), 0), false}, "none": {nil, nil, false}, "empty": {[]byte{}, []byte{}, false},
		"stored none": {a, nil, false}, "given none": {nil, a, false},
	} {
		if SameDigest(c.a, c.b) != c.want {
			t.Errorf("%s: got %v", name, !c.want)
		}
	}
	for i := range a {
		for bit := range 8 {
			b := slices.Clone(a)
			b[i] ^= 1 << bit
			if SameDigest(a, b) {
				t.Errorf("a digest with bit %d of byte %d changed is the same", bit, i)
			}
		}
	}
}

func TestKeyHasItsForm(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"otr_", "", "otl_test_"} {
		key := NewKey(prefix).Reveal()
		body, ok := strings.CutPrefix(key, prefix)
		if !ok || len(body) != 40 || strings.Trim(body, base62) != "" {
			t.Errorf("%q is not %q and 40 characters of base62", key, prefix)
		}
		if shown, ok := CheckKey(prefix, key); !ok || shown != body[:8] {
			t.Errorf("%q: shown %q, %v", key, shown, ok)
		}
		if NewKey(prefix).Reveal() == key {
			t.Errorf("%q came twice", key)
		}
	}
}

// A checksum written down once must stay right for ever: it is in the keys
// people have. The numbers were computed with Python's zlib.crc32.
func TestKeyChecksumIsCRC32InBase62(t *testing.T) {
	t.Parallel()
	for body, check := range map[string]string{
		"otr_0000000000000000000000000000000000": "2mI6oV",
		"otr_abcdefghijklmnopqrstuvwxyz01234567": "28cPK8",
		"otr_ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ": "29Tctb",
	} {
		if _, ok := CheckKey("otr_", body+check); !ok {
			t.Errorf("%s has checksum %s, want %s", body, keyChecksum(body), check)
		}
	}
}

func TestCheckKeyRefusesEveryTypingError(t *testing.T) {
	t.Parallel()
	const prefix = "otr_"
	key := DerivedKey(prefix, []byte("typing")).Reveal()
	refused := func(s, what string) {
		t.Helper()
		if shown, ok := CheckKey(prefix, s); ok || shown != "" {
			t.Errorf("%s: %q is taken", what, s)
		}
	}
	for i := range key {
		refused(key[:i], "prefix")
		refused(key[i+1:], "suffix")
		refused(key[:i]+key[i+1:], "character left out")
		for _, c := range []byte(base62 + "_-+/=. \n\x00\x7f\xff") {
			if c != key[i] {
				refused(key[:i]+string([]byte{c})+key[i+1:], "character changed")
			}
			refused(key[:i]+string([]byte{c})+key[i:], "character put in")
		}
		if i+1 < len(key) && key[i] != key[i+1] {
			refused(key[:i]+string([]byte{key[i+1], key[i]})+key[i+2:], "neighbours swapped")
		}
		if flipped := flipCase(key[i]); flipped != key[i] {
			refused(key[:i]+string([]byte{flipped})+key[i+1:], "case flipped")
		}
	}
	for _, s := range []string{"", prefix, strings.ToUpper(key), strings.ToLower(key), key + "0", key + key, " " + key, key + "\n", "otl_" + key[4:]} {
		refused(s, "other")
	}
	// The checksum covers the prefix: a key of another kind is not one of these.
	if _, ok := CheckKey("otl_", "otl_"+key[4:]); ok {
		t.Error("the body of another kind of key is taken")
	}
}

func flipCase(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return c - 'a' + 'A'
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	}
	return c
}

func TestDerivedKeyBelongsToItsSeed(t *testing.T) {
	t.Parallel()
	key := DerivedKey("otr_", []byte("seed")).Reveal()
	if again := DerivedKey("otr_", []byte("seed")).Reveal(); again != key {
		t.Errorf("one seed gives %q and %q", key, again)
	}
	if _, ok := CheckKey("otr_", key); !ok {
		t.Errorf("%q is no key", key)
	}
	for _, seed := range []string{"", "Seed", "seed\x00", "\x00seed", "see", "seed1"} {
		if DerivedKey("otr_", []byte(seed)).Reveal() == key {
			t.Errorf("%q gives the key of another seed", seed)
		}
	}
	// Another prefix shares the random part but never the checksum.
	other := DerivedKey("otl_", []byte("seed")).Reveal()
	if _, ok := CheckKey("otl_", other); !ok || other[38:] == key[38:] {
		t.Errorf("%q and %q", other, key)
	}
}

// 256 is no multiple of 62: a plain remainder would give the first characters a
// quarter more than the others. The keys are derived, so the outcome is fixed.
func TestSE01_KeyCharactersAreUniform(t *testing.T) {
	t.Parallel()
	const keys = 4000
	count := map[byte]int{}
	for i := range keys {
		key := DerivedKey("", binary.BigEndian.AppendUint32(nil, uint32(i))).Reveal()
		for _, c := range []byte(key[:keyRandom]) {
			count[c]++
		}
	}
	want := float64(keys*keyRandom) / 62
	var chi float64
	for _, c := range []byte(base62) {
		d := float64(count[c]) - want
		chi += d * d / want
	}
	if chi > 100 { // 61 degrees of freedom: 99.9 % lie below 100.9
		t.Errorf("chi-square is %.1f", chi)
	}
}

func TestDerivedKeyReadsOneBlockAfterTheOther(t *testing.T) {
	t.Parallel()
	// Two blocks of 32 bytes are needed for 34 characters; a generator that gave
	// the same block again would repeat the first characters at the end.
	key := DerivedKey("", []byte("blocks")).Reveal()
	var want []byte
	for counter := byte(0); len(want) < keyRandom; counter++ {
		block := sha256.Sum256(append([]byte{counter}, "blocks"...))
		for _, c := range block {
			if c < 248 && len(want) < keyRandom {
				want = append(want, base62[c%62])
			}
		}
	}
	if !bytes.HasPrefix([]byte(key), want) {
		t.Errorf("got %q, want %q", key, want)
	}
}

func FuzzCheckKey(f *testing.F) {
	f.Add("otr_", NewKey("otr_").Reveal())
	f.Add("otr_", "otr_")
	f.Add("", "")
	f.Add("otr_", strings.Repeat("é", 22))
	f.Fuzz(func(t *testing.T, prefix, s string) {
		shown, ok := CheckKey(prefix, s)
		if !ok {
			if shown != "" {
				t.Errorf("%q is refused and shown as %q", s, shown)
			}
			return
		}
		if len(s) != len(prefix)+40 || s[len(prefix):len(prefix)+8] != shown || keyChecksum(s[:len(s)-6]) != s[len(s)-6:] {
			t.Errorf("%q is taken", s)
		}
	})
}

// TestOT01_CodesAreUniform draws a million codes: every digit at every place, and every
// first three digits, are as frequent as the others, leading zeros too. The bounds of the
// chi-square statistics are passed by chance once in more than a million runs.
func TestOT01_CodesAreUniform(t *testing.T) {
	t.Parallel()
	const draws, digits = 1_000_000, 6
	var places [digits][10]int
	var starts [1000]int
	for range draws {
		code := NewCode(digits)
		if len(code) != digits {
			t.Fatal(code)
		}
		for i := range digits {
			places[i][code[i]-'0']++
		}
		starts[int(code[0]-'0')*100+int(code[1]-'0')*10+int(code[2]-'0')]++
	}
	for i, seen := range places {
		if x := chiSquare(seen[:], draws); x > 50 { // 9 degrees of freedom
			t.Errorf("place %d: chi-square %.1f, %v", i, x, seen)
		}
	}
	if x := chiSquare(starts[:], draws); x > 1250 { // 999 degrees of freedom
		t.Errorf("first three digits: chi-square %.1f", x)
	}
	for digits := 6; digits <= 10; digits++ {
		if code := NewCode(digits); len(code) != digits || strings.Trim(code, "0123456789") != "" {
			t.Error(code)
		}
	}
}

// chiSquare gives the statistic of draws that should fall into each class alike.
func chiSquare(seen []int, draws int) (x float64) {
	want := float64(draws) / float64(len(seen))
	for _, n := range seen {
		d := float64(n) - want
		x += d * d / want
	}
	return x
}

func TestTokensHave256Bits(t *testing.T) {
	t.Parallel()
	a, b := NewToken("otl_ln_").Reveal(), NewToken("otl_ln_").Reveal()
	if len(a) != len("otl_ln_")+43 || a == b || !strings.HasPrefix(a, "otl_ln_") || math.Log2(62)*43 < 256 {
		t.Errorf("%s %s", a, b)
	}
}
