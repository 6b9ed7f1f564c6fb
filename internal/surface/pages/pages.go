package pages

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/webhook"
	"github.com/onetimelogin/otl/internal/wire"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// Options are what the pages are made of.
type Options struct {
	Flows     *signin.Flows
	Arrivals  signin.Arrivals
	SetUps    signin.SetUps
	Factors   *factor.Setup
	Codes     *signin.Codes
	SignIn    *signin.SignIn
	Accounts  *account.Accounts
	Changes   *account.Changes
	Consents  account.Consents
	Erasures  account.Erasures
	Sites     *site.Sites
	Roles     *site.Roles
	Webhooks  *webhook.Webhooks
	Clients   *site.Clients
	Listeners *signin.Listeners
	PublicURL string // cookies are for https where it is
	Now       func() time.Time
	// Health gives how the installation is doing.
	Health func(context.Context) otl.Health
	// Foot is what pages that are no site's link to.
	Foot otl.Foot
	// Plain answers an error to whoever asks for no page.
	Plain func(http.ResponseWriter, *http.Request, error)
}

// Pages serves what a browser sees: the hosted pages, the front page and the
// documentation.
type Pages struct {
	Options
	*wire.Mux
	templates *template.Template
	markdown  goldmark.Markdown
	origin    *http.CrossOriginProtection
	jar       cookie.Jar
}

// New builds the pages.
func New(o Options) *Pages {
	p := &Pages{
		Options: o, origin: http.NewCrossOriginProtection(), jar: cookie.Jar{HTTPS: strings.HasPrefix(o.PublicURL, "https://")},
		markdown:  goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID())),
		templates: template.Must(template.ParseFS(templateFiles, "templates/*.html")),
	}
	p.Mux = wire.NewMux(p.Fail)
	library{p}.routes()
	entry{p}.routes()
	resets{p}.routes()
	passkeys{p}.routes()
	setups{p}.routes()
	nudges{p}.routes()
	securities{accounts{p}}.routes()
	discovery{p}.routes()
	sending{p}.routes()
	accounts{p}.routes()
	connections{accounts{p}}.routes()
	attendances{accounts{p}}.routes()
	holdings{accounts{p}}.routes()
	mending{accounts{p}}.routes()
	p.get("/status", statuses{p}.page)
	p.get("/static/{name}", p.static)
	p.get("/logo/{id}", brands{p}.logo)
	changes{p}.routes()
	passwords{accounts{p}}.routes()
	hooks{owners{accounts{p}}}.routes()
	entrances{owners{accounts{p}}}.routes()
	descriptions{owners{accounts{p}}}.routes()
	looks{owners{accounts{p}}}.routes()
	switches{owners{accounts{p}}}.routes()
	directions{owners{accounts{p}}}.routes()
	keyrings{owners{accounts{p}}}.routes()
	programs{owners{accounts{p}}}.routes()
	devices{p}.routes()
	return p
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", documentPolicy)
	otl.RequestOf(r.Context()).Locales = wishes(p.jar, r) // mails speak as the pages do
	signin.FromDevice(r.Context(), p.jar.Get(r, cookie.Device))
	p.Mux.ServeHTTP(w, r)
}

var errNoPath = &otl.Error{Kind: otl.NotFound, Code: "no_such_path", Text: "No such path."}

// static serves one file; there is no list of them.
func (p *Pages) static(w http.ResponseWriter, r *http.Request) error {
	name := "static/" + r.PathValue("name")
	if info, err := fs.Stat(staticFiles, name); err != nil || info.IsDir() {
		return errNoPath
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	http.ServeFileFS(w, r, staticFiles, name) //nolint:gosec // G703: the file system is embedded
	return nil
}
