package native

import (
	"context"
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// clients are the operations of the owner of a site on its programs.
type clients struct{ *Surface }

// ClientOut is a client without its secret. It is exported because schemas pass
// over embedded types that are not.
type ClientOut struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Scopes       []string  `json:"scopes"`
	RedirectURIs []string  `json:"redirect_uris"`
	PostLogout   []string  `json:"post_logout_redirect_uris" doc:"Where people may be sent who signed out, besides the redirect URIs."`
	Resources    []string  `json:"resources" doc:"Audiences it may ask tokens for."`
	LinkConfirm  string    `json:"link_confirm" doc:"Whether the page of a one-time link asks for a press: auto, always or never."`
	SignUp       bool      `json:"allow_signup" doc:"Whether it may have people created whom nobody knows."`
	AutoCreate   bool      `json:"auto_create" doc:"Whether a link that it has sent by Transmit's link/email/send to an address of none of the site's people is a sign-up, where allow_signup is on."`
	NoPKCE       bool      `json:"no_pkce" doc:"Whether it may do without PKCE at /oidc/authorize."`
	Auth         string    `json:"auth" doc:"How it proves itself: secret, private_key_jwt or none."`
	JWKSURI      string    `json:"jwks_uri" doc:"Where its keys are read; empty where it gave them, or has none."`
	RequirePAR   bool      `json:"require_par" doc:"Whether it sends its requests ahead."`
	Device       bool      `json:"device" doc:"Whether it may let people in on devices without a browser."`
	RequireDPoP  bool      `json:"require_dpop" doc:"Whether the access tokens of its people are bound to a key of its own."`
	SigningAlg   string    `json:"signing_alg" doc:"How the tokens it reads are signed: RS256 or ES256. Access tokens of /oidc/token are signed with ES256 for every client, or RS256 where jwt.alg says so."`
	FAPI         bool      `json:"fapi" doc:"Whether it is held to FAPI 2.0's security profile."`
	SubjectType  string    `json:"subject_type" doc:"By which ids it knows people: public, the same at every site, or pairwise, of this site alone."`
	CreatedAt    time.Time `json:"created_at"`
}

func newClientOut(c otl.Client) ClientOut {
	return ClientOut{c.ID, c.Name, c.Scopes.Strings(), orEmpty(c.RedirectURIs), orEmpty(c.PostLogout), orEmpty(c.Resources), string(c.LinkConfirm), c.SignUp, c.AutoCreate, c.NoPKCE, string(c.Auth), c.JWKSURI, c.RequirePAR, c.Device, c.RequireDPoP, string(c.SigningAlg), c.FAPI, string(c.SubjectType), c.CreatedAt}
}

