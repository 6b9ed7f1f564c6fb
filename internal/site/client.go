package site

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Clients keeps the programs of sites and proves them.
type Clients struct {
	Store  *store.Store
	Now    func() time.Time
	Issuer string // public URL of the installation
	// Fetch reads what stands at an address that a site named, on its behalf; Check says
	// whether it may be read at all.
	Fetch func(ctx context.Context, siteID, address string) ([]byte, error)
	Check func(address string) error

	fetched fetched
}

// ClientPrefix starts every client secret.
const ClientPrefix = "otc_"

const (
	maxClients   = 50
	maxRedirects = 50
	maxResources = 20
	maxJWKS      = 32 << 10 // bytes
)

// NewClient is what a client is made of.
type NewClient struct {
	ID           string      // "" to make one
	Secret       secret.Text // empty to make one
	Name         string
	Scopes       otl.Scopes // otl.DefaultScopes if empty
	RedirectURIs []string
	PostLogout   []string // where people may be sent after signing out, besides those
	Resources    []string
	LinkConfirm  string // auto if empty
	SignUp       bool
	AutoCreate   bool // links to addresses of nobody are sign-ups; SignUp says whether it may
	NoPKCE       bool
	Auth         string // secret if empty
	JWKS         string // for private_key_jwt: a JWK set, or
	JWKSURI      string // where it is read
	RequirePAR   bool
	RequireDPoP  bool
	FAPI         bool   // RequirePAR, RequireDPoP and more
	SigningAlg   string // RS256 if empty
	SubjectType  string // public if empty
	Device       bool   // it runs on devices without a browser
	LogoutURI    string // told of sessions that end (back-channel logout); "" for nowhere
}

// MadeClient is a new client with its secret, which is shown this once; one that proves
// itself otherwise has none.
type MadeClient struct {
	otl.Client
	Secret secret.Text
}

// ErrClient is the answer to a client that cannot prove itself, whatever is
// wrong: nobody learns which clients there are.
var ErrClient = &otl.Error{Kind: otl.Unauthenticated, Code: "invalid_client", Text: "The client id or the secret is wrong."}

// ErrResource is the answer to a client that would get tokens for an audience which is
// another site's: whoever believes those tokens believes that site (TE-04).
var ErrResource = &otl.Error{Kind: otl.Conflict, Code: "resource_taken", Text: "A resource belongs to the first site that names it, and this one is another site's.", Field: "resources"}

// Create adds a client to a site. A resource becomes the site's by it; the error is
// ErrResource where it is another's.
func (s *Clients) Create(ctx context.Context, siteID string, n NewClient) (MadeClient, error) {
	if err := n.check(s.Check); err != nil {
		return MadeClient{}, err
	}
	if slices.ContainsFunc(n.Resources, func(r string) bool { return strings.TrimRight(r, "/") == strings.TrimRight(s.Issuer, "/") }) {
		return MadeClient{}, otl.InvalidField("resources", "not_allowed", "must not be the address of this server: its own tokens have that audience")
	}
	now := s.Now()
	made := MadeClient{Secret: n.Secret, Client: otl.Client{
		ID: n.ID, SiteID: siteID, Name: n.Name, Scopes: n.Scopes, RedirectURIs: n.RedirectURIs, PostLogout: n.PostLogout, Resources: n.Resources, LinkConfirm: otl.Confirm(n.LinkConfirm), SignUp: n.SignUp, AutoCreate: n.AutoCreate, NoPKCE: n.NoPKCE, CreatedAt: now,
		Auth: otl.ClientAuth(n.Auth), JWKS: n.JWKS, JWKSURI: n.JWKSURI, RequirePAR: n.RequirePAR, RequireDPoP: n.RequireDPoP, FAPI: n.FAPI, Device: n.Device, SigningAlg: otl.SigningAlg(n.SigningAlg), SubjectType: otl.SubjectType(n.SubjectType),
	}}
	if made.ID == "" {
		made.ID = secret.NewID(now)
	}
	if made.Secret.Empty() {
		made.Secret = secret.NewKey(ClientPrefix)
	}
	digest := secret.Digest(made.Secret.Reveal())
	if made.Auth != otl.AuthSecret {
		made.Secret = secret.Text{} // nobody knows it
	}
	again := otl.RequestOf(ctx).Once
	return made, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		have, err := tx.Clients.OfSite(ctx, siteID)
		if err != nil {
			return err
		}
		if len(have) >= maxClients {
			return &otl.Error{Kind: otl.Conflict, Code: "too_many_clients", Text: "A site has at most 50 clients. Revoke one first."}
		}
		for _, r := range made.Resources {
			if its, err := tx.Clients.Claim(ctx, r, siteID, now); err != nil || !its {
				if err == nil {
					err = ErrResource
				}
				return err
			}
		}
		if err := tx.Clients.Insert(ctx, made.Client, digest); err != nil {
			return err
		}
		if n.LogoutURI != "" {
			if err := tx.Endpoints.Insert(ctx, logoutEndpoint(made.Client, n.LogoutURI)); err != nil {
				return err
			}
		}
		if err := appendEvent(ctx, tx, otl.EventClientCreated, siteID, now, map[string]string{"client_id": made.ID, "scopes": made.Scopes.String()}, otl.Changes(nil, clientState(made.Client))...); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, again, now, made)
	})
}

