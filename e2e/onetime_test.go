package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// artefact is a kind of thing that is good once.
type artefact struct {
	name      string
	won, lost int                                         // status of whoever it was good for, and of all others
	most      int                                         // how many present it at once; 0 for as many as there are
	same      bool                                        // whoever asks again gets the first one's answer
	fresh     func(t *testing.T, n int) func(int) present // makes one, for n to present it
}

// present is a request that presents one.
type present struct {
	path string
	body any // a form, or what JSON is made of; nil for a page that is opened
	head map[string]string
}

// TestMN01_OneTimeThings presents each kind of thing that is good once at three servers on
// one database at the same moment, in every round a new one: exactly one request wins, and
// all others get the answer for what was used.
func TestMN01_OneTimeThings(t *testing.T) {
	t.Parallel()
	o := newOnetime(t)
	rounds, consumers := count(t, "OTL_E2E_ROUNDS", 2), count(t, "OTL_E2E_CONSUMERS", 18)
	for _, a := range slices.Concat(o.mailed(), o.proofs(), o.wires(), o.provider(t)) {
		t.Run(a.name, func(t *testing.T) { // one after the other: what is made for one may end another
			begin, n := time.Now(), consumers
			if a.most > 0 {
				n = min(n, a.most)
			}
			for range rounds {
				o.race(t, a, n, a.fresh(t, n))
			}
			t.Logf("%d rounds of %d, 1 winner each, %.1f s", rounds, n, time.Since(begin).Seconds())
		})
	}
	for _, s := range o.servers {
		s.clean(t)
	}
}

// race has n requests wait for each other, and then go.
func (o *onetime) race(t *testing.T, a artefact, n int, made func(int) present) {
	t.Helper()
	var mu sync.Mutex
	won := map[string]int{}
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	for i := range n {
		p := made(i)
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			r, _, err := o.ask(i, p)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && r.status == a.won:
				won[string(r.raw)]++
			case err != nil || r.status != a.lost && r.status != http.StatusTooManyRequests: // proofs that fail are slowed down
				t.Errorf("%s %v", r, err)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	all := 0
	for _, times := range won {
		all += times
	}
	if len(won) != 1 || all != 1 && !a.same {
		t.Fatalf("%d won, with %d answers", all, len(won))
	}
}

// onetime is three servers with what is needed to make things that are good once.
type onetime struct {
	*cluster
	letters chan posted
	backend oauthClient
	bearer  string           // of the backend, on OneLogin's wire
	browser *otltest.Browser // of jane, at the first server
	jane    string           // her address, which she has proven
	made    int              // people, for their addresses
}

// posted is a mail as the operator's webhook gets it.
type posted struct{ To, Link, Code string }

// oauthClient is a program of the site.
type oauthClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func (c oauthClient) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.Secret))
}

func newOnetime(t *testing.T) *onetime {
	t.Helper()
	o := &onetime{letters: make(chan posted, 1000), jane: "jane@dev.test"}
	post := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var l posted
		if err := json.NewDecoder(r.Body).Decode(&l); err != nil {
			t.Error(err)
		}
		o.letters <- l
	}))
	t.Cleanup(post.Close)
	database := otltest.EmptyDatabaseURL(t, otltest.Postgres)
	in := newInstallation(t, database)
	in.settings = append(in.settings, "OTL_MAIL_URL=webhook:"+post.URL)
	o.cluster = in.cluster(t, same(database, 3)...)
	in.otl(t, &o.backend, "clients", "create", "--site", "notes", "--scopes", "auth,users,admin,otp:direct", "--redirect-uri", callbackURL)
	join(t, o.nodes[0], john)
	join(t, o.nodes[0], o.jane)
	var token struct {
		Access string `json:"access_token"`
	}
	o.ok(t, http.StatusOK, present{"/auth/oauth2/v2/token", object{"grant_type": "client_credentials"}, map[string]string{"Authorization": o.backend.basic()}}).into(&token)
	o.bearer = token.Access
	o.browser = otltest.Visit(t, o.nodes[0].url)
	p := o.browser.Submit(o.browser.Get("/account"), "/signin", map[string]string{"identifier": o.jane, "way": "code"})
	if p = o.browser.Submit(p, "code-form", map[string]string{"code": o.mail(t, o.jane).Code}); p.Path != "/account" {
		t.Fatalf("jane stays at %s: %s", p.Path, p.Raw)
	}
	return o
}

// john signs in with his password.
const john = "john@dev.test"

type object = map[string]any

// callbackURL is the one that installation.site registers.
const callbackURL = "https://notes.test/callback"

