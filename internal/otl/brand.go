package otl

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
)

// Brand is how the mails of a site look, and what pages show of it. What is empty looks as ours does.
type Brand struct {
	Color  string      // #rrggbb, of buttons
	Logo   string      // a PNG or JPEG as a data URL
	Sender string      // name mails come from; the site's for ""
	Footer string      // a line below everything
	Links  []BrandLink // below that, and at the foot of pages
	// HideCode keeps the code to sign in with out of the subject, which telephones show
	// while they are locked.
	HideCode bool
}

// BrandLink is a link below a mail.
type BrandLink struct{ Text, URL string }

// Foot is what the pages of the installation itself link to at their foot: addresses, "" for none.
type Foot struct{ Help, Privacy, Terms string }

// Plain reports whether nothing is set.
func (b Brand) Plain() bool {
	return b.Color == "" && b.Logo == "" && b.Sender == "" && b.Footer == "" && len(b.Links) == 0 && !b.HideCode
}

// String gives the brand for the log, where a long logo has no place.
func (b Brand) String() string {
	var links []string
	for _, l := range b.Links {
		links = append(links, l.Text+" "+l.URL)
	}
	return strings.Join([]string{b.Color, strconv.Itoa(len(b.Logo)), b.Sender, b.Footer, strings.Join(links, ", "), strconv.FormatBool(b.HideCode)}, "|")
}

// Bounds of a brand, in characters.
const (
	MaxLogo       = 20_000
	MaxSender     = 60
	MaxFooter     = 300
	MaxBrandLinks = 5
)

// CheckBrand checks a brand and gives it without needless blanks. Every faulty part is
// named, below field.
func CheckBrand(field string, b Brand) (Brand, error) {
	var bad []FieldError
	note := func(part, code, text string) {
		bad = append(bad, FieldError{Field: field + "." + part, Code: code, Text: text})
	}
	if b.Color != "" && !hexColor(b.Color) {
		note("color", "bad_color", "must be a colour such as #1f4fd8")
	}
	if b.Logo != "" && !logo(b.Logo) {
		note("logo", "bad_logo", "must be a PNG or JPEG as a data URL of at most 20000 characters")
	}
	line := func(part, s string, limit int) string {
		clean, err := CheckText(part, s, limit)
		if err != nil {
			note(part, "bad_text", "must be one line of at most "+strconv.Itoa(limit)+" characters")
		}
		return clean
	}
	b.Sender, b.Footer = line("sender", b.Sender, MaxSender), line("footer", b.Footer, MaxFooter)
	if strings.ContainsAny(b.Sender, `<>@"`) {
		note("sender", "bad_text", "must be a name without <, >, @ and quotation marks")
	}
	if len(b.Links) > MaxBrandLinks {
		note("links", "too_many", "must be at most "+strconv.Itoa(MaxBrandLinks))
		b.Links = nil
	}
	links := b.Links
	b.Links = nil
	for _, l := range links {
		u, err := url.Parse(l.URL)
		if l.Text = line("links", l.Text, MaxSender); l.Text == "" || err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(l.URL) > MaxURL || !printable(l.URL) {
			note("links", "bad_link", "must each have a text and an https URL")
		}
		b.Links = append(b.Links, l)
	}
	if len(bad) > 0 {
		return b, InvalidFields(bad)
	}
	return b, nil
}

func hexColor(s string) bool {
	return len(s) == 7 && s[0] == '#' && strings.Trim(strings.ToLower(s[1:]), "0123456789abcdef") == ""
}

// logo reports whether a data URL holds the beginning of an image that mails can show.
func logo(s string) bool {
	for kind, magic := range map[string]string{"image/png": "\x89PNG\r\n\x1a\n", "image/jpeg": "\xff\xd8\xff"} {
		if encoded, ok := strings.CutPrefix(s, "data:"+kind+";base64,"); ok {
			raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
			return err == nil && len(s) <= MaxLogo && strings.HasPrefix(string(raw), magic)
		}
	}
	return false
}
