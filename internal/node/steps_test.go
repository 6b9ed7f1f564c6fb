package node_test

import (
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// routed is one path that a surface serves, and how it may be called.
type routed struct {
	wire, method, path string
	body               object // an example, nil for one that fits every wire
}

var (
	pathLiteral = regexp.MustCompile(`^(?:([A-Z]+) )?(/[A-Za-z0-9._/{}$-]*)$`)
	actLiteral  = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
)

// literals gives the strings in the source of a surface.
func literals(t *testing.T, wire string) []string {
	t.Helper()
	dir := "../surface/" + wire
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range all {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					found[s] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// routes gives every path of every wire but the native one, from the source: too many
// rather than too few, since one that is not served is not found.
func routes(t *testing.T) []routed {
	t.Helper()
	prefixes := map[string][]string{
		"onelogin": {"", "/api/1", "/api/2", "/api/1/users/{id}", "/api/2/mfa/users/{id}"},
		"transmit": {"", "/cis"}, "oidc": {""}, "pages": {"", "/account"},
	}
	var out []routed
	for _, wire := range slices.Sorted(maps.Keys(prefixes)) {
		all := literals(t, wire)
		for _, s := range all {
			m := pathLiteral.FindStringSubmatch(s)
			if m == nil {
				continue
			}
			path := strings.ReplaceAll(strings.ReplaceAll(m[2], "{$}", ""), "...}", "}")
			for _, prefix := range prefixes[wire] {
				out = append(out, routed{wire, m[1], prefix + path, nil})
			}
		}
		for _, s := range all {
			if wire == "onelogin" && actLiteral.MatchString(s) {
				out = append(out, routed{wire, http.MethodPut, "/api/1/users/{id}/" + s, nil})
			}
		}
	}
	return out
}

// described gives the operations of the native wire, from its own description.
func described(t *testing.T, w *otltest.World) []routed {
	t.Helper()
	paths, _ := w.Do(t, otltest.Call{Path: "/openapi.json"}).Want(t, http.StatusOK).JSON["paths"].(object)
	var out []routed
	for path, all := range paths {
		for method, one := range all.(object) {
			body := object{}
			if request, ok := one.(object)["requestBody"].(object); ok {
				body, _ = request["content"].(object)["application/json"].(object)["example"].(object)
			}
			path := strings.TrimPrefix(strings.TrimPrefix(path, "/api/v1"), "/api")
			for _, base := range []string{"/api/v1", "/api"} {
				out = append(out, routed{"native", strings.ToUpper(method), base + path, body})
			}
		}
	}
	return out
}

// pending is jane, who has given her password at two wires and owes her second factor.
type pending struct {
	*testing.T
	w      *otltest.World
	jane   otl.User
	seed   secret.Text
	client site.MadeClient
	api    string // token of the client on OneLogin's wire
	step   string // of the native wire
	state  string // of OneLogin's
	device any    // number of her app
}

func owe(t *testing.T, w *otltest.World) *pending {
	t.Helper()
	x := &pending{T: t, w: w, jane: w.Person(t, "jane@dev.test", w.Notes.Site), seed: secret.NewTOTPSeed()}
	if _, err := w.Setup.Give(t.Context(), x.jane, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: x.seed}); err != nil {
		t.Fatal(err)
	}
	var err error
	if x.client, err = w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "backend", Scopes: otl.AllScopes(), RedirectURIs: []string{"https://notes.test/callback"}}); err != nil {
		t.Fatal(err)
	}
	x.step = w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}).Want(t, http.StatusUnauthorized, "mfa_required").Text("mfa_token")
	x.api = w.Do(t, otltest.Call{Path: "/auth/oauth2/v2/token", Body: object{"grant_type": "client_credentials"}, Headers: map[string]string{"Authorization": x.basic(x.client.ID, x.client.Secret.Reveal())}}).Text("access_token")
	r := w.Do(t, otltest.Call{
		Path: "/api/1/login/auth", Body: object{"username_or_email": "jane@dev.test", "password": otltest.Password, "subdomain": "notes"}, Headers: map[string]string{"Authorization": "bearer:" + x.api},
	}).Want(t, http.StatusOK)
	due, _ := r.JSON["data"].([]any)[0].(object)
	x.state, _ = due["state_token"].(string)
	x.device = due["devices"].([]any)[0].(object)["device_id"]
	return x
}

