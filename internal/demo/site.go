package demo

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/secret"
)

// Options say which site a demo site is, and of which server.
type Options struct {
	Name     string // shown to people
	ID       string // site id
	Key      secret.Text
	Server   string // base URL of the server
	Own      string // base URL of this site
	Callback string // registered at the server; below Own
	Try      Guest
	Now      func() time.Time
	Log      *slog.Logger
}

// Guest is whom somebody who looks around can sign in as; the zero Guest is nobody.
type Guest struct{ Name, Password string }

// Site is a demo site. What it knows of its visitors it keeps in memory.
type Site struct {
	Options
	api  *egress.Client
	mux  *http.ServeMux
	page *template.Template

	mu       sync.Mutex
	secret   string              // of the webhook endpoint
	asked    map[string]asked    // sign-ins under way, by state
	visitors map[string]*visitor // by the value of their cookie
	heard    []heard             // webhooks, newest first
	changed  chan struct{}       // closed at the next change
}

// asked is a sign-in under way: the state goes out and comes back with the browser.
type asked struct {
	verifier string
	browser  string // cookie of the browser that asked
	until    time.Time
}

// visitor is somebody who is signed in here.
type visitor struct {
	id, session string // person, session at the server
	fields      []field
	access      secret.Text
	refresh     secret.Text
}

type field struct{ Name, Value string }

// heard is a webhook that came in.
type heard struct {
	At       time.Time
	Type, ID string
	Verified bool
}

// Bounds of what is kept in memory.
const (
	keepHeard    = 20
	keepVisitors = 1000
	askTime      = 10 * time.Minute
)

//go:embed templates/page.html
var pageText string

//go:embed templates/site.js
var script []byte

//go:embed templates/site.css
var sheet []byte

// New makes a demo site. Serve it, then Join the server.
func New(o Options) *Site {
	s := &Site{
		Options: o, api: egress.New(egress.Policy{Trusted: true}), mux: http.NewServeMux(), page: template.Must(template.New("page").Parse(pageText)),
		asked: map[string]asked{}, visitors: map[string]*visitor{}, changed: make(chan struct{}),
	}
	s.mux.HandleFunc("GET /{$}", s.home)
	s.mux.HandleFunc("GET /login", s.login)
	s.mux.HandleFunc("GET /auth/callback", s.callback)
	s.mux.HandleFunc("POST /logout", s.logout)
	s.mux.HandleFunc("POST /hooks", s.hook)
	s.mux.HandleFunc("GET /changes", s.changes)
	s.mux.HandleFunc("GET /site.js", asset("text/javascript; charset=utf-8", script))
	s.mux.HandleFunc("GET /site.css", asset("text/css; charset=utf-8", sheet))
	return s
}

func asset(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	}
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	s.mux.ServeHTTP(w, r)
}

// cookieName holds who a browser is here. Cookies know no ports: each site has a
// name of its own.
func (s *Site) cookieName() string { return "demo_" + s.ID }

// browser gives the cookie of a browser, which is set if it has none.
func (s *Site) browser(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(s.cookieName()); err == nil && len(c.Value) == 43 {
		return c.Value
	}
	return s.mark(w)
}

// mark gives a browser a new cookie: a sign-in must not go on under one that
// somebody else may have planted.
func (s *Site) mark(w http.ResponseWriter) string {
	value := random()
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // G124: plain http on loopback, where clients drop Secure cookies
	return value
}

func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

// view is what the page shows.
type view struct {
	Name, Server string
	Try          Guest
	SignedIn     bool
	Title        string
	Fields       []field
	Heard        []heard
	Problem      string
}

func (s *Site) home(w http.ResponseWriter, r *http.Request) { s.show(w, r, http.StatusOK, "") }

func (s *Site) show(w http.ResponseWriter, r *http.Request, status int, problem string) {
	v := view{Name: s.Name, Server: s.Server, Try: s.Try, Title: s.Name, Problem: problem}
	s.mu.Lock()
	v.Heard = append(v.Heard, s.heard...)
	if c, err := r.Cookie(s.cookieName()); err == nil {
		if u := s.visitors[c.Value]; u != nil {
			v.SignedIn, v.Fields = true, append(v.Fields, u.fields...)
			v.Title = "Hello " + u.greeting()
		}
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := s.page.Execute(w, v); err != nil {
		s.Log.Error("demo page", "site", s.Name, "err", err)
	}
}

// greeting is what the visitor lets himself be called.
func (u *visitor) greeting() string {
	for _, name := range []string{"display_name", "name", "email"} {
		for _, f := range u.fields {
			if f.Name == name && f.Value != "" {
				return f.Value
			}
		}
	}
	return "you"
}

// tell wakes the pages that wait for a change. The caller holds the lock.
func (s *Site) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// changes answers when something changed, or after a while.
func (s *Site) changes(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), 25*time.Second)
	defer cancel()
	select {
	case <-changed:
		w.WriteHeader(http.StatusOK)
	case <-ctx.Done():
		w.WriteHeader(http.StatusNoContent)
	}
}
