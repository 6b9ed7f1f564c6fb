package otl

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// User is one person of the network, known once, whatever sites he uses.
type User struct {
	ID              string
	Email           Email     // empty for somebody known by a number or a username alone
	EmailVerifiedAt time.Time // zero until the address was proven
	Username        Username  // empty if none
	Name            string
	DisplayName     string
	Phone           string // E.164, "" if none
	PhoneVerifiedAt time.Time
	Picture         string // https URL, "" if none
	Locale          string // BCP 47 tag, "" if unknown
	Preferences     string // a JSON object as text, "{}" if none
	SessionVersion  int    // stamped into access tokens; raising it voids them all
	Version         int    // of the profile, for optimistic locking
	DisabledAt      time.Time
	DeleteAt        time.Time // when he loses his account for good, because he asked for it; zero: never
	CreatedAt       time.Time
	UpdatedAt       time.Time
	LastLoginAt     time.Time
	CreatedBy       string // id of the site that added him, "" for none

	// Until HeldUntil the address or number behind HeldChannel opens the site HeldFor
	// alone: that site asked for it in the place of a proven one, whose holder may still
	// undo it.
	HeldFor     string
	HeldChannel Channel
	HeldUntil   time.Time
}

// Held reports whether what is sent by a channel may not yet open a site.
func (u User) Held(by Channel, siteID string, now time.Time) bool {
	return by == u.HeldChannel && siteID != u.HeldFor && now.Before(u.HeldUntil)
}

// Field is one piece of a profile a person can grant to a site.
type Field string

// The fields of a profile (contract 1.2, "account data held").
const (
	FieldEmail       Field = "email"
	FieldUsername    Field = "username"
	FieldName        Field = "name"
	FieldDisplayName Field = "display_name"
	FieldPhone       Field = "phone"
	FieldPicture     Field = "picture"
	FieldLocale      Field = "locale"
	FieldPreferences Field = "preferences"
)

// AllFields lists every grantable field in the order people read them.
func AllFields() Fields {
	return Fields{FieldEmail, FieldUsername, FieldName, FieldDisplayName, FieldPhone, FieldPicture, FieldLocale, FieldPreferences}
}

// MinimalFields is what signing in to a site with an e-mail address and a
// password grants by itself (contract 1.4, behaviour of login).
func MinimalFields() Fields { return Fields{FieldEmail, FieldName} }

// Fields is a set of profile fields, without duplicates, in AllFields order.
type Fields []Field

// Has reports whether the set holds f.
func (fs Fields) Has(f Field) bool { return slices.Contains(fs, f) }

// Without returns the set without one field.
func (fs Fields) Without(f Field) Fields {
	return slices.DeleteFunc(slices.Clone(fs), func(other Field) bool { return other == f })
}

// With returns the set with more fields added.
func (fs Fields) With(more ...Field) Fields {
	var out Fields
	for _, f := range AllFields() {
		if fs.Has(f) || slices.Contains(more, f) {
			out = append(out, f)
		}
	}
	return out
}

// String gives the fields separated by blanks: the stored form.
func (fs Fields) String() string {
	words := make([]string, len(fs))
	for i, f := range fs {
		words[i] = string(f)
	}
	return strings.Join(words, " ")
}

// ParseFields reads field names in any order. The error names the member and
// the position of the first unknown one.
func ParseFields(member string, names []string) (Fields, error) {
	var out Fields
	for _, n := range names {
		if !AllFields().Has(Field(n)) {
			return nil, InvalidField(member, "unknown_value", "must list only "+strings.ReplaceAll(AllFields().String(), " ", ", "))
		}
		out = out.With(Field(n))
	}
	return out, nil
}

// StoredFields reads the form String writes; unknown words are left out.
func StoredFields(s string) Fields {
	var out Fields
	for _, w := range strings.Fields(s) {
		out = out.With(Field(w))
	}
	return out
}

// Bounds of profile values, in code points.
const (
	MaxName        = 200
	MaxPicture     = 2048
	MaxLocale      = 35
	MaxPreferences = 8 << 10 // bytes of JSON
)

// CheckText checks one line of text a person wrote: valid UTF-8, no control
// characters, at most limit code points. It returns the text without
// surrounding blanks.
func CheckText(field, s string, limit int) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, invisible) {
		return "", InvalidField(field, "bad_characters", "must not contain control characters")
	}
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > limit {
		return "", tooLong(field, limit)
	}
	return s, nil
}

// Fold gives the form in which texts are searched: without regard to case and
// to compatible spellings of a character.
func Fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// invisible tells characters that must not stand in a line of text: controls,
// and the bidirectional overrides that let one name look like another.
func invisible(r rune) bool {
	return unicode.IsControl(r) || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}
