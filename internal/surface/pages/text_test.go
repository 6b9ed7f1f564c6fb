package pages_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT10_ACodeByTextSignsIn: H2, at the number that the person has proven. Where he has
// none, or there is nobody, the page says the same and nothing is sent; a number that
// somebody wrote beside his address opens nothing (OT-16).
func TestOT10_ACodeByTextSignsIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const own, planted = "+491705550100", "+491705550199"
		number := func(email, phone string, proven bool) {
			u := w.Person(t, email, w.Notes.Site)
			u, err := w.Accounts.Find(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			u.Phone = phone
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if _, err := tx.Users.UpdateProfile(ctx, u); err != nil || !proven {
					return err
				}
				_, err := tx.Users.VerifyPhone(ctx, u.ID, phone, w.Clock.Now())
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		number(jane, own, true)
		number("joe@dev.test", planted, false)
		text := func(b *otltest.Browser, who string) otltest.Page {
			return b.Submit(b.Get(request(w.Notes, nil)), "/signin", map[string]string{"identifier": who, "way": "sms"})
		}
		b := w.Browser(t)
		p := text(b, jane)
		if p.Title != "Check your phone" || p.Fields("continue") != nil || !strings.Contains(string(p.Raw), "data-texted") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		code := letter(t, w, own).Code
		holds(t, b.Submit(p, "code-form", map[string]string{"code": "000000"}), "That code isn&#39;t right")
		r := exchange(t, w, w.Notes, arrives(t, b.Submit(p, "code-form", map[string]string{"code": code}), w.Notes)).Want(t, http.StatusOK)
		if got := introspected(t, w, r); !strings.Contains(got, `"amr":["sms"]`) {
			t.Errorf("%s", got)
		}
		for _, who := range []string{"joe@dev.test", "nobody@dev.test"} {
			if got := text(w.Browser(t), who); got.Title != p.Title || got.Status != p.Status {
				t.Errorf("%s: %d %s", who, got.Status, got.Title)
			}
		}
		if len(w.Letters(t, planted)) != 0 {
			t.Error("a number that nobody has proven gets a code")
		}
		// Another one is texted, too, and the mail of another visit ends it.
		w.Clock.Advance(time.Hour)
		b = w.Browser(t)
		p = text(b, jane)
		letter(t, w, own)
		w.Clock.Advance(time.Minute)
		p = b.Submit(p, "again", nil)
		if p.Title != "Check your phone" {
			t.Fatalf("%s", p.Title)
		}
		arrives(t, b.Submit(p, "code-form", map[string]string{"code": letter(t, w, own).Code}), w.Notes)
		if got := text(w.Browser(t), "no address"); got.Status != http.StatusBadRequest {
			t.Errorf("no address: %d", got.Status)
		}
	})
}

// TestNobodyIsOfferedATextThatNobodySends: the button is there where SMS are delivered.
func TestNobodyIsOfferedATextThatNobodySends(t *testing.T) {
	t.Parallel()
	with := otltest.New(t, otltest.SQLite)
	holds(t, with.Browser(t).Get(request(with.Notes, nil)), "Text me a code")
	for name, change := range map[string]func(*node.Options){
		"nobody delivers": func(o *node.Options) { delete(o.Senders, otl.ChannelSMS) },
		"nowhere":         func(o *node.Options) { o.SMSCountries = nil },
	} {
		w := otltest.New(t, otltest.SQLite, change)
		b := w.Browser(t)
		p := b.Get(request(w.Notes, nil))
		holds(t, p, "!Text me a code")
		if got := b.Submit(p, "/signin", map[string]string{"identifier": jane, "way": "sms"}); got.Title == "Check your phone" && name == "nobody delivers" {
			t.Errorf("%s: %s", name, got.Title)
		}
	}
}
