package signin_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

const foreignPassword = "correct-horse-7"

// foreignHashes are that password hashed by other programs (Python's bcrypt,
// argon2-cffi and hashlib, and Werkzeug).
func foreignHashes(t *testing.T) []string {
	t.Helper()
	return []string{
		"$2b$04$frxlJbQzPwmNZuT3EZ9Xuu41cxE9FUuhXRmq8TTT/jEvX.NkvaEyq",
		"$2y$04$TsoyzhPzbm4LUra4eYeqMuXAj3FYG7ZaZcikkJXngeb.d7XfGeema",
		"$argon2i$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MpUlERhGXVIvYSr8Tl1nCPKVVnb9wZdEr1G1vlU/uco",
		"$argon2d$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$cz6aSnw15E3IrNj3yItzYRQ5IpvIE9zk9CpHnPmX1Pk",
		"$argon2id$v=19$m=64,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$E+I8Q/ljh6oJlB8O2VNWrD8U36z3RD4I",
		"$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$qA3SzJ4j9G3d1EnH83uX4zAG96kKuVjqa4jnSmM7u0c",
		"scrypt:16:8:1$saltsaltsalt$b1b1d3b64bd7871019fd0b1e1acbcd9281e35375c457e47e12d31d91436fc5c9523992e095c898febd7244c63e3d1205f5132a739ad1bf697aa78ecc69611b4a",
	}
}

func password(t *testing.T, w *otltest.World, s site.Registered, email, pass string) (session.Tokens, error) {
	t.Helper()
	return w.SignIn.Password(t.Context(), signin.Attempt{Site: s.Site, Email: email, Password: secret.NewText(pass)})
}

// stored gives what is kept of a person's password.
func stored(t *testing.T, w *otltest.World, email string) store.Credential {
	t.Helper()
	e, err := otl.ParseEmail(email)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Store.Read.Users.Credential(t.Context(), e.Key, w.Notes.Site.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, w *otltest.World, fn func(context.Context, *store.Tx) error) {
	t.Helper()
	if err := w.Store.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// TestPW09_EveryFailureIsTheSame: who is unknown, disabled, has no password or
// another one gets one and the same error, after work of the same kind.
func TestPW09_EveryFailureIsTheSame(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		disabled := w.Person(t, "disabled@dev.test", w.Notes.Site)
		if err := w.Accounts.SetDisabled(t.Context(), disabled.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "nopass@dev.test", Site: &w.Notes.Site}); err != nil {
			t.Fatal(err)
		}
		for what, try := range map[string][2]string{
			"unknown": {"nobody@dev.test", otltest.Password}, "disabled": {"disabled@dev.test", otltest.Password},
			"without a password": {"nopass@dev.test", otltest.Password}, "wrong": {"jane@dev.test", "wrong-horse-7"},
			"another case": {"jane@dev.test", strings.ToUpper(otltest.Password)}, "longer": {"jane@dev.test", otltest.Password + " "},
		} {
			tokens, err := password(t, w, w.Notes, try[0], try[1])
			if !reflect.DeepEqual(otl.As(err), otl.ErrCredentials) || tokens.Session.ID != "" {
				t.Errorf("%s: %+v", what, err)
			}
		}
		if _, err := password(t, w, w.Notes, "jane@dev.test", otltest.Password); err != nil {
			t.Error(err)
		}
	})
}

// TestPW12_NoPasswordMatchesNothing: an account without a password refuses
// whatever a program may take for none.
func TestPW12_NoPasswordMatchesNothing(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "nopass@dev.test", Site: &w.Notes.Site}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"null", "undefined", "nil", "false", "0", " ", "\x00", "*", "!", "x", "$argon2id$", strings.Repeat("a", 1024)} {
		if _, err := password(t, w, w.Notes, "nopass@dev.test", p); !errors.Is(err, otl.ErrCredentials) {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, p := range []string{"", strings.Repeat("a", 1025)} {
		if _, err := password(t, w, w.Notes, "nopass@dev.test", p); otl.As(err).Field != "password" {
			t.Errorf("%d bytes: %v", len(p), err)
		}
	}
}

// TestPW08_ForeignHashesAreReplaced: a person whose hash was made elsewhere, or
// with other parameters, signs in and has one of ours afterwards.
func TestPW08_ForeignHashesAreReplaced(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		ours := "$argon2id$v=19$m=64,t=1,p=1$"
		for i, hash := range foreignHashes(t) {
			email := fmt.Sprintf("p%d@dev.test", i)
			if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: email, Hash: hash, Site: &w.Notes.Site}); err != nil {
				t.Fatalf("%s: %v", hash, err)
			}
			if _, err := password(t, w, w.Notes, email, "wrong-horse-7"); !errors.Is(err, otl.ErrCredentials) {
				t.Errorf("%s with a wrong password: %v", hash, err)
			}
			if got := stored(t, w, email); got.Hash != hash || !got.Imported {
				t.Errorf("a wrong password changed %s to %s", hash, got.Hash)
			}
			for range 2 {
				if _, err := password(t, w, w.Notes, email, foreignPassword); err != nil {
					t.Errorf("%s: %v", hash, err)
				}
			}
			if got := stored(t, w, email); !strings.HasPrefix(got.Hash, ours) || got.Imported {
				t.Errorf("%s became %s (imported %v)", hash, got.Hash, got.Imported)
			}
		}
		w.Person(t, "own@dev.test", w.Notes.Site)
		before := stored(t, w, "own@dev.test").Hash
		if _, err := password(t, w, w.Notes, "own@dev.test", otltest.Password); err != nil {
			t.Fatal(err)
		}
		if after := stored(t, w, "own@dev.test").Hash; after != before {
			t.Errorf("a good hash was replaced")
		}
	})
}

