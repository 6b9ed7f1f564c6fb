package pages

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// linkPage is the page of a one-time link, or of one that no longer works.
type linkPage struct {
	Link     string // "" where there is nothing to do
	Body     string
	Newcomer bool     // whoever presses may be given an account, or connected with the site
	Auto     bool     // goes on by itself where scripts run
	Numbers  []string // of which one is shown where the link was asked for
	Again    string   // the link that a new one can be sent in the place of
	Doubt    bool     // somebody else may have asked for it
	Dead     bool     // it no longer works
	Back     string   // where the site is that can send another, "" for unknown
	Stray    bool     // the page is open in the browser of an app
}

// sending are the pages around what is mailed: links and codes.
type sending struct{ *Pages }

func (p sending) routes() {
	p.get("/signin/code", p.code)
	p.post("/signin/code", p.codeSent)
	p.post("/signin/again", p.again)
	p.get("/signin/wait", p.wait)
	p.get("/signin/listen", p.listen)
	p.post("/signin/continue", p.goOn)
	p.get("/l/{token}", p.link)
	p.post("/l/{token}", p.confirmLink)
	p.post("/l/{token}/deny", p.denyLink)
	p.post("/l/{token}/again", p.linkAgain)
}

// link shows what a link would do, and does nothing (OT-14): mail scanners, previews
// and prefetches open links too. Only a client that asked for no page has its link
// followed by being fetched, and that uses nothing up either.
func (p sending) link(w http.ResponseWriter, r *http.Request) error {
	link, how := r.PathValue("token"), wire.Unread(r)
	o, err := p.Codes.Look(r.Context(), link, how)
	if err != nil {
		return p.deadLink(w, r, err)
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		return nil
	}
	straight := o.Confirm == otl.ConfirmNever && how == ""
	if straight && o.Flow == "" {
		to, err := p.Codes.Follow(r.Context(), link)
		if err != nil {
			return p.deadLink(w, r, err)
		}
		p.send(w, r, to)
		return nil
	}
	s := screen{Token: token(p.bind(w, r))}
	s.Voice = p.voice(w, r, map[string]string{"site": isolate(o.SiteName)}, o.Locale)
	s.Title, s.Site = s.Say("link_page_heading"), o.SiteName
	page := linkPage{Link: link, Newcomer: o.Newcomer}
	if o.Flow == "" {
		page.Body = p.askedFrom(s, signin.Linked{Agent: o.Agent, IP: o.IP, At: o.At})
	} else {
		l, err := p.Arrivals.Linked(r.Context(), o.Flow, p.jar.Get(r, cookie.Flow))
		if err != nil {
			return p.deadLink(w, r, err)
		}
		if o.Origin = l.Origin; straight && l.Same {
			return p.press(w, r, link) // elsewhere it could sign a visitor in as somebody else
		}
		switch {
		case l.Same && o.Confirm != otl.ConfirmAlways:
			page.Auto, page.Body = true, s.Say("link_signing_in")
		case !l.Same:
			page.Numbers, page.Body, page.Stray = l.Numbers, p.askedFrom(s, l), inApp(r.UserAgent())
		}
	}
	s.Data = page
	p.show(w, http.StatusOK, "link.html", o.Origin, s)
	return nil
}

// askedFrom says who asked for a link: by which browser, from where and when, or when alone where no more is known.
func (p sending) askedFrom(s screen, l signin.Linked) string {
	if browserOf(s, l.Agent) == "" && l.IP == "" && !l.At.IsZero() {
		return s.With("asked", s.minute(l.At)).Say("asked_for")
	}
	asked := s.With("device", origin(s, l.Agent, l.IP))
	switch ago := p.Now().Sub(l.At); {
	case l.At.IsZero():
		return asked.Say("link_asked")
	case ago < time.Minute:
		return asked.Say("link_asked_now")
	case ago >= 2*time.Hour: // a site may have its links last a day
		return asked.With(message.DataMinutes, s.Voice.Wait(ago.Truncate(time.Hour))).Say("link_asked_ago")
	default:
		return asked.With(message.DataMinutes, strconv.Itoa(int(ago.Minutes()))).Say("link_asked_ago")
	}
}

// confirmLink uses the link up. A page of another site cannot: its visitor would be
// signed in as somebody else.
func (p sending) confirmLink(w http.ResponseWriter, r *http.Request) error {
	link := r.PathValue("token")
	flow, err := p.Codes.FlowOf(r.Context(), link)
	if err != nil {
		return p.deadLink(w, r, err)
	}
	switch {
	case flow == "":
		return p.follow(w, r, link)
	case r.PostForm.Get("where") == "start":
		return p.approveLink(w, r, link)
	}
	return p.press(w, r, link)
}

// press uses up a link of a visit, and lets this browser in.
func (p sending) press(w http.ResponseWriter, r *http.Request, link string) error {
	v, a, err := p.Arrivals.Press(r.Context(), link, p.bind(w, r), p.jar.Held(r))
	if err != nil {
		return p.deadLink(w, r, err)
	}
	return p.arrived(w, r, v, a)
}

