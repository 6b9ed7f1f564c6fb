package oidc_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// truth shows by what the provider does that a member of its metadata is true.
type truth func(t *testing.T, x *provider, said any)

// TestOA22_TheMetadataIsTrue: each member that OpenID Connect Discovery 1.0, RFC 8414, 8628,
// 9126, 9207, 9449 and the specifications of logout know and that holds here is there, and is
// shown by doing it; what a list does not hold is refused. There is no other member.
func TestOA22_TheMetadataIsTrue(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		d := x.Do(t, otltest.Call{Path: "/.well-known/openid-configuration"}).Want(t, http.StatusOK)
		if other := x.Do(t, otltest.Call{Path: "/.well-known/oauth-authorization-server"}); string(other.Raw) != string(d.Raw) {
			t.Errorf("RFC 8414: %s", other.Raw)
		}
		truths := map[string]truth{
			"issuer": func(t *testing.T, _ *provider, said any) {
				if said != otltest.Issuer {
					t.Errorf("%v", said)
				}
			},
			"jwks_uri": served("GET"), "authorization_endpoint": served("GET", "POST"), "userinfo_endpoint": served("GET", "POST"), "end_session_endpoint": served("GET", "POST"),
			"token_endpoint": served("POST"), "introspection_endpoint": served("POST"), "revocation_endpoint": served("POST"),
			"device_authorization_endpoint": served("POST"), "pushed_authorization_request_endpoint": served("POST"),
		}
		for _, more := range []map[string]truth{asking(), proving(), telling()} {
			maps.Copy(truths, more)
		}
		if is, want := slices.Sorted(maps.Keys(d.JSON)), slices.Sorted(maps.Keys(truths)); !slices.Equal(is, want) {
			t.Errorf("members are\n%v, known are\n%v", is, want)
		}
		for _, member := range slices.Sorted(maps.Keys(truths)) {
			t.Run(member, func(t *testing.T) { truths[member](t, x, d.JSON[member]) })
		}
	})
}

// served is an endpoint of this server that takes these methods.
func served(methods ...string) truth {
	return func(t *testing.T, x *provider, said any) {
		path, ours := strings.CutPrefix(fmt.Sprint(said), otltest.Issuer)
		for _, m := range methods {
			if r := x.Do(t, otltest.Call{Method: m, Path: path}); !ours || r.Status == http.StatusNotFound || r.Status == http.StatusMethodNotAllowed {
				t.Errorf("%s %v: %d", m, said, r.Status)
			}
		}
	}
}

// values is a list of which each one is taken, and these others are not.
func values(taken func(*testing.T, *provider, string) bool, others ...string) truth {
	return func(t *testing.T, x *provider, said any) {
		list, _ := said.([]any)
		if len(list) == 0 {
			t.Errorf("is %v", said)
		}
		for _, one := range list {
			if !taken(t, x, one.(string)) {
				t.Errorf("%v is refused", one)
			}
		}
		for _, one := range others {
			if taken(t, x, one) || slices.Contains(list, any(one)) {
				t.Errorf("%s is taken or announced", one)
			}
		}
	}
}

// parameter reports whether a request with a parameter ends in no error.
func parameter(name string) func(*testing.T, *provider, string) bool {
	return func(t *testing.T, x *provider, value string) bool {
		p := x.browser.Get(x.ask(x.client, map[string]string{name: value}))
		if p.Left != nil {
			return p.Left.Query().Get("error") == ""
		}
		return p.Fields("answer").Get("error") == "" && p.Status < http.StatusBadRequest
	}
}

// unsupported is a flag that says no, and a parameter that is answered with an error.
func unsupported(name, word string) truth {
	return func(t *testing.T, x *provider, said any) {
		p := x.browser.Get(x.ask(x.client, map[string]string{name: "https://notes.test/request"}))
		if said != false || p.Left == nil || p.Left.Query().Get("error") != word {
			t.Errorf("%v: %d %v", said, p.Status, p.Left)
		}
	}
}