// ask sends one request to a server, in turn, and follows no redirect.
func (o *onetime) ask(node int, p present) (reply, http.Header, error) {
	c := o.nodes[node%len(o.nodes)]
	method, kind, body := http.MethodGet, "", io.Reader(nil)
	switch b := p.body.(type) {
	case nil:
	case url.Values:
		method, kind, body = http.MethodPost, "application/x-www-form-urlencoded", strings.NewReader(b.Encode())
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return reply{}, nil, err
		}
		method, kind, body = http.MethodPost, "application/json", strings.NewReader(string(raw))
	}
	req, err := http.NewRequest(method, c.url+p.path, body)
	if err != nil {
		return reply{}, nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for name, value := range p.head {
		req.Header.Set(name, value)
	}
	if strings.HasPrefix(p.path, "/api/v1/") {
		req.Header.Set("X-OTL-Site-Key", c.key)
	}
	res, err := c.http.Transport.RoundTrip(req)
	if err != nil {
		return reply{}, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, raw}, res.Header, err
}

// ok sends a request that must get an answer of a status.
func (o *onetime) ok(t *testing.T, status int, p present) reply {
	t.Helper()
	r, _, err := o.ask(0, p)
	return must(t, status)(r, err)
}

// mail gives the next mail to an address that brings something, and not the news that a
// thing was presented twice.
func (o *onetime) mail(t *testing.T, to string) posted {
	t.Helper()
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	for {
		select {
		case l := <-o.letters:
			if l.Link = strings.TrimPrefix(l.Link, o.in.issuer); l.To == to && l.Code+l.Link != "" {
				return l
			}
		case <-limit.C:
			t.Fatalf("no mail came to %s", to)
		}
	}
}

// another gives an address that nobody has.
func (o *onetime) another() string {
	o.made++
	return fmt.Sprintf("p%d@dev.test", o.made)
}

// always presents the same.
func always(p present) func(int) present { return func(int) present { return p } }

// mailed are codes, links and what they lead to.
func (o *onetime) mailed() []artefact {
	link := func(t *testing.T) string {
		t.Helper()
		o.ok(t, http.StatusAccepted, present{path: "/api/v1/auth/link/send", body: object{"email": o.jane, "callback_url": callbackURL}})
		return o.mail(t, o.jane).Link
	}
	return []artefact{
		{name: "code", won: 200, lost: 401, fresh: func(t *testing.T, _ int) func(int) present {
			o.ok(t, http.StatusAccepted, present{path: "/api/v1/auth/otp/send", body: object{"email": o.jane}})
			return always(present{path: "/api/v1/auth/otp/verify", body: object{"email": o.jane, "code": o.mail(t, o.jane).Code}})
		}},
		{name: "link", won: 303, lost: 410, fresh: func(t *testing.T, _ int) func(int) present {
			return always(present{path: link(t), body: url.Values{}})
		}},
		{name: "result of a link", won: 200, lost: 401, fresh: func(t *testing.T, _ int) func(int) present {
			_, head, err := o.ask(0, present{path: link(t), body: url.Values{}})
			back, bad := url.Parse(head.Get("Location"))
			if err != nil || bad != nil {
				t.Fatal(err, bad)
			}
			return always(present{path: "/api/v1/auth/link/verify", body: object{"code": back.Query().Get("code")}})
		}},
		{name: "reset", won: 200, lost: 401, most: 9, fresh: func(t *testing.T, _ int) func(int) present {
			who := o.another()
			join(t, o.nodes[0], who)
			o.ok(t, http.StatusAccepted, present{path: "/api/v1/auth/password/forgot", body: object{"email": who}})
			return o.reset(strings.TrimPrefix(o.mail(t, who).Link, "/reset/"))
		}},
		{name: "invitation", won: 200, lost: 401, most: 9, fresh: func(t *testing.T, _ int) func(int) present {
			var link struct{ Data []string }
			who := o.another()
			o.own(t, who)
			o.oneLogin(t, "/api/1/invites/get_invite_link", object{"email": who}).into(&link)
			_, token, _ := strings.Cut(link.Data[0], "token=")
			return o.reset(token)
		}},
		{name: "proof of a new address", won: 200, lost: 410, fresh: func(t *testing.T, _ int) func(int) present {
			to := o.another()
			o.browser.Submit(o.browser.Get("/account/email"), "address", map[string]string{"email": to})
			link := o.mail(t, to).Link
			o.jane = to // once it is confirmed
			return always(present{path: link, body: url.Values{}})
		}},
	}
}

// reset uses a token with another password each time.
func (o *onetime) reset(token string) func(int) present {
	return func(i int) present {
		return present{path: "/api/v1/auth/password/reset", body: object{"token": token, "password": fmt.Sprintf("staple-battery-%d", i)}}
	}
}

