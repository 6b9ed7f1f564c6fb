package onelogin

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// Options are the rules this wire translates to.
type Options struct {
	Tokens  *site.APITokens
	Clients *site.Clients
	Numbers *number.Numbers
	Pace    *limit.Pace // of requests
	Now     func() time.Time
}

// Surface is the wire as an http.Handler.
type Surface struct {
	Options
	mux *http.ServeMux
}

// Paths are what the surface serves, as patterns of http.ServeMux.
func Paths() []string {
	return []string{"/api/1/", "/api/2/", "/auth/oauth2/", "/auth/rate_limit", "/auth/rate_limit/"}
}

// New builds the surface. Every path is served with and without a slash at its end.
func New(o Options) *Surface {
	s := &Surface{Options: o, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST /auth/oauth2/v2/token", s.token)
	s.mux.HandleFunc("POST /auth/oauth2/token", s.legacyToken)
	s.mux.HandleFunc("POST /auth/oauth2/revoke", s.revoke)
	s.mux.HandleFunc("GET /auth/rate_limit", s.byClient(otl.ScopeUsers, s.rateLimit))
	s.mux.HandleFunc("/", NotFound)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Surface) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" || !strings.HasSuffix(r.URL.Path, "/") {
		s.mux.ServeHTTP(w, r)
		return
	}
	bare, u := *r, *r.URL
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	bare.URL = &u
	s.mux.ServeHTTP(w, &bare)
	r.Pattern = bare.Pattern // for the log
}

// call is one request of a client on its way through an operation.
type call struct {
	r      *http.Request
	client otl.Client
	site   otl.Site
}

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

// authorise finds the client of the bearer token, which must have a scope, counts
// the call and tells how many more there may be.
func (s *Surface) authorise(w http.ResponseWriter, r *http.Request, scope otl.Scope) (*call, error) {
	raw, err := bearer(authorization(r))
	if err != nil {
		return nil, err
	}
	c := &call{r: r}
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
		w.Header().Set(name, strconv.Itoa(value))
	}
	switch {
	case err != nil:
		return nil, err
	case !c.client.Scopes.Has(scope):
		return nil, errPermission
	}
	return c, nil
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
