package onelogin

import (
	"encoding/hex"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// logins are the calls by which a site's server proves who a person is.
type logins struct{ *Surface }

// loginIn is what a site's server proves a person with (contract 2.6). What is needed
// stands behind a pointer.
type loginIn struct {
	Name      *string     `json:"username_or_email"`
	Password  secret.Text `json:"password"`
	Subdomain *string     `json:"subdomain"`
	ReturnTo  string      `json:"return_to_url"`
	IP        string      `json:"ip_address"`
	Fields    string      `json:"fields"`
}

// loginOut is somebody who has proven who he is.
type loginOut struct {
	Status    string  `json:"status"`
	User      userOut `json:"user"`
	ReturnTo  any     `json:"return_to_url"`
	ExpiresAt string  `json:"expires_at"`
	Token     string  `json:"session_token"`
}

// errCredentials is the answer to whoever cannot sign in, whatever is the matter.
var errCredentials = literal(http.StatusUnauthorized, "Authentication Failed: Invalid user credentials")

// expiresAt writes a time as this wire does in one place.
func expiresAt(t time.Time) string { return t.UTC().Format("2006/01/02 15:04:05 +0000") }

// login is POST /api/1/login/auth: it opens no session. That it answers with a session
// token is all that who wants a password checked needs to know.
func (s logins) login(c *call, in *loginIn) (reply, error) {
	origins, err := namedOrigins(c.r)
	if err == nil {
		err = s.checkLogin(c, in)
	}
	if err != nil {
		return reply{}, err
	}
	if ip, err := netip.ParseAddr(in.IP); err == nil {
		otl.RequestOf(c.ctx()).Client = ip.Unmap().WithZone("")
	}
	p, err := s.SignIn.Prove(c.ctx(), signin.Named(c.site, *in.Name, in.Password))
	if err != nil {
		return reply{}, refused(err)
	}
	return s.handOver(c, p, asked{typed: *in.Name, fields: in.Fields, Handover: signin.Handover{Origins: origins, ReturnTo: in.ReturnTo}})
}

// refused gives the answer to a proof that failed. Nobody learns whether a person is
// unknown, disabled, locked or has another password (contract 5 B9, B10); a lock says
// when to come back to whoever looks. A rate that is used up, and a pause between wrong
// passwords, are told for what they are: nobody has them like everybody, and the
// password was not looked at.
func refused(err error) error {
	e := otl.As(err)
	if e.Kind == otl.Unauthenticated || e.Kind == otl.Invalid || errors.Is(err, limit.ErrClosed) || e.Code == signin.ErrDisabled.Code {
		return errCredentials.because(err)
	}
	return err
}

// checkLogin refuses a request without what it needs, or for another account.
func (s logins) checkLogin(c *call, in *loginIn) error {
	switch {
	case in.Name == nil || *in.Name == "":
		return invalid("username_or_email", "is required")
	case in.Password.Empty():
		return invalid("password", "is required")
	case in.Subdomain == nil || *in.Subdomain == "": // of any account's there is none
		return invalid("subdomain", "is required")
	}
	return s.checkSubdomain(c, *in.Subdomain)
}

// otherSubdomain is the refusal of a subdomain that is another account's.
func otherSubdomain() error {
	return invalid("subdomain", "is not the subdomain of the account this credential is of")
}

// checkHost holds the host that a call was sent to against the account the credential is of: it is
// not another one's.
func (s *Surface) checkHost(c *call) error {
	other, err := s.elsewhere(c.r, c.site)
	if err == nil && other {
		err = otherSubdomain()
	}
	return err
}

// elsewhere reports whether a request was sent to the host of another account.
func (s *Surface) elsewhere(r *http.Request, of otl.Site) (bool, error) {
	host := s.tenant(r)
	if host == "" || host == of.Slug {
		return false, nil
	}
	_, err := s.Sites.Get(r.Context(), host)
	if err != nil && otl.As(err).Kind == otl.NotFound { // api.us.…
		return false, nil
	}
	return err == nil, err
}

// checkSubdomain holds the subdomain of a request against the account the credential is of.
func (s logins) checkSubdomain(c *call, subdomain string) error {
	if strings.EqualFold(subdomain, c.site.Slug) {
		return nil
	}
	strict, err := s.strict(c)
	if err == nil && strict {
		err = otherSubdomain()
	}
	return err
}

// strict reports whether the subdomain must be the account's own: unless it is said,
// where there are several accounts.
func (s logins) strict(c *call) (bool, error) {
	if s.Strict != nil {
		return *s.Strict, nil
	}
	return s.Sites.Several(c.ctx())
}

// tenant gives the first label of the host a request was sent to, where the rest is
// the host of this server; "" elsewhere.
func (s *Surface) tenant(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	label, rest, _ := strings.Cut(strings.TrimSuffix(strings.ToLower(host), "."), ".")
	if rest != s.host {
		return ""
	}
	return label
}

// originHeader is the beginning of the headers that name origins; a number follows.
const originHeader = "Custom-Allowed-Origin-Header-"

// namedOrigins gives the origins a request names, in however many headers.
func namedOrigins(r *http.Request) ([]string, error) {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if n, numbered := strings.CutPrefix(name, originHeader); !numbered || strings.Trim(n, "0123456789") != "" {
			continue
		}
		for one := range strings.SplitSeq(strings.Join(r.Header[name], ","), ",") {
			if one = origin(one); one == "" || slices.Contains(out, one) {
				continue
			}
			if err := otl.CheckOrigin(name, one); err != nil {
				return nil, err
			}
			out = append(out, one)
		}
	}
	slices.Sort(out)
	return out, signin.CheckOrigins(originHeader+"1", out)
}

// origin gives an origin as browsers write it: in lower case, without a slash at the
// end or the usual port.
func origin(s string) string {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "/")
	u, err := url.Parse(s)
	if err == nil && (u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80") {
		return strings.TrimSuffix(s, ":"+u.Port())
	}
	return s
}

// asked is what a site asked for at the beginning of a sign-in, and is answered at its
// end.
type asked struct {
	signin.Handover
	typed  string // what the person called himself
	fields string // members of his profile, comma-separated
}

// Members of what a second step keeps for this wire.
const (
	keptTyped  = "typed"
	keptFields = "fields"
)

// door is where second steps of a client begin and end.
func (s logins) door(c *call, a asked) signin.Door {
	return signin.Door{
		Name: "onelogin", Client: c.client.ID, TTL: signin.SessionTokenTTL, Token: secret.NewText(hex.EncodeToString(secret.Bytes(20))),
		Data: map[string]string{keptTyped: a.typed, keptFields: a.fields},
	}
}

// handOver answers with a session token for somebody who has proven who he is, or with
// the second step that comes first.
func (s logins) handOver(c *call, p signin.Proved, a asked) (reply, error) {
	t, err := s.Second.HandOver(c.ctx(), p, s.door(c, a), a.Handover)
	return s.handed(c, t, a, err)
}

// handed is the answer to what a proof led to.
func (s logins) handed(c *call, t signin.SessionToken, a asked, err error) (reply, error) {
	if err != nil {
		return reply{}, refused(err)
	}
	u, err := s.user(c, account.Member{User: t.User, Grant: t.Grant})
	if err != nil {
		return reply{}, err
	}
	u = u.brief(t.User, a)
	if t.Step != nil {
		return s.stepDue(c, *t.Step, u)
	}
	return success([]loginOut{{"Authenticated", u, orNull(a.ReturnTo), expiresAt(t.ExpiresAt), t.Token.Reveal()}}), nil
}