// asking is what a client may ask for, and how.
func asking() map[string]truth {
	flag := func(holds func(url.Values) bool) truth {
		return func(t *testing.T, x *provider, said any) {
			if q := x.signIn(t, x.ask(x.client, nil)); said != true || !holds(q) {
				t.Errorf("%v: %v", said, q)
			}
		}
	}
	return map[string]truth{
		"response_types_supported":                       values(parameter("response_type"), "token", "id_token", "code id_token", "none"),
		"response_modes_supported":                       values(parameter("response_mode"), "fragment", "query.jwt"),
		"code_challenge_methods_supported":               values(parameter("code_challenge_method"), "plain"),
		"prompt_values_supported":                        values(parameter("prompt"), "create"),
		"request_parameter_supported":                    unsupported("request", "request_not_supported"),
		"request_uri_parameter_supported":                unsupported("request_uri", "request_uri_not_supported"),
		"authorization_response_iss_parameter_supported": flag(func(q url.Values) bool { return q.Get("iss") == otltest.Issuer }),
		"scopes_supported": values(func(t *testing.T, x *provider, scope string) bool {
			r := x.exchange(t, x.client, x.signIn(t, x.ask(x.client, map[string]string{"scope": "openid " + scope})).Get("code"), nil).Want(t, http.StatusOK)
			got := x.form(t, "/oidc/introspect", x.client, url.Values{"token": {r.Text("access_token")}}).Want(t, http.StatusOK).Text("scope")
			return slices.Contains(strings.Fields(got), scope)
		}, "address", "admin"),
		"ui_locales_supported": values(func(t *testing.T, x *provider, lang string) bool {
			return strings.Contains(string(x.Browser(t).Get(x.ask(x.client, map[string]string{"ui_locales": lang})).Raw), `<html lang="`+lang+`"`)
		}, "tlh"),
		"grant_types_supported": values(func(t *testing.T, x *provider, grant string) bool {
			return x.form(t, "/oidc/token", x.client, url.Values{"grant_type": {grant}}).Text("error") != "unsupported_grant_type"
		}, "password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"),
	}
}

// proofs gives the parameters by which a client proves itself in a way; with an algorithm it is
// by what it signs with that.
func (x *provider) proofs(t *testing.T, way string, alg jose.SignatureAlgorithm) url.Values {
	t.Helper()
	switch way {
	case "client_secret_basic", "client_secret_post":
		return url.Values{"client_id": {x.client.ID}, "client_secret": {x.client.Secret.Reveal()}}
	case "private_key_jwt":
		if !slices.Contains(session.ProofAlgorithms(), string(alg)) {
			return url.Values{"client_id": {x.client.ID}, "client_assertion": {"x"}, "client_assertion_type": {site.AssertionType}}
		}
		key := otltest.NewSigner(t, alg)
		c := x.made(t, site.NewClient{Auth: way, JWKS: key.JWKS(t)})
		return url.Values{"client_assertion": {key.Sign(t, nil, x.assertion(c, nil))}, "client_assertion_type": {site.AssertionType}}
	case "none":
		return url.Values{"client_id": {x.made(t, site.NewClient{Auth: way}).ID}}
	}
	return url.Values{"client_id": {x.client.ID}}
}

