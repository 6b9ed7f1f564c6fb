package message_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// FuzzWrite: whatever a locale and the words of a site are, a mail is written, in one
// of the languages, and nothing of the site's becomes markup.
func FuzzWrite(f *testing.F) {
	f.Add("de", "Notes", "Hello", "A body", "#1f4fd8")
	f.Add("zh-Hant-TW", "<b>", "{code}", `"><script>`, "red")
	f.Add("x-klingon;q=0.5, *", "\x00", "", "{site}{code}", "expression(1)")
	f.Add("\xff", "é", "a\nb", "</title>", "url(javascript:1)")
	f.Fuzz(func(t *testing.T, locale, site, subject, body, color string) {
		m := &message.Messages{Host: "id.example.com"}
		one := signIn(locale, otl.ChannelMail, map[string]string{"code": "048291", "link": "https://id.example.com/l/x", "minutes": "5"})
		l, err := m.Write(one, site)
		if err != nil || l.HTML == "" || !strings.Contains(l.Text, "048291") {
			t.Fatalf("%v %q", err, l.Text)
		}
		one.Data["custom"] = custom(t, message.Custom{Subject: subject, Body: body, Color: color})
		l, err = m.Write(one, site)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range []string{"<script", "<img", "<iframe"} {
			if strings.Contains(strings.ToLower(l.HTML), tag) {
				t.Errorf("%s in %s", tag, l.HTML)
			}
		}
		if v := message.Speak(nil, locale, site); v.Say("signin_info") == "" || v.Dir() == "" {
			t.Errorf("%q says nothing", locale)
		}
	})
}
