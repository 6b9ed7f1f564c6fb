package oidc

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// Options are the rules this wire translates to.
type Options struct {
	Flows    *signin.Flows
	SignIn   *signin.SignIn
	Clients  *site.Clients
	Identity *session.Identity
	Jar      cookie.Jar
	URL      string // of the installation: the issuer
	// Page answers an error with a page, before anybody is sent anywhere (OA-03).
	Page func(http.ResponseWriter, *http.Request, error)
	// Leave sends the browser on to a site with an answer, by whichever way it is asked.
	Leave func(http.ResponseWriter, *http.Request, otl.Site, signin.Answer)
}

// Surface is the wire as an http.Handler.
type Surface struct {
	Options
	mux *http.ServeMux
}

// maxForm is the longest body in bytes.
const maxForm = 64 << 10

// Paths gives what the surface serves.
func Paths() []string {
	return []string{
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
		"/oidc/authorize", "/oidc/userinfo", "/oidc/introspect", "/oidc/revoke", "/oidc/logout",
	}
}

// New builds the surface.
func New(o Options) *Surface {
	s := &Surface{Options: o, mux: http.NewServeMux()}
	for _, path := range Paths()[:2] {
		s.serve(path, "GET", s.discover)
	}
	s.serve("/oidc/authorize", "GET POST", s.authorize)
	s.serve("/oidc/userinfo", "GET POST", s.userinfo)
	s.serve("/oidc/introspect", "POST", s.introspect)
	s.serve("/oidc/revoke", "POST", s.revoke)
	s.serve("/oidc/logout", "GET POST", s.logout)
	return s
}

// serve serves a path for some methods and reads the form of a POST; each parameter
// stands there once.
func (s *Surface) serve(path, methods string, h http.HandlerFunc) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if !strings.Contains(" "+methods+" ", " "+method+" ") {
			w.Header().Set("Allow", strings.ReplaceAll(methods, " ", ", "))
			write(w, http.StatusMethodNotAllowed, failure{"invalid_request", "This path takes " + methods + "."})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			refuse(w, r, http.StatusBadRequest, "invalid_request", "Send the parameters as application/x-www-form-urlencoded.", err)
			return
		}
		h(w, r)
	})
}

// ServeHTTP implements http.Handler.
func (s *Surface) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

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
	write(w, status, failure{word, text})
}

// Fail writes an error that no call words in its own way.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e := otl.As(err)
	if e.Kind == otl.Internal && r.Context().Err() != nil {
		e = otl.Busy(time.Second).Because(err)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	switch e.Kind {
	case otl.Limited:
		refuse(w, r, http.StatusTooManyRequests, "temporarily_unavailable", e.Text, err)
	case otl.Unavailable:
		refuse(w, r, http.StatusServiceUnavailable, "temporarily_unavailable", e.Text, err)
	case otl.Internal:
		refuse(w, r, http.StatusInternalServerError, "server_error", e.Text, err)
	default:
		refuse(w, r, http.StatusBadRequest, "invalid_request", e.Text, err)
	}
}

func write(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // types of ours
	}
	w.Header().Set("Content-Type", "application/json")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n'))
}

// single gives a parameter, "" where it is given twice: what is there twice is read
// differently by everybody.
func single(q url.Values, name string) string {
	if len(q[name]) != 1 {
		return ""
	}
	return q.Get(name)
}

// client proves the client of a call, by Basic or in the form (RFC 6749 section 2.3.1),
// and answers itself where it cannot.
func (s *Surface) client(w http.ResponseWriter, r *http.Request) (c otl.Client, of otl.Site, ok bool) {
	id, password := single(r.PostForm, "client_id"), single(r.PostForm, "client_secret")
	if user, pass, basic := r.BasicAuth(); basic {
		if r.PostForm.Has("client_secret") {
			refuse(w, r, http.StatusBadRequest, "invalid_request", "Prove the client in one way: by Basic or in the form.", nil)
			return c, of, false
		}
		id, password = unescape(user), unescape(pass)
	}
	c, of, err := s.Clients.Authenticate(r.Context(), id, secret.NewText(password))
	switch {
	case errors.Is(err, site.ErrClient):
		refuse(w, r, http.StatusUnauthorized, "invalid_client", "The client id or the secret is wrong.", err)
		return c, of, false
	case err != nil:
		Fail(w, r, err)
		return c, of, false
	}
	req := otl.RequestOf(r.Context())
	req.SiteID, req.SiteKeyID, req.By = of.ID, c.ID, otl.Actor{Kind: otl.ActorClient, ID: c.ID}
	return c, of, true
}

// unescape reads a part of Basic, "" where it is not form-encoded.
func unescape(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return ""
	}
	return plain
}