// proves gives what an endpoint says to a client that proves itself in a way: whether it knows it.
func (x *provider) proves(t *testing.T, path, way string, alg jose.SignatureAlgorithm) bool {
	t.Helper()
	form := x.proofs(t, way, alg)
	form.Set("token", "x")
	if form.Set("grant_type", "client_credentials"); way == "none" {
		form.Set("grant_type", "refresh_token")
	}
	call := otltest.Call{Method: http.MethodPost, Path: path, Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
	if way == "client_secret_basic" {
		form.Del("client_id")
		form.Del("client_secret")
		return x.form(t, path, x.client, form).Text("error") != "invalid_client"
	}
	call.Body = form.Encode()
	return x.Do(t, call).Text("error") != "invalid_client"
}

// proving is how clients show who they are and which key they hold.
func proving() map[string]truth {
	out := map[string]truth{
		"dpop_signing_alg_values_supported": values(func(t *testing.T, x *provider, alg string) bool {
			if !slices.Contains(session.ProofAlgorithms(), alg) {
				return false
			}
			form := x.proofs(t, "client_secret_post", "")
			form.Set("grant_type", "client_credentials")
			return x.bare(t, "/oidc/token", form, x.proof(t, otltest.NewSigner(t, jose.SignatureAlgorithm(alg)), "POST", "/oidc/token", "", nil)).Status == http.StatusOK
		}, "HS256", "none"),
	}
	for at, others := range map[string][]string{"token": {"client_secret_jwt", "tls_client_auth"}, "revocation": {"client_secret_jwt"}, "introspection": {"none", "client_secret_jwt"}} {
		path := map[string]string{"token": "/oidc/token", "revocation": "/oidc/revoke", "introspection": "/oidc/introspect"}[at]
		out[at+"_endpoint_auth_methods_supported"] = values(func(t *testing.T, x *provider, way string) bool { return x.proves(t, path, way, jose.ES256) }, others...)
		out[at+"_endpoint_auth_signing_alg_values_supported"] = values(func(t *testing.T, x *provider, alg string) bool {
			return x.proves(t, path, "private_key_jwt", jose.SignatureAlgorithm(alg))
		}, "HS256", "none")
	}
	return out
}

// telling is what a client is told of a person.
func telling() map[string]truth {
	is := func(want string) truth {
		return func(t *testing.T, _ *provider, said any) {
			if fmt.Sprint(said) != want {
				t.Errorf("%v", said)
			}
		}
	}
	return map[string]truth{
		"claim_types_supported":      is("[normal]"),
		"acr_values_supported":       is("[1 2]"), // TestMF05_AWishForTwoFactors
		"claims_parameter_supported": is("true"),  // TestOA08_ClaimsByName, and roles below
		// oidcc-backchannel-rp-initiated-logout
		"backchannel_logout_supported": is("true"), "backchannel_logout_session_supported": is("true"),
		"subject_types_supported": func(t *testing.T, x *provider, said any) {
			sub := func(c site.MadeClient) any {
				return x.claims(t, x.exchange(t, c, x.signIn(t, x.ask(c, nil)).Get("code"), nil).Want(t, http.StatusOK).Text("id_token"))["sub"]
			}
			// TestPR07_PairwiseSubjects
			if fmt.Sprint(said) != "[public pairwise]" || sub(x.client) != sub(x.shop) || sub(x.made(t, site.NewClient{SubjectType: "pairwise"})) == sub(x.shop) {
				t.Errorf("%v", said)
			}
		},
		"id_token_signing_alg_values_supported": values(func(t *testing.T, x *provider, alg string) bool {
			made, err := x.Clients.Create(t.Context(), x.Notes.Site.ID, site.NewClient{Name: "x", RedirectURIs: []string{callback}, SigningAlg: alg})
			if err != nil {
				return false
			}
			raw := x.exchange(t, made, x.signIn(t, x.ask(made, nil)).Get("code"), nil).Want(t, http.StatusOK).Text("id_token")
			return head(t, raw, "alg") == alg && x.claims(t, raw)["sub"] == x.jane.ID
		}, "HS256", "none", "PS256"),
		"claims_supported": func(t *testing.T, x *provider, said any) {
			all := x.everything(t)
			for _, one := range said.([]any) {
				if all[one.(string)] == nil {
					t.Errorf("%v is not told of somebody who has and grants everything: %v", one, all)
				}
			}
		},
	}
}

// everything gives all that is told of a person who has everything and grants it.
func (x *provider) everything(t *testing.T) map[string]any {
	t.Helper()
	u := x.jane
	u.Phone, u.DisplayName, u.Picture, u.Locale = "+491705550199", "jd", "https://notes.test/jane.png", "de"
	u.Username = otl.Username{Name: "jane_doe", Key: "jane_doe"}
	if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Users.UpdateProfile(ctx, u); err != nil {
			return err
		}
		now := x.Clock.Now()
		return tx.Grants.Put(ctx, otl.Grant{UserID: u.ID, SiteID: x.Notes.Site.ID, Fields: otl.AllFields(), CreatedAt: now, UpdatedAt: now})
	}); err != nil {
		t.Fatal(err)
	}
	ask := x.ask(x.client, map[string]string{"scope": "openid profile email phone", "claims": `{"id_token":{"roles":null}}`})
	r := x.exchange(t, x.client, x.signIn(t, ask).Get("code"), nil).Want(t, http.StatusOK)
	all := x.Do(t, otltest.Call{Path: "/oidc/userinfo", Bearer: r.Text("access_token")}).Want(t, http.StatusOK).JSON
	maps.Copy(all, x.claims(t, r.Text("id_token")))
	return all
}
