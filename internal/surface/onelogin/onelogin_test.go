package onelogin_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

type object = map[string]any

// tenant is a world with a client of Notes and somebody who has joined it.
type tenant struct {
	*otltest.World
	client site.MadeClient
	bearer string
	jane   otl.User
}

func each(t *testing.T, test func(*testing.T, *tenant), change ...func(*node.Options)) {
	t.Helper()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		x := &tenant{World: w, jane: w.Person(t, "jane@dev.test", w.Notes.Site)}
		x.client = x.newClient(t, w.Notes)
		x.bearer = x.token(t, "/auth/oauth2/v2/token", x.client).Want(t, http.StatusOK).Text("access_token")
		test(t, x)
	}, change...)
}

func (x *tenant) newClient(t *testing.T, of site.Registered, scopes ...otl.Scope) site.MadeClient {
	t.Helper()
	if len(scopes) == 0 {
		scopes = otl.AllScopes()
	}
	made, err := x.Clients.Create(t.Context(), of.Site.ID, site.NewClient{Name: "backend", Scopes: scopes, RedirectURIs: []string{"https://app.notes.test/in"}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func basic(c site.MadeClient) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.Secret.Reveal()))
}

// token asks for tokens with a client.
func (x *tenant) token(t *testing.T, path string, c site.MadeClient) otltest.Reply {
	t.Helper()
	return x.post(t, path, basic(c), object{"grant_type": "client_credentials"})
}

// post sends JSON with an Authorization header.
func (x *tenant) post(t *testing.T, path, authorization string, body any) otltest.Reply {
	t.Helper()
	return x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: body, Headers: map[string]string{"Authorization": authorization}})
}

func (x *tenant) get(t *testing.T, path string) otltest.Reply {
	t.Helper()
	return x.Do(t, otltest.Call{Path: path, Headers: map[string]string{"Authorization": "bearer:" + x.bearer}})
}

// failed fails the test unless the answer is exactly this error of version 1.
func failed(t *testing.T, r otltest.Reply, code int, kind, message string) {
	t.Helper()
	want := fmt.Sprintf(`{"status":{"error":true,"code":%d,"type":%q,"message":%q}}`, code, kind, message)
	if got := strings.TrimSpace(string(r.Raw)); r.Status != code || got != want {
		t.Errorf("got %d %s, want %s", r.Status, got, want)
	}
}

const unauthorized = "Unauthorized"

var hex64 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// TestContract42_3_5_Tokens is contract 2.2: types, formats, no member status, and the
// same pair for whoever asks again.
func TestContract42_3_5_Tokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const path = "/auth/oauth2/v2/token"
		r := x.token(t, path, x.client).Want(t, http.StatusOK)
		for _, member := range []string{"access_token", "refresh_token"} {
			if !hex64.MatchString(r.Text(member)) {
				t.Errorf("%s is %q", member, r.Text(member))
			}
		}
		account, _ := r.JSON["account_id"].(float64)
		if len(r.JSON) != 6 || r.Text("token_type") != "bearer" || r.JSON["expires_in"] != 36000.0 || account < 1 || r.Raw[0] != '{' ||
			r.Text("created_at") != x.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z") || r.Header.Get("Cache-Control") != "no-store" || strings.Contains(string(r.Raw), "status") {
			t.Errorf("%s", r.Raw)
		}
		x.Clock.Advance(9 * time.Hour)
		if again := x.token(t, path, x.client); string(again.Raw) != string(r.Raw) {
			t.Errorf("asked again: %s, before %s", again.Raw, r.Raw)
		}
		x.Clock.Advance(time.Hour)
		failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		fresh := x.token(t, path, x.client).Want(t, http.StatusOK)
		if fresh.Text("access_token") == r.Text("access_token") || fresh.JSON["account_id"] != r.JSON["account_id"] {
			t.Errorf("after ten hours: %s", fresh.Raw)
		}
	})
}

