package pages_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// asked has a change of Jane's address asked for, and gives the paths of its two links.
func asked(t *testing.T, w *otltest.World, address string) (confirm, undo string) {
	t.Helper()
	u, err := w.Accounts.Find(t.Context(), "jane@dev.test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &address}); err != nil {
		t.Fatal(err)
	}
	path := func(to string) string { return strings.TrimPrefix(w.Newest(t, to).Link, otltest.Issuer) }
	return path(address), path("jane@dev.test")
}

// TestChangePages asks in every language, shows the new address masked, and says what
// became of it.
func TestChangePages(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, "jane@dev.test", w.Notes.Site)
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	confirm, undo := asked(t, w, "new@dev.test")
	for _, l := range message.Languages() {
		for _, path := range []string{confirm, undo} {
			r := w.Do(t, otltest.Call{Path: path + "?lang=" + l.Tag, Headers: map[string]string{"Accept": anyPage}}).Want(t, http.StatusOK)
			page := string(r.Raw)
			if !strings.Contains(page, `<html lang="`+l.Tag+`"`) || !strings.Contains(page, `id="confirm"`) || strings.ContainsAny(strings.ReplaceAll(page, "{{", "{"), "{}") || strings.Contains(page, "new@dev.test") {
				t.Errorf("%s %s: %s", l.Tag, path, page)
			}
			if !strings.Contains(page, "n***@dev.test") || strings.Contains(page, "j***") || strings.Contains(page, "jane") {
				t.Errorf("%s %s: %s", l.Tag, path, page)
			}
			if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Referrer-Policy") != "same-origin" {
				t.Errorf("%v", r.Header)
			}
		}
	}
	post := func(path string) otltest.Reply {
		return w.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Headers: map[string]string{"Accept": anyPage, "Sec-Fetch-Site": "same-origin"}})
	}
	if page := string(post(confirm).Want(t, http.StatusOK).Raw); !strings.Contains(page, "n***@dev.test\u2069 is used for your account") {
		t.Error(page)
	}
	if page := string(post(confirm).Want(t, http.StatusGone).Raw); !strings.Contains(page, "This link was already used") || !strings.Contains(page, "n***@dev.test\u2069 is used for your account") {
		t.Error(page) // and it holds
	}
	if page := string(post(undo).Want(t, http.StatusOK).Raw); !strings.Contains(page, "The change is undone") {
		t.Error(page)
	}
	for _, dead := range []string{confirm, undo, "/c/otl_ch_x", "/c/otl_un_x", "/c/x", "/c/%00"} {
		if page := string(post(dead).Want(t, http.StatusGone).Raw); !strings.Contains(page, "the change was cancelled") || !strings.Contains(page, `href="/account"`) || strings.Contains(page, "<form id") {
			t.Errorf("%s: %s", dead, page)
		}
		w.Do(t, otltest.Call{Path: dead, Headers: map[string]string{"Accept": anyPage}}).Want(t, http.StatusGone)
	}
}

// TestTheLinkOfAChangeTellsOfWhatToItsPerson alone, where he is signed in: the mailbox that it went to may
// be a stranger's, by a slip.
func TestTheLinkOfAChangeTellsOfWhatToItsPerson(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		verified(t, w, w.Notes.Site)
		w.Person(t, "joe@dev.test")
		confirm, _ := asked(t, w, "new@dev.test")
		own, joes := home(t, w), w.Browser(t)
		joes.Submit(joes.Get("/account"), "/signin", map[string]string{"identifier": "joe@dev.test", "password": otltest.Password})
		holds(t, own.Get(confirm), "It takes the place of \u2068j***@dev.test\u2069 in your account.", "n***@dev.test", "!"+jane)
		for who, b := range map[string]*otltest.Browser{"nobody": w.Browser(t), "joe": joes} {
			p := b.Get(confirm)
			if holds(t, p, "n***@dev.test", "Close this page", "!takes the place", "!j***"); p.Fields("confirm") == nil {
				t.Errorf("%s cannot confirm it", who)
			}
		}
		for _, l := range message.Languages() {
			holds(t, own.Get(confirm+"?lang="+l.Tag), `<html lang="`+l.Tag+`"`, "j***@dev.test", "!{")
		}
	})
}

// TestAChangeToATakenAddressIsRefused, also where it was taken after the asking.
func TestAChangeToATakenAddressIsRefused(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Person(t, "joe@dev.test")
		for _, taken := range []string{"joe@dev.test", "JOE@dev.test"} {
			if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &taken}); !otl.Is(err, "email_taken") {
				t.Error(err)
			}
		}
		confirm, _ := asked(t, w, "late@dev.test")
		w.Clock.Advance(time.Minute)
		w.Person(t, "late@dev.test")
		w.Do(t, otltest.Call{Method: http.MethodPost, Path: confirm}).Want(t, http.StatusGone)
		if now, err := w.Accounts.Find(t.Context(), u.ID); err != nil || now.Email.Key != "jane@dev.test" {
			t.Errorf("%+v %v", now.Email, err)
		}
		// The rate of asking is that of messages (OT-19).
		again := "again@dev.test"
		w.Clock.Advance(time.Second)
		for range 2 {
			_, _ = w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &again})
		}
		if _, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Email: &again}); !otl.Is(err, "rate_limited") {
			t.Error(err)
		}
	}, func(o *node.Options) { o.Limits = true })
}
