package otl_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

func TestParseUsername(t *testing.T) {
	t.Parallel()
	for given, key := range map[string]string{
		"": "", "  ": "", "jane": "jane", " Jane.Doe ": "jane.doe", "j2": "j2", "9_-.": "9_-.", strings.Repeat("a", 64): strings.Repeat("a", 64),
	} {
		if got, err := otl.ParseUsername(given); err != nil || got.Key != key || got.Name != strings.Trim(given, " ") {
			t.Errorf("%q: %+v %v, want %q", given, got, err, key)
		}
	}
	for _, given := range []string{
		"j", strings.Repeat("a", 65), "jane@dev.test", "@jane", ".jane", "-jane", "_jane", "ja ne", "jäne", "jane\x00", "jane\n", "ＪＡＮＥ", "jane\u200b", "K\u212aelvin",
	} {
		got, err := otl.ParseUsername(given)
		if err == nil {
			t.Errorf("%q was taken as %+v", given, got)
			continue
		}
		if m, r := field(t, err); m != "username" || r != "not_a_username" {
			t.Errorf("%q: %s %s", given, m, r)
		}
	}
}

// FuzzParseUsername: what is taken is never an address, and its key is its own.
func FuzzParseUsername(f *testing.F) {
	for _, s := range []string{"jane", "Jane.Doe", "", " x ", "a@b.c", "\xff", "ſ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := otl.ParseUsername(s)
		if err != nil || u.Key == "" {
			return
		}
		if _, err := otl.ParseEmail(s); err == nil {
			t.Fatalf("%q is an address too", s)
		}
		if again, err := otl.ParseUsername(u.Key); err != nil || again.Key != u.Key {
			t.Fatalf("%q gives %q, which gives %q (%v)", s, u.Key, again.Key, err)
		}
	})
}