func (x *pending) basic(id, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+password))
}

// members are what bodies of all wires call secrets and names.
func members(pending string) object {
	out := object{"identifier_type": "email", "subdomain": "notes", "grant_type": "authorization_code", "redirect_uri": "https://notes.test/callback", "token": pending}
	for _, name := range strings.Fields(`access_token refresh_token id_token session_token session_id code passcode link password password_confirmation client_id client_secret
		username username_or_email identifier email code_verifier device_code assertion client_assertion subject_token request request_uri id_token_hint resource ticket otp otp_token f switch`) {
		out[name] = pending
	}
	return out
}

// trials gives every way a request can carry a token to a path: alone and as the bearer,
// as a key, as a client, in cookies, in the query; and in the body and the path beside a
// credential that is good.
func (x *pending) trials(r routed, pending, flow, form string) []otltest.Call {
	fill := func(with string) string {
		return regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(r.path, with)
	}
	q := url.Values{}
	for name, v := range members(pending) {
		q.Set(name, v.(string))
	}
	grants := []string{"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"}
	cookies := ""
	for _, name := range []string{"session", "across", "handover", "step", "device"} {
		cookies += "__Host-otl_" + name + "=" + pending + "; "
	}
	methods := []string{http.MethodGet, http.MethodPost}
	if r.method != "" {
		methods = []string{r.method}
	}
	const formType = "application/x-www-form-urlencoded"
	var out []otltest.Call
	for _, m := range methods {
		body := any(members(pending))
		if r.body != nil {
			example := maps.Clone(r.body)
			for name := range example {
				if strings.Contains(name, "token") || strings.Contains(name, "code") && name != "code_challenge_method" {
					example[name] = pending
				}
			}
			body = example
		}
		if m == http.MethodGet {
			body = nil
		}
		for _, authorization := range []string{"Bearer " + pending, "bearer:" + pending, x.basic(x.client.ID, pending), x.basic(pending, pending), "client_id:" + x.client.ID + ", client_secret:" + pending} {
			out = append(out, otltest.Call{Method: m, Path: fill(x.jane.ID), Body: body, Headers: map[string]string{"Authorization": authorization}})
		}
		out = append(out, otltest.Call{Method: m, Path: fill(x.jane.ID), Body: body, Key: secret.NewText(pending)},
			otltest.Call{Method: m, Path: fill(pending) + "?" + q.Encode(), Body: body},
			otltest.Call{Method: m, Path: fill(pending), Headers: map[string]string{"Cookie": cookies}},
			otltest.Call{Method: m, Path: fill(pending), Body: body, Headers: map[string]string{"Authorization": "Bearer " + x.api}})
		if m == http.MethodGet || r.body != nil {
			continue
		}
		for _, grant := range grants {
			f := maps.Clone(q)
			f.Set("grant_type", grant)
			f.Del("client_id")
			f.Del("client_secret")
			if grant != "client_credentials" { // which opens what is the client's own
				out = append(out, otltest.Call{Method: m, Path: fill(pending), Body: f.Encode(), Headers: map[string]string{"Content-Type": formType, "Authorization": x.basic(x.client.ID, x.client.Secret.Reveal())}})
			}
			out = append(out, otltest.Call{Method: m, Path: fill(pending), Body: f.Encode(), Headers: map[string]string{"Content-Type": formType}})
		}
		page := maps.Clone(q)
		page.Set("token", form)
		out = append(out, otltest.Call{Method: m, Path: fill(pending), Body: page.Encode(), Headers: map[string]string{"Content-Type": formType, "Cookie": cookies + "__Host-otl_flow=" + flow}})
	}
	return out
}