// own makes a person of the site's own and gives his number on OneLogin's wire.
func (o *onetime) own(t *testing.T, email string) string {
	t.Helper()
	var made struct {
		Data []struct {
			ID json.Number `json:"id"`
		} `json:"data"`
	}
	o.oneLogin(t, "/api/1/users", object{"email": email, "firstname": "Olga", "lastname": "Own"}).into(&made)
	return made.Data[0].ID.String()
}

// oneLogin makes a call of OneLogin's wire.
func (o *onetime) oneLogin(t *testing.T, path string, body any, head ...string) reply {
	t.Helper()
	all := map[string]string{"Authorization": "bearer:" + o.bearer}
	for i := 0; i < len(head); i += 2 {
		all[head[i]] = head[i+1]
	}
	r, _, err := o.ask(0, present{path, body, all})
	if err != nil || r.status/100 != 2 {
		t.Fatalf("%s: %s %v", path, r, err)
	}
	return r
}

// armed is somebody with an authenticator app.
type armed struct {
	email string
	seed  secret.Text
	codes []string // for recovery
}

// code gives what his app showed so many steps ago, or will show.
func (a armed) code(steps int) string {
	return secret.TOTP(a.seed, time.Now().Add(time.Duration(steps)*30*time.Second))
}

// arm makes a person who set up an app with a code of the step before.
func (o *onetime) arm(t *testing.T) armed {
	t.Helper()
	a := armed{email: o.another()}
	join(t, o.nodes[0], a.email)
	var minted login
	o.in.otl(t, &minted, "token", "mint", "--user", a.email)
	var begun struct{ ID, Secret string }
	must(t, http.StatusOK)(o.nodes[0].do(http.MethodPost, "/api/v1/auth/mfa/enroll", minted.Access, object{"kind": "totp"})).into(&begun)
	var err error
	if a.seed, err = secret.ParseTOTPSeed(begun.Secret); err != nil {
		t.Fatal(err)
	}
	var done struct {
		Codes []string `json:"recovery_codes"`
	}
	must(t, http.StatusOK)(o.nodes[0].do(http.MethodPost, "/api/v1/auth/mfa/confirm", minted.Access, object{"factor_id": begun.ID, "code": a.code(-1)})).into(&done)
	a.codes = done.Codes
	return a
}

// steps signs somebody in n times, as far as the second step.
func (o *onetime) steps(t *testing.T, who armed, n int) []string {
	t.Helper()
	out := make([]string, n)
	for i := range out {
		var due struct {
			Token string `json:"mfa_token"`
		}
		must(t, http.StatusUnauthorized)(o.nodes[0].login(who.email, password)).into(&due)
		out[i] = due.Token
	}
	return out
}

func verifyStep(token, method, code string) present {
	return present{path: "/api/v1/auth/mfa/verify", body: object{"mfa_token": token, "method": method, "code": code}}
}

// proofs are second factors, and the steps that wait for them.
func (o *onetime) proofs() []artefact {
	return []artefact{
		{name: "step of an app", won: 200, lost: 401, most: 9, fresh: func(t *testing.T, n int) func(int) present {
			who := o.arm(t)
			steps, code := o.steps(t, who, n), who.code(0)
			return func(i int) present { return verifyStep(steps[i], "totp", code) }
		}},
		{name: "recovery code", won: 200, lost: 401, most: 9, fresh: func(t *testing.T, n int) func(int) present {
			who := o.arm(t)
			steps := o.steps(t, who, n)
			return func(i int) present { return verifyStep(steps[i], "recovery_code", who.codes[0]) }
		}},
		{name: "mfa_token", won: 200, lost: 401, most: 9, fresh: func(t *testing.T, _ int) func(int) present {
			who := o.arm(t)
			step := o.steps(t, who, 1)[0]
			return func(i int) present { return verifyStep(step, "recovery_code", who.codes[i]) }
		}},
		{name: "state token", won: 200, lost: 401, fresh: func(t *testing.T, _ int) func(int) present {
			who := o.arm(t)
			var due struct {
				Data []struct {
					State   string `json:"state_token"`
					Devices []struct {
						ID json.Number `json:"device_id"`
					}
				}
			}
			o.oneLogin(t, "/api/1/login/auth", object{"username_or_email": who.email, "password": password, "subdomain": "notes"}).into(&due)
			return func(i int) present {
				return present{"/api/1/verify_factor", object{"device_id": due.Data[0].Devices[0].ID, "state_token": due.Data[0].State, "otp_token": who.code(i % 2)}, map[string]string{"Authorization": "bearer:" + o.bearer}}
			}
		}},
		{name: "stand-in", won: 200, lost: 401, fresh: func(t *testing.T, _ int) func(int) present {
			user := o.own(t, o.another())
			var made struct {
				Token string `json:"mfa_token"`
			}
			o.oneLogin(t, "/api/1/users/"+user+"/mfa_token", object{}).into(&made)
			return always(present{"/api/1/users/" + user + "/otp_devices/0/verify", object{"otp_token": made.Token}, map[string]string{"Authorization": "bearer:" + o.bearer}})
		}},
	}
}

