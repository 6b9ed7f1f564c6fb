package store

import (
	"context"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Clients is the group of statements about programs of sites.
type Clients struct{ group }

const clientColumns = `c.id, c.site_id, c.name, c.scopes, c.redirect_uris, c.resources, c.link_confirm, c.created_at, c.revoked_at, c.signup, c.no_pkce,
	c.auth, c.jwks, c.jwks_uri, c.require_par, c.require_dpop, c.device, c.post_logout_uris, c.signing_alg, c.subject_type, c.fapi, c.auto_create`

func clientDest(c *otl.Client) []any {
	return []any{
		&c.ID, &c.SiteID, &c.Name, words(&c.Scopes, storedScopes), words(&c.RedirectURIs, strings.Fields), words(&c.Resources, strings.Fields),
		&c.LinkConfirm, at(&c.CreatedAt), at(&c.RevokedAt), &c.SignUp, &c.NoPKCE,
		&c.Auth, &c.JWKS, &c.JWKSURI, &c.RequirePAR, &c.RequireDPoP, &c.Device, words(&c.PostLogout, strings.Fields), &c.SigningAlg, &c.SubjectType, &c.FAPI, &c.AutoCreate,
	}
}

// Insert adds a client, known by the digest of its secret. URIs hold no blanks.
func (g Clients) Insert(ctx context.Context, c otl.Client, digest []byte) error {
	_, err := g.exec(ctx, `INSERT INTO clients (id, site_id, name, digest, scopes, redirect_uris, resources, created_at, link_confirm, signup, no_pkce,
			auth, jwks, jwks_uri, require_par, require_dpop, device, post_logout_uris, signing_alg, subject_type, fapi, auto_create)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
		c.ID, c.SiteID, c.Name, digest, c.Scopes.String(), strings.Join(c.RedirectURIs, " "), strings.Join(c.Resources, " "), millis(c.CreatedAt), string(c.LinkConfirm), c.SignUp, c.NoPKCE,
		string(c.Auth), c.JWKS, c.JWKSURI, c.RequirePAR, c.RequireDPoP, c.Device, strings.Join(c.PostLogout, " "), string(c.SigningAlg), string(c.SubjectType), c.FAPI, c.AutoCreate)
	if err != nil {
		return err
	}
	return g.setOrigins(ctx, c)
}

// Update writes what of a client can be changed: its name, scopes and addresses, what the page of
// its links does, and whether it may have people created, and reports whether it did: the client is not revoked.
func (g Clients) Update(ctx context.Context, c otl.Client) (bool, error) {
	g.changes.clients()
	n, err := g.exec(ctx, `UPDATE clients SET name = $1, scopes = $2, redirect_uris = $3, post_logout_uris = $4, link_confirm = $5, signup = $6, auto_create = $7 WHERE id = $8 AND revoked_at IS NULL`,
		c.Name, c.Scopes.String(), strings.Join(c.RedirectURIs, " "), strings.Join(c.PostLogout, " "), string(c.LinkConfirm), c.SignUp, c.AutoCreate, c.ID)
	if err != nil || n == 0 {
		return false, err
	}
	return true, g.setOrigins(ctx, c)
}

// Claim makes a resource a site's, and reports whether it is: it belongs to the first
// site that names it until that site is purged.
func (g Clients) Claim(ctx context.Context, resource, siteID string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO resources (resource, site_id, created_at) VALUES ($1, $2, $3)
		ON CONFLICT (resource) DO UPDATE SET site_id = $2 WHERE resources.site_id = $2`, resource, siteID, millis(now))
	return n == 1, err
}

// ByID gives a client that is not revoked, of a site that is not deleted, with
// the digest of its secret.
func (g Clients) ByID(ctx context.Context, id string) (c otl.Client, s otl.Site, digest []byte, err error) {
	err = g.one(ctx, `SELECT `+clientColumns+`, c.digest, `+siteColumns+` FROM clients c JOIN sites s ON s.id = c.site_id
		WHERE c.id = $1 AND c.revoked_at IS NULL AND s.deleted_at IS NULL`, []any{id}, append(append(clientDest(&c), &digest), siteDest(&s)...)...)
	return c, s, digest, err
}

// Known gives a client, one that is no more too, or ErrNotFound.
func (g Clients) Known(ctx context.Context, id string) (c otl.Client, err error) {
	err = g.one(ctx, `SELECT `+clientColumns+` FROM clients c WHERE c.id = $1`, []any{id}, clientDest(&c)...)
	return c, err
}

// HasOrigin reports whether a redirect URI of any client is of an origin.
func (g Clients) HasOrigin(ctx context.Context, origin string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM client_origins o JOIN clients c ON c.id = o.client_id JOIN sites s ON s.id = c.site_id
		WHERE o.origin = $1 AND c.revoked_at IS NULL AND s.deleted_at IS NULL`, []any{origin}, &n)
	return n > 0, err
}

// setOrigins writes the origins of a client's redirect URIs anew.
func (g Clients) setOrigins(ctx context.Context, c otl.Client) error {
	if _, err := g.exec(ctx, `DELETE FROM client_origins WHERE client_id = $1`, c.ID); err != nil {
		return err
	}
	for _, uri := range c.RedirectURIs {
		if err := g.AddOrigin(ctx, c.ID, otl.Origin(uri)); err != nil {
			return err
		}
	}
	return nil
}

// AddOrigin notes that a redirect URI of a client is of an origin; twice is once.
func (g Clients) AddOrigin(ctx context.Context, id, origin string) error {
	_, err := g.exec(ctx, `INSERT INTO client_origins (client_id, origin) VALUES ($1, $2) ON CONFLICT (client_id, origin) DO NOTHING`, id, origin)
	return err
}

// OfSite gives the clients of a site that are not revoked, oldest first.
func (g Clients) OfSite(ctx context.Context, siteID string) ([]otl.Client, error) {
	return all(ctx, g.group, `SELECT `+clientColumns+` FROM clients c WHERE c.site_id = $1 AND c.revoked_at IS NULL ORDER BY c.id`,
		[]any{siteID}, clientDest)
}

// Revoke ends a client at once and reports whether it was there.
func (g Clients) Revoke(ctx context.Context, siteID, id string, now time.Time) (bool, error) {
	g.changes.clients()
	n, err := g.exec(ctx, `UPDATE clients SET revoked_at = $1 WHERE id = $2 AND site_id = $3 AND revoked_at IS NULL`, millis(now), id, siteID)
	return n == 1, err
}
