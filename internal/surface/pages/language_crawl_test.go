package pages_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
	"golang.org/x/net/html"

	"github.com/onetimelogin/otl/internal/otltest"
)

// said gives every text of a language, but for those with members.
func said(t *testing.T, lang string) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "message", "words", lang+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	words, out := map[string]string{}, map[string]bool{}
	if err := yaml.Unmarshal(raw, &words); err != nil {
		t.Fatal(err)
	}
	for _, text := range words {
		if !strings.Contains(text, "{") {
			out[text] = true
		}
	}
	return out
}

// TestEveryPageSpeaksOneLanguage: crawled in Arabic, every page is written from the right, and
// none says anything in English, neither from the words there are nor from its template.
func TestEveryPageSpeaksOneLanguage(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, jane)
	english, arabic := said(t, "en"), said(t, "ar")
	ours := []string{"OneTimeLogin", "Notes", jane, "Jane Doe", "new-" + jane, "curl", "Firefox, Linux", "first key"}
	everyPageIn(t, "ar", w, w.Notes, jane, func(_ *otltest.Browser, p otltest.Page) {
		if !bytes.Contains(p.Raw, []byte(`<html lang="ar" dir="rtl">`)) {
			t.Errorf("%s is not in Arabic", p.Path)
		}
		doc, err := html.Parse(bytes.NewReader(p.Raw))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			text := strings.Trim(strings.TrimSpace(n.Data), ": \u2068\u2069")
			if n.Type != html.TextNode || text == "" || foreign(n) || slices.Contains(ours, text) || strings.Contains(text, jane) || strings.Contains(text, "127.0.0.1") || strings.Contains(text, "webhook.test") {
				continue
			}
			if english[text] && !arabic[text] || !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x600 && r < 0x700 }) && strings.Contains(text, " ") && strings.ContainsAny(text, "aeiou") {
				t.Errorf("%s says %q", p.Path, text)
			}
		}
	})
}

// foreign reports whether what a text says is in a language of its own, or in none.
func foreign(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == "code" || p.Data == "bdi" || p.Data == "option" || slices.ContainsFunc(p.Attr, func(a html.Attribute) bool { return a.Key == "lang" && a.Val == "en" }) {
			return true
		}
	}
	return false
}

// TestPagesKeepTheirDistance: pages say Sie, usted and u, whatever is put together on them.
func TestPagesKeepTheirDistance(t *testing.T) {
	t.Parallel()
	for lang, near := range map[string]string{
		"de": "du dich dir dein deine deinen deinem deiner deines", "es": "tú tu tus te contigo elige pulsa vuelve escribe", "nl": "je jij jou jouw",
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := otltest.New(t, otltest.SQLite)
			w.Person(t, jane)
			everyPageIn(t, lang, w, w.Notes, jane, func(_ *otltest.Browser, p otltest.Page) {
				doc, err := html.Parse(bytes.NewReader(p.Raw))
				if err != nil {
					t.Fatal(err)
				}
				for n := range doc.Descendants() {
					if n.Type != html.TextNode || foreign(n) {
						continue
					}
					for _, word := range strings.FieldsFunc(strings.ToLower(n.Data), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) { // an id is one word
						if slices.Contains(strings.Fields(near), word) {
							t.Errorf("%s says %q", p.Path, n.Data)
						}
					}
				}
			})
		})
	}
}
