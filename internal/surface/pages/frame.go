package pages

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/wire"
)

// Policies of pages: they use what this server serves and nothing else. A browser
// holds the address that the answer to a form leads to against form-action too.
const (
	documentPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	hostedPolicy   = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
		"form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

// screen is what the template of a hosted page is given.
type screen struct {
	Voice
	Page    string // name of its template, for tests
	Title   string // its one heading
	Site    string // whom the browser comes from, "" for nobody
	Brand   brand  // of the same
	Onward  bool   // what he does here leads on to that site
	Wide    bool
	Tabbed  bool              // it is one of the pages of an account, below the way to the others
	Of      string            // the site of his own it is about, "" for none
	Others  []tab             // the pages about that
	Problem string            // what went wrong
	Good    string            // what went well
	Wait    time.Duration     // until it can be tried again, 0 for at once
	Wrong   map[string]string // what is wrong with a field, by its name
	Flow    string            // id of the flow, "" for none
	Token   string            // against forgery, of every form
	Langs   []message.Language
	Data    any // the page's own
}

// tab is one of the pages of an account.
type tab struct {
	Path, Name string
	Current    bool // it is the one somebody is on, or the one that led there
	Exact      bool // it is the one somebody is on
}

// portal lays out one of the pages of an account.
func (s *screen) portal(title string) { s.Title, s.Wide, s.Tabbed = title, true, true }

// led gives the page of an account that leads to another one.
func led(path string) string {
	switch {
	case path == securedAt, path == passwordAt:
		return security
	case strings.HasPrefix(path, "/account/sites/"):
		return "/account"
	}
	return path
}

// Tabs gives the pages of an account, for the template, with the one it is on marked.
func (s screen) Tabs() []tab {
	out := []tab{
		{Path: "/account", Name: s.Say("account")},
		{Path: "/account/profile", Name: s.Say("nav_profile")},
		{Path: security, Name: s.Say("security")},
		{Path: attended, Name: s.Say("sessions")},
		{Path: "/account/ledger", Name: s.Say("nav_shared")},
		{Path: "/account/activity", Name: s.Say("nav_activity")},
		{Path: dataAt, Name: s.Say("nav_data")},
	}
	for i := range out {
		out[i].Exact = s.Here != nil && s.Here.Path == out[i].Path
		out[i].Current = s.Here != nil && led(s.Here.Path) == out[i].Path || s.Of != "" && out[i].Path == "/account"
	}
	return out
}

// show answers with a hosted page. Leads is the origin a form of it may lead to, ""
// for none but ours.
func (p *Pages) show(w http.ResponseWriter, status int, name, leads string, s screen) {
	var b bytes.Buffer
	if s.Site == "" {
		s.Brand.Links = s.foot(p.Foot)
	}
	s.Langs, s.Page = message.Languages(), strings.TrimSuffix(name, ".html")
	if err := p.templates.ExecuteTemplate(&b, name, s); err != nil {
		panic(err) // a template of ours; the server answers 500
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if s.Wait > 0 {
		h.Set("Retry-After", number(int64((s.Wait+time.Second-1)/time.Second)))
	}
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Security-Policy", policyFor(leads))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// foot gives the links of pages that are no site's.
func (v Voice) foot(f otl.Foot) []otl.BrandLink {
	all := []otl.BrandLink{{Text: v.Say("help"), URL: f.Help}, {Text: v.Say("privacy"), URL: f.Privacy}, {Text: v.Say("terms"), URL: f.Terms}}
	return slices.DeleteFunc(all, func(l otl.BrandLink) bool { return l.URL == "" })
}

func policyFor(leads string) string {
	if leads == "" {
		return hostedPolicy
	}
	return strings.Replace(hostedPolicy, "form-action 'self'", "form-action 'self' "+leads, 1)
}

// year is how long a chosen language is kept.
const year = 365 * 24 * time.Hour

// Voice is how a page speaks to whoever asks, and the light it does so in.
type Voice struct {
	message.Voice
	Theme string // "light" or "dark", "" for his system's
	Here  *place // where the page can be had again in another language, nil for nowhere
	times times
}

// place is an address of ours.
type place struct {
	Path  string
	Query url.Values
}

// placed reads an address of our own making.
func placed(address string) *place {
	path, query, _ := strings.Cut(address, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	return &place{path, q}
}

// itself is where the page at hand can be had again without an address in it, which may be a secret
// (PR-01): a browser sends a form that names none to where it is. The front page, where nothing is there.
func itself(mux *wire.Mux, r *http.Request) *place {
	if mux.Serves(http.MethodGet, r) {
		return &place{}
	}
	return placed("/")
}

// here gives where a page can be had again: at its address, and that of the answer to a
// form where the form itself is. Pages that are shown once say nil.
func here(mux *wire.Mux, r *http.Request) *place {
	at := place{r.URL.EscapedPath(), r.URL.Query()}
	if strings.HasPrefix(at.Path, "//") {
		return nil // another host
	}
	if r.Method == http.MethodPost {
		if !mux.Serves(http.MethodGet, r) {
			return nil
		}
		at.Query = url.Values{}
		if flow := r.PostForm.Get("f"); flow != "" {
			at.Query.Set("f", flow)
		}
	}
	at.Query.Del("lang")
	at.Query.Del("theme")
	return &at
}

// theme gives the light somebody chose, if he did. A choice that comes with the request is
// kept, or forgotten for "system".
func theme(jar cookie.Jar, w http.ResponseWriter, r *http.Request) string {
	kept := jar.Get(r, cookie.Theme).Reveal()
	switch chosen := r.URL.Query().Get("theme"); {
	case chosen == "light", chosen == "dark":
		jar.Set(w, cookie.Theme, secret.NewText(chosen), year)
		return chosen
	case chosen == "system" && kept != "":
		jar.Clear(w, cookie.Theme)
		return ""
	case kept == "light", kept == "dark":
		return kept
	}
	return ""
}

// voice speaks to whoever asks: in the language he chose, else the first of more that there
// are words in, else what his browser prefers. A choice that comes with the request is kept.
func (p *Pages) voice(w http.ResponseWriter, r *http.Request, data map[string]string, more ...string) Voice {
	said := wishes(p.jar, r, more...)
	if chosen := r.URL.Query().Get("lang"); message.Spoken(chosen) {
		p.jar.Set(w, cookie.Lang, secret.NewText(chosen), year)
		said[0] = chosen
	}
	return Voice{message.Speak(data, said...), theme(p.jar, w, r), here(p.Mux, r), times{}}
}

// wishes gives the languages whoever asks wishes for: what he chose, "" for nothing, then
// more, then what his browser prefers.
func wishes(jar cookie.Jar, r *http.Request, more ...string) []string {
	return append(append([]string{jar.Get(r, cookie.Lang).Reveal()}, more...), r.Header.Get("Accept-Language"))
}

// listed writes ui_locales, which blanks separate (OpenID Connect Core 3.1.2.1), as a list
// that commas do.
func listed(locales string) string { return strings.Join(strings.Fields(locales), ",") }

// listing writes several things one after the other, as the language does.
func listing(s screen, names []string) string { return strings.Join(names, s.Say("comma")) }

// The marks around what has a direction of its own (Unicode UAX 9).
const (
	isolates = "\u2068"
	isolated = "\u2069"
)

// isolate keeps a name or an address from changing the direction of the text around it.
func isolate(s string) string { return isolates + s + isolated }
