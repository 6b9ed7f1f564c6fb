package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// status gives the HTTP status of an error.
func status(e *otl.Error) int {
	if e.Kind == otl.Invalid {
		return http.StatusBadRequest
	}
	return wire.Status(e)
}

// problem is what the page of an error shows besides its words.
type problem struct {
	Code      string
	Body      string // what may have happened, "" where nothing went wrong that the problem does not say
	Detail    string // for those who run sites, in English; "" where the person can do without
	Reference string // the request id
	Otherwise string // where he can go on, "" for nowhere
	Words     string // what that is called
	Aside     bool   // it is not where he wanted to go
	Overdue   string // id of the visit that can be begun anew, "" for none
}

// Fail answers an error with a page, or in the shape of the API to whoever asks for
// no page.
func (p *Pages) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		p.Plain(w, r, err)
		return
	}
	if otl.Is(err, signin.ErrFlow.Code) && r.Method == http.MethodGet && p.jar.Get(r, cookie.Flow).Empty() && !r.URL.Query().Has(tried) {
		entry{p}.tryCookie(w, r)
		return
	}
	p.problem(w, r, wire.Failed(w, r, err), otl.Site{})
}

// tried marks the address of a page that is asked for again with a cookie.
const tried = "cookies"

// tryCookie gives a browser without a cookie one, and has it ask again: whether it keeps none
// or just opened an address that another one was given shows in nothing else.
func (p entry) tryCookie(w http.ResponseWriter, r *http.Request) {
	p.bind(w, r)
	q := r.URL.Query()
	q.Set(tried, "1")
	p.send(w, r, (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String())
}

// problem shows the page of an error that may name the site at fault.
func (p *Pages) problem(w http.ResponseWriter, r *http.Request, e *otl.Error, site otl.Site) {
	v := p.voice(w, r, map[string]string{"site": isolate(site.Name)})
	v.Voice = v.With(message.DataMinutes, v.Wait(e.RetryAfter))
	title, words := v.Say("problem_heading"), "problem_ours"
	about := problem{Code: e.Code, Reference: otl.RequestOf(r.Context()).ID}
	switch {
	case e.Code == signin.ErrFlow.Code && r.Method == http.MethodGet && p.jar.Get(r, cookie.Flow).Empty():
		q := r.URL.Query()
		q.Del(tried)
		words, about.Otherwise, about.Words = "problem_cookies", (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String(), v.Say("try_again")
	case e.Code == signin.ErrFlow.Code, e.Code == errForeign.Code:
		words, about.Otherwise, about.Words, about.Aside = "problem_flow", "/account", v.Say("account"), true
		f, of, err := signin.Restarts{Flows: p.Flows}.Overdue(r.Context(), r.FormValue("f"), p.jar.Get(r, cookie.Flow))
		if err == nil && e.Code == signin.ErrFlow.Code {
			title, words, about.Body, about.Otherwise, about.Overdue = v.Say("overdue_heading"), "", v.Say("problem_overdue"), "", f.ID
			if !of.FirstParty {
				site = of
			}
		}
	case e.Code == otl.ErrSessionRevoked.Code, e.Code == otl.ErrVersion.Code:
		title, words, about.Otherwise, about.Words = v.Say("setup_again"), "signed_out_meanwhile", "/account", v.Say("account")
	case e.Code == factor.ErrEnrolment.Code:
		words = "mfa_enroll"
	case e.Code == factor.ErrKind.Code:
		words, about.Otherwise, about.Words = "mfa_kind", at("/signin", r.FormValue("f"))+"&as=other", v.Say("other_way")
	case e.Code == signin.ErrRedirect.Code:
		title, words, about.Detail = v.Say("redirect_heading"), "problem_redirect", e.Error()
	case e.Kind == otl.NotFound:
		title, words, about.Otherwise, about.Words = v.Say("missing_heading"), "", "/account", v.Say("account")
		about.Body, about.Aside = v.Say("missing_body"), true
	case e.Kind == otl.Limited:
		words = limited(e)
	case e.Kind == otl.Unavailable:
		words = unavailable(e)
	case e.Code == wire.CodeTooLarge:
		words, about.Detail = "bad_field", e.Error() // nobody sent him here
	case e.Kind != otl.Internal:
		words, about.Detail = "problem_site", e.Error()
	}
	s := screen{Voice: v, Title: title, Site: site.Name, Token: token(p.jar.Get(r, cookie.Flow)), Data: about}
	if site.ID != "" {
		s.Brand = brands{p}.wears(r, site.ID)
	}
	again := e.Kind == otl.Limited || e.Code == signin.ErrFlow.Code || e.Code == errForeign.Code // the form is had once more
	switch {
	case r.PathValue("token") != "":
		s.Here = itself(p.Mux, r)
	case r.Method == http.MethodPost && !again:
		s.Here = nil
	}
	if words != "" {
		s.Problem = v.Say(words)
	}
	p.show(w, status(e), "problem.html", "", s)
}