// TestContract42_6_AuthorizationAndSlashes: every spelling of contract 2.1, with and
// without a slash at the end.
func TestContract42_6_AuthorizationAndSlashes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		id, password := x.client.ID, x.client.Secret.Reveal()
		for _, slash := range []string{"", "/"} {
			for _, header := range []string{"client_id:" + id + ", client_secret:" + password, "client_id:" + id + ",client_secret:" + password, basic(x.client)} {
				for _, path := range []string{"/auth/oauth2/v2/token", "/auth/oauth2/revoke"} {
					x.post(t, path+slash, header, object{"grant_type": "client_credentials", "access_token": "x"}).Want(t, http.StatusOK)
				}
			}
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {password}}
			r := x.Do(t, otltest.Call{
				Method: http.MethodPost, Path: "/auth/oauth2/v2/token" + slash, Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			}).Want(t, http.StatusOK)
			for _, prefix := range []string{"bearer:", "bearer: ", "bearer ", "Bearer "} {
				x.Do(t, otltest.Call{Path: "/auth/rate_limit" + slash, Headers: map[string]string{"Authorization": prefix + r.Text("access_token")}}).Want(t, http.StatusOK)
			}
		}
	})
}

// TestErrorsOfTheTokenCalls holds them to their literals.
func TestErrorsOfTheTokenCalls(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const bad = "bad request"
		const contentType = "Content Type is not specified or specified incorrectly. Content-Type header must be set to application/json"
		grant := object{"grant_type": "client_credentials"}
		wrong := x.client
		wrong.ID = x.Notes.Site.ID
		for _, path := range []string{"/auth/oauth2/v2/token", "/auth/oauth2/token"} {
			failed(t, x.post(t, path, "", grant), http.StatusBadRequest, bad, "The authorization information is missing")
			failed(t, x.post(t, path, "nonsense", grant), http.StatusBadRequest, bad, "Authorization Information is incorrect")
			failed(t, x.post(t, path, basic(wrong), grant), http.StatusUnauthorized, unauthorized, "Authentication Failure")
			failed(t, x.post(t, path, basic(x.client), object{}), http.StatusBadRequest, bad, "grant_type is incorrect/absent")
			failed(t, x.post(t, path, basic(x.client), object{"grant_type": "password"}), http.StatusBadRequest, bad, "grant_type is incorrect/absent")
			failed(t, x.post(t, path, basic(x.client), "{"), http.StatusBadRequest, bad, "Input JSON is not valid")
			failed(t, x.post(t, path, basic(x.client), ""), http.StatusBadRequest, bad, "Input JSON is not valid")
			failed(t, x.post(t, path, basic(x.client), "["+strings.Repeat(" ", 20<<10)+"]"), http.StatusRequestEntityTooLarge, "Request Entity Too Large", "The body is larger than 16384 bytes.") // HT-03
			failed(t, x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Headers: map[string]string{"Authorization": basic(x.client), "Content-Type": "text/plain"}}), http.StatusBadRequest, bad, contentType)
			failed(t, x.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Headers: map[string]string{"Authorization": basic(x.client)}}), http.StatusBadRequest, bad, contentType)
			failed(t, x.post(t, path, "", object{"grant_type": "refresh_token", "access_token": "a", "refresh_token": "b"}), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		}
		failed(t, x.post(t, "/auth/oauth2/revoke", basic(x.client), object{}), http.StatusBadRequest, bad, "Access Token Missing")
		failed(t, x.post(t, "/auth/oauth2/revoke", "", object{"access_token": "x"}), http.StatusBadRequest, bad, "The authorization information is missing")
		failed(t, x.post(t, "/auth/oauth2/revoke", basic(wrong), object{"access_token": "x"}), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		failed(t, x.Do(t, otltest.Call{Path: "/auth/rate_limit"}), http.StatusBadRequest, bad, "Authorization Information is incorrect")
		for _, c := range []otltest.Call{
			{Path: "/auth/oauth2/v2/token"},
			{Path: "/auth/oauth2/revoke"},
			{Method: http.MethodPost, Path: "/auth/rate_limit"},
			{Path: "/api/1/nothing"},
			{Path: "/api/1/"},
			{Path: "/api/1//login/auth"},
			{Method: http.MethodPost, Path: "/auth/oauth2/v2/token//"},
			{Method: http.MethodDelete, Path: "/auth/oauth2/"},
		} {
			failed(t, x.Do(t, c), http.StatusNotFound, "not found", "No Route Exists")
		}
		if r := x.Do(t, otltest.Call{Path: "/api/2/nothing"}); r.Status != http.StatusNotFound || strings.TrimSpace(string(r.Raw)) != `{"statusCode":404,"name":"NotFoundError","message":"No Route Exists"}` {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
	})
}