// logoutEndpoint is where a client is told of its sessions that end. It stands among the
// webhook endpoints of the site, where its owners see what becomes of deliveries.
func logoutEndpoint(c otl.Client, uri string) store.StoredEndpoint {
	return store.StoredEndpoint{
		Endpoint: otl.Endpoint{
			ID: secret.NewID(c.CreatedAt), SiteID: c.SiteID, Client: c.ID, URL: uri, Description: "Back-channel logout of " + c.Name,
			Events: otl.EventTypes{otl.EventSessionRevoked}, State: otl.EndpointOn, CreatedAt: c.CreatedAt,
		},
		Secrets: store.Secrets{Current: []byte{}},
	}
}

func (n *NewClient) check(reads func(string) error) error {
	bad := faults{}
	n.Name = bad.name(n.Name)
	auth, err := otl.ParseClientAuth(n.Auth)
	bad.note(err)
	n.Auth = string(auth)
	subject, err := otl.ParseSubjectType(n.SubjectType)
	bad.note(err)
	n.SubjectType = string(subject)
	if len(n.Scopes) == 0 {
		n.Scopes = otl.DefaultScopes()
	}
	bad.powers(otl.Client{Auth: auth, SubjectType: subject, Scopes: n.Scopes})
	n.checkAuth(&bad, reads)
	n.checkFAPI(&bad)
	if n.LogoutURI != "" && (reads == nil || len(n.LogoutURI) > otl.MaxURL || reads(n.LogoutURI) != nil) {
		bad.note(otl.InvalidField("logout_uri", "bad_url", "must be an https URL that this server may call"))
	}
	is := otl.Client{Auth: auth, FAPI: n.FAPI}
	n.RedirectURIs, n.PostLogout = bad.addresses(is, "redirect_uris", n.RedirectURIs), bad.addresses(is, "post_logout_redirect_uris", n.PostLogout)
	if len(n.Resources) > maxResources {
		bad.note(otl.InvalidField("resources", "too_many", "must be at most "+strconv.Itoa(maxResources)))
	}
	confirm, err := otl.ParseConfirm(n.LinkConfirm)
	bad.note(err)
	n.LinkConfirm = string(confirm)
	alg, err := otl.ParseSigningAlg(n.SigningAlg)
	bad.note(err)
	n.SigningAlg = string(alg)
	for _, r := range n.Resources {
		bad.note(otl.CheckResource("resources", r))
	}
	return bad.err()
}

// checkAuth checks what goes with how a client proves itself: keys for one that signs,
// and no power of its own for one that cannot prove itself at all.
func (n *NewClient) checkAuth(bad *faults, reads func(string) error) {
	signs := n.Auth == string(otl.AuthKey)
	switch {
	case !signs && n.JWKS != "", signs && n.JWKS != "" && n.JWKSURI != "":
		bad.note(otl.InvalidField("jwks", "not_allowed", "is for private_key_jwt alone, and without jwks_uri"))
	case !signs && n.JWKSURI != "":
		bad.note(otl.InvalidField("jwks_uri", "not_allowed", "is for private_key_jwt alone"))
	case signs && n.JWKS == "" && n.JWKSURI == "":
		bad.note(otl.InvalidField("jwks", "required", "or jwks_uri is required for private_key_jwt"))
	case n.JWKS != "":
		if _, err := token.ParseKeys([]byte(n.JWKS)); err != nil || len(n.JWKS) > maxJWKS {
			bad.note(otl.InvalidField("jwks", "bad_keys", "must be a JWK set of 1 to 20 public keys, at most 32 KiB"))
		}
	case n.JWKSURI != "":
		if reads == nil || len(n.JWKSURI) > otl.MaxURL || reads(n.JWKSURI) != nil {
			bad.note(otl.InvalidField("jwks_uri", "bad_url", "must be an https URL that this server may read"))
		}
	}
	if n.Auth != string(otl.AuthNone) {
		return
	}
	if n.NoPKCE {
		bad.note(otl.InvalidField("no_pkce", "not_allowed", "is not for public clients"))
	}
}

