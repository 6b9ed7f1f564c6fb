package pages

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// profilePage is what somebody is, each field with who sees it.
type profilePage struct {
	Version   int
	Fields    []ownField
	Locale    ownField
	Languages []message.Language
	Proven    []ownField // what is changed on a page of its own, because it has to be proven
}

// ownField is one field of a profile as its person sees it.
type ownField struct {
	Field              otl.Field
	Label, Value       string
	Type, Autocomplete string
	Sample             string // how what is written begins, "" for any
	SeenBy             string
}

// edited are the fields that a person changes by writing them.
func edited() []ownField {
	return []ownField{
		{Field: otl.FieldName, Type: "text", Autocomplete: "name"},
		{Field: otl.FieldDisplayName, Type: "text", Autocomplete: "nickname"},
		{Field: otl.FieldUsername, Type: "text", Autocomplete: "username"},
		{Field: otl.FieldPicture, Type: "url", Autocomplete: "photo", Sample: "https://"},
	}
}

func (p accounts) profile(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, "/account/profile")
	if err != nil || !ok {
		return err
	}
	return p.showProfile(w, r, v, v.Who.User, nil)
}

// showProfile shows a profile as it is, or as somebody wrote it and what is wrong with it.
func (p accounts) showProfile(w http.ResponseWriter, r *http.Request, v signin.Visit, u otl.User, wrong error) error {
	s := p.screen(w, r, v, nil)
	sites, err := p.Consents.Sites(r.Context(), v.Who.User.ID)
	if err != nil {
		return err
	}
	fill := func(f ownField) ownField {
		f.Label, f.Value, f.SeenBy = s.Say("field_"+string(f.Field)), valueOf(u, f.Field), seenBy(s, sites, f.Field)
		return f
	}
	page := profilePage{Version: v.Who.User.Version, Languages: message.Languages(), Locale: fill(ownField{Field: otl.FieldLocale})}
	for _, f := range edited() {
		page.Fields = append(page.Fields, fill(f))
	}
	for _, f := range []otl.Field{otl.FieldEmail, otl.FieldPhone} {
		page.Proven = append(page.Proven, fill(ownField{Field: f}))
	}
	s.portal(s.Say("nav_profile"))
	s.Data = page
	code := p.wrong(&s, wrong)
	switch {
	case errors.Is(wrong, otl.ErrUsernameTaken):
		s.Problem = s.Say("username_taken")
		s.Wrong[string(otl.FieldUsername)] = s.Problem
	case errors.Is(wrong, otl.ErrVersion):
		s.Problem = s.Say("changed_meanwhile")
	case wrong == nil && p.jar.Noted(w, r) == cookie.DoneSaved:
		s.Good = s.Say("saved")
		if told := tellers(s, sites, otl.StoredFields(r.URL.Query().Get("changed"))); told != "" {
			s.Good += " " + s.With("sites", told).Say("told")
		}
	}
	p.show(w, code, "profile.html", "", s)
	return nil
}

// seenBy says which sites see a field.
func seenBy(s screen, sites []account.Connected, f otl.Field) string {
	var names []string
	for _, c := range sites {
		if c.Grant.Fields.Has(f) {
			names = append(names, isolate(c.Site.Name))
		}
	}
	if len(names) == 0 {
		return s.Say("seen_by_none")
	}
	return s.With("sites", listing(s, names)).Say("seen_by")
}

// tellers names the sites that see any of some fields, "" for none.
func tellers(s screen, sites []account.Connected, changed otl.Fields) string {
	var names []string
	for _, c := range sites {
		if slices.ContainsFunc(changed, c.Grant.Fields.Has) {
			names = append(names, isolate(c.Site.Name))
		}
	}
	return listing(s, names)
}

// profileSent changes what somebody wrote differently. The name he signs in with takes
// a proof of who he is.
func (p accounts) profileSent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, "/account/profile")
	if err != nil || !ok {
		return err
	}
	u, c := v.Who.User, account.Profile{}
	written := u
	var changed otl.Fields
	set := func(f otl.Field, is string, part **string, keep *string) {
		if values, sent := r.PostForm[string(f)]; sent && values[0] != is {
			*part, *keep, changed = &values[0], values[0], changed.With(f)
		}
	}
	set(otl.FieldName, u.Name, &c.Name, &written.Name)
	set(otl.FieldDisplayName, u.DisplayName, &c.DisplayName, &written.DisplayName)
	set(otl.FieldUsername, u.Username.Name, &c.Username, &written.Username.Name)
	set(otl.FieldPicture, u.Picture, &c.Picture, &written.Picture)
	set(otl.FieldLocale, u.Locale, &c.Locale, &written.Locale)
	if c.Username != nil {
		if v, ok, err = p.proven(w, r, "/account/profile"); err != nil || !ok {
			return err
		}
	}
	version, err := strconv.Atoi(r.PostForm.Get("version"))
	if err != nil {
		return otl.InvalidField("version", "not_a_number", "must be the number the page was made with")
	}
	if len(changed) > 0 {
		_, err = p.Accounts.Update(r.Context(), u.ID, version, otl.AllFields(), c)
	}
	switch {
	case err == nil:
		done(p.Pages, w, r, cookie.DoneSaved, "/account/profile?"+url.Values{"changed": {changed.String()}}.Encode())
		return nil
	case mendable(err), errors.Is(err, otl.ErrUsernameTaken), errors.Is(err, otl.ErrVersion):
		return p.showProfile(w, r, v, written, err)
	}
	return err
}

