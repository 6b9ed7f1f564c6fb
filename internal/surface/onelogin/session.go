package onelogin

import (
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// sessionPath is where a browser presents a session token (contract 2.8).
const sessionPath = "/session_via_api_token"

// Where a browser goes that has no other way to go, and the one that could not come in
// (decision D17).
const (
	portalPath = "/account"
	failedPath = "/signin?error=session_token"
	usedPath   = failedPath + "_used"
	factorPath = "/signin?error=mfa_required"
)

type sessionIn struct {
	Token secret.Text `json:"session_token"`
}

// browsers are the calls that browsers make.
type browsers struct{ *Surface }

// serve serves them.
func (s browsers) serve() {
	s.Mux.HandleFunc("OPTIONS "+sessionPath, s.preflight)
	s.Mux.HandleFunc("GET "+sessionPath, s.comeBack)
	s.Mux.HandleFunc("POST "+sessionPath, func(w http.ResponseWriter, r *http.Request) {
		if wire.Sends(r, wire.MediaJSON) {
			s.byScript(w, r)
			return
		}
		s.byForm(w, r)
	})
}

// presented gives what a browser presents.
func (s browsers) presented(r *http.Request, token secret.Text) signin.Presented {
	p := signin.Presented{Token: token, Origin: r.Header.Get("Origin"), Held: s.Jar.Held(r)}
	if p.Origin == s.origin {
		p.Origin = "" // a page of our own
	}
	return p
}

// here refuses what a browser presents at the host of another site than the one that handed it over, and
// uses nothing up.
func (s browsers) here(r *http.Request, p signin.Presented) error {
	if s.tenant(r) == "" {
		return nil
	}
	a, err := s.Second.Present(r.Context(), p)
	if err != nil {
		return err
	}
	other, err := s.elsewhere(r, a.From)
	if err == nil && other {
		err = signin.ErrSessionToken.Because(otherSubdomain())
	}
	return err
}

// preflight answers the question a browser asks before a page's script may present a
// token. It carries none: an origin that a token names which is good at this moment is
// let through, and so is one that a site registered.
func (s browsers) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Vary", "Origin")
	from := r.Header.Get("Origin")
	known, err := s.Second.Announced(r.Context(), from)
	if err == nil && !known {
		known, err = s.Sites.Allows(r.Context(), "", from)
	}
	if err != nil {
		Fail(w, r, err)
		return
	}
	if known {
		allow(w, from)
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Allow-Headers", "content-type")
		h.Set("Access-Control-Max-Age", "120")
	}
	w.WriteHeader(http.StatusNoContent)
}

// allow lets the pages of an origin read an answer that cookies went with (AD-11).
func allow(w http.ResponseWriter, origin string) {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Allow-Credentials", "true")
}

// byScript opens the session of a token that a page's script presents, which only one
// of an origin the site named may.
func (s browsers) byScript(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Origin")
	var in sessionIn
	if err := read(w, r, &in); err != nil {
		Fail(w, r, err)
		return
	}
	p := s.presented(r, in.Token)
	p.Script = true
	var a signin.Handed
	err := s.here(r, p)
	if err == nil {
		a, err = s.Second.Arrive(r.Context(), p)
	}
	if p.Origin != "" && (err == nil || otl.Is(err, signin.ErrOther.Code) || otl.Is(err, signin.ErrSecondStep.Code)) {
		allow(w, p.Origin)
	}
	if err != nil {
		Fail(w, r, err)
		return
	}
	hold := s.Jar.Hold
	if a.Across && p.Origin != "" && s.Jar.Get(r, cookie.Session).Empty() {
		hold = s.Jar.HoldAcross // a page of another site: ours is not sent in its calls
	}
	hold(w, a.Cookie, a.Session.ExpiresAt.Sub(s.Now()))
	write(w, reply{http.StatusOK, struct{}{}})
}

