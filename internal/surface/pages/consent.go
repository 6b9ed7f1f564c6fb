package pages

import (
	"net/http"
	"slices"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// consentPage asks what a site may see.
type consentPage struct {
	Fields  []fieldChoice
	Address string // as whom the browser is signed in
	More    string // that the site asks for more than before, "" where it does not
	Note    string // that some of it is needed, "" where none is
}

// fieldChoice is one field with the value that a site would see.
type fieldChoice struct {
	Field  otl.Field
	Label  string
	Value  string
	Chosen bool
	Needed bool // without it the site signs nobody in
	New    bool // the person has not decided on it before
	Loose  bool // nobody has proven that it is his
}

func (p entry) consent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := visiting(p).due(w, r, signin.StepConsent)
	if err != nil || !ok {
		return err
	}
	s := p.screen(w, r, v, map[string]string{"address": isolate(v.Who.User.Email.Address)})
	s.Title = s.Say("consent_heading")
	g, err := p.Consents.Granted(r.Context(), v.Who.User.ID, v.Site.ID)
	if err != nil {
		return err
	}
	page := consentPage{Fields: decided(choices(s, v.Who.User, v.Site.Requested, v.Site.Requested, v.Site.Required), g), Address: s.Say("signed_in_as")}
	if slices.ContainsFunc(page.Fields, func(f fieldChoice) bool { return f.New }) {
		page.More = s.Say("consent_more")
	}
	if len(v.Site.Required) > 0 {
		page.Note = s.Say("required_note")
	}
	s.Data = page
	p.show(w, http.StatusOK, "consent.html", otl.Origin(v.Asked.Redirect), s)
	return nil
}

// decided leaves out again what somebody left out or took back before, and marks what he
// has not decided on; the first time that is everything, and nothing is marked.
func decided(all []fieldChoice, g otl.Grant) []fieldChoice {
	if !g.Live() {
		return all
	}
	for i, f := range all {
		all[i].New = !g.Fields.Has(f.Field) && !g.Asked.Has(f.Field)
		all[i].Chosen = g.Fields.Has(f.Field) || all[i].New
	}
	return all
}

// choices gives fields with their values as the person reads them.
func choices(s screen, u otl.User, fields, chosen, needed otl.Fields) []fieldChoice {
	out := make([]fieldChoice, len(fields))
	for i, f := range fields {
		out[i] = fieldChoice{Field: f, Label: s.Say("field_" + string(f)), Value: valueOf(u, f), Chosen: chosen.Has(f), Needed: needed.Has(f)}
		out[i].Loose = f == otl.FieldEmail && u.EmailVerifiedAt.IsZero() || f == otl.FieldPhone && u.Phone != "" && u.PhoneVerifiedAt.IsZero()
		if out[i].Value == "" {
			out[i].Value = s.Say("not_given")
		}
	}
	return out
}

// valueOf gives what a site would see of a field.
func valueOf(u otl.User, f otl.Field) string {
	switch f {
	case otl.FieldEmail:
		return u.Email.Address
	case otl.FieldUsername:
		return u.Username.Name
	case otl.FieldName:
		return u.Name
	case otl.FieldDisplayName:
		return u.DisplayName
	case otl.FieldPhone:
		return u.Phone
	case otl.FieldPicture:
		return u.Picture
	case otl.FieldLocale:
		return u.Locale
	case otl.FieldPreferences:
		if u.Preferences != "{}" {
			return u.Preferences
		}
	}
	return ""
}

// chosen gives the fields whose boxes were ticked.
func chosen(r *http.Request) (otl.Fields, error) {
	return otl.ParseFields(fieldsField, r.PostForm[fieldsField])
}

// connect names the site that sends a person to decide what it sees, because it signs him in
// by calls of its own. Whose page the link stood on is not known, and nothing has begun yet.
func (p entry) connect(w http.ResponseWriter, r *http.Request) error {
	site, err := p.Flows.Partner(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	s := p.screen(w, r, signin.Visit{Site: site}, nil)
	s.Title = s.Say("consent_heading")
	s.Data = askPage{Links: s.Brand.Links, Action: r.URL.EscapedPath(), Press: s.Say("continue"), Back: "/account", Gives: true}
	p.show(w, http.StatusOK, "ask.html", "", s)
	return nil
}

// connectSent begins his visit, which ends on the account page.
func (p entry) connectSent(w http.ResponseWriter, r *http.Request) error {
	site, err := p.Flows.Partner(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := p.Flows.Begin(r.Context(), site, p.bind(w, r), otl.Asked{Return: "/account", Consent: true})
	if err != nil {
		return err
	}
	return p.begun(w, r, f, site)
}

func (p entry) consentSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	if r.PostForm.Get("decision") == "cancel" {
		back, err := p.Flows.Refuse(r.Context(), v, "access_denied")
		if err == nil {
			p.Leave(w, r, v.Site, back)
		}
		return err
	}
	fields, err := chosen(r)
	if err != nil {
		return err
	}
	step, err := p.Flows.Next(r.Context(), v)
	if err != nil {
		return err
	}
	if step == signin.StepConsent { // nobody agrees to anything before he has proven who he is
		if _, err := p.Consents.Consent(r.Context(), v.Who.User.ID, v.Site, fields); err != nil {
			return err
		}
		if v, err = p.Flows.Agreed(r.Context(), v); err != nil {
			return err
		}
	}
	return p.proceed(w, r, v)
}
