package pages_test

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// clocked sends a form and says how long its answer took, without the pages it leads to.
func clocked(b *otltest.Browser, p otltest.Page, form string, change map[string]string) (next otltest.Page, spent time.Duration) {
	began := time.Now()
	b.Seen = func(string, otltest.Page) {
		if spent == 0 {
			spent = time.Since(began)
		}
	}
	defer func() { b.Seen = nil }()
	return b.Submit(p, form, change), spent
}

// forget deletes every one-time code there is: one more takes the place of the one of before, which is other work.
func forget(t *testing.T, w *otltest.World) {
	t.Helper()
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Tickets.Prune(ctx, w.Clock.Now().Add(24*time.Hour), store.Batch)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestTiming measures whether the time of a page tells who has an address (OT-10, PW-09), with the
// limits and the hash of a server that runs. It asserts nothing: `make timing` prints the figures for
// somebody to read. Where people sign up without a password there is no hash that hides the rest.
func TestTiming(t *testing.T) {
	samples := otltest.Samples(t)
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) {
		o.Limits, o.Argon2 = true, secret.Argon2{Memory: 19 << 10, Time: 2, Threads: 1}
	})
	kinds := []string{"member", "elsewhere", "unproven", "disabled", otltest.Nobody}
	people := (samples+samples/10)/otltest.PerPerson + 1
	mails := w.Register(t, site.Registration{Name: "Mails", Callbacks: []string{"https://mails.test/callback"}})
	ways := []string{"email_code", "link"}
	if _, err := w.Sites.Set(t.Context(), mails.Site.ID, site.Change{Ways: &ways}); err != nil {
		t.Fatal(err)
	}
	for k, one := range []struct {
		name, path, form string
		change           map[string]string
		code             bool // one was asked for, and a wrong one is entered
		username         bool // they are named by it
	}{
		{"/signin code by mail", request(w.Notes, nil), "/signin", map[string]string{"way": "code"}, false, false},
		{"/signin code by SMS", request(w.Notes, nil), "/signin", map[string]string{"way": "sms"}, false, false},
		{"/signin password", request(w.Notes, nil), "/signin", map[string]string{"way": "password", "password": "wrong-horse-7"}, false, false},
		{"/signin password by username", request(w.Notes, nil), "/signin", map[string]string{"way": "password", "password": "wrong-horse-7"}, false, true},
		{"/signin/code wrong", request(w.Notes, nil), "code-form", map[string]string{"code": "123456"}, true, false},
		{"/forgot", "/forgot", "/forgot", nil, false, false},
		{"/signup without a password", request(mails, nil), "/signup", map[string]string{"name": "Nia New"}, false, false},
	} {
		crowds := make([]otltest.Crowd, people) // of its own: a hundred wrong passwords in a row shut a person out
		for n := range crowds {
			crowds[n] = w.Crowd(t, k*people+n, kinds...)
		}
		otltest.Compare(one.name, samples, kinds, func(i int, kind string) time.Duration {
			w.Clock.Advance(70 * time.Minute) // beyond any pause, and below the limits of a day
			named := crowds[i/otltest.PerPerson].Of(kind)
			email := named.Email
			if kind == otltest.Nobody && one.form == "/signup" {
				email = "nobody" + strconv.Itoa(i) + "@new.test" // or he is somebody by the second time
			}
			if one.form == "/signup" { // as new people have none
				forget(t, w)
			}
			b := w.Browser(t)
			p := b.Get(one.path)
			switch {
			case one.code:
				p = asks(b, p, email)
			case one.form == "/signup":
				_, visit, _ := strings.Cut(p.Path, "?")
				p = b.Get("/signup?" + visit)
			}
			change := map[string]string{"identifier": email, "email": email}
			if one.username {
				change["identifier"] = named.Username
			}
			maps.Copy(change, one.change)
			p, spent := clocked(b, p, one.form, change)
			if p.Status != http.StatusOK && p.Status != http.StatusUnauthorized && p.Status != http.StatusBadRequest {
				t.Fatalf("%s of %s: %d %s", one.name, email, p.Status, p.Raw)
			}
			return spent
		})
	}
}
