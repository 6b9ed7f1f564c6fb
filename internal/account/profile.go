package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Profile holds the parts of a profile that somebody wants to set; nil leaves a
// part as it is, "" empties it.
type Profile struct {
	Username, Name, DisplayName, Phone, Picture, Locale *string
	Preferences                                         *string // a JSON object as text
}

// names reports whether the profile holds something to know a person by.
func (p Profile) names() bool {
	return p.Phone != nil && *p.Phone != "" || p.Username != nil && *p.Username != ""
}

// fields gives the fields the profile would set.
func (p Profile) fields() otl.Fields {
	var out otl.Fields
	for field, part := range map[otl.Field]*string{
		otl.FieldUsername: p.Username, otl.FieldName: p.Name, otl.FieldDisplayName: p.DisplayName, otl.FieldPhone: p.Phone,
		otl.FieldPicture: p.Picture, otl.FieldLocale: p.Locale, otl.FieldPreferences: p.Preferences,
	} {
		if part != nil {
			out = out.With(field)
		}
	}
	return out
}

// apply checks the parts and writes them into u. Every faulty one is named.
func (p Profile) apply(u *otl.User) error {
	var bad []otl.FieldError
	set := func(dst *string, part *string, check func(string) (string, error)) {
		if part == nil {
			return
		}
		clean, err := check(*part)
		var e *otl.Error
		if errors.As(err, &e) {
			bad = append(bad, e.More...)
			return
		}
		*dst = clean
	}
	line := func(field string, limit int) func(string) (string, error) {
		return func(s string) (string, error) { return otl.CheckText(field, s, limit) }
	}
	set(&u.Username.Name, p.Username, func(s string) (string, error) {
		name, err := otl.ParseUsername(s)
		u.Username.Key = name.Key
		return name.Name, err
	})
	set(&u.Name, p.Name, line("name", otl.MaxName))
	set(&u.DisplayName, p.DisplayName, line("display_name", otl.MaxName))
	set(&u.Phone, p.Phone, optional(otl.ParsePhone))
	set(&u.Picture, p.Picture, optional(checkPicture))
	set(&u.Locale, p.Locale, optional(checkLocale))
	set(&u.Preferences, p.Preferences, checkPreferences)
	if len(bad) > 0 {
		return otl.InvalidFields(bad)
	}
	return nil
}

// optional lets "" pass: it empties the part.
func optional(check func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		return check(s)
	}
}

func checkPicture(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(s) > otl.MaxPicture ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", otl.InvalidField("picture", "not_a_url", "must be an https URL of at most "+strconv.Itoa(otl.MaxPicture)+" bytes")
	}
	return s, nil
}

// checkLocale checks the form of a language tag (BCP 47): subtags of letters
// and digits, the first of 2 to 8 letters.
func checkLocale(s string) (string, error) {
	bad := otl.InvalidField("locale", "not_a_language_tag", "must be a language tag, such as en or pt-BR")
	if len(s) > otl.MaxLocale {
		return "", bad
	}
	for i, sub := range strings.Split(s, "-") {
		if len(sub) < 1 || len(sub) > 8 || i == 0 && len(sub) < 2 {
			return "", bad
		}
		for _, c := range sub {
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return "", bad
			}
		}
	}
	return s, nil
}

func checkPreferences(s string) (string, error) {
	var object map[string]json.RawMessage
	if len(s) > otl.MaxPreferences {
		return "", otl.InvalidField("preferences", "too_long", "must be at most "+strconv.Itoa(otl.MaxPreferences)+" bytes of JSON")
	}
	if err := json.Unmarshal([]byte(s), &object); err != nil || object == nil {
		return "", otl.InvalidField("preferences", "not_an_object", "must be a JSON object")
	}
	return s, nil
}

// Update changes the profile of a person. Only the fields in allowed may be set;
// for others the error is otl.Forbidden with the code "consent_required".
// The username is what he signs in with and no site's to change: it needs all fields
// to be allowed, as they are to a first-party token (D1), or the error is
// otl.ErrFirstParty. Version must be the one the change was made from; otherwise the error is
// otl.ErrVersion and nothing is changed. A proven phone number cannot be
// replaced this way: the new one has to be proven first.
func (a *Accounts) Update(ctx context.Context, userID string, version int, allowed otl.Fields, p Profile) (otl.User, error) {
	if p.Username != nil && len(allowed) < len(otl.AllFields()) {
		return otl.User{}, otl.ErrFirstParty
	}
	if err := p.within(allowed); err != nil {
		return otl.User{}, err
	}
	var u otl.User
	err := a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		var err error
		if u, err = tx.Users.ByID(ctx, userID); err != nil {
			return err
		}
		if u.Version != version {
			return otl.ErrVersion
		}
		before := u
		if err := p.apply(&u); err != nil {
			return err
		}
		if err := keepsNumber(before, u); err != nil {
			return err
		}
		if u == before {
			return nil
		}
		return a.saveProfile(ctx, tx, &u, p.fields())
	})
	if errors.Is(err, store.ErrNotFound) {
		return u, otl.NoSuch("user")
	}
	return u, err
}

// keepsNumber refuses to replace a proven number by one that is not.
func keepsNumber(before, u otl.User) error {
	if u.Phone != before.Phone && !before.PhoneVerifiedAt.IsZero() {
		return otl.InvalidField("phone", "verified", "is verified; a new number must be proven before it replaces it")
	}
	return nil
}

// within refuses fields that were not granted.
func (p Profile) within(allowed otl.Fields) error {
	for _, f := range p.fields() {
		if !allowed.Has(f) {
			return consentFor(f)
		}
	}
	return nil
}

func consentFor(f otl.Field) error {
	return &otl.Error{Kind: otl.Forbidden, Code: "consent_required", Field: string(f), Text: "The user has not granted this field to the site."}
}

func (a *Accounts) saveProfile(ctx context.Context, tx *store.Tx, u *otl.User, changed otl.Fields) error {
	u.UpdatedAt = a.Now()
	ok, err := tx.Users.UpdateProfile(ctx, *u)
	if errors.Is(err, store.ErrTaken) {
		return otl.ErrUsernameTaken
	}
	if err != nil {
		return err
	}
	if !ok { // PostgreSQL: somebody committed between our read and our write
		return otl.ErrVersion
	}
	u.Version++
	return tx.Events.Append(ctx, a.event(otl.EventUserUpdated, u.ID, "", map[string]string{otl.DataChanged: changed.String()}))
}
