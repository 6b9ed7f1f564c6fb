package transmit

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/oauth"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// Options are the rules this wire translates to.
type Options struct {
	SignIn   *signin.SignIn
	Codes    *signin.Codes
	Flows    *signin.Flows
	Clients  *site.Clients
	Door     oauth.Door
	Members  *account.Members
	Ledger   *ledger.Ledger // of what sites are shown; nil for none
	Identity *session.Identity
	Pace     *limit.Pace // of requests; nil for none
	JWKS     func() []byte
	Now      func() time.Time
	URL      string // of the installation
}

// Surface is the wire as an http.Handler.
type Surface struct {
	Options
	*wire.Mux
}

// maxBody is the longest body in bytes: a logo of 20,000 characters fits.
const maxBody = 64 << 10

// New builds the surface. Every path is served with and without the vendor's
// prefix /cis.
func New(o Options) *Surface {
	s := &Surface{Options: o, Mux: wire.NewMux(Fail)}
	s.serve("POST /oidc/token", s.token)
	s.Mux.HandleFunc("OPTIONS /oidc/token", s.Door.Preflight("POST", Fail))
	s.serve("GET /oidc/jwks", s.jwks)
	s.serve("POST /v1/auth/otp/send", byClient(s, otpShape, s.sendCode))
	s.serve("POST /v1/auth/otp/authenticate", byClient(s, otpShape, s.verifyCode))
	s.serve("POST /v1/auth/link/email/send", byClient(s, sendLinkShape, s.sendLink))
	s.serve("POST /v1/auth/link/email/authenticate", byClient(s, linkShape, s.redeemLink))
	s.serve("POST /v1/auth/session/authenticate", byClient(s, linkShape, s.resume))
	s.serve("POST /v1/auth/session/logout", byClient(s, linkShape, s.endSession))
	s.serve("POST /v1/auth/token/refresh", byClient(s, linkShape, s.refresh))
	s.serve("POST /v1/auth/password/authenticate", byClient(s, linkShape, s.password))
	s.serve("POST /v1/auth/logout", s.logout)
	users{s}.routes()
	front{s}.routes()
	return s
}

// serve serves a pattern with and without the prefix.
func (s *Surface) serve(pattern string, h http.HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	s.Mux.HandleFunc(pattern, h)
	s.Mux.HandleFunc(method+" /cis"+path, h)
}

// call is one request of a client on its way through an operation.
type call struct {
	w      http.ResponseWriter // for the bounds of the body
	r      *http.Request
	client otl.Client
	site   otl.Site
	scopes otl.Scopes // of the token: no more than the client has by now
}

// byClient serves an operation that a client calls with its own access token and a
// JSON body. Members nobody knows are passed over: clients of other versions send
// some.
func byClient[In any](s *Surface, shape shape, do func(*call, *In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authorise(r, otl.ScopeAuth)
		if err != nil {
			fail(w, r, shape, err)
			return
		}
		in := new(In)
		if err := read(w, r, in); err != nil {
			fail(w, r, shape, err)
			return
		}
		out, err := do(c, in)
		switch {
		case err != nil:
			fail(w, r, shape, err)
		case out == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			wire.JSON(w, http.StatusOK, out)
		}
	}
}

// authorise finds the client of the bearer token, which must have a scope.
func (s *Surface) authorise(r *http.Request, scope otl.Scope) (*call, error) {
	raw, err := bearer(r)
	if err != nil {
		return nil, err
	}
	id, scopes, err := s.Identity.ReadClient(raw)
	if err != nil {
		return nil, err
	}
	c := &call{r: r}
	c.client, c.site, err = s.Clients.Find(r.Context(), id)
	if errors.Is(err, site.ErrClient) {
		return nil, otl.ErrToken.Because(err) // revoked since
	}
	if err != nil {
		return nil, err
	}
	for _, one := range scopes {
		if c.client.Scopes.Has(one) {
			c.scopes = append(c.scopes, one)
		}
	}
	req := otl.RequestOf(r.Context())
	req.SiteID, req.SiteKeyID, req.By = c.site.ID, c.client.ID, otl.Actor{Kind: otl.ActorClient, ID: c.client.ID}
	// The client's server calls for a person; where he sits only the client can say.
	req.Client, req.UserAgent = netip.Addr{}, ""
	if err := s.Pace.Take(r.Context(), c.client.ID); err != nil {
		return nil, err
	}
	if !c.scopes.Has(scope) {
		return nil, &otl.Error{Kind: otl.Forbidden, Code: "scope_missing", Text: "This client lacks the scope " + string(scope) + "."}
	}
	return c, nil
}

