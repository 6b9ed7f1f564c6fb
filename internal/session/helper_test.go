package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

const jane = "jane@dev.test"

// open signs jane in at a site.
func open(t *testing.T, w *otltest.World, site otl.Site) session.Tokens {
	t.Helper()
	return openFrom(t, w, site, &otl.Request{})
}

func openFrom(t *testing.T, w *otltest.World, site otl.Site, from *otl.Request) session.Tokens {
	t.Helper()
	tokens, err := w.SignIn.Password(otl.WithRequest(t.Context(), from),
		signin.Attempt{Site: site, Email: jane, Password: secret.NewText(otltest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// pass lets a person in who has no second factor, or two of the methods.
func pass(t *testing.T, w *otltest.World, tx *store.Tx, st store.Standing, methods ...otl.Method) factor.Pass {
	t.Helper()
	p, offers, err := w.Factors.Admit(t.Context(), tx, st, methods, nil)
	if err != nil || len(offers) > 0 {
		t.Fatalf("not let in: %v %v", offers, err)
	}
	return p
}

// renew exchanges a refresh token that must be good.
func renew(t *testing.T, w *otltest.World, raw secret.Text, site otl.Site) session.Tokens {
	t.Helper()
	tokens, err := w.SignIn.Sessions.Renew(t.Context(), raw, site.ID)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// refuse exchanges a refresh token that must fail in one way.
func refuse(t *testing.T, w *otltest.World, raw secret.Text, site otl.Site, want *otl.Error) {
	t.Helper()
	tokens, err := w.SignIn.Sessions.Renew(t.Context(), raw, site.ID)
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if !tokens.Refresh.Empty() || !tokens.Access.Empty() {
		t.Fatal("a refusal came with tokens")
	}
}

func standing(t *testing.T, w *otltest.World, id string) store.Standing {
	t.Helper()
	st, err := w.Store.Read.Sessions.Standing(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// lives fails the test unless a session has not ended and its refresh token is
// the one given.
func lives(t *testing.T, w *otltest.World, id string, current secret.Text) {
	t.Helper()
	s := standing(t, w, id).Session
	if !s.Live(w.Clock.Now()) {
		t.Fatalf("the session ended for %q", s.EndReason)
	}
	if !secret.SameDigest(s.Refresh.Digest, secret.Digest(current.Reveal())) {
		t.Fatal("the session has another refresh token")
	}
}

// ended gives why a session ended.
func ended(t *testing.T, w *otltest.World, id string) otl.EndReason {
	t.Helper()
	s := standing(t, w, id).Session
	if s.EndedAt.IsZero() {
		return ""
	}
	return s.EndReason
}

// events gives what the log has of one type, newest first.
func events(t *testing.T, w *otltest.World, of otl.EventType) []otl.Event {
	t.Helper()
	all, err := w.Store.Read.Events.List(t.Context(), "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []otl.Event
	for _, e := range all {
		if e.Type == of {
			out = append(out, e)
		}
	}
	return out
}

// authenticates reports whether an access token is good at the next call.
func authenticates(t *testing.T, w *otltest.World, access secret.Text) error {
	t.Helper()
	_, err := w.SignIn.Authenticate(t.Context(), access)
	return err
}

func write(t *testing.T, w *otltest.World, fn func(context.Context, *store.Tx) error) error {
	t.Helper()
	return w.Store.Write(t.Context(), fn)
}

// otlRefresh stands for a refresh token where none is looked at.
func otlRefresh() secret.Text { return secret.NewText("otl_rt_none") }

// scopeOf is every session of a person.
func scopeOf(u otl.User) signin.Scope { return signin.Scope{UserID: u.ID} }
