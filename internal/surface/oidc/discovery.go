package oidc

import (
	"maps"
	"net/http"
	"slices"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/wire"
)

// metadata is what clients read at the start (OpenID Connect Discovery 1.0 section 3,
// RFC 8414).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	UserInfo      string   `json:"userinfo_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	Introspection string   `json:"introspection_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	Device        string   `json:"device_authorization_endpoint"`
	Push          string   `json:"pushed_authorization_request_endpoint"`
	Scopes        []string `json:"scopes_supported"`
	Answers       []string `json:"response_types_supported"`
	Modes         []string `json:"response_modes_supported"`
	Grants        []string `json:"grant_types_supported"`
	Subjects      []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	ClientAuth    []string `json:"token_endpoint_auth_methods_supported"`
	Assertions    []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	LookAuth      []string `json:"introspection_endpoint_auth_methods_supported"`
	LookSigning   []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevokeAuth    []string `json:"revocation_endpoint_auth_methods_supported"`
	RevokeSigning []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	Proofs        []string `json:"dpop_signing_alg_values_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	Prompts       []string `json:"prompt_values_supported"`
	Claims        []string `json:"claims_supported"`
	ClaimTypes    []string `json:"claim_types_supported"`
	Locales       []string `json:"ui_locales_supported"`
	Parameter     bool     `json:"claims_parameter_supported"`
	Request       bool     `json:"request_parameter_supported"`
	RequestURI    bool     `json:"request_uri_parameter_supported"`
	Levels        []string `json:"acr_values_supported"`
	BackChannel   bool     `json:"backchannel_logout_supported"`
	BackSession   bool     `json:"backchannel_logout_session_supported"`
	Iss           bool     `json:"authorization_response_iss_parameter_supported"`
}

// discover is GET /.well-known/openid-configuration.
func (s *Surface) discover(w http.ResponseWriter, _ *http.Request) {
	claims := []string{"iss", "sub", "aud", "iat", "exp", "auth_time", "amr", "acr", "nonce", "sid", "roles"}
	scopes := session.Scopes()
	names := slices.Sorted(maps.Keys(scopes))
	for _, name := range names {
		claims = append(claims, scopes[name]...)
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Access-Control-Allow-Origin", "*")                              // public by nature
	own := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"} // ways of clients that prove themselves
	wire.JSON(w, http.StatusOK, metadata{
		Issuer: s.URL, Authorization: s.URL + "/oidc/authorize", Token: s.URL + "/oidc/token", UserInfo: s.URL + "/oidc/userinfo", JWKS: s.URL + "/oidc/keys",
		Introspection: s.URL + "/oidc/introspect", Revocation: s.URL + "/oidc/revoke", EndSession: s.URL + "/oidc/logout", Push: s.URL + "/oidc/par", Device: s.URL + "/oidc/device_authorization",
		Scopes: names, Answers: []string{"code"}, Modes: []string{"query", "form_post"}, Grants: []string{"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"},
		Subjects: []string{string(otl.SubjectPublic), string(otl.SubjectPairwise)}, Algorithms: []string{string(otl.RS256), string(otl.ES256)}, Challenges: []string{"S256"}, Prompts: []string{"none", "login", "consent", "select_account"},
		ClientAuth: append(slices.Clone(own), "none"), LookAuth: own, RevokeAuth: append(slices.Clone(own), "none"),
		Assertions: session.ProofAlgorithms(), LookSigning: session.ProofAlgorithms(), RevokeSigning: session.ProofAlgorithms(), Proofs: session.ProofAlgorithms(),
		Claims: claims, ClaimTypes: []string{"normal"}, Locales: s.Locales, Parameter: true, BackChannel: true, BackSession: true, Iss: true, Levels: []string{"1", "2"},
	})
}

// keys is GET /oidc/keys: the public keys of all tokens of clients. Those of RS256 stand at
// /oidc/jwks as well, alone, where clients of Transmit's wire look (contract 3.7).
func (s *Surface) keys(w http.ResponseWriter, r *http.Request) {
	if err := s.Identity.Wait(r.Context()); err != nil {
		Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Access-Control-Allow-Origin", "*") // public by nature
	_, _ = w.Write(s.Identity.JWKS())
}
