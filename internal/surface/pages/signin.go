package pages

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// signInPage is the page on which somebody says who he is.
type signInPage struct {
	Name   string
	Again  bool   // whoever is signed in is to prove it
	Fixed  bool   // his name stands there; not where a site may hold the session (D1)
	Chosen bool   // from those who were signed in before
	Others bool   // there are such
	As     string // how the browser came, "" where the step alone leads here
	Invite string // for a passkey, "" where there are none
	Secret bool   // passwords are taken
	Mail   string // what is mailed, in words; "" for nothing
	Texts  bool   // codes can be texted
	Stray  bool   // the page is open in the browser of an app
	Missed bool   // the name and password that were entered do not match
	Resets bool   // a password can be chosen anew, by a mail
}

// entry are the pages between a site's request and the way back.
type entry struct{ *Pages }

func (p entry) routes() {
	p.get("/authorize", p.authorize)
	p.get("/signin", p.signIn)
	p.post("/signin", p.signInSent)
	p.get("/choose", choosing(p).choose)
	p.post("/choose", choosing(p).chooseSent)
	p.get("/mfa", p.second)
	p.post("/mfa", p.secondSent)
	p.post("/mfa/send", p.secondSend)
	p.get("/signup", p.signUp)
	p.post("/signup", p.signUpSent)
	p.get("/consent", p.consent)
	p.post("/consent", p.consentSent)
	p.get("/account/connect/{id}", p.connect)
	p.post("/account/connect/{id}", p.connectSent)
	p.post("/signin/restart", p.restart)
	p.get("/barred", p.barred)
}

// home begins a visit to our own pages for a browser that comes by itself, and goes on
// at a path of ours afterwards.
func (p *Pages) home(w http.ResponseWriter, r *http.Request, then string) error {
	return p.own(w, r, otl.Asked{Return: then})
}

// restart begins a visit anew that took too long.
func (p entry) restart(w http.ResponseWriter, r *http.Request) error {
	f, site, err := signin.Restarts{Flows: p.Flows}.Restart(r.Context(), r.PostForm.Get("f"), p.jar.Get(r, cookie.Flow))
	if err != nil {
		return err
	}
	return p.begun(w, r, f, site)
}

// prove has somebody prove who he is, unless he just did, by two factors if he has them
// (decision D2), and goes on at a path of ours afterwards.
func (p *Pages) prove(w http.ResponseWriter, r *http.Request, then string) error {
	return p.own(w, r, otl.Asked{Return: then, MaxAge: int(signin.Recent.Seconds()), Factors: 2})
}

// own begins a visit to our own pages and goes on with it.
func (p *Pages) own(w http.ResponseWriter, r *http.Request, a otl.Asked) error {
	f, site, err := p.visited(w, r, a)
	if err != nil {
		return err
	}
	return p.begun(w, r, f, site)
}

// visited begins a visit to our own pages, and gives it with their site.
func (p *Pages) visited(w http.ResponseWriter, r *http.Request, a otl.Asked) (otl.Flow, otl.Site, error) {
	site, err := p.Flows.Home(r.Context())
	if err != nil {
		return otl.Flow{}, site, err
	}
	f, err := p.Flows.Begin(r.Context(), site, p.bind(w, r), a)
	return f, site, err
}

// screen lays the page of a visit out.
func (p *Pages) screen(w http.ResponseWriter, r *http.Request, v signin.Visit, data map[string]string) screen {
	if data == nil {
		data = map[string]string{}
	}
	s := screen{Flow: v.ID, Token: token(p.bind(w, r))}
	data["site"] = "OneTimeLogin"
	if !v.Site.FirstParty && v.Site.ID != "" {
		s.Site, data["site"], s.Brand = v.Site.Name, isolate(v.Site.Name), brands{p}.wears(r, v.Site.ID)
	}
	s.Voice = p.voice(w, r, data, listed(v.Asked.Locales), v.Who.User.Locale)
	return s
}

