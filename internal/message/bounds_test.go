package message_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

const (
	clip    = 102_000 // bytes of HTML beyond which mailboxes cut a mail
	mostSMS = 1_600   // characters that providers take in one message
)

// as gives a text of one character.
func as(of string, n int) string { return strings.Repeat(of, n) }

// TestAMailAtAllBoundsIsNotCut: whatever a site may write into its mails and have below them, in the characters that
// take most room in HTML; in letters of any language also where its logo stands in the HTML, as webhooks get it.
func TestAMailAtAllBoundsIsNotCut(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com"}
	logo := base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n" + as("x", message.MaxLogo*3/4-8)))
	brand := otl.Brand{Color: "#00ff00", Sender: as("'", otl.MaxSender), Footer: as("'", otl.MaxFooter), Logo: "data:image/png;base64," + logo}
	for range otl.MaxBrandLinks {
		brand.Links = append(brand.Links, otl.BrandLink{Text: as("'", otl.MaxSender), URL: "https://acme.test/" + as("'", otl.MaxURL-len("https://acme.test/"))})
	}
	for of, letter := range map[string]bool{"x": true, "é": true, "語": true, "🙂": false, "'": false, "+": false, "\x00": false} {
		text := as(of, message.MaxText)
		data := map[string]string{
			"code": "04829173", "link": "https://id.example.com/l/" + as("x", 100), "minutes": "5", "asked": "2026-11-26 07:10 UTC, Samsung Internet, Android, 2001:db8:1111:2222:3333:4444:5555:6666", "newcomer": "1",
			"custom": custom(t, message.Custom{Subject: as(of, message.MaxLine), Color: "#ff0000", Logo: logo, Heading: text, Body: text, LinkText: text, Info: text, Footer: text, Sender: as(of, message.MaxLine)}),
		}
		for _, tag := range tags(t) {
			for _, kind := range []otl.MessageKind{otl.MessageSignIn, otl.MessageVerify, otl.MessageExisting} {
				one := signIn(tag, otl.ChannelMail, data)
				one.Kind = kind
				l, err := m.WriteAs(one, as("'", otl.MaxName), brand)
				if err != nil || len(l.HTML) > clip || letter && len(l.Whole()) > clip || !strings.Contains(l.Text, "04829173") {
					t.Errorf("%s %s of %q: %d bytes, %d with its logo: %v", tag, kind, of, len(l.HTML), len(l.Whole()), err)
				}
			}
		}
	}
}

// TestAnSMSAtItsBounds: a site's own words take as many SMS as they say, and its name, which may be long, does not make
// them many more.
func TestAnSMSAtItsBounds(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com"}
	pad := message.MaxSMS - len("{otp} {app} ")
	for _, c := range []struct {
		text, site string
		parts      int
	}{
		{"{otp} {app} " + as("x", pad), "Acme", 2}, // with the line that tells telephones what it is for
		{"{otp} {app} " + as("ж", pad), "Acme", 3},
		{"{otp} {app} " + as("x", pad), as("x", otl.MaxName), 3},
		{"{otp} {app} " + as("🙂", pad), as("🙂", otl.MaxName), 11},
		{"{otp} " + as("{app}", 26), as("x", otl.MaxName), 4},
		{"{otp} " + as("{app}", 26), as("🙂", otl.MaxName), 15},
	} {
		l, err := m.Write(signIn("en", otl.ChannelSMS, map[string]string{"code": "048291", "custom": custom(t, message.Custom{SMS: c.text})}), c.site)
		if err != nil || message.Parts(l.Text) != c.parts || len([]rune(l.Text)) > mostSMS || !strings.HasPrefix(l.Text, "048291 ") || !strings.HasSuffix(l.Text, "\n\n@id.example.com #048291") {
			t.Errorf("%.20q of %.10q: %d SMS, %d characters: %v", c.text, c.site, message.Parts(l.Text), len([]rune(l.Text)), err)
		}
	}
}
