package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

func TestOpen_WritesTheSessionItReturnsAndAnEvent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		tokens := openFrom(t, w, w.Notes.Site, &otl.Request{Client: netip.MustParseAddr("192.0.2.7"), UserAgent: "test/1"})
		s := standing(t, w, tokens.Session.ID).Session
		if !reflect.DeepEqual(s, tokens.Session) {
			t.Errorf("stored %+v\nreturned %+v", s, tokens.Session)
		}
		now := w.Clock.Now()
		if s.UserID != u.ID || s.SiteID != w.Notes.Site.ID || s.Methods.String() != "pwd" || s.IP != "192.0.2.7" || s.UserAgent != "test/1" ||
			!s.AuthAt.Equal(now) || !s.CreatedAt.Equal(now) || !s.LastSeenAt.Equal(now) {
			t.Errorf("%+v", s)
		}
		lives(t, w, s.ID, tokens.Refresh)
		all := events(t, w, otl.EventSessionCreated)
		want := map[string]string{"amr": "pwd", "ip": "192.0.2.7", "user_agent": "test/1"}
		if len(all) != 1 || all[0].SessionID != s.ID || all[0].UserID != u.ID || all[0].SiteID != s.SiteID || !reflect.DeepEqual(all[0].Data, want) {
			t.Errorf("%+v", all)
		}
	})
}

// TestOpen_NothingStaysOfATransactionGivenUp: session, event and everything else
// are one.
func TestOpen_NothingStaysOfATransactionGivenUp(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		st := store.Standing{User: u, Site: w.Notes.Site}
		no := errors.New("no")
		err := write(t, w, func(ctx context.Context, tx *store.Tx) error {
			if _, err := w.SignIn.Sessions.Open(ctx, tx, &st, pass(t, w, tx, st), &otl.Request{}); err != nil {
				return err
			}
			return no
		})
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
		if _, err := w.Store.Read.Sessions.Standing(t.Context(), st.Session.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session: %v", err)
		}
		if n := len(events(t, w, otl.EventSessionCreated)); n != 0 {
			t.Errorf("%d events", n)
		}
	})
}

// TestOpen_KeepsTextEveryDatabaseTakes: what a site hands on of a browser must
// not be able to fail a sign-in.
func TestOpen_KeepsTextEveryDatabaseTakes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 200) // 400 bytes
	cases := []struct{ given, want string }{
		{"", ""},
		{"Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"},
		{strings.Repeat("a", 255), strings.Repeat("a", 255)},
		{strings.Repeat("a", 256), strings.Repeat("a", 255)},
		{long, long[:254]},
		{strings.Repeat("a", 254) + "🦊", strings.Repeat("a", 254)},
		{"ok\xff\xfe/1", "ok/1"},
		{"\xc3", ""},
		{"nul\x00nul", "nulnul"},
		{strings.Repeat("\x80", 1000), ""},
	}
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		for _, c := range cases {
			got := openFrom(t, w, w.Notes.Site, &otl.Request{UserAgent: c.given}).Session
			if got.UserAgent != c.want || !utf8.ValidString(got.UserAgent) {
				t.Errorf("%.20q became %q", c.given, got.UserAgent)
			}
			if s := standing(t, w, got.ID).Session; s.UserAgent != c.want || s.IP != "" {
				t.Errorf("stored %q, %q", s.UserAgent, s.IP)
			}
		}
	})
}

func TestSE19_TheOldestOfFiftySessionsMakesRoom(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		other := open(t, w, w.Shop.Site)
		var all []session.Tokens
		for range 50 {
			w.Clock.Advance(time.Millisecond)
			all = append(all, open(t, w, w.Notes.Site))
		}
		if n := len(events(t, w, otl.EventSessionRevoked)); n != 0 {
			t.Fatalf("%d sessions ended at the bound", n)
		}
		w.Clock.Advance(time.Millisecond)
		newest := open(t, w, w.Notes.Site)
		if why := ended(t, w, all[0].Session.ID); why != otl.EndSuperseded {
			t.Errorf("the oldest ended for %q", why)
		}
		refuse(t, w, all[0].Refresh, w.Notes.Site, otl.ErrSessionRevoked)
		// Nobody else notices: neither the session version nor another site.
		for _, good := range []session.Tokens{all[1], all[49], newest, other} {
			if err := authenticates(t, w, good.Access); err != nil {
				t.Error(err)
			}
		}
		e := events(t, w, otl.EventSessionRevoked)
		if len(e) != 1 || e[0].SessionID != all[0].Session.ID || e[0].Data["reason"] != "superseded" {
			t.Errorf("%+v", e)
		}
	})
}

