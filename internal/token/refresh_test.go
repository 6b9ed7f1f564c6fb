package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/token"
)

const sessionID = "01HKZ4C9F2G5H8J1N3N6Q7R0ST"

func key(b byte) []byte { return []byte(strings.Repeat(string(b), 32)) }

func first(t testing.TB, f token.Refresher) secret.Text {
	t.Helper()
	raw, err := f.First(sessionID)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func read(t testing.TB, f token.Refresher, raw secret.Text) token.Refresh {
	t.Helper()
	r, err := f.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARefreshTokenIsReadBack(t *testing.T) {
	t.Parallel()
	f := token.NewRefresher(key('a'))
	raw := first(t, f)
	r := read(t, f, raw)
	if r.Session != sessionID || r.Generation != 0 || !r.Genuine || string(r.Digest()) != string(secret.Digest(raw.Reveal())) {
		t.Errorf("%+v", r)
	}
	if !strings.HasPrefix(raw.Reveal(), token.RefreshPrefix) || first(t, f).Reveal() == raw.Reveal() {
		t.Error("two sessions get one token, or it has another prefix")
	}
	if _, err := f.First("not a ULID"); err == nil {
		t.Error("a token for no session")
	}
}

// SE-11: the same token and nonce always give the same successor, anything else
// another.
func TestSE11_TheSuccessorIsDerived(t *testing.T) {
	t.Parallel()
	f := token.NewRefresher(key('a'))
	parent := read(t, f, first(t, f))
	next := func(f token.Refresher, r token.Refresh, nonce string) []secret.Text {
		t.Helper()
		all, err := f.Successors(r, []byte(nonce))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	one := next(f, parent, "n")[0]
	if next(f, parent, "n")[0].Reveal() != one.Reveal() {
		t.Error("asked twice, there are two successors")
	}
	for name, other := range map[string]secret.Text{
		"another nonce": next(f, parent, "m")[0], "another parent": next(f, read(t, f, first(t, f)), "n")[0],
		"another installation": next(token.NewRefresher(key('b')), parent, "n")[0], "its own successor": next(f, read(t, f, one), "n")[0],
	} {
		if other.Reveal() == one.Reveal() {
			t.Errorf("%s gives the same", name)
		}
	}
	if r := read(t, f, one); r.Session != sessionID || r.Generation != 1 || !r.Genuine {
		t.Errorf("%+v", r)
	}
}

func TestAFormerKeyIsStillKnown(t *testing.T) {
	t.Parallel()
	old := token.NewRefresher(key('a'))
	raw := first(t, old)
	rolled := token.NewRefresher(key('b'), key('a'))
	r := read(t, rolled, raw)
	if !r.Genuine {
		t.Error("a token of the former key is not known")
	}
	if r := read(t, token.NewRefresher(key('b')), raw); r.Genuine {
		t.Error("a token of another installation is taken for ours")
	}
	before, err1 := old.Successors(read(t, old, raw), []byte("n"))
	after, err2 := rolled.Successors(r, []byte("n"))
	if err1 != nil || err2 != nil || len(after) != 2 || after[1].Reveal() != before[0].Reveal() {
		t.Error("the successor of the former key is not among the candidates")
	}
	if r := read(t, rolled, first(t, rolled)); !r.Genuine || read(t, old, first(t, rolled)).Genuine {
		t.Error("the current key does not make the tokens")
	}
}

func TestSE06_NoOtherRefreshTokenIsGenuine(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. \x00"
	f := token.NewRefresher(key('a'))
	raw := first(t, f).Reveal()
	refused := func(what, s string) {
		if r, err := f.Read(secret.NewText(s)); err == nil && r.Genuine || err != nil && !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%s: %q %v", what, s, err)
		}
	}
	for i := range len(raw) {
		refused("prefix", raw[:i])
		refused("suffix", raw[i+1:])
		refused("without one byte", raw[:i]+raw[i+1:])
		for j := range len(alphabet) {
			if alphabet[j] != raw[i] {
				refused("another byte", raw[:i]+alphabet[j:j+1]+raw[i+1:])
			}
		}
	}
	for _, more := range []string{"A", "=", ".", " ", "\n", raw} {
		refused("extension", raw+more)
		refused("extension in front", more+raw)
	}
	refused("upper case", strings.ToUpper(raw))
	refused("lower case", strings.ToLower(raw))
	refused("another prefix", "otl_at_"+strings.TrimPrefix(raw, token.RefreshPrefix))
}

// FuzzReadRefresh: nobody makes a genuine token but us, whatever he sends.
func FuzzReadRefresh(f *testing.F) {
	r := token.NewRefresher(key('a'), key('b'))
	good := first(f, token.NewRefresher(key('c'))).Reveal() // of another installation
	for _, s := range []string{"", good, good[:50], token.RefreshPrefix, token.RefreshPrefix + strings.Repeat("A", len(good)-len(token.RefreshPrefix))} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := r.Read(secret.NewText(s))
		if err == nil && got.Genuine {
			t.Fatalf("%q is genuine", s)
		}
	})
}