// sessions gives how many sessions jane has, and how many session tokens and codes a site
// could make one of.
func (x *pending) sessions() int {
	x.Helper()
	live, err := x.w.Store.Read.Sessions.Live(x.Context(), x.jane.ID, "", "", x.w.Clock.Now(), 10)
	if err != nil {
		x.Fatal(err)
	}
	n := len(live)
	for _, p := range []otl.Purpose{otl.PurposeHandover, otl.PurposeFlow, otl.PurposeLinkCode} {
		more, err := x.w.Store.Read.Tickets.Count(x.Context(), x.jane.ID, p, x.w.Clock.Now())
		if err != nil {
			x.Fatal(err)
		}
		n += more
	}
	return n
}

// opens are words of answers that give something, and tells those that tell of jane, which
// whoever has a good credential of the site's may read.
var (
	opens = regexp.MustCompile(`"(access_token|refresh_token|id_token|session_token|mfa_token)": ?"|"active": ?true`)
	tells = regexp.MustCompile(`jane@dev\.test|Jane`)
)

// TestMF03_APendingSignInOpensNothingAnywhere calls every path of every wire with the token
// of a step that waits for its second factor, in every place a proof can stand. Nothing is
// opened or told; afterwards the steps end as they should, so the tokens were good.
func TestMF03_APendingSignInOpensNothingAnywhere(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	if err := w.Installation.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := owe(t, w)
	b := w.Browser(t)
	form := b.Get("/signin").Fields("/signin").Get("token")
	tried, served := map[string]int{}, map[string]bool{}
	for _, r := range append(routes(t), described(t, w)...) {
		if strings.HasSuffix(r.path, "/verify_factor") || strings.HasSuffix(r.path, "/auth/mfa/verify") || strings.HasSuffix(r.path, "/auth/mfa/challenge") {
			continue // where they belong
		}
		for _, pending := range []string{x.step, x.state} {
			for _, c := range x.trials(r, pending, b.Cookies["__Host-otl_flow"], form) {
				got := w.Do(t, c)
				tried[r.wire]++
				if got.Status != http.StatusNotFound {
					served[r.wire+" "+r.method+r.path] = true
				}
				good := strings.Contains(c.Headers["Authorization"], x.api)
				if got.Status >= 500 || opens.Match(got.Raw) || tells.Match(got.Raw) && !good || x.sessions() != 0 {
					t.Fatalf("%s %s (%v %v): %d %v %.600s", c.Method, c.Path, c.Headers, c.Body, got.Status, got.Header, got.Raw)
				}
			}
		}
	}
	wires := map[string]int{}
	for name := range served {
		wire, _, _ := strings.Cut(name, " ")
		wires[wire]++
	}
	for wire, least := range map[string]int{"onelogin": 30, "transmit": 30, "oidc": 7, "pages": 20, "native": 100} {
		if wires[wire] < least || tried[wire] < 16*least {
			t.Errorf("%s: %d paths were served, %d calls", wire, wires[wire], tried[wire])
		}
	}
	w.Clock.Advance(30 * time.Second)
	code := func() string { return secret.TOTP(x.seed, w.Clock.Now()) }
	w.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/verify", Key: w.Notes.Key, Body: object{"mfa_token": x.step, "code": code()}}).Want(t, http.StatusOK)
	w.Clock.Advance(30 * time.Second)
	w.Do(t, otltest.Call{
		Path: "/api/1/verify_factor", Body: object{"device_id": x.device, "state_token": x.state, "otp_token": code()}, Headers: map[string]string{"Authorization": "bearer:" + x.api},
	}).Want(t, http.StatusOK)
	if x.sessions() != 2 {
		t.Errorf("%d sessions in the end", x.sessions())
	}
}
