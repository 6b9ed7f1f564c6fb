package pages

import (
	"html/template"
	"strings"
	"time"
)

// times are the times that a page says: how it says each, and the element that says the same.
type times map[string]template.HTML

// minute and day write a time in the language of a page, in UTC and in their own direction. A
// script of the page puts what Timed writes of it into the zone of whoever reads.
func (v Voice) minute(t time.Time) string { return v.dated(v.Minute(t), t, "") }
func (v Voice) day(t time.Time) string    { return v.dated(v.Day(t), t, " data-day") }

func (v Voice) dated(text string, t time.Time, more string) string {
	at := t.UTC().Format("2006-01-02T15:04:05Z")
	v.times[text] = template.HTML(`<time datetime="` + at + `"` + more + `>` + template.HTMLEscapeString(text) + `</time>`) //nolint:gosec // of our own words
	return isolate(text)
}

// Timed writes a text, for the template, with the times that the page says in it as elements.
func (v Voice) Timed(text string) template.HTML {
	var b strings.Builder
	for text != "" {
		before, rest, _ := strings.Cut(text, isolates)
		inner, after, whole := strings.Cut(rest, isolated)
		element, ours := v.times[inner]
		if !whole || !ours { // a name, an address, or nothing more
			before, element, after = text[:len(text)-len(rest)], "", rest
		}
		b.WriteString(template.HTMLEscapeString(before))
		if element != "" {
			b.WriteString(isolates + string(element) + isolated)
		}
		text = after
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}
