package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

const maxState = 1024 // bytes

// authorize is where a site sends a browser to (contract 1.12). Until site and address
// are known to belong together, what is wrong is shown here and nobody is sent
// anywhere (OA-03).
func (p entry) authorize(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	site, err := p.Flows.Site(r.Context(), single(q, "site"), single(q, "redirect_uri"))
	if errors.Is(err, signin.ErrRedirect) {
		return mending{accounts(p)}.mismatch(w, r, stray{Site: site, Param: paramRedirect, Address: single(q, paramRedirect)}, signin.ErrRedirect)
	}
	if err != nil {
		return err
	}
	a, err := asked(q)
	if err != nil {
		otl.RequestOf(r.Context()).Err = err
		p.Leave(w, r, site, p.Flows.Back(a, "error", "invalid_request", "error_description", otl.As(err).Field+" "+otl.As(err).Text))
		return nil
	}
	if back, step, err := p.Flows.Straight(r.Context(), site, p.jar.Held(r), a); err != nil || step == signin.StepDone {
		if err == nil {
			p.Leave(w, r, site, back)
		}
		return err
	}
	f, err := p.Flows.Begin(r.Context(), site, p.bind(w, r), a)
	if err != nil {
		return err
	}
	return p.begun(w, r, f, site)
}

// begun goes on with a flow that was just begun: its browser may have no cookie yet.
func (p *Pages) begun(w http.ResponseWriter, r *http.Request, f otl.Flow, site otl.Site) error {
	v, err := signin.Rivals{Flows: p.Flows}.With(r.Context(), signin.Visit{Flow: f, Site: site}, p.jar.Held(r))
	if err != nil {
		return err
	}
	return p.proceed(w, r, v)
}