// TestSE19_TheNewestStaysWhateverTheClockDid: ids sort by time, so after the
// clock was set back, or within one millisecond, the newest session may sort
// before older ones. Whoever has just signed in must not be the one to go.
func TestSE19_TheNewestStaysWhateverTheClockDid(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		w.Clock.Advance(3 * time.Hour)
		first := open(t, w, w.Notes.Site)
		w.Clock.Advance(time.Hour)
		second := open(t, w, w.Notes.Site)
		w.Clock.Advance(-2 * time.Hour)
		third := open(t, w, w.Notes.Site)
		if a, b, c := ended(t, w, first.Session.ID), ended(t, w, second.Session.ID), ended(t, w, third.Session.ID); a != otl.EndSuperseded || b != "" || c != "" {
			t.Fatalf("ended: %q, %q, %q", a, b, c)
		}
		for range 20 { // all in this millisecond
			tokens := open(t, w, w.Notes.Site)
			if why := ended(t, w, tokens.Session.ID); why != "" {
				t.Fatalf("the newest ended for %q", why)
			}
		}
		live, err := w.Store.Read.Sessions.Live(t.Context(), first.User.ID, "", "", w.Clock.Now(), 100)
		if err != nil || len(live) != 2 {
			t.Fatalf("%d live sessions, %v", len(live), err)
		}
	}, func(o *node.Options) { o.SessionLimit = 2 })
}

func TestSE19_ABoundOfOne(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		first := open(t, w, w.Notes.Site)
		second := open(t, w, w.Notes.Site)
		refuse(t, w, first.Refresh, w.Notes.Site, otl.ErrSessionRevoked)
		renew(t, w, second.Refresh, w.Notes.Site)
	}, func(o *node.Options) { o.SessionLimit = 1 })
}

func TestIssue_SaysWhatTheSiteWasGranted(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		cases := []struct {
			name        string
			site        otl.Site
			grant       otl.Grant
			email, full string
			audience    string
		}{
			{"everything", w.Notes.Site, otl.Grant{SiteID: w.Notes.Site.ID, Fields: otl.AllFields()}, jane, "Jane Doe", w.Notes.Site.ID},
			{"the address", w.Notes.Site, otl.Grant{SiteID: w.Notes.Site.ID, Fields: otl.Fields{otl.FieldEmail}}, jane, "", w.Notes.Site.ID},
			{"nothing", w.Notes.Site, otl.Grant{SiteID: w.Notes.Site.ID}, "", "", w.Notes.Site.ID},
			{"no grant", w.Notes.Site, otl.Grant{}, "", "", w.Notes.Site.ID},
			{"a grant taken back", w.Notes.Site, otl.Grant{SiteID: w.Notes.Site.ID, Fields: otl.AllFields(), RevokedAt: w.Clock.Now()}, "", "", w.Notes.Site.ID},
			{"first-party", otl.Site{ID: w.Installation.SiteID, FirstParty: true}, otl.Grant{}, jane, "Jane Doe", otltest.Issuer},
		}
		for _, c := range cases {
			st := store.Standing{User: u, Site: c.site, Grant: c.grant, Session: otl.Session{ID: "01J", ExpiresAt: w.Clock.Now().Add(time.Hour)}}
			tokens, err := w.SignIn.Sessions.Issue(st, otlRefresh())
			if err != nil {
				t.Fatal(err)
			}
			a, err := w.Installation.Ring.Verify(tokens.Access.Reveal(), otltest.Issuer, w.Clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			if a.Email != c.email || a.Name != c.full || a.Audience != c.audience || a.Subject != u.ID || a.SessionVersion != 1 {
				t.Errorf("%s: %+v", c.name, a)
			}
		}
	})
}

// TestIssue_FailsWithoutASigningKey: better no token than one nobody can check.
func TestIssue_FailsWithoutASigningKey(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane, w.Notes.Site)
	tokens := open(t, w, w.Notes.Site)
	if err := w.Installation.Ring.Load(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SignIn.Sessions.Renew(t.Context(), tokens.Refresh, w.Notes.Site.ID); err == nil || otl.As(err).Kind != otl.Internal {
		t.Errorf("got %v", err)
	}
}

// TestDD07_SomebodySignsInAfterTheClockWasSetBack to before the first signing key, as that of a world to try things
// in is: the oldest key signs, and no sign-in is an error of ours.
func TestDD07_SomebodySignsInAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		w.Clock.Advance(-50 * time.Hour)
		in := w.Login(t, w.Notes, jane)
		again := w.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusOK)
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: again.Text("access_token")}).Want(t, http.StatusOK)
		w.Do(t, otltest.Call{Path: "/readyz"}).Want(t, http.StatusOK)
	})
}
