package pages_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestTheMailboxOfALargeProviderIsALink: by the domain alone, whether or not there is anybody; other mailboxes have
// none, nor has an SMS (H3).
func TestTheMailboxOfALargeProviderIsALink(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, "known@gmail.com", w.Notes.Site)
	for address, want := range map[string]string{
		"known@gmail.com": `<a href="https://mail.google.com/" target="_blank" rel="noreferrer">Open `, "nobody@Gmail.com": `<a href="https://mail.google.com/"`,
		"nobody@hotmail.com": `<a href="https://outlook.live.com/mail/"`, "nobody@yahoo.com": `<a href="https://mail.yahoo.com/"`,
		"nobody@me.com": `<a href="https://www.icloud.com/mail"`, "nobody@proton.me": `<a href="https://mail.proton.me/"`,
		"nobody@gmail.com.evil.test": "", "nobody@dev.test": "",
	} {
		b := w.Browser(t)
		p := asks(b, b.Get(request(w.Notes, nil)), address)
		if has := strings.Contains(string(p.Raw), `target="_blank"`); p.Status != http.StatusOK || has != (want != "") || !strings.Contains(string(p.Raw), want) {
			t.Errorf("%s: %d\n%s", address, p.Status, p.Raw)
		}
	}
}
