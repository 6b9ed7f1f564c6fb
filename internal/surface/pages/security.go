package pages

import (
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// securityPage shows how somebody can sign in.
type securityPage struct {
	Password string // since when there is one, or that there is none
	Mail     string // the address that links and codes go to, "" for none
	Factors  []factorCard
	Signal   string // for the browser: which passkeys are good
	Devices  []deviceCard
	Codes    string // how many recovery codes are left, "" where there is nothing they stand in for
}

// factorCard is one second factor.
type factorCard struct {
	ID, Label, Kind, Hint, Text string
	Default, Renames            bool
}

// securities are the pages on which somebody looks after his second factors, by the verbs
// the API has for them.
type securities struct{ accounts }

// security is their path.
const security = "/account/security"

func (p securities) routes() {
	p.get(security, p.list)
	p.post(security+"/add", p.add)
	p.post(security+"/codes", p.codes)
	p.post(security+"/saved", p.saved)
	p.post(security+"/factors/{id}/rename", p.rename)
	p.post(security+"/factors/{id}/prefer", p.prefer)
	p.post(security+"/factors/{id}/remove", p.remove)
	p.post(security+"/devices/{id}/forget", p.forget)
}

func (p securities) list(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, security)
	if err != nil || !ok {
		return err
	}
	return p.show(w, r, v, nil)
}

func (p securities) show(w http.ResponseWriter, r *http.Request, v signin.Visit, wrong error) error {
	has, err := p.Factors.List(r.Context(), v.Who.User)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	page := securityPage{}
	if page.Signal, err = p.Factors.Accepted(r.Context(), v.Who.User); err != nil {
		return err
	}
	since, err := p.Consents.PasswordSince(r.Context(), v.Who.User.ID)
	if err != nil {
		return err
	}
	if page.Password, page.Mail = s.Say("no_password"), v.Who.User.Email.Address; !since.IsZero() {
		page.Password = s.With("date", s.day(since)).Say("factor_since")
	}
	for _, one := range has.Factors {
		page.Factors = append(page.Factors, card(s, one))
	}
	if len(has.Factors) > 0 {
		page.Codes = s.With("left", strconv.Itoa(has.CodesLeft)).Say("codes_left")
	}
	if page.Devices, err = p.trusted(r, s, v); err != nil {
		return err
	}
	s.portal(s.Say("security"))
	s.Data = page
	s.Here = placed(security)
	code := p.wrong(&s, wrong)
	if wrong == nil {
		s.Good = p.note(w, r, s, v)
	}
	p.Pages.show(w, code, "security.html", "", s)
	return nil
}

// card says of a factor what its owner would like to know.
func card(s screen, o factor.Offer) factorCard {
	date := func(key string, at time.Time) string {
		return s.With("date", s.day(at)).Say(key)
	}
	c := factorCard{ID: o.ID, Label: o.Label, Kind: s.Say("way_" + string(o.Kind)), Hint: o.Hint, Text: date("factor_since", o.ConfirmedAt)}
	if !o.LastUsedAt.IsZero() {
		c.Text += s.Say("comma") + date("factor_used", o.LastUsedAt)
	}
	c.Renames, c.Default = o.Kind != otl.FactorRecovery, o.Default
	c.Label = named(s, o)
	return c
}

// named gives what a factor is called: as its person named it, else by its kind.
func named(s screen, o factor.Offer) string {
	if o.Kind == otl.FactorRecovery || o.Label == "" || o.Label == factor.Usual(o.Kind) {
		return s.Say("way_" + string(o.Kind))
	}
	return o.Label
}

// again shows the page anew after a change.
func (p securities) again(w http.ResponseWriter, r *http.Request) {
	done(p.Pages, w, r, cookie.DoneSaved, security)
}

// add begins a visit in which a factor is set up.
func (p securities) add(w http.ResponseWriter, r *http.Request) error {
	return p.own(w, r, otl.Asked{Return: security, MaxAge: int(signin.Recent.Seconds()), Factors: 2, SetUp: true})
}

func (p securities) rename(w http.ResponseWriter, r *http.Request) error {
	label := r.PostForm.Get("label")
	return p.update(w, r, &label, false)
}

func (p securities) prefer(w http.ResponseWriter, r *http.Request) error {
	return p.update(w, r, nil, true)
}

func (p securities) update(w http.ResponseWriter, r *http.Request, label *string, prefer bool) error {
	v, ok, err := p.proven(w, r, security)
	if err != nil || !ok {
		return err
	}
	_, err = p.Factors.Update(r.Context(), v.Who.Standing, r.PathValue("id"), label, prefer)
	if err != nil && mendable(err) {
		return p.show(w, r, v, err)
	}
	if err == nil {
		p.again(w, r)
	}
	return err
}

// remove takes a factor away.
func (p securities) remove(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, security)
	if err != nil || !ok {
		return err
	}
	_, err = p.Factors.Remove(r.Context(), v.Who.Standing, r.PathValue("id"))
	if err == nil {
		p.again(w, r)
	}
	return err
}

// codes makes recovery codes in the place of those before and shows them.
func (p securities) codes(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, security)
	if err != nil || !ok {
		return err
	}
	codes, _, err := p.Factors.NewCodes(r.Context(), v.Who.Standing)
	if err == nil {
		setups{p.Pages}.codes(w, r, v, codes, security+"/saved")
	}
	return err
}

func (p securities) saved(w http.ResponseWriter, r *http.Request) error {
	p.again(w, r)
	return nil
}
