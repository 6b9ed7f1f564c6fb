package onelogin

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// Options are the rules this wire translates to.
type Options struct {
	SignIn    *signin.SignIn
	Second    *signin.SecondStep
	Sites     *site.Sites
	Tokens    *site.APITokens
	Clients   *site.Clients
	Roles     *site.Roles
	Members   *account.Members
	Ledger    *ledger.Ledger // of what sites are shown; nil for none
	Factors   *factor.Setup
	Numbers   *number.Numbers
	Pace      *limit.Pace // of requests
	Jar       cookie.Jar
	PublicURL string // where people reach this server
	Strict    *bool  // the subdomain must be the account's own; nil: where there are several
	Now       func() time.Time
	// Ask shows the page that asks whether somebody wants to be signed in in the place
	// of another. Its form goes to the path, with the field switch as yes or no.
	Ask func(w http.ResponseWriter, r *http.Request, path string, a signin.Handed)
}

// Surface is the wire as an http.Handler.
type Surface struct {
	Options
	*wire.Mux
	origin, host string // of PublicURL
	crossOrigin  *http.CrossOriginProtection
}

// Paths are what the surface serves, as patterns of http.ServeMux.
func Paths() []string {
	return []string{"/api/1/", "/api/2/", "/auth/oauth2/", "/auth/rate_limit", "/auth/rate_limit/", resetPath, sessionPath, sessionPath + "/"}
}

// New builds the surface. Every path is served with and without a slash at its end.
func New(o Options) *Surface {
	s := &Surface{Options: o, Mux: wire.NewMux(unserved), crossOrigin: http.NewCrossOriginProtection()}
	s.origin, s.host = originOf(o.PublicURL)
	t, l := tokens{s}, logins{s}
	s.Mux.HandleFunc("POST /auth/oauth2/v2/token", t.current)
	s.Mux.HandleFunc("POST /auth/oauth2/token", t.fresh)
	s.Mux.HandleFunc("POST /auth/oauth2/revoke", t.revoke)
	s.Mux.HandleFunc("GET /auth/rate_limit", s.byClient(otl.ScopeUsers, s.rateLimit))
	s.Mux.HandleFunc("POST /api/1/login/auth", withBody(s, otl.ScopeAuth, l.login))
	s.Mux.HandleFunc("POST /api/1/login/verify_factor", withBody(s, otl.ScopeAuth, l.verify))
	s.Mux.HandleFunc("POST /api/1/verify_factor", withBody(s, otl.ScopeAuth, l.verify))
	browsers{s}.serve()
	people{s}.serve()
	roles{s}.serve()
	devices{s}.serve()
	invites{s}.serve()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Surface) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" || !strings.HasSuffix(r.URL.Path, "/") {
		s.Mux.ServeHTTP(w, r)
		return
	}
	s.at(w, r, strings.TrimSuffix(r.URL.Path, "/"))
}

// at serves a request as if it had another path, and tells the log what served it.
func (s *Surface) at(w http.ResponseWriter, r *http.Request, path string) {
	as, u := *r, *r.URL
	u.Path, u.RawPath = path, ""
	as.URL = &u
	s.Mux.ServeHTTP(w, &as)
	r.Pattern = as.Pattern
}

// Below serves the surface below a first segment such as /notes.onelogin.com too, and
// leaves everything else to next.
func (s *Surface) Below(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !strings.HasSuffix(host, ".onelogin.com") {
			next.ServeHTTP(w, r)
			return
		}
		sent := *r
		sent.Host = strings.TrimSuffix(host, "onelogin.com") + s.host // as if the segment were where it was sent to
		s.at(w, &sent, strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"+host), "/"))
		r.Pattern = sent.Pattern
	})
}

// call is one request of a client on its way through an operation.
type call struct {
	r      *http.Request
	header http.Header // of the answer
	client otl.Client
	site   otl.Site
}

func (c *call) ctx() context.Context { return c.r.Context() }

// byClient serves an operation that a client with a scope calls.
func (s *Surface) byClient(scope otl.Scope, do func(*call) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authorise(w, r, scope)
		var out reply
		if err == nil {
			out, err = do(c)
		}
		if err != nil {
			Fail(w, r, err)
			return
		}
		write(w, out)
	}
}

// withBody serves an operation that a client with a scope calls with a JSON body.
func withBody[In any](s *Surface, scope otl.Scope, do func(*call, *In) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.byClient(scope, func(c *call) (reply, error) {
			in := new(In)
			if err := read(w, r, in); err != nil {
				return reply{}, err
			}
			return do(c, in)
		})(w, r)
	}
}

// authorise finds the client of the bearer token, which must have a scope, counts
// the call and tells how many more there may be.
func (s *Surface) authorise(w http.ResponseWriter, r *http.Request, scope otl.Scope) (*call, error) {
	raw, err := bearer(authorization(r))
	if err != nil {
		return nil, err
	}
	c := &call{r: r, header: w.Header()}
	if c.client, c.site, err = s.Tokens.Authenticate(r.Context(), raw); err != nil {
		return nil, err
	}
	req := otl.RequestOf(r.Context())
	req.SiteID, req.SiteKeyID, req.By = c.site.ID, c.client.ID, otl.Actor{Kind: otl.ActorClient, ID: c.client.ID}
	// The client's server calls for a person; where he sits only the client can say.
	req.Client, req.UserAgent = netip.Addr{}, ""
	err = s.Pace.Take(r.Context(), c.client.ID)
	rate := s.rate(c)
	for name, value := range map[string]int{headLimit: rate.Limit, headRemaining: rate.Remaining, headReset: rate.Reset} {
		w.Header()[name] = []string{strconv.Itoa(value)} // spelled as OneLogin does
	}
	switch {
	case err != nil:
		return nil, err
	case !c.client.Scopes.Has(scope):
		return nil, errPermission.because(&otl.Error{Kind: otl.Forbidden, Code: "scope_missing", Text: "This client lacks the scope " + string(scope) + "."})
	}
	return c, s.checkHost(c)
}

// The headers that tell how many calls there may be.
const (
	headLimit     = "X-RateLimit-Limit"
	headRemaining = "X-RateLimit-Remaining"
	headReset     = "X-RateLimit-Reset"
)

// rateOut is what a client may still call within a time.
type rateOut struct {
	Limit     int `json:"X-RateLimit-Limit"`
	Remaining int `json:"X-RateLimit-Remaining"`
	Reset     int `json:"X-RateLimit-Reset"` // seconds
}

func (s *Surface) rate(c *call) rateOut {
	return rateOut{s.Pace.Rate.Uses, s.Pace.Left(c.client.ID), int(s.Pace.Rate.Per.Seconds())}
}

// rateLimit is GET /auth/rate_limit (contract 2.5).
func (s *Surface) rateLimit(c *call) (reply, error) { return success(s.rate(c)), nil }
