package pages_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestOT10_ThePageOfANewcomerSaysWhatAPressDoes, and so does the mail that leads to it: in the same words to nobody and to whoever is known
// elsewhere alone. The links of a site's own people, also of such a client, say nothing of it.
func TestOT10_ThePageOfANewcomerSaysWhatAPressDoes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		w.Person(t, "sam@dev.test", w.Shop.Site)
		for address, says := range map[string]bool{"fresh@dev.test": true, "sam@dev.test": true, jane: false} {
			r := signin.LinkRequest{CodeRequest: signin.CodeRequest{
				Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: address}, Channel: otl.ChannelMail,
				Known: true, Newcomer: true, Redirect: "https://notes.test/callback",
			}, Confirm: otl.ConfirmNever}
			if !says {
				r.Confirm = otl.ConfirmAuto // its people have a page only then
			}
			if _, err := w.Codes.SendLink(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			l := letter(t, w, address)
			for _, lang := range message.Languages() {
				line := message.Speak(map[string]string{"site": w.Notes.Site.Name}, lang.Tag).Say("link_newcomer")
				if strings.Contains(l.Text, line) != (says && lang.Tag == "en") {
					t.Errorf("%s %s: %q in\n%s", address, lang.Tag, line, l.Text)
				}
				b := w.Browser(t)
				b.Headers["Accept-Language"] = lang.Tag
				p := b.Get(pathOf(l.Link))
				if line = strings.ReplaceAll(line, "'", "&#39;"); !says {
					line = "!" + line
				}
				holds(t, p, line)
				if p.Fields("confirm") == nil {
					t.Errorf("%s %s: %d %s", address, lang.Tag, p.Status, p.Title)
				}
			}
		}
	})
}