func (p entry) signIn(w http.ResponseWriter, r *http.Request) error {
	switch q := r.URL.Query(); {
	case q.Get("f") != "":
	case q.Get("error") != "": // H19: a session token that was no good
		s, words := p.screen(w, r, signin.Visit{}, nil), "problem_token"
		on := problem{Reference: otl.RequestOf(r.Context()).ID, Otherwise: "/account", Words: s.Say("account"), Aside: true}
		switch q.Get("error") {
		case signin.ErrSessionTokenUsed.Code:
			words = "problem_token_used"
		case signin.ErrSecondStep.Code: // the site left out what is asked for here
			words, on.Otherwise, on.Words, on.Aside = "problem_token_factor", "/signin", s.Say("signin"), false
		}
		s.Title, s.Problem, s.Data = s.Say("problem_heading"), s.Say(words), on
		p.show(w, http.StatusOK, "problem.html", "", s)
		return nil
	default:
		return p.home(w, r, "/account")
	}
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	page := begins(v)
	if as := r.URL.Query().Get("as"); as == asOther || as == asNew {
		page.As = as
	} else {
		if step, err := p.Flows.Next(r.Context(), v); err != nil || step != signin.StepSignIn {
			if err == nil {
				err = p.proceed(w, r, v)
			}
			return err
		}
	}
	if page.As == asNew && page.Chosen {
		page = signInPage{As: asNew}
	}
	if v.Known() && page.As == "" && !v.Wrong() {
		page.Again = true
		if u := v.Who.User; v.Who.Session.HandedBy == "" {
			page.Name, page.Fixed = cmp.Or(u.Email.Address, u.Username.Name), true
		}
	}
	former, err := choosing(p).formers(r, v.Who.User.ID)
	if err != nil {
		return err
	}
	if page.Others = len(former) > 0; page.Others && page.As == "" && v.Asked.Choose && !v.Known() && !page.Chosen && v.Progress.Chosen.IsZero() {
		p.send(w, r, at("/choose", v.ID))
		return nil
	}
	return p.showSignIn(w, r, v, page, nil)
}

func (p *Pages) showSignIn(w http.ResponseWriter, r *http.Request, v signin.Visit, page signInPage, wrong error) error {
	if v.Site.Offers(otl.WayPasskey) {
		var err error
		if page.Invite, err = p.Arrivals.Invite(v); err != nil {
			return err
		}
	}
	s := p.screen(w, r, v, nil)
	page.Stray, page.Secret, page.Texts = inApp(r.UserAgent()), v.Site.Offers(otl.WayPassword), signin.Texts{Arrivals: p.Arrivals}.Offered(v)
	ways := signin.Ways{Codes: p.Codes}
	switch {
	case ways.Offered(v.Site, otl.WayCode):
		page.Mail = s.Say("mail_code")
	case ways.Offered(v.Site, otl.WayLink):
		page.Mail = s.Say("send_link")
	}
	page.Resets = page.Secret && mails(p) == nil
	if !page.Secret && page.Mail == "" && !page.Texts && page.Invite == "" {
		s.Problem = s.Say("no_way")
	}
	s.Here = placed(at("/signin", v.ID))
	if page.As != "" {
		s.Here.Query.Set("as", page.As)
	}
	s.Title, s.Onward = s.Say("signin"), s.Site != ""
	if page.Again {
		s.Title = s.Say("confirm_you")
	}
	page.Missed = errors.Is(wrong, otl.ErrCredentials)
	s.Data = page
	code := p.wrong(&s, wrong)
	switch {
	case otl.Is(wrong, factor.ErrProof.Code):
		s.Problem = s.Say("passkey_failed")
	case page.Missed && page.Mail == "":
		s.Problem = s.Say("wrong_pair")
	}
	p.show(w, code, "signin.html", otl.Origin(v.Asked.Redirect), s)
	return nil
}

// wrong puts what is the matter on a page, and gives its status. What a person can
// mend stays on the page he filled in.
func (p *Pages) wrong(s *screen, err error) int {
	if err == nil {
		return http.StatusOK
	}
	e := otl.As(err)
	s.Wrong, s.Wait = map[string]string{}, e.RetryAfter
	switch {
	case errors.Is(err, otl.ErrCredentials):
		s.Problem = s.Say("wrong_password")
	case errors.Is(err, otl.ErrWay):
		s.Problem = s.Say("other_way")
	case errors.Is(err, signin.ErrTemporary):
		s.Problem = s.Say("password_temporary")
	case errors.Is(err, signin.ErrStep):
		s.Problem = s.Say("mfa_over")
	case e.Kind == otl.Limited:
		s.Problem = s.With(message.DataMinutes, s.Voice.Wait(e.RetryAfter)).Say(limited(err))
	case e.Kind == otl.Unavailable:
		s.Problem = s.Say(unavailable(e))
	case len(e.More) > 0:
		for _, one := range e.More {
			s.Wrong[one.Field] = s.Say(ruleWords(one.Field, one.Code))
		}
		s.Problem = s.Wrong[e.More[0].Field]
	}
	return status(e)
}

