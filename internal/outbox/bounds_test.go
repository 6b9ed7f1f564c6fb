package outbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/outbox"
)

// TestAMailAtItsBoundsHasNoLineTooLong: whatever a site writes into subject and sender, no line is longer than servers
// have to take (RFC 5322 section 2.1.1).
func TestAMailAtItsBoundsHasNoLineTooLong(t *testing.T) {
	t.Parallel()
	for _, one := range []string{"x", "é", "🙂", `"`, `\`, "a b ", "<"} {
		l, _ := letter()
		l.Subject, l.Sender = longest(one, message.MaxLine), longest(one, message.MaxLine)
		l.Text, l.HTML = longest(one, message.MaxText), longest(one, message.MaxText)
		dir := t.TempDir()
		mails, err := outbox.NewMail("dir:"+dir, outbox.Post{From: "login@notes.test", Host: "id.test", Now: time.Now}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := mails[0].Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, l.ID+".eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range bytes.Split(raw, []byte("\r\n")) {
			if len(line) > 998 {
				t.Errorf("%q: a line of %d bytes: %.60s", one, len(line), line)
			}
		}
	}
}

// longest gives a text of so many characters.
func longest(of string, n int) string { return string([]rune(strings.Repeat(of, n))[:n]) }