// checkFAPI fills in what FAPI 2.0's security profile demands of a client and refuses what it
// forbids (OA-23).
func (n *NewClient) checkFAPI(bad *faults) {
	if !n.FAPI {
		return
	}
	n.RequirePAR, n.RequireDPoP = true, true
	if n.SigningAlg == "" {
		n.SigningAlg = string(otl.ES256)
	}
	for _, one := range []struct {
		wrong       bool
		field, text string
	}{
		{n.Auth != string(otl.AuthKey), "auth", "must be private_key_jwt by the profile FAPI"},
		{n.SigningAlg != string(otl.ES256), "signing_alg", "must be ES256 by the profile FAPI"},
		{n.NoPKCE, "no_pkce", "is not for the profile FAPI"},
		{n.Device, "device", "is not for the profile FAPI"},
	} {
		if one.wrong {
			bad.note(otl.InvalidField(one.field, "not_allowed", one.text))
		}
	}
}

// Authenticate finds the client of an id and a secret, with its site. Whatever is
// wrong the error is ErrClient.
func (s *Clients) Authenticate(ctx context.Context, id string, given secret.Text) (otl.Client, otl.Site, error) {
	c, site, digest, err := s.Store.Read.Clients.ByID(ctx, clean(id))
	if errors.Is(err, store.ErrNotFound) {
		return otl.Client{}, otl.Site{}, ErrClient
	}
	if err != nil {
		return otl.Client{}, otl.Site{}, err
	}
	if c.Auth != otl.AuthSecret || !secret.SameDigest(secret.Digest(given.Reveal()), digest) {
		return otl.Client{}, otl.Site{}, ErrClient
	}
	return c, site, nil
}

// Find gives a client that may still act, with its site, or ErrClient.
func (s *Clients) Find(ctx context.Context, id string) (otl.Client, otl.Site, error) {
	c, site, _, err := s.Store.Read.Clients.ByID(ctx, clean(id))
	if errors.Is(err, store.ErrNotFound) {
		err = ErrClient
	}
	return c, site, err
}

// Shares reports whether pages of an origin may read what the server answers a client: one
// of its redirect URIs is of that origin, or its site allows it. The zero client stands for
// any.
func (s *Clients) Shares(ctx context.Context, c otl.Client, origin string) (bool, error) {
	own := slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return otl.Origin(uri) == origin })
	if c.ID == "" {
		var err error
		if own, err = s.Store.Read.Clients.HasOrigin(ctx, origin); err != nil {
			return false, err
		}
	}
	if own {
		return true, nil
	}
	return s.Store.Read.Origins.Allows(ctx, c.SiteID, origin)
}

// Known gives a client, one that is no more too, or ErrClient.
func (s *Clients) Known(ctx context.Context, id string) (otl.Client, error) {
	c, err := s.Store.Read.Clients.Known(ctx, clean(id))
	if errors.Is(err, store.ErrNotFound) {
		err = ErrClient
	}
	return c, err
}

// clean makes an id that cannot be one into none, rather than hand it to a
// database that refuses some characters.
func clean(id string) string {
	if !secret.ValidID(id) {
		return ""
	}
	return id
}

// List gives the clients of a site that are not revoked, oldest first.
func (s *Clients) List(ctx context.Context, siteID string) ([]otl.Client, error) {
	return s.Store.Read.Clients.OfSite(ctx, siteID)
}

// Revoke ends a client at once, or fails with NotFound.
func (s *Clients) Revoke(ctx context.Context, siteID, id string) error {
	if !secret.ValidID(id) {
		return otl.NoSuch("client")
	}
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		live, err := tx.Clients.Revoke(ctx, siteID, id, s.Now())
		if err != nil {
			return err
		}
		if !live {
			return otl.NoSuch("client")
		}
		if err := tx.Endpoints.DeleteOf(ctx, id); err != nil {
			return err
		}
		return appendEvent(ctx, tx, otl.EventClientRevoked, siteID, s.Now(), map[string]string{"client_id": id})
	})
}
