package node_test

import (
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// routed is one operation that a surface serves.
type routed struct {
	wire, method, path string
	body               object // an example on the native wire, else nil: one fits all
}

var actLiteral = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

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

// routes gives every operation of every wire, as the routers themselves list them: a path by each of its
// methods. Where a part of a path names the operation (/users/{id}/{act}), every word of the source that is
// served there stands in it.
func routes(t *testing.T, w *otltest.World) []routed {
	t.Helper()
	examples := map[string]object{}
	for _, one := range described(t, w) {
		examples[one.method+" "+one.path] = one.body
	}
	var out []routed
	for _, m := range w.Server.Mounts {
		wire := wiresByMount[m.Patterns[0]]
		served, ok := m.Handler.(interface{ Patterns() []string })
		if !ok || wire == "" {
			t.Fatalf("what is mounted at %s does not say what it serves", m.Patterns[0])
		}
		for _, pattern := range served.Patterns() {
			method, path, _ := strings.Cut(pattern, " ")
			r := routed{wire, method, strings.Replace(path, "{$}", "", 1), nil}
			if r.body = examples[pattern]; wire == "native" && r.body == nil {
				r.body = object{}
			}
			out = append(out, acts(t, w, r)...)
		}
	}
	return out
}

// acts gives the operations that one pattern serves.
func acts(t *testing.T, w *otltest.World, r routed) (out []routed) {
	t.Helper()
	head, tail := path.Split(r.path)
	if tail != "{act}" && tail != "{what}" {
		return []routed{r}
	}
	for _, word := range literals(t, r.wire) {
		if !actLiteral.MatchString(word) {
			continue
		}
		for _, one := range []string{head + word, strings.Replace(head, "{id}", word, 1) + "{id}"} {
			if w.Do(t, otltest.Call{Method: r.method, Path: varies.ReplaceAllString(one, "1")}).Status != http.StatusNotFound {
				out = append(out, routed{r.wire, r.method, one, nil})
			}
		}
	}
	if len(out) < 2 {
		t.Fatalf("%s serves %v", r.path, out)
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

// owed is the token of one of the steps that wait, which one door reads from one place.
type owed struct {
	name, value string
	member      string // of the body; of the pages it is the end of a cookie's name
}

// pending is somebody who has given her password at every wire that has a second step, and owes her
// second factor.
type pending struct {
	*testing.T
	d       *doors
	w       *otltest.World
	who     person
	factor  string // id of her app
	device  any    // its number on OneLogin's wire
	owed    []owed // of the native wire, of OneLogin's, of the pages
	visit   string // to the pages, in which the last one stands
	flow    string // cookie of her browser
	another otltest.Page
	beside  *otltest.Browser // with a visit of its own, at another
}

// owe has somebody new owe her second factor.
func owe(d *doors) *pending {
	d.Helper()
	x := &pending{T: d.T, d: d, w: d.w, who: d.person(app, ""), beside: d.w.Browser(d.T)}
	address := x.who.Email.Address
	due := d.native("/auth/login", object{"email": address, "password": otltest.Password}).Want(d.T, http.StatusUnauthorized, "mfa_required")
	x.factor, _ = due.JSON["factors"].([]any)[0].(object)["id"].(string)
	state := firstOf(d.bearer("/api/1/login/auth", d.api, object{"username_or_email": address, "password": otltest.Password, "subdomain": "notes"}).Want(d.T, http.StatusOK))
	x.device = state["devices"].([]any)[0].(object)["device_id"]
	page := d.signs(x.who, x.who.b.Get("/authorize"+asked(url.Values{"site": {d.w.Notes.Site.ID}})), false)
	x.visit, x.flow = page.Fields("second").Get("f"), x.who.b.Cookies["__Host-otl_flow"]
	x.owed = []owed{
		{"native", due.Text("mfa_token"), "mfa_token"}, {"onelogin", fmt.Sprint(state["state_token"]), "state_token"}, {"pages", x.who.b.Cookies["__Host-otl_step"], "step"},
	}
	x.another = x.beside.Get("/authorize" + asked(url.Values{"site": {d.w.Notes.Site.ID}}))
	return x
}

func basic(id, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+password))
}

// members are what bodies of all wires call secrets and names.
func members(pending string) object {
	out := object{"identifier_type": "email", "subdomain": "notes", "grant_type": "authorization_code", "redirect_uri": callbackURL, "token": pending}
	for _, name := range strings.Fields(`access_token refresh_token id_token session_token session_id mfa_token state_token device_token code passcode link password password_confirmation
		client_id client_secret username username_or_email identifier email code_verifier device_code user_code assertion client_assertion subject_token request request_uri request_id
		id_token_hint resource ticket otp otp_token proof credential step f switch`) {
		out[name] = pending
	}
	return out
}

// trial is one operation that a token is tried at.
type trial struct {
	routed
	owed
	proof string // a right one of the factor, where the operation may take one
	own   bool   // it is the token's own door: the place where that reads it is left out
}

// trials gives every way a request can carry a token: alone, as the bearer, as a key, as a client, in
// cookies, in the query; and in the body, the path and the query beside a credential that is good.
func (x *pending) trials(r trial) []otltest.Call {
	token, q := r.value, url.Values{}
	body := x.bodyOf(r)
	for name, v := range members(token) {
		q.Set(name, v.(string))
	}
	var sent any = body
	if r.method == http.MethodGet || r.method == http.MethodOptions {
		sent = nil
	}
	named, filled := varies.ReplaceAllString(r.path, x.who.ID), varies.ReplaceAllString(r.path, token)
	var out []otltest.Call
	put := func(path, authorization string, key secret.Text, body any) {
		c := otltest.Call{Method: r.method, Path: path, Key: key, Body: body, Headers: map[string]string{}}
		if authorization != "" {
			c.Headers["Authorization"] = authorization
		}
		out = append(out, c)
	}
	for _, authorization := range []string{"Bearer " + token, "bearer:" + token, basic(x.d.client.ID, token), basic(token, token), "client_id:" + x.d.client.ID + ", client_secret:" + token} {
		put(named, authorization, secret.Text{}, sent)
	}
	put(named, "", secret.NewText(token), sent)
	put(filled+"?"+q.Encode(), "", secret.Text{}, sent)
	out = append(out, otltest.Call{Method: r.method, Path: filled, Headers: map[string]string{"Cookie": x.cookies(r)}})
	switch r.wire {
	case "native":
		put(filled, "", x.w.Notes.Key, sent)
		put(filled+"?"+q.Encode(), "", x.w.Notes.Key, sent)
		put(filled, "Bearer "+token, x.w.Notes.Key, sent)
	case "onelogin", "transmit":
		good := map[string]string{"onelogin": x.d.api, "transmit": x.d.cis}[r.wire]
		put(filled, "Bearer "+good, secret.Text{}, sent)
		put(filled+"?"+q.Encode(), "Bearer "+good, secret.Text{}, sent)
	}
	if r.method == http.MethodPost && r.wire != "native" {
		out = append(out, x.forms(r, filled, q)...)
	}
	return out
}

// bodyOf gives what is sent as JSON.
func (x *pending) bodyOf(r trial) object {
	body := members(r.value)
	if r.wire == "native" {
		body = maps.Clone(r.body)
		for name := range body {
			if strings.Contains(name, "token") || strings.Contains(name, "code") && name != "code_challenge_method" {
				body[name] = r.value
			}
		}
	}
	if r.proof != "" {
		for _, name := range []string{"code", "otp_token"} {
			if _, is := body[name]; is || r.wire != "native" {
				body[name] = r.proof
			}
		}
		if r.wire == "onelogin" {
			body["device_id"] = x.device
		}
	}
	if r.own {
		delete(body, r.member)
	}
	return body
}

// cookies puts a token into every cookie of ours, but for the one that a door reads it from.
func (x *pending) cookies(r trial) string {
	var all []string
	for _, name := range []string{"session", "across", "former", "handover", "step", "device", "shows"} {
		if !r.own || name != r.member {
			all = append(all, "__Host-otl_"+name+"="+r.value)
		}
	}
	return strings.Join(all, "; ")
}

// forms gives what a path is sent as a form: by a client that is good and by nobody, and by a browser in a
// visit of its own.
func (x *pending) forms(r trial, path string, q url.Values) (out []otltest.Call) {
	const formType = "application/x-www-form-urlencoded"
	for _, grant := range []string{"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"} {
		f := maps.Clone(q)
		f.Set("grant_type", grant)
		f.Del("client_id")
		f.Del("client_secret")
		if grant != "client_credentials" { // which opens what is the client's own
			out = append(out, otltest.Call{Method: r.method, Path: path, Body: f.Encode(), Headers: map[string]string{"Content-Type": formType, "Authorization": basic(x.d.client.ID, x.d.client.Secret.Reveal())}})
		}
		out = append(out, otltest.Call{Method: r.method, Path: path, Body: f.Encode(), Headers: map[string]string{"Content-Type": formType}})
	}
	f, cookies := maps.Clone(q), x.cookies(r)+"; __Host-otl_flow="
	if r.proof == "" { // a visit that is not hers
		own := x.another.Fields("/signin")
		f.Set("token", own.Get("token"))
		f.Set("f", own.Get("f"))
		cookies += x.beside.Cookies["__Host-otl_flow"]
	} else { // hers, in which she owes her factor
		f.Set("token", x.formToken())
		f.Set("f", x.visit)
		f.Set("factor", x.factor)
		f.Set("code", r.proof)
		f.Del("credential")
		cookies += x.flow
	}
	return append(out, otltest.Call{Method: r.method, Path: path, Body: f.Encode(), Headers: map[string]string{"Content-Type": formType, "Cookie": cookies, "Sec-Fetch-Site": "same-origin"}})
}

// formToken gives the token that the forms of her own browser carry.
func (x *pending) formToken() string {
	x.Helper()
	b := x.w.Browser(x.T)
	b.Cookies["__Host-otl_flow"] = x.flow
	return b.Get("/signin").Fields("/signin").Get("token")
}

// opened gives how many sessions somebody has, and how many session tokens and codes a site
// could make one of.
func (x *pending) opened() int {
	x.Helper()
	n := len(x.d.sessions(x.who, ""))
	for _, p := range []otl.Purpose{otl.PurposeHandover, otl.PurposeFlow, otl.PurposeLinkCode} {
		more, err := x.w.Store.Read.Tickets.Count(x.Context(), x.who.ID, p, x.w.Clock.Now())
		if err != nil {
			x.Fatal(err)
		}
		n += more
	}
	return n
}

// opens are words of answers that give something.
var opens = regexp.MustCompile(`"(access_token|refresh_token|id_token|session_token|mfa_token)": ?"|"active": ?true`)

// good reports whether a call has a credential that tells of people of the site.
func (x *pending) good(c otltest.Call) bool {
	by := c.Headers["Authorization"]
	return c.Key.Reveal() == x.w.Notes.Key.Reveal() || by == "Bearer "+x.d.api || by == "Bearer "+x.d.cis
}

// tried sends a call, which may open nothing and, without a good credential, tell nothing.
func (x *pending) tried(r trial, c otltest.Call) otltest.Reply {
	x.Helper()
	got := x.w.Do(x.T, c)
	if x.good(c) {
		x.w.Clock.Advance(5 * time.Millisecond) // a client may call 200 times a second
	}
	gave := opens.Match(got.Raw) && !strings.HasSuffix(r.path, "/auth/register")                                                   // which is somebody new
	told := strings.Contains(string(got.Raw), x.who.Email.Address) && !x.good(c) && !strings.Contains(c.Headers["Cookie"], x.flow) // her own browser
	if got.Status >= 500 || gave || told || x.opened() != 0 {
		x.Fatalf("%s %s with the token of %s (%v %v): %d %v %.600s", c.Method, c.Path, r.name, c.Headers, c.Body, got.Status, got.Header, got.Raw)
	}
	return got
}

// ends reports whether a path is one where a step goes on.
func ends(path string) bool {
	return strings.HasSuffix(path, "/verify_factor") || strings.HasSuffix(path, "/auth/mfa/verify") || strings.HasSuffix(path, "/auth/mfa/challenge") || path == "/mfa" || path == "/mfa/send"
}

// TestMF03_APendingSignInOpensNothingAnywhere calls every operation of every wire, as their routers list
// them, with the tokens of steps that wait for a second factor, in every place where a proof can stand.
// Nothing is opened or told; afterwards the steps end as they should, so the tokens were good.
func TestMF03_APendingSignInOpensNothingAnywhere(t *testing.T) {
	t.Parallel()
	d := newDoors(t, otltest.New(t, otltest.SQLite))
	d.tokens()
	d.policy(otl.MFAOptional)
	x, begun := owe(d), d.w.Clock.Now()
	tried, served, limited := map[string]int{}, map[string]bool{}, 0
	for _, r := range routes(t, d.w) {
		if ends(r.path) || r.path == "/openapi.json" { // whose examples have the words of what opens
			continue // TestMF03_AStepEndsAtItsOwnDoorAlone
		}
		for _, token := range x.owed {
			for _, c := range x.trials(trial{routed: r, owed: token}) {
				got := x.tried(trial{routed: r, owed: token}, c)
				tried[r.wire]++
				if got.Status != http.StatusNotFound {
					served[r.wire+" "+r.method+r.path] = true
				}
				if got.Status == http.StatusTooManyRequests && x.good(c) {
					limited++
				}
			}
		}
	}
	wires := map[string]int{}
	for name := range served {
		wire, _, _ := strings.Cut(name, " ")
		wires[wire]++
	}
	for wire, least := range map[string]int{"onelogin": 50, "transmit": 60, "oidc": 12, "pages": 90, "native": 180} {
		if wires[wire] < least || tried[wire] < 20*least {
			t.Errorf("%s: %d operations were served, %d calls", wire, wires[wire], tried[wire])
		}
	}
	if limited > 20 || d.w.Clock.Now().Sub(begun) > time.Minute {
		t.Errorf("%d calls were too many, in %s", limited, d.w.Clock.Now().Sub(begun))
	}
	x.end()
}

// end ends every step at its own door.
func (x *pending) end() {
	x.Helper()
	x.d.native("/auth/mfa/verify", object{"mfa_token": x.owed[0].value, "code": x.d.shown(x.who)}).Want(x.T, http.StatusOK)
	x.d.bearer("/api/1/verify_factor", x.d.api, object{"device_id": x.device, "state_token": x.owed[1].value, "otp_token": x.d.shown(x.who)}).Want(x.T, http.StatusOK)
	page := x.d.agreed(x.who, x.d.stepped(x.who, came{page: x.who.b.Get("/mfa?f=" + x.visit)}))
	if page.Left == nil || page.Left.Query().Get("code") == "" {
		x.Errorf("the pages' own ended at %s: %s", page.Path, page.Raw)
	}
	if n := x.opened(); n != 4 { // two sessions, a session token and a code
		x.Errorf("%d were opened in the end", n)
	}
}