func orEmpty(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

type clientsOut struct {
	Data       []ClientOut `json:"data"`
	NextCursor *string     `json:"next_cursor" doc:"Always null: a site has at most 50 clients."`
}

func (s clients) list(c *call, in *siteIn) (*clientsOut, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	found, err := s.Clients.List(c.ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &clientsOut{Data: []ClientOut{}}
	for _, one := range found {
		out.Data = append(out.Data, newClientOut(one))
	}
	return out, nil
}

type createClientIn struct {
	ID           string   `path:"id" json:"-" doc:"Site id."`
	Name         string   `json:"name" minLength:"1" maxLength:"100" doc:"What the program is."`
	Scopes       []string `json:"scopes,omitempty" maxItems:"8" doc:"auth, users, admin, otp:direct; auth if left out."`
	RedirectURIs []string `json:"redirect_uris,omitempty" maxItems:"50" doc:"Where people may be sent back to: https, or http on localhost; of a public client also a scheme of its own, such as com.example.app:/callback."`
	PostLogout   []string `json:"post_logout_redirect_uris,omitempty" maxItems:"50" doc:"Where people may be sent who signed out, besides the redirect URIs."`
	Resources    []string `json:"resources,omitempty" maxItems:"20" doc:"Audiences it may ask tokens for: URIs."`
	SignUp       bool     `json:"allow_signup,omitempty" doc:"Let it have people created whom nobody knows."`
	AutoCreate   bool     `json:"auto_create,omitempty" doc:"Make a link that it has sent by Transmit's link/email/send to an address of none of the site's people a sign-up, where allow_signup is on."`
	NoPKCE       bool     `json:"no_pkce,omitempty" doc:"Let it do without PKCE at /oidc/authorize; for programs that know none."`
	Auth         string   `json:"auth,omitempty" enum:"secret,private_key_jwt,none" doc:"secret if left out. none is for programs that people hold in their hands: no secret, PKCE only, scope auth."`
	JWKS         object   `json:"jwks,omitempty" doc:"Its public keys, for private_key_jwt."`
	JWKSURI      string   `json:"jwks_uri,omitempty" maxLength:"2048" doc:"Where its public keys are read instead."`
	RequirePAR   bool     `json:"require_par,omitempty" doc:"Take requests from it only that it sent ahead."`
	LogoutURI    string   `json:"logout_uri,omitempty" maxLength:"2048" doc:"Told of its sessions that end (OpenID Connect Back-Channel Logout). It is listed among the webhook endpoints of the site."`
	Device       bool     `json:"device,omitempty" doc:"Let it sign people in on devices without a browser (RFC 8628)."`
	RequireDPoP  bool     `json:"require_dpop,omitempty" doc:"Bind the access tokens of its people to a key of its own."`
	SigningAlg   string   `json:"signing_alg,omitempty" enum:"RS256,ES256" doc:"How the tokens it reads are signed; RS256 if left out, which every library reads."`
	FAPI         bool     `json:"fapi,omitempty" doc:"Hold it to FAPI 2.0's security profile: private_key_jwt, require_par and require_dpop, ES256, refresh tokens that stay."`
	SubjectType  string   `json:"subject_type,omitempty" enum:"public,pairwise" doc:"public if left out. pairwise gives its tokens ids of people that no other site has; scope auth only."`
	LinkConfirm  string   `json:"link_confirm,omitempty" enum:"auto,always,never" doc:"auto if left out. never has no page once the address is proven: whoever fetches a link is sent on with a code of his own, scanners of mails too, and the first code that is redeemed uses the link up."`
}

// newClientShown is a new client, with its secret.
type newClientShown struct {
	ClientOut
	Secret *shown `json:"client_secret,omitempty" doc:"Shown once. Store it in a secret manager. Missing where the client proves itself otherwise."`
}

func newMadeClientOut(m site.MadeClient) *newClientShown {
	out := &newClientShown{ClientOut: newClientOut(m.Client)}
	if !m.Secret.Empty() {
		out.Secret = &shown{m.Secret}
	}
	return out
}

func (s clients) create(c *call, in *createClientIn) (*newClientShown, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	n := site.NewClient{Name: in.Name, RedirectURIs: in.RedirectURIs, PostLogout: in.PostLogout, Resources: in.Resources, LinkConfirm: in.LinkConfirm, SignUp: in.SignUp, AutoCreate: in.AutoCreate, NoPKCE: in.NoPKCE, Auth: in.Auth, JWKS: string(in.JWKS), JWKSURI: in.JWKSURI, RequirePAR: in.RequirePAR, RequireDPoP: in.RequireDPoP, LogoutURI: in.LogoutURI, SigningAlg: in.SigningAlg, SubjectType: in.SubjectType, FAPI: in.FAPI, Device: in.Device}
	if in.Scopes != nil {
		var err error
		if n.Scopes, err = otl.ParseScopes(in.Scopes); err != nil {
			return nil, err
		}
	}
	return again(c, newMadeClientOut, func(ctx context.Context) (site.MadeClient, error) { return s.Clients.Create(ctx, in.ID, n) })
}

type clientIn struct {
	ID       string `path:"id" json:"-" doc:"Site id."`
	ClientID string `path:"client_id" json:"-" doc:"Client id."`
}

type updateClientIn struct {
	ID           string    `path:"id" json:"-" doc:"Site id."`
	ClientID     string    `path:"client_id" json:"-" doc:"Client id."`
	Name         *string   `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Scopes       *[]string `json:"scopes,omitempty" maxItems:"8" doc:"All of them, at least one of auth, users, admin and otp:direct."`
	RedirectURIs *[]string `json:"redirect_uris,omitempty" maxItems:"50" doc:"All of them: those left out are removed."`
	PostLogout   *[]string `json:"post_logout_redirect_uris,omitempty" maxItems:"50" doc:"All of them: those left out are removed."`
	LinkConfirm  *string   `json:"link_confirm,omitempty" enum:"auto,always,never"`
	SignUp       *bool     `json:"allow_signup,omitempty" doc:"Let it have people created whom nobody knows."`
	AutoCreate   *bool     `json:"auto_create,omitempty" doc:"Make a link that it has sent by Transmit's link/email/send to an address of none of the site's people a sign-up, where allow_signup is on."`
}

func (s clients) update(c *call, in *updateClientIn) (*ClientOut, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	changed, err := s.Clients.Update(c.ctx, in.ID, in.ClientID, site.ClientChange{Name: in.Name, Scopes: in.Scopes, RedirectURIs: in.RedirectURIs, PostLogout: in.PostLogout, LinkConfirm: in.LinkConfirm, SignUp: in.SignUp, AutoCreate: in.AutoCreate})
	return ptr(newClientOut(changed)), err
}

func (s clients) revoke(c *call, in *clientIn) (*deletedOut, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	return &deletedOut{true}, s.Clients.Revoke(c.ctx, in.ID, in.ClientID)
}

func (s clients) routes() {
	sample := newClientOut(otl.Client{
		ID: sampleSession, Name: "web backend", Scopes: otl.Scopes{otl.ScopeAuth},
		RedirectURIs: []string{"https://notes.example.com/auth/callback"}, CreatedAt: sampleTime(), LinkConfirm: otl.ConfirmAuto, Auth: otl.AuthSecret, SigningAlg: otl.RS256, SubjectType: otl.SubjectPublic,
	})
	route(s.Surface, operation{
		id: "listClients", method: http.MethodGet, path: "/sites/{id}/clients", tag: tagSites,
		summary: "List the clients of a site", text: "Programs that prove themselves with an id and a secret; those that are not revoked, oldest first, without their secrets.",
		access: byOwner, success: http.StatusOK, errors: []int{404}, answer: clientsOut{Data: []ClientOut{sample}},
	}, s.list)
	route(s.Surface, operation{
		id: "createClient", method: http.MethodPost, path: "/sites/{id}/clients", tag: tagSites,
		summary: "Make a client", text: "Adds a program that gets its tokens at /oidc/token. The secret is shown this once.",
		access: byOwner, success: http.StatusCreated, errors: []int{404},
		request: map[string]any{"name": "web backend", "redirect_uris": []string{"https://notes.example.com/auth/callback"}},
		answer:  newClientShown{sample, ptr(text("otc_2f8Kq0ZpV7sXc4TtY9wB3nLr6mJdH1gAeUi5C0Qk"))},
	}, s.create)
	route(s.Surface, operation{
		id: "updateClient", method: http.MethodPatch, path: "/sites/{id}/clients/{client_id}", tag: tagSites,
		summary: "Change a client", text: "Sets the members given and leaves the others; a list is set as a whole. How the client proves itself stays. What it may do no more is refused from the answer on.",
		access: byOwner, success: http.StatusOK, errors: []int{404},
		request: map[string]any{"scopes": []string{"auth"}, "link_confirm": "always"}, answer: sample,
	}, s.update)
	route(s.Surface, operation{
		id: "revokeClient", method: http.MethodDelete, path: "/sites/{id}/clients/{client_id}", tag: tagSites,
		summary: "Revoke a client", text: "The client and its tokens are refused from the answer on.",
		access: byOwner, success: http.StatusOK, errors: []int{404}, answer: deletedOut{true},
	}, s.revoke)
}