// TestRefreshOfAPITokens: once for each pair, without a client, for 45 days.
func TestRefreshOfAPITokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const path = "/auth/oauth2/v2/token"
		first := x.token(t, path, x.client)
		exchange := func(of otltest.Reply) otltest.Reply {
			return x.post(t, path, "", object{"grant_type": "refresh_token", "access_token": of.Text("access_token"), "refresh_token": of.Text("refresh_token")})
		}
		x.Clock.Advance(45*24*time.Hour - time.Second)
		won := make(chan otltest.Reply, 20)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if r := exchange(first); r.Status == http.StatusOK {
					won <- r
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of 20 exchanges at once succeeded", len(won))
		}
		second := <-won
		if len(second.JSON) != 6 || second.Text("access_token") == first.Text("access_token") || string(x.token(t, path, x.client).Raw) != string(second.Raw) {
			t.Errorf("%s", second.Raw)
		}
		x.bearer = second.Text("access_token")
		x.get(t, "/auth/rate_limit").Want(t, http.StatusOK)
		mixed := x.post(t, path, "", object{"grant_type": "refresh_token", "access_token": first.Text("access_token"), "refresh_token": second.Text("refresh_token")})
		failed(t, mixed, http.StatusUnauthorized, unauthorized, "Authentication Failure")
		x.Clock.Advance(45 * 24 * time.Hour)
		failed(t, exchange(second), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		if err := x.APITokens.Prune(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestLegacyTokens: contract 2.3: in the envelope, and each pair ends those before it.
func TestLegacyTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		r := x.token(t, "/auth/oauth2/token", x.client).Want(t, http.StatusOK)
		pair := r.Items(t)
		if len(pair) != 1 || len(pair[0]) != 6 || !strings.HasPrefix(string(r.Raw), `{"status":{"error":false,"code":200,"type":"success","message":"Success"},"data":[{`) {
			t.Fatalf("%s", r.Raw)
		}
		failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		x.bearer = pair[0]["access_token"].(string)
		x.get(t, "/auth/rate_limit").Want(t, http.StatusOK)
		if again := x.token(t, "/auth/oauth2/token", x.client).Items(t); again[0]["access_token"] == x.bearer {
			t.Error("the same pair twice")
		}
		failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Authentication Failure")
	})
}

// TestPairsOfBothForms: a pair is good whichever address made it, and is exchanged at the
// other one; only the older form ends what there was.
func TestPairsOfBothForms(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const current, older = "/auth/oauth2/v2/token", "/auth/oauth2/token"
		made := x.token(t, older, x.client).Items(t)[0]
		if again := x.token(t, current, x.client); again.Text("access_token") != made["access_token"] {
			t.Errorf("%s, after %v by the older form", again.Raw, made)
		}
		exchange := func(path string, access, refresh any) otltest.Reply {
			return x.post(t, path, "", object{"grant_type": "refresh_token", "access_token": access, "refresh_token": refresh})
		}
		fresh := exchange(current, made["access_token"], made["refresh_token"]).Want(t, http.StatusOK)
		failed(t, exchange(older, made["access_token"], made["refresh_token"]), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		x.bearer = exchange(older, fresh.Text("access_token"), fresh.Text("refresh_token")).Items(t)[0]["access_token"].(string)
		x.get(t, "/auth/rate_limit").Want(t, http.StatusOK)
		x.token(t, older, x.client).Want(t, http.StatusOK)
		failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Authentication Failure")
	})
}

