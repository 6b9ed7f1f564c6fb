package message_test

import (
	"html"
	"maps"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// TestTheMailOfANewcomerSaysWhatItsLinkDoes, in every language and whatever a site writes in it: that the site is connected, that an account may be
// made, and what the site sees then. It names no account as his, who may have none. Nothing of that stands in other mails.
func TestTheMailOfANewcomerSaysWhatItsLinkDoes(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com/"}
	own := custom(t, message.Custom{Subject: "Hello", Heading: "Win!", Body: "Press here.", LinkText: "Go", Info: "Info", Footer: "Foot"})
	for _, tag := range tags(t) {
		line := strings.ReplaceAll(words(t, tag)["link_newcomer"], "{site}", "Notes & Co")
		if strings.Count(line, "Notes & Co") != 2 {
			t.Errorf("%s: %q", tag, line)
		}
		for _, c := range []struct {
			newcomer, custom string
		}{{"1", ""}, {"1", own}, {"", ""}, {"", own}} {
			data := map[string]string{"link": "https://id.example.com/l/otl_ln_x", "minutes": "15", "link_minutes": "15", "newcomer": c.newcomer, "custom": c.custom}
			l, err := m.Write(signIn(tag, otl.ChannelMail, maps.Clone(data)), "Notes & Co")
			says := c.newcomer != ""
			if err != nil || strings.Contains(l.Text, "\n\n"+line+"\n\n") != says || strings.Contains(l.HTML, ">"+html.EscapeString(line)+"</td>") != says {
				t.Errorf("%s %+v: %v, %q in\n%s", tag, c, err, line, l.Text)
			}
			if strings.Contains(l.Text, "/account/secure") == says || strings.Contains(l.HTML, "/account/secure") == says {
				t.Errorf("%s %+v: leads to\n%s", tag, c, l.Text)
			}
			if read, press := strings.Index(l.HTML, html.EscapeString(line)), strings.Index(l.HTML, "<a href"); says && read > press {
				t.Errorf("%s: it stands below what is pressed", tag)
			}
		}
	}
}
