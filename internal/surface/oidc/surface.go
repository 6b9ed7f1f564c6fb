package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/oauth"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// Options are the rules this wire translates to.
type Options struct {
	Flows    *signin.Flows
	SignIn   *signin.SignIn
	Clients  *site.Clients
	Door     oauth.Door
	Identity *session.Identity
	Jar      cookie.Jar
	URL      string   // of the installation: the issuer
	Locales  []string // languages that pages are shown in (RFC 5646)
	// Page answers an error with a page, before anybody is sent anywhere (OA-03).
	Page func(http.ResponseWriter, *http.Request, error)
	// Mismatch answers a request with an address that is none of its client's, in the way of
	// Page; Field of the error names the parameter that brought it.
	Mismatch func(http.ResponseWriter, *http.Request, otl.Site, otl.Client, *otl.Error, string)
	// Leave sends the browser on to a site with an answer, by whichever way it is asked.
	Leave func(http.ResponseWriter, *http.Request, otl.Site, signin.Answer)
}

// Surface is the wire as an http.Handler.
type Surface struct {
	Options
	*wire.Mux
}

// maxForm is the longest body in bytes.
const maxForm = 64 << 10

// Paths gives what the surface serves.
func Paths() []string {
	return []string{
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
		"/oidc/authorize", "/oidc/auth", "/oidc/keys", "/oidc/userinfo", "/oidc/introspect", "/oidc/revoke", "/oidc/logout", "/oidc/par", "/oidc/device_authorization",
	}
}

// New builds the surface.
func New(o Options) *Surface {
	s := &Surface{Options: o, Mux: wire.NewMux(Fail)}
	for _, path := range Paths()[:2] {
		s.serve(path, "GET", s.discover)
	}
	for _, path := range []string{"/oidc/userinfo", "/oidc/revoke", "/oidc/par"} {
		s.Mux.HandleFunc("OPTIONS "+path, s.Door.Preflight("GET, POST", Fail))
	}
	s.serve("/oidc/authorize", "GET POST", s.authorize)
	s.serve("/oidc/auth", "GET POST", s.authorize) // contract 1.12
	s.serve("/oidc/keys", "GET", s.keys)
	s.serve("/oidc/userinfo", "GET POST", s.userinfo)
	s.serve("/oidc/introspect", "POST", s.introspect)
	s.serve("/oidc/revoke", "POST", s.revoke)
	s.serve("/oidc/logout", "GET POST", s.logout)
	s.serve("/oidc/par", "POST", s.push)
	s.serve("/oidc/device_authorization", "POST", s.device)
	return s
}

// serve serves a path for some methods and reads the form of a POST; each parameter
// stands there once.
func (s *Surface) serve(path, methods string, h http.HandlerFunc) {
	for method := range strings.FieldsSeq(methods) {
		s.Mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := oauth.Form(w, r, maxForm); err != nil {
				Fail(w, r, err)
				return
			}
			h(w, r)
		})
	}
}

// failure is an error of RFC 6749 section 5.2.
type failure struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func refuse(w http.ResponseWriter, r *http.Request, status int, word, text string, err error) {
	otl.RequestOf(r.Context()).Err = err
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="oidc"`)
	}
	wire.JSON(w, status, failure{word, text})
}

// Fail writes an error that no call words in its own way.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.Failed(w, r, err)
	switch e.Kind {
	case otl.Limited:
		refuse(w, r, http.StatusTooManyRequests, "temporarily_unavailable", e.Text, err)
	case otl.Unavailable:
		refuse(w, r, http.StatusServiceUnavailable, "temporarily_unavailable", e.Text, err)
	case otl.Internal:
		refuse(w, r, http.StatusInternalServerError, "server_error", e.Text, err)
	case otl.Malformed:
		refuse(w, r, wire.Status(e), "invalid_request", e.Text, err)
	default:
		refuse(w, r, http.StatusBadRequest, "invalid_request", e.Text, err)
	}
}

// single gives a parameter, "" where it is given twice: what is there twice is read
// differently by everybody.
func single(q url.Values, name string) string {
	if len(q[name]) != 1 {
		return ""
	}
	return q.Get(name)
}

// client proves the client of a call, and answers itself where it cannot.
func (s *Surface) client(w http.ResponseWriter, r *http.Request) (c otl.Client, of otl.Site, ok bool) {
	err := s.Door.Share(w, r, c)
	if err == nil {
		c, of, err = s.Door.Client(r)
	}
	if err == nil {
		err = s.Door.Share(w, r, c)
	}
	if err != nil {
		refuseKind(w, r, err)
		return c, of, false
	}
	return c, of, true
}

// refuseKind words what is wrong with how a client proves itself or its key.
func refuseKind(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, site.ErrClient):
		refuse(w, r, http.StatusUnauthorized, "invalid_client", otl.As(err).Text, err)
	case errors.Is(err, session.ErrProof):
		refuse(w, r, http.StatusBadRequest, "invalid_dpop_proof", otl.As(err).Text, err)
	default:
		Fail(w, r, err)
	}
}
