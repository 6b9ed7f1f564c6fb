package message_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// TestOT16_WhatWentWithAPasswordIsSaid in every language, and nothing that did not go; an SMS says it in short, and
// leads where its reader gets with no mail.
func TestOT16_WhatWentWithAPasswordIsSaid(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com/"}
	for _, tag := range tags(t) {
		own := words(t, tag)
		for _, also := range []string{"", "sessions", "factors", "sessions factors"} {
			one := signIn(tag, otl.ChannelMail, map[string]string{message.DataAlso: also})
			one.Kind = otl.MessagePasswordRemoved
			l, err := m.Write(one, "Notes")
			if err != nil || !strings.Contains(l.Text, own["password_removed_body"]) || !strings.Contains(l.Text, own["password_removed_info"]) ||
				!strings.Contains(l.Text, "\n"+own["reset_link"]+":\nhttps://id.example.com/forgot\n") || strings.Contains(l.Text, own["ignore"]) {
				t.Fatalf("%s: %v\n%s", tag, err, l.Text)
			}
			for _, what := range []string{"sessions", "factors"} {
				if strings.Contains(l.Text, own["password_removed_"+what]) != strings.Contains(also, what) {
					t.Errorf("%s %q says of %s:\n%s", tag, also, what, l.Text)
				}
			}
		}
		one := signIn(tag, otl.ChannelSMS, nil)
		one.Kind = otl.MessagePasswordRemoved
		l, err := m.Write(one, "Acme Notes")
		most := 3
		if message.GSM7(l.Text) {
			most = 2
		}
		if err != nil || !strings.HasPrefix(l.Text, "Acme Notes") || !strings.HasSuffix(l.Text, "\n"+own["reset_link"]+": https://id.example.com/account/password") || message.Parts(l.Text) > most || strings.ContainsAny(l.Text, "{}") {
			t.Errorf("%s: %v, %d SMS: %s", tag, err, message.Parts(l.Text), l.Text)
		}
		if l, err = (&message.Messages{}).Write(one, "Notes"); err != nil || strings.Contains(l.Text, "\n") || strings.Contains(l.Text, own["reset_link"]) {
			t.Errorf("%s leads nowhere: %v %s", tag, err, l.Text)
		}
	}
}
