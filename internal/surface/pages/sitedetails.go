package pages

import (
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// descriptions are the page on which the owner of a site says what it is called and what it
// asks people for.
type descriptions struct{ owners }

// How a site stands to a field of a profile.
const (
	askAsked    = "asked"
	askRequired = "required"
)

// detailsForm is what the form of that page holds, as it was sent.
type detailsForm struct {
	name, domain string
	asks         map[otl.Field]string // askAsked, askRequired or ""
}

// siteDetailsPage is that page.
type siteDetailsPage struct {
	At           string
	Version      int
	Name, Domain string
	Asks         []fieldAsk
	Off          string // where the site is turned off
}

// fieldAsk is a field of a profile with how a site can stand to it.
type fieldAsk struct {
	Name, Label string
	Options     []option
}

func (p descriptions) routes() {
	f := siteForm[detailsForm]{p.owners, siteDetails, detailsOf, saidDetails, detailsForm.change, p.lay}
	at := ownedAt("{id}", siteDetails)
	p.get(at, f.look)
	p.post(at, f.sent)
}

// detailsOf gives the form that says what is stored.
func detailsOf(of otl.Site) detailsForm {
	f := detailsForm{of.Name, of.Domain, map[otl.Field]string{}}
	for _, field := range of.Requested {
		f.asks[field] = askAsked
	}
	for _, field := range of.Required {
		f.asks[field] = askRequired
	}
	return f
}

// saidDetails gives the form as it was sent; what was not sent stays.
func saidDetails(r *http.Request, of otl.Site) detailsForm {
	f := detailsOf(of)
	f.name, f.domain = r.PostForm.Get("name"), strings.TrimSpace(r.PostForm.Get("domain"))
	for _, field := range otl.AllFields() {
		if said, sent := r.PostForm[askName(field)]; sent {
			f.asks[field] = said[0]
		}
	}
	return f
}

func askName(f otl.Field) string { return "ask_" + string(f) }

// change gives what the form asks for of a site.
func (f detailsForm) change(of otl.Site) site.Change {
	c := site.Change{Name: &f.name}
	if f.domain != of.Domain { // it may have none yet
		c.Domain = &f.domain
	}
	requested, required := []string{}, []string{}
	for _, field := range otl.AllFields() {
		switch f.asks[field] {
		case "":
		case askRequired:
			required = append(required, string(field))
			fallthrough
		case askAsked:
			requested = append(requested, string(field))
		default:
			requested = append(requested, "?") // which is refused
		}
	}
	c.Requested, c.Required = &requested, &required
	return c
}

func (p descriptions) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, f detailsForm, wrong error) error {
	s := p.screen(w, r, v, nil)
	s.about(of, siteDetails, "own_details_heading")
	page := siteDetailsPage{At: ownedAt(of.ID, siteDetails), Version: of.Version, Name: f.name, Domain: f.domain, Off: ownedAt(of.ID, siteOff)}
	for _, field := range otl.AllFields() {
		ask := fieldAsk{Name: askName(field), Label: s.Say("field_" + string(field))}
		for _, one := range []choice{{"", "own_ask_no"}, {askAsked, "own_ask"}, {askRequired, "own_ask_required"}} {
			ask.Options = append(ask.Options, option{Value: one.Value, Text: s.Say(one.Text), On: f.asks[field] == one.Value})
		}
		page.Asks = append(page.Asks, ask)
	}
	s.Data = page
	return p.present(w, r, s, "sitedetails.html", wrong)
}
