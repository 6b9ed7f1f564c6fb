package pages_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestMailsSpeakAsThePageDoes: to whom has said nothing of his language, in the one the
// page has that he asked from; what a site asks for and what he chose go before what his
// browser prefers, and what he has said of himself before all of it.
func TestMailsSpeakAsThePageDoes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		says := func(to, about, want, locales, lang string) {
			t.Helper()
			b := w.Browser(t)
			b.Headers["Accept-Language"] = "de-AT,en;q=0.5"
			p := b.Get(request(w.Notes, map[string]string{"ui_locales": locales, "lang": lang}))
			if lang != "" {
				p = b.Get(p.Path + "&lang=" + lang)
			}
			asks(b, p, to)
			if got := letter(t, w, to); !strings.Contains(got.Text, want) {
				t.Errorf("%s: %s", about, got.Text)
			}
			b.Submit(b.Get("/forgot?f="+p.Fields("/signin").Get("f")), "/forgot", map[string]string{"email": to})
			if got := letter(t, w, to); strings.Contains(got.Text, "Choose a new password") {
				t.Errorf("%s, the mail of a password forgotten: %s", about, got.Text)
			}
		}
		says(jane, "his browser", "Bei Notes anmelden", "", "")
		says(jane, "what the site asks for", "Accedi a Notes", "xx it de", "")
		says(jane, "what he chose", "Connexion à Notes", "it", "fr")
		dutch := "nl"
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jan@dev.test", Password: secret.NewText(otltest.Password), Site: &w.Notes.Site, Profile: account.Profile{Locale: &dutch}}); err != nil {
			t.Fatal(err)
		}
		says("jan@dev.test", "what he said of himself", "Inloggen bij Notes", "it", "fr")
	})
}

// TestWhoSignsUpKeepsTheLanguageOfThePage: later mails have it, too, wherever they are
// asked for, and a call that comes straight from a browser is answered in its language.
func TestWhoSignsUpKeepsTheLanguageOfThePage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b := w.Browser(t)
		b.Headers["Accept-Language"] = "ja"
		signUp(b, "nia@dev.test", "a-long-enough-1")
		if got := letter(t, w, "nia@dev.test"); !strings.Contains(got.HTML, `lang="ja"`) {
			t.Errorf("%s", got.HTML)
		}
		send := func(to, accept, want string) {
			t.Helper()
			w.Do(t, otltest.Call{
				Path: "/api/v1/auth/otp/send", Key: w.Notes.Key, Body: map[string]string{"email": to}, Headers: map[string]string{"Accept-Language": accept},
			}).Want(t, http.StatusAccepted)
			if got := letter(t, w, to); !strings.Contains(got.HTML, `lang="`+want+`"`) {
				t.Errorf("%q: %s", accept, got.HTML)
			}
		}
		send("nia@dev.test", "de", "ja")
		for accept, want := range map[string]string{"pl;q=0.8, xx": "pl", "*": "en", "%%": "en", "fr," + strings.Repeat("de,", 100): "en"} {
			w.Person(t, want+accept[:1]+"@dev.test", w.Notes.Site)
			send(want+accept[:1]+"@dev.test", accept, want)
		}
	})
}
