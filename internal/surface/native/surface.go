package native

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/once"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/webhook"
	"github.com/onetimelogin/otl/internal/wire"
)

// Options are the rules this wire translates to.
type Options struct {
	SignIn   *signin.SignIn
	Codes    *signin.Codes
	Flows    *signin.Flows
	Second   *signin.SecondStep
	Setup    *factor.Setup
	Accounts *account.Accounts
	Members  *account.Members
	Sites    *site.Sites
	Clients  *site.Clients
	Roles    *site.Roles
	Feed     *session.Feed
	Events   *event.Log
	Webhooks *webhook.Webhooks
	Orders   *site.Orders
	Ledger   *ledger.Ledger // of what sites are shown; nil for none
	Once     *once.Keeper
	Pace     *limit.Pace // of requests; nil for none
	Now      func() time.Time
	// JWKS gives the public signing keys, and JWKSMaxAge how long they may be kept.
	JWKS       func() []byte
	JWKSMaxAge time.Duration
	// CursorKey seals the cursors of lists; 32 bytes.
	CursorKey []byte
	Version   string // of the program, shown in the OpenAPI document
	// Health gives how the installation is doing.
	Health func(context.Context) otl.Health
}

// Surface is the native wire as an http.Handler.
type Surface struct {
	Options
	registry   huma.Registry
	operations []*operation
	*wire.Mux
	document func() []byte // made when somebody asks for it first
}

// New builds the surface. It panics when an operation is not declared in full.
func New(o Options) *Surface {
	s := &Surface{Options: o, registry: newRegistry(), Mux: wire.NewMux(Fail)}
	s.routes()
	neverNull(s.registry)
	s.document = sync.OnceValue(s.describe)
	s.mount()
	return s
}

// OpenAPI gives the document of this wire as JSON.
func (s *Surface) OpenAPI() []byte { return s.document() }

// mount serves every operation under both path forms (contract 5 A1).
func (s *Surface) mount() {
	scripts := map[string][]string{}
	for _, o := range s.operations {
		for _, base := range []string{"/api/v1", "/api"} {
			s.Mux.HandleFunc(o.method+" "+base+o.path, o.serve)
			if o.crossOrigin() {
				scripts[base+o.path] = append(scripts[base+o.path], o.method)
			}
		}
	}
	for path, methods := range scripts {
		s.Mux.HandleFunc("OPTIONS "+path, s.preflight(methods))
	}
	s.static("/openapi.json", "public, max-age=300", s.document)
	s.static("/.well-known/jwks.json", "public, max-age="+seconds(s.JWKSMaxAge), s.JWKS)
}

func (s *Surface) static(path, cache string, body func() []byte) {
	s.Mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", cache)
		w.Header().Set("Access-Control-Allow-Origin", "*") // public by nature
		_, _ = w.Write(body())
	})
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