// TestPW07_ALongNameHidesNoPassword: whatever the name and the kind of hash, a wrong password is
// refused; nothing of a name is ever hashed with one.
func TestPW07_ALongNameHidesNoPassword(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for i, hash := range foreignHashes(t) {
		email := strings.Repeat(string(rune('a'+i)), 64) + "@" + strings.Repeat(strings.Repeat("d", 60)+".", 3) + "test"
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: email, Hash: hash, Site: &w.Notes.Site}); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"wrong-horse-7", email, email + foreignPassword, foreignPassword + "x", foreignPassword[:14]} {
			if _, err := password(t, w, w.Notes, email, wrong); !errors.Is(err, otl.ErrCredentials) {
				t.Errorf("%s with %q: %v", hash[:10], wrong, err)
			}
		}
		if _, err := password(t, w, w.Notes, email, foreignPassword); err != nil {
			t.Errorf("%s: %v", hash[:10], err)
		}
	}
	for n := 1; n <= 300; n++ {
		for _, name := range []string{strings.Repeat("n", n), strings.Repeat("n", n) + "@dev.test"} {
			if _, err := w.SignIn.Prove(t.Context(), signin.Named(w.Notes.Site, name, secret.NewText(foreignPassword))); err == nil {
				t.Errorf("nobody of %d letters is let in", len(name))
			}
		}
	}
}

// TestPW08_ANewPasswordWinsOverARehash: a sign-in that began with the old
// password neither replaces the new one nor opens a session.
func TestPW08_ANewPasswordWinsOverARehash(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		hash := foreignHashes(t)[0]
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Hash: hash, Site: &w.Notes.Site})
		if err != nil {
			t.Fatal(err)
		}
		u := m.User
		before := stored(t, w, "jane@dev.test")
		write(t, w, func(ctx context.Context, tx *store.Tx) error { // the password is changed while the old one is checked
			return tx.Passwords.Set(ctx, u.ID, "new hash", false, w.Clock.Now())
		})
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			if _, err := tx.Users.SignedIn(ctx, u.ID, before.PasswordVersion, w.Clock.Now()); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the sign-in with the old password goes on: %v", err)
			}
			return tx.Passwords.Rehash(ctx, u.ID, before.Hash, "rehash of the old one")
		})
		if got := stored(t, w, "jane@dev.test"); got.Hash != "new hash" {
			t.Errorf("the hash is %q", got.Hash)
		}
	})
}

// TestPW08_ManySignInsRehashOnce: sign-ins at the same time all succeed, and
// leave one good hash.
func TestPW08_ManySignInsRehashOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Hash: foreignHashes(t)[0], Site: &w.Notes.Site}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := password(t, w, w.Notes, "jane@dev.test", foreignPassword); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if _, err := password(t, w, w.Notes, "jane@dev.test", foreignPassword); err != nil || stored(t, w, "jane@dev.test").Imported {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestPW03_SpellingsOfOneCharacter: composed and decomposed are one password.
func TestPW03_SpellingsOfOneCharacter(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	const composed, decomposed = "pässwörter-é", "pa\u0308sswo\u0308rter-e\u0301"
	if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Password: secret.NewText(decomposed), Site: &w.Notes.Site}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{composed, decomposed} {
		if _, err := password(t, w, w.Notes, "jane@dev.test", p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// TestTheFirstSignInJoinsTheSite: with the minimal fields; a sign-in elsewhere
// grants nothing here, and who was disabled meanwhile gets no session.
func TestTheFirstSignInJoinsTheSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test")
		tokens, err := password(t, w, w.Notes, "Jane@DEV.test ", otltest.Password)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tokens.Grant.Fields, otl.MinimalFields()) || tokens.Session.SiteID != w.Notes.Site.ID || tokens.ExpiresIn != 30*time.Minute {
			t.Errorf("got %+v", tokens.Standing)
		}
		if _, err := w.Store.Read.Grants.Of(t.Context(), u.ID, w.Shop.Site.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a grant to Shop: %v", err)
		}
		for _, bad := range []string{"", "jane", "jane@dev.test\x00", "a@b@c"} {
			if _, err := password(t, w, w.Notes, bad, otltest.Password); otl.As(err).Field != "email" {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}

// TestSE13_AGrantThatEndsDuringASignIn: who left a site, or was barred from it, between his proof and his
// session gets none, and is to try again: then what holds by now decides.
func TestSE13_AGrantThatEndsDuringASignIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, site := w.Person(t, "jane@dev.test", w.Notes.Site), w.Notes.Site
		proves := func() signin.Proved {
			p, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: site, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		enters := func(p signin.Proved) error {
			_, err := w.SignIn.Second.Enter(t.Context(), p, nil)
			return err
		}
		p := proves()
		if err := w.Accounts.Leave(t.Context(), site.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := enters(p); !errors.Is(err, signin.ErrOvertaken) {
			t.Errorf("he left: %v", err)
		}
		if err := enters(proves()); err != nil {
			t.Errorf("he comes back: %v", err)
		}
		p, barred := proves(), true
		if _, err := w.Members.Change(t.Context(), site, u.ID, account.MemberChange{Suspended: &barred}); err != nil {
			t.Fatal(err)
		}
		if err := enters(p); !errors.Is(err, signin.ErrOvertaken) {
			t.Errorf("he was barred: %v", err)
		}
		if _, err := password(t, w, w.Notes, "jane@dev.test", otltest.Password); err == nil {
			t.Error("somebody barred signs in")
		}
	})
}