// shortened gives the beginning of a text that is too long to be shown.
func shortened(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// single gives a parameter, "" where it is given twice: what is there twice is read
// differently by everybody.
func single(q url.Values, name string) string {
	if len(q[name]) != 1 {
		return ""
	}
	return q.Get(name)
}

// asked reads what a site asks for. What could be read is given along with an error.
func asked(q url.Values) (otl.Asked, error) {
	a := otl.Asked{
		Redirect: single(q, "redirect_uri"), State: single(q, "state"), Challenge: single(q, "code_challenge"),
		Hint: single(q, "login_hint"), Locales: single(q, "ui_locales"),
	}
	for name, values := range q {
		if len(values) > 1 {
			return a, otl.InvalidField(name, "duplicate", "must be given once")
		}
	}
	if len(a.State) > maxState {
		a.State = ""
		return a, otl.InvalidField("state", "too_long", "must be at most 1024 bytes")
	}
	if len(a.Hint) > 254 || len(a.Locales) > 100 {
		a.Hint, a.Locales = "", "" // no reason to refuse anybody
	}
	signin.Wish(&a, strings.Fields(q.Get("acr_values"))...)
	switch q.Get("prompt") {
	case "":
	case "login":
		a.MaxAge = -1
	case "consent":
		a.Consent = true
	case "select_account":
		a.Choose = true
	default:
		return a, otl.InvalidField("prompt", "unknown_value", "must be login, consent or select_account")
	}
	if age := q.Get("max_age"); age != "" && a.MaxAge == 0 {
		n, err := strconv.Atoi(age)
		if err != nil || n < 0 {
			return a, otl.InvalidField("max_age", "not_a_number", "must be a number of seconds")
		}
		if a.MaxAge = n; n == 0 {
			a.MaxAge = -1
		}
	}
	return a, signin.CheckChallenge(a.Challenge, q.Get("code_challenge_method"))
}

// at gives the address of a page of ours for a visit.
func at(path, flow string) string { return path + "?f=" + url.QueryEscape(flow) }

// visit gives the visit a request is part of.
func (p *Pages) visit(r *http.Request) (signin.Visit, error) {
	id := r.URL.Query().Get("f")
	if r.Method == http.MethodPost {
		id = r.PostForm.Get("f")
	}
	v, err := p.Flows.Visit(r.Context(), id, p.jar.Get(r, cookie.Flow), p.jar.Held(r))
	otl.RequestOf(r.Context()).Locales = wishes(p.jar, r, listed(v.Asked.Locales))
	return v, err
}

// proceed sends the browser to the page of the next step, or back.
func (p *Pages) proceed(w http.ResponseWriter, r *http.Request, v signin.Visit) error {
	step, err := p.Flows.Next(r.Context(), v)
	if err != nil {
		return err
	}
	return visiting{p}.lead(w, r, v, step)
}

// visiting is where a visit stands among the pages.
type visiting struct{ *Pages }

// due gives the visit of a request whose next step is the one that a page is for. It is
// false where it is another, and the browser was sent there.
func (p visiting) due(w http.ResponseWriter, r *http.Request, page signin.Next) (signin.Visit, bool, error) {
	v, err := p.visit(r)
	if err != nil {
		return v, false, err
	}
	step, err := p.Flows.Next(r.Context(), v)
	if err == nil && step != page {
		return v, false, p.lead(w, r, v, step)
	}
	return v, err == nil, err
}

// lead sends the browser to the page of a step.
func (p visiting) lead(w http.ResponseWriter, r *http.Request, v signin.Visit, step signin.Next) error {
	switch step {
	case signin.StepSignIn:
		p.send(w, r, at("/signin", v.ID))
	case signin.StepSecond:
		due, err := p.Arrivals.Raise(r.Context(), v)
		if err != nil {
			return err
		}
		return p.arrived(w, r, v, signin.Arrival{Browser: v.Who, Step: due})
	case signin.StepLeaving:
		p.send(w, r, at("/leaving", v.ID))
	case signin.StepChoose:
		p.send(w, r, at("/choose", v.ID))
	case signin.StepSetUp:
		p.send(w, r, at("/mfa/setup", v.ID))
	case signin.StepBarred:
		p.send(w, r, at("/barred", v.ID))
	case signin.StepConsent:
		p.send(w, r, at("/consent", v.ID))
	case signin.StepDone:
		if stops, err := nudges(p).due(w, r, v); stops || err != nil {
			return err
		}
		back, err := p.Flows.Finish(r.Context(), v)
		if err != nil {
			return err
		}
		if v.Asked.Return == security && !v.Progress.SetUp.IsZero() {
			p.jar.Note(w, cookie.DoneSaved)
		}
		p.Leave(w, r, v.Site, back)
	}
	return nil
}

// arrived goes on after somebody has proven who he is.
func (p *Pages) arrived(w http.ResponseWriter, r *http.Request, v signin.Visit, a signin.Arrival) error {
	if a.Step != nil {
		p.jar.Set(w, cookie.Step, a.Step.Token, a.Step.ExpiresAt.Sub(p.Now()))
		p.send(w, r, at("/mfa", v.ID))
		return nil
	}
	if !a.Device.Empty() {
		p.jar.Set(w, cookie.Device, a.Device, a.Trusts)
	}
	p.hold(w, r, a)
	v.Who = a.Browser
	return p.proceed(w, r, v)
}

// hold sets the cookie of a session that was just opened. That of somebody else whose place
// it takes is kept beside it, for the choice between accounts; where those from before cannot be
// read they stay as they are, because the session is there and what else is shown is shown once.
func (p *Pages) hold(w http.ResponseWriter, r *http.Request, a signin.Arrival) {
	if a.Browser.Cookie.Empty() {
		return
	}
	former, err := choosing{p}.formers(r, a.Browser.User.ID)
	switch {
	case err != nil:
		otl.RequestOf(r.Context()).Err = err
	case len(former) > 0 || !p.jar.Get(r, cookie.Former).Empty():
		choosing{p}.keep(w, former)
	}
	p.jar.Hold(w, a.Browser.Cookie, a.Browser.Session.ExpiresAt.Sub(p.Now()))
}