// approveLink lets the browser in that asked for the link, if the number is its.
func (p sending) approveLink(w http.ResponseWriter, r *http.Request, link string) error {
	right, err := p.Arrivals.Approve(r.Context(), link, r.PostForm.Get("number"))
	if err != nil {
		return p.deadLink(w, r, err)
	}
	s := screen{Voice: p.voice(w, r, nil)}
	s.Here = placed("/") // the link is used up
	if s.Title, s.Data = s.Say("link_approved_heading"), (linkPage{}); right {
		s.Good = s.Say("link_approved")
	} else {
		s.Title, s.Problem, s.Data = s.Say("link_wrong_heading"), s.Say("link_wrong_number"), linkPage{Doubt: true}
	}
	p.show(w, http.StatusOK, "link.html", "", s)
	return nil
}

// follow uses up a link that a site asked for, and goes there.
func (p sending) follow(w http.ResponseWriter, r *http.Request, link string) error {
	to, err := p.Codes.Confirm(r.Context(), link)
	if err != nil {
		return p.deadLink(w, r, err)
	}
	p.send(w, r, to)
	return nil
}

// done sends a browser on to a page that says what was done, once.
func done(p *Pages, w http.ResponseWriter, r *http.Request, what, to string) {
	p.jar.Note(w, what)
	p.send(w, r, to)
}

// send sends the browser to a page of ours, or to an address that was checked against
// those registered; always with 303, so that no form goes there (OA-07).
func (p *Pages) send(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // G710: see above
}

func (p sending) denyLink(w http.ResponseWriter, r *http.Request) error {
	if err := p.Codes.Deny(r.Context(), r.PathValue("token")); err != nil {
		return p.deadLink(w, r, err)
	}
	s := screen{Voice: p.voice(w, r, nil)}
	s.Here = placed("/")
	s.Title, s.Data = s.Say("link_refused_heading"), linkPage{Body: s.Say("link_denied_body"), Doubt: true}
	p.show(w, http.StatusOK, "link.html", "", s)
	return nil
}

// deadLink says that a link no longer works, and offers another where the browser is
// still on the visit it was for.
func (p sending) deadLink(w http.ResponseWriter, r *http.Request, err error) error {
	if errors.Is(err, otl.ErrWay) {
		s := screen{Voice: p.voice(w, r, nil)}
		s.Title, s.Data, s.Here = s.Say("link_dead_heading"), linkPage{}, placed("/")
		p.show(w, p.wrong(&s, err), "link.html", "", s)
		return nil
	}
	if !errors.Is(err, signin.ErrLink) {
		return err
	}
	page := linkPage{}
	if p.Arrivals.CanAgain(r.Context(), r.PathValue("token"), p.jar.Get(r, cookie.Flow)) {
		page.Again = r.PathValue("token")
	}
	left, err := signin.Restarts{Flows: p.Flows}.Left(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	s := screen{Voice: p.voice(w, r, map[string]string{"site": isolate(left.Site.Name)}), Token: token(p.bind(w, r)), Site: left.Site.Name}
	if page.Back = left.Back; s.Site != "" {
		s.Brand = brands(p).wears(r, left.Site.ID)
	}
	why, at, err := signin.Deaths{Codes: p.Codes}.Why(r.Context(), otl.PurposeSignIn, r.PathValue("token"))
	if err != nil {
		return err
	}
	said := s.With("date", s.minute(at))
	s.Title, page.Body = s.Say("link_dead_heading"), s.Say("link_dead_body")
	switch why {
	case signin.DeadUsed:
		s.Title, page.Body, page.Doubt = s.Say("link_used_heading"), said.Say("link_used_body"), true
	case signin.DeadDenied:
		s.Title, page.Body, page.Doubt = s.Say("link_refused_heading"), s.Say("link_denied_body"), true
	case signin.DeadExpired:
		s.Title, page.Body = s.Say("link_expired_heading"), said.Say("link_expired_body")
	case signin.DeadReplaced:
		s.Title, page.Body = s.Say("link_replaced_heading"), said.Say("link_replaced_body")
	}
	page.Dead = true
	s.Data, s.Here = page, itself(p.Mux, r)
	p.show(w, http.StatusGone, "link.html", "", s)
	return nil
}

// linkAgain sends a new link in the place of one that no longer works.
func (p sending) linkAgain(w http.ResponseWriter, r *http.Request) error {
	v, err := p.Arrivals.Again(r.Context(), r.PathValue("token"), p.jar.Get(r, cookie.Flow), p.jar.Held(r))
	if err != nil && !mendable(err) {
		return p.deadLink(w, r, err)
	}
	if err != nil {
		p.showCode(w, r, v, err)
		return nil
	}
	p.send(w, r, at("/signin/code", v.ID))
	return nil
}