// byForm opens the session of a token that a form presents. A browser that comes from
// another site's page did not say who it is signed in as; it is sent back here, with the
// token in a cookie, and says so then. The host of a site keeps no session of the network: the form goes on to
// the public URL as it is, unless the site named origins, of which a browser says none after that.
func (s browsers) byForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if !wire.Sends(r, wire.MediaForm) || r.ParseForm() != nil {
		s.send(w, r, failedPath)
		return
	}
	if choice := r.PostForm.Get("switch"); choice != "" {
		s.choose(w, r, choice == "yes", r.PostForm.Get("user"))
		return
	}
	p := s.presented(r, secret.NewText(r.PostForm.Get("session_token")))
	hosted := s.tenant(r) != ""
	if !hosted && !foreign(r) && p.Origin == "" {
		s.arrive(w, r, p)
		return
	}
	a, err := s.Second.Present(r.Context(), p)
	if err == nil {
		err = s.here(r, p)
	}
	switch {
	case err != nil:
		s.turnAway(w, r, err)
	case hosted && (p.Origin == "" || !a.Across):
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, s.origin+sessionPath, http.StatusTemporaryRedirect)
	default:
		s.Jar.Set(w, cookie.Handover, p.Token, signin.SessionTokenTTL)
		s.send(w, r, sessionPath)
	}
}

// foreign reports whether a browser says that a page of another site sent it.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// comeBack goes on where byForm left off.
func (s browsers) comeBack(w http.ResponseWriter, r *http.Request) {
	token := s.Jar.Get(r, cookie.Handover)
	if token.Empty() || r.Method != http.MethodGet {
		s.send(w, r, failedPath)
		return
	}
	p := s.presented(r, token)
	p.Back = true
	s.arrive(w, r, p)
}

// choose goes on after the person was asked whether to be signed in in the place of
// another (AD-02). Only the page that asked can say, and only about whom it showed: about
// somebody else he is asked again.
func (s browsers) choose(w http.ResponseWriter, r *http.Request, change bool, user string) {
	token := s.Jar.Get(r, cookie.Handover)
	if s.crossOrigin.Check(r) != nil || token.Empty() {
		s.send(w, r, failedPath)
		return
	}
	if !change {
		s.Jar.Clear(w, cookie.Handover)
		s.send(w, r, portalPath)
		return
	}
	p := s.presented(r, token)
	p.Back, p.Switch = true, user
	s.arrive(w, r, p)
}

// arrive opens the session and sends the browser on.
func (s browsers) arrive(w http.ResponseWriter, r *http.Request, p signin.Presented) {
	var a signin.Handed
	err := s.here(r, p)
	if err == nil {
		a, err = s.Second.Arrive(r.Context(), p)
	}
	if otl.Is(err, signin.ErrOther.Code) {
		s.Jar.Set(w, cookie.Handover, p.Token, signin.SessionTokenTTL)
		s.Ask(w, r, sessionPath, a)
		return
	}
	s.Jar.Clear(w, cookie.Handover)
	if err != nil {
		s.turnAway(w, r, err)
		return
	}
	s.Jar.Hold(w, a.Cookie, a.Session.ExpiresAt.Sub(s.Now()))
	if a.ReturnTo == "" {
		a.ReturnTo = portalPath
	}
	s.send(w, r, a.ReturnTo)
}

// turnAway sends a browser to the sign-in page, unless the fault is ours.
func (s browsers) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	if k := otl.As(err).Kind; k == otl.Internal || k == otl.Unavailable {
		Fail(w, r, err)
		return
	}
	otl.RequestOf(r.Context()).Err = err
	to := failedPath
	switch {
	case otl.Is(err, signin.ErrSessionTokenUsed.Code):
		to = usedPath
	case otl.Is(err, signin.ErrSecondStep.Code): // the site did not ask for what is asked for here
		to = factorPath
	}
	s.send(w, r, to)
}

// send sends a browser on; a form it sent is not sent there too.
func (s browsers) send(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// originOf gives the origin of a URL.
func originOf(raw string) (origin, host string) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", ""
	}
	return u.Scheme + "://" + u.Host, u.Hostname()
}