// TestSE13_ATokenEndsWithWhatItStandsOn: with its revocation, its client, its site.
func TestSE13_ATokenEndsWithWhatItStandsOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		dead := func(of string) {
			t.Helper()
			failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		}
		other := x.newClient(t, x.Shop)
		revoke := func(c site.MadeClient) {
			r := x.post(t, "/auth/oauth2/revoke", basic(c), object{"access_token": x.bearer}).Want(t, http.StatusOK)
			if strings.TrimSpace(string(r.Raw)) != `{"status":{"error":false,"code":200,"type":"success","message":"Success"}}` {
				t.Errorf("%s", r.Raw)
			}
		}
		pair := x.token(t, "/auth/oauth2/v2/token", x.client)
		revoke(other) // nothing happens, and nobody learns that
		x.get(t, "/auth/rate_limit").Want(t, http.StatusOK)
		revoke(x.client)
		dead("its revocation")
		r := x.post(t, "/auth/oauth2/v2/token", "", object{"grant_type": "refresh_token", "access_token": pair.Text("access_token"), "refresh_token": pair.Text("refresh_token")})
		failed(t, r, http.StatusUnauthorized, unauthorized, "Authentication Failure")
		pair = x.token(t, "/auth/oauth2/v2/token", x.client)
		x.bearer = pair.Text("access_token")
		if err := x.Clients.Revoke(t.Context(), x.Notes.Site.ID, x.client.ID); err != nil {
			t.Fatal(err)
		}
		dead("its client")
		r = x.post(t, "/auth/oauth2/v2/token", "", object{"grant_type": "refresh_token", "access_token": pair.Text("access_token"), "refresh_token": pair.Text("refresh_token")})
		failed(t, r, http.StatusUnauthorized, unauthorized, "Authentication Failure")
		x.bearer = x.token(t, "/auth/oauth2/v2/token", other).Text("access_token")
		x.get(t, "/auth/rate_limit").Want(t, http.StatusOK)
		if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Delete(ctx, x.Shop.Site.ID, false, x.Clock.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		dead("its site")
	})
}

// TestSE06_ATokenIsComparedWhole: no prefix, no other case, no neighbour of one is good.
func TestSE06_ATokenIsComparedWhole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		good := x.bearer
		for _, bad := range []string{good[:63], good[1:], good + "0", strings.ToUpper(good), strings.Repeat("0", 64), x.client.Secret.Reveal(), x.Notes.Key.Reveal(), x.Login(t, x.Notes, "jane@dev.test").Text("access_token")} {
			x.bearer = bad
			failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Authentication Failure")
		}
	})
}

// TestRateLimit is contract 2.5 and the headers of contract 2.1.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		r := x.get(t, "/auth/rate_limit").Want(t, http.StatusOK)
		if got := strings.TrimSpace(string(r.Raw)); !strings.HasSuffix(got, `"data":{"X-RateLimit-Limit":200,"X-RateLimit-Remaining":200,"X-RateLimit-Reset":1}}`) {
			t.Errorf("%s", got)
		}
		small := x.newClient(t, x.Notes, otl.ScopeAuth)
		x.bearer = x.token(t, "/auth/oauth2/v2/token", small).Text("access_token")
		failed(t, x.get(t, "/auth/rate_limit"), http.StatusUnauthorized, unauthorized, "Insufficient Permission")
	})
	each(t, func(t *testing.T, x *tenant) {
		left := 201
		for {
			r := x.get(t, "/auth/rate_limit")
			if r.Status != http.StatusOK {
				failed(t, r, http.StatusTooManyRequests, "Too Many Requests", "Too many requests. Wait as long as Retry-After says.")
				if r.Header.Get("Retry-After") == "" || r.Header.Get("X-RateLimit-Remaining") != "0" {
					t.Errorf("%v", r.Header)
				}
				return
			}
			n, _ := r.JSON["data"].(object)["X-RateLimit-Remaining"].(float64)
			if int(n) >= left && x.Engine == otltest.SQLite || r.Header.Get("X-RateLimit-Limit") != "200" || r.Header.Get("X-RateLimit-Reset") != "1" {
				t.Fatalf("%v left after %d: %v", n, left, r.Header)
			}
			left = int(n)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// addOrigin registers an origin of a site.
func addOrigin(siteID, origin string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error { return tx.Origins.Add(ctx, siteID, origin) }
}

func read(t *testing.T, r io.Reader) string {
	t.Helper()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestContract213_NoSAMLAssertions: until this server speaks SAML its calls are paths that are
// not there, and a password in one is not looked at (ADR 41).
func TestContract213_NoSAMLAssertions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for _, path := range []string{"/api/1/saml_assertion", "/api/2/saml_assertion", "/api/2/saml-assertions"} {
			for _, path := range []string{path, path + "/verify_factor"} {
				for range 12 { // more than the wrong passwords that would lock her out
					r := x.call(t, http.MethodPost, path, object{"username_or_email": "jane@dev.test", "password": "wrong", "app_id": "1", "subdomain": "notes"})
					if r.Status != http.StatusNotFound || !strings.Contains(string(r.Raw), "No Route Exists") {
						t.Fatalf("%s: %d %s", path, r.Status, r.Raw)
					}
				}
			}
		}
		x.login(t, nil).Want(t, http.StatusOK)
	})
}