// limited names the words for what is done too often, or follows the time before too soon.
func limited(err error) string {
	if signin.JustAsked(err) {
		return "just_asked"
	}
	return "too_many"
}

// unavailable names the words for a part of us that is not there.
func unavailable(e *otl.Error) string {
	switch e.Code {
	case message.ErrNoMail.Code:
		return "no_mail"
	case message.ErrNoSMS.Code:
		return "no_sms"
	}
	return "problem_busy"
}

// mendable reports whether a person can mend what is wrong on the page he filled in.
func mendable(err error) bool {
	e := otl.As(err)
	return errors.Is(err, otl.ErrCredentials) || errors.Is(err, signin.ErrTemporary) || errors.Is(err, otl.ErrWay) || e.Kind == otl.Limited || e.Kind == otl.Unavailable || e.Kind == otl.Invalid && len(e.More) > 0
}

// ruleWords names the words for a rule that a field breaks: what to enter.
func ruleWords(field, rule string) string {
	if field == "current_password" {
		return "present_wrong"
	}
	if rule == "required" {
		switch field {
		case "email":
			rule = "not_an_address"
		case "password":
			rule = "too_short"
		case "phone":
			rule = "not_e164"
		case "code":
			return "code_empty"
		case "sure":
			return "delete_tick"
		case "name":
			return "bad_site_name"
		}
	}
	switch rule {
	case "not_an_address":
		return "bad_email"
	case "not_e164":
		return "bad_number"
	case "not_a_url":
		return "bad_url"
	case "not_a_username":
		return "bad_username"
	case "url_not_allowed":
		return "bad_endpoint"
	case "too_short", "too_common", "too_personal":
		return rule
	case "not_an_id":
		return "bad_id"
	case "not_a_time":
		return "bad_day"
	case "not_a_domain":
		return "bad_domain"
	case "bad_color", "bad_logo", "bad_link":
		return rule
	}
	switch field {
	case "events":
		return "bad_events"
	case "state", "type", "mfa_policy", "requested_fields", "auth", "link_confirm":
		return "bad_choice"
	case "sign_in_ways":
		return "bad_ways"
	case "mfa_roles":
		return "bad_roles"
	case "scopes":
		return "bad_scopes"
	case "trust_days":
		return "bad_days"
	case "branding.sender":
		return "bad_sender"
	}
	return "bad_field"
}

// mails is message.ErrNoMail where nobody delivers mail, so that nothing is offered that takes one.
func mails(p *Pages) error { return p.Codes.Messages.Reaches(otl.ChannelMail) }

// coded is the error of a form whose code was left empty, which is no try of one.
func coded(r *http.Request) error {
	if strings.TrimSpace(r.PostForm.Get("code")) == "" {
		return otl.InvalidField("code", "required", "must be the code")
	}
	return nil
}

// signInSent takes a password, or sends a code to who asked for one instead.
func (p entry) signInSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	nudges(p).note(w, r)
	said := strings.TrimSpace(r.PostForm.Get("identifier"))
	name := meant(v, said)
	if said == name {
		v.Progress.Masked = false // he wrote it in full
	}
	switch r.PostForm.Get("way") {
	case "code":
		if err = p.Arrivals.SendCode(r.Context(), v, name); err == nil {
			p.send(w, r, at("/signin/code", v.ID))
			return nil
		}
	case "sms":
		if err = (signin.Texts{Arrivals: p.Arrivals}).Send(r.Context(), v, name); err == nil {
			p.send(w, r, at("/signin/code", v.ID))
			return nil
		}
	default:
		var a signin.Arrival
		if a, err = p.Arrivals.Password(r.Context(), v, name, secret.NewText(r.PostForm.Get("password"))); err == nil {
			return p.arrived(w, r, v, a)
		}
		if otl.As(err).Kind == otl.Invalid {
			err = otl.ErrCredentials // what is no name is nobody's
		}
		if errors.Is(err, otl.ErrCredentials) {
			if err := (signin.Tries{Flows: p.Flows}).Mistaken(r.Context(), v, name); err != nil {
				return err
			}
		}
	}
	if !mendable(err) {
		return err
	}
	page := signInPage{Name: said}
	if page.Chosen = v.Progress.Masked && said != name; page.Chosen || v.Known() {
		page.Fixed, page.As = page.Chosen, asOther
	}
	return p.showSignIn(w, r, v, page, err)
}