func bearer(r *http.Request) (secret.Text, error) {
	scheme, raw, _ := strings.Cut(strings.Join(r.Header.Values("Authorization"), ", "), " ")
	if raw = strings.Trim(raw, " "); !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return secret.Text{}, otl.ErrToken
	}
	return secret.NewText(raw), nil
}

// read reads a JSON body; none at all is an empty object (contract 3.1).
func read(w http.ResponseWriter, r *http.Request, in any) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return wire.TooLarge(maxBody)
	case err != nil:
		return &otl.Error{Kind: otl.Malformed, Code: "body_unreadable", Text: "The body could not be read."}
	case len(raw) == 0:
		raw = []byte("{}")
	case !wire.Sends(r, wire.MediaJSON):
		return &otl.Error{Kind: otl.Malformed, Code: "body_unreadable", Text: "Send the body as Content-Type: application/json."}
	}
	return parse(raw, in)
}

// parse reads a JSON object as strictly as the native wire does, but for members that nobody knows.
func parse(raw []byte, in any) error {
	all, err := wire.ReadJSON(raw)
	if err != nil {
		return err
	}
	if err := spelled(all, reflect.TypeOf(in), ""); err != nil {
		return err
	}
	return wrongType(json.Unmarshal(raw, in))
}

// spelled refuses members whose names differ from those of a type in case alone, which encoding/json
// takes for them.
func spelled(v any, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	all, ok := v.(map[string]any)
	if !ok || t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if key != name && strings.EqualFold(key, name) {
				return otl.InvalidField(wire.Show(path+key), "unknown_field", "is spelled "+name)
			}
		}
		if one, given := all[name]; given {
			if err := spelled(one, f.Type, path+name+"."); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrongType gives the error of reading a body by name of the member at fault.
func wrongType(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return otl.InvalidField(member(wrong.Field), "wrong_type", "must be "+kind(wrong.Type))
	case err != nil:
		return &otl.Error{Kind: otl.Malformed, Code: "malformed_json", Text: "The body is not a JSON object."}
	}
	return nil
}

// member gives the path of a member as it stands in the body: what several calls share has a name in Go
// alone.
func member(path string) string {
	for _, shared := range []string{"wanted.", "frontIn."} {
		path = strings.TrimPrefix(path, shared)
	}
	return path
}

// kind gives what a member has to be, in the words of JSON.
func kind(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "an array"
	}
	return "a number"
}

// attributes are what a client tells of the person's browser.
type attributes struct {
	UserAgent string `json:"user_agent"`
	IP        string `json:"ip_address"`
}

// from notes where a person sits. The id of his device is checked alone: what devices are
// trusted is no word of a site's.
func (c *call) from(a attributes, device string) error {
	if utf8.RuneCountInString(device) > 80 {
		return otl.InvalidField("device_id", "too_long", "must be at most 80 characters")
	}
	req := otl.RequestOf(c.r.Context())
	req.UserAgent = a.UserAgent
	if a.IP == "" {
		return nil
	}
	ip, err := netip.ParseAddr(a.IP)
	if err != nil {
		return otl.InvalidField("client_attributes.ip_address", "invalid", "must be an IP address")
	}
	req.Client = ip.Unmap().WithZone("")
	return nil
}