// addressPage asks for a new address or number.
type addressPage struct {
	Field  string // email or phone
	Label  string
	Body   string // what will happen, "" where the hint says so
	Is     string // what it is now, "" for none
	Hint   string // how it is written, or what will happen
	Press  string
	Value  string
	Type   string
	Action string
	Asked  bool   // a link is on its way
	Remove string // where the number is taken away, "" for nowhere
	Stays  string // why it cannot be, "" where it can
	Ways   bool   // what is in the way is taken away with the ways to sign in
}

// phoneRemoval is where a person takes his number away.
const phoneRemoval = "/account/phone/remove"

// address gives the page that asks for a new address or number.
func (p accounts) address(field string) act {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, ok, err := p.proven(w, r, "/account/"+field)
		if err != nil || !ok {
			return err
		}
		return p.showAddress(w, r, v, field, nil)
	}
}

func (p accounts) showAddress(w http.ResponseWriter, r *http.Request, v signin.Visit, field string, wrong error) error {
	s := p.screen(w, r, v, nil)
	s.Here = placed("/account/" + field)
	page := addressPage{Field: field, Asked: wrong == nil && r.Method == http.MethodPost, Is: v.Who.User.Email.Address, Value: r.PostForm.Get(field), Type: "email", Action: "/account/" + field}
	page.Label, page.Hint, page.Press = s.Say("address_change"), s.Say("address_hint"), s.Say("send_link")
	if field == "phone" {
		page.Is, page.Type = v.Who.User.Phone, "tel"
		page.Label, page.Hint, page.Press = s.Say("phone_change"), s.With("number", isolate("+49\u00a0170\u00a05550100")).Say("phone_hint"), s.Say("send_text_link")
		page.Body = s.Say("phone_change_body")
	}
	if field == "phone" && page.Is != "" {
		if err := p.removal(r, v, s, &page); err != nil {
			return err
		}
	}
	s.Title = s.Say("field_" + field)
	code := p.wrong(&s, wrong)
	switch {
	case errors.Is(wrong, account.ErrHeld):
		s.Problem = s.Say("change_held")
	case wrong != nil && s.Problem == "":
		s.Problem = s.Say("bad_field")
	case page.Asked:
		s.Title = s.Say("check_mail")
		if field == "phone" {
			s.Title = s.Say("check_phone")
		}
		s.Good = s.With("to", isolate(strings.TrimSpace(page.Value))).Say("change_asked_done")
	}
	s.Data = page
	p.show(w, code, "address.html", "", s)
	return nil
}

// removal says on the page of a number how it is taken away, or why it cannot be.
func (p accounts) removal(r *http.Request, v signin.Visit, s screen, page *addressPage) error {
	switch err := p.Changes.PhoneStays(r.Context(), v.Who.User); {
	case err == nil:
		page.Remove = phoneRemoval
	case errors.Is(err, account.ErrPhoneFactor):
		page.Stays, page.Ways = s.Say("phone_is_factor"), true
	case errors.Is(err, account.ErrPhoneAlone):
		page.Stays = s.Say("phone_alone")
	case errors.Is(err, account.ErrHeld):
		page.Stays = s.Say("change_held")
	default:
		return err
	}
	return nil
}

// phoneRemoved takes the number away. Where it stays the page of the number says why.
func (p accounts) phoneRemoved(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, "/account/phone")
	if err != nil || !ok {
		return err
	}
	to := url.Values{"changed": {string(otl.FieldPhone)}}
	switch err := p.Changes.RemovePhone(r.Context(), v.Who.Site, v.Who.User.ID); {
	case err == nil:
		done(p.Pages, w, r, cookie.DoneSaved, "/account/profile?"+to.Encode())
	case otl.As(err).Kind == otl.Conflict || errors.Is(err, account.ErrChange):
		p.send(w, r, "/account/phone")
	default:
		return err
	}
	return nil
}

// addressSent sends a link to the new address or number. What is said then is the same
// where somebody else has it.
func (p accounts) addressSent(field string) act {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, ok, err := p.proven(w, r, "/account/"+field)
		if err != nil || !ok {
			return err
		}
		o := account.Own{Email: strings.TrimSpace(r.PostForm.Get("email"))}
		if field == "phone" {
			o = account.Own{Phone: dialled(r.PostForm.Get("phone"))}
		}
		switch err = p.Changes.AskOwn(r.Context(), v.Who.Site, v.Who.User, o); otl.As(err).Kind {
		case otl.Invalid, otl.Limited, otl.Conflict, otl.Forbidden, otl.Unavailable:
			if err != nil {
				return p.showAddress(w, r, v, field, err)
			}
		}
		if err == nil {
			return p.showAddress(w, r, v, field, nil)
		}
		return err
	}
}