// wires are what single wires know: keys of requests, tokens for browsers.
func (o *onetime) wires() []artefact {
	const origin = "https://login.notes.test"
	return []artefact{
		{name: "idempotency key", won: 201, lost: 409, same: true, fresh: func(*testing.T, int) func(int) present {
			who := o.another()
			return always(present{"/api/v1/users", object{"email": who}, map[string]string{"Idempotency-Key": who}})
		}},
		{name: "session token", won: 200, lost: 401, fresh: func(t *testing.T, _ int) func(int) present {
			var in struct {
				Data []struct {
					Token string `json:"session_token"`
				}
			}
			o.oneLogin(t, "/api/1/login/auth", object{"username_or_email": john, "password": password, "subdomain": "notes"}, "Custom-Allowed-Origin-Header-1", origin).into(&in)
			return always(present{"/session_via_api_token", object{"session_token": in.Data[0].Token}, map[string]string{"Origin": origin}})
		}},
	}
}

// provider is what OpenID Connect and its relatives have of the kind.
func (o *onetime) provider(t *testing.T) []artefact {
	t.Helper()
	const verifier, path = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "/oidc/token"
	basic := map[string]string{"Authorization": o.backend.basic()}
	asked := url.Values{
		"response_type": {"code"}, "client_id": {o.backend.ID}, "redirect_uri": {callbackURL}, "scope": {"openid email"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	key := otltest.NewSigner(t, jose.ES256)
	signer, device := o.keyed(t, key), oauthClient{}
	o.in.otl(t, &device, "clients", "create", "--site", "notes", "--public", "--device", "--redirect-uri", callbackURL)
	own := url.Values{"grant_type": {"client_credentials"}}
	return []artefact{
		{name: "authorization code", won: 200, lost: 400, fresh: func(t *testing.T, _ int) func(int) present {
			p := o.browser.Get("/oidc/authorize?" + asked.Encode())
			if p.Left == nil {
				p = o.browser.Submit(p, "consent", nil)
			}
			return always(present{path, url.Values{"grant_type": {"authorization_code"}, "code": {p.Left.Query().Get("code")}, "redirect_uri": {callbackURL}, "code_verifier": {verifier}}, basic})
		}},
		{name: "pushed request", won: 303, lost: 422, fresh: func(t *testing.T, _ int) func(int) present {
			var pushed struct {
				URI string `json:"request_uri"`
			}
			o.ok(t, http.StatusCreated, present{"/oidc/par", asked, basic}).into(&pushed)
			return always(present{path: "/oidc/authorize?" + url.Values{"client_id": {o.backend.ID}, "request_uri": {pushed.URI}}.Encode()})
		}},
		{name: "device code", won: 200, lost: 400, fresh: func(t *testing.T, _ int) func(int) present {
			var shown struct {
				Device string `json:"device_code"`
				User   string `json:"user_code"`
			}
			o.ok(t, http.StatusOK, present{path: "/oidc/device_authorization", body: url.Values{"client_id": {device.ID}, "scope": {"openid"}}}).into(&shown)
			p := o.browser.Submit(o.browser.Get("/device"), "device", map[string]string{"user_code": shown.User})
			o.browser.Submit(p, "confirm", map[string]string{"decision": "connect"})
			return always(present{path: path, body: url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {device.ID}, "device_code": {shown.Device}}})
		}},
		{name: "proof of a key (DPoP)", won: 200, lost: 400, fresh: func(t *testing.T, _ int) func(int) present {
			head := map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": key.JWK()}
			proof := key.Sign(t, head, object{"jti": rand.Text(), "htm": "POST", "htu": o.in.issuer + path, "iat": time.Now().Unix()})
			return always(present{path, own, map[string]string{"Authorization": o.backend.basic(), "DPoP": proof}})
		}},
		{name: "client assertion", won: 200, lost: 401, fresh: func(t *testing.T, _ int) func(int) present {
			now := time.Now().Unix()
			says := key.Sign(t, nil, object{"iss": signer.ID, "sub": signer.ID, "aud": o.in.issuer, "jti": rand.Text(), "iat": now, "exp": now + 60})
			return always(present{path: path, body: url.Values{
				"grant_type": {"client_credentials"}, "client_assertion": {says}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			}})
		}},
	}
}

// keyed makes a client that proves itself by a key.
func (o *onetime) keyed(t *testing.T, key otltest.Signer) (c oauthClient) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, []byte(key.JWKS(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	o.in.otl(t, &c, "clients", "create", "--site", "notes", "--jwks", file, "--redirect-uri", callbackURL)
	return c
}
