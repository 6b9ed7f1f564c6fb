package oidc_test

import (
	"net/http"
	"net/url"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestMN03_WhatIsGoodOnceIsKnownAfterARestart: an assertion and a proof that were presented
// before are refused by a server that was started since.
func TestMN03_WhatIsGoodOnceIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *provider) {
		const path = "/oidc/token"
		key := otltest.NewSigner(t, jose.ES256)
		c := x.made(t, site.NewClient{Auth: "private_key_jwt", JWKS: key.JWKS(t)})
		app := x.made(t, site.NewClient{Auth: "none", RequireDPoP: true})
		assertion := func(x *provider) url.Values {
			return url.Values{"grant_type": {"client_credentials"}, "client_assertion": {key.Sign(t, nil, x.assertion(c, nil))}, "client_assertion_type": {site.AssertionType}}
		}
		asserted, proof := assertion(x), x.proof(t, key, "POST", path, "", nil)
		code := func() string { return x.signIn(t, x.ask(app, nil)).Get("code") }
		used, next := code(), code()
		x.bare(t, path, asserted).Want(t, http.StatusOK)
		x.bare(t, path, codeForm(app, used), proof).Want(t, http.StatusOK)
		later := *x
		later.World = x.Again(t)
		for what, r := range map[string]otltest.Reply{
			"invalid_client":     later.bare(t, path, asserted),
			"invalid_dpop_proof": later.bare(t, path, codeForm(app, next), proof),
			"invalid_grant":      later.bare(t, path, codeForm(app, used), later.proof(t, key, "POST", path, "", nil)),
		} {
			if r.Text("error") != what {
				t.Errorf("%d %s, want %s", r.Status, r.Raw, what)
			}
		}
		later.bare(t, path, assertion(&later)).Want(t, http.StatusOK)
		later.bare(t, path, codeForm(app, next), later.proof(t, key, "POST", path, "", nil)).Want(t, http.StatusOK)
	})
}
