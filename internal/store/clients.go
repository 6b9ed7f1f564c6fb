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
	c.auth, c.jwks, c.jwks_uri, c.require_par, c.require_dpop, c.device, c.post_logout_uris`

func clientDest(c *otl.Client) []any {
	return []any{
		&c.ID, &c.SiteID, &c.Name, words(&c.Scopes, storedScopes), words(&c.RedirectURIs, strings.Fields), words(&c.Resources, strings.Fields),
		&c.LinkConfirm, at(&c.CreatedAt), at(&c.RevokedAt), &c.SignUp, &c.NoPKCE,
		&c.Auth, &c.JWKS, &c.JWKSURI, &c.RequirePAR, &c.RequireDPoP, &c.Device, words(&c.PostLogout, strings.Fields),
	}
}

// Insert adds a client, known by the digest of its secret. URIs hold no blanks.
func (g Clients) Insert(ctx context.Context, c otl.Client, digest []byte) error {
	_, err := g.exec(ctx, `INSERT INTO clients (id, site_id, name, digest, scopes, redirect_uris, resources, created_at, link_confirm, signup, no_pkce,
			auth, jwks, jwks_uri, require_par, require_dpop, device, post_logout_uris)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		c.ID, c.SiteID, c.Name, digest, c.Scopes.String(), strings.Join(c.RedirectURIs, " "), strings.Join(c.Resources, " "), millis(c.CreatedAt), string(c.LinkConfirm), c.SignUp, c.NoPKCE,
		string(c.Auth), c.JWKS, c.JWKSURI, c.RequirePAR, c.RequireDPoP, c.Device, strings.Join(c.PostLogout, " "))
	return err
}

// SetAddresses writes where a client has people sent, and reports whether it did: the
// client is not revoked, and its addresses are still what they were.
func (g Clients) SetAddresses(ctx context.Context, was, c otl.Client) (bool, error) {
	n, err := g.exec(ctx, `UPDATE clients SET redirect_uris = $1, post_logout_uris = $2
		WHERE id = $3 AND redirect_uris = $4 AND post_logout_uris = $5 AND revoked_at IS NULL`,
		strings.Join(c.RedirectURIs, " "), strings.Join(c.PostLogout, " "), c.ID, strings.Join(was.RedirectURIs, " "), strings.Join(was.PostLogout, " "))
	return n == 1, err
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

// OfSite gives the clients of a site that are not revoked, oldest first.
func (g Clients) OfSite(ctx context.Context, siteID string) ([]otl.Client, error) {
	return all(ctx, g.group, `SELECT `+clientColumns+` FROM clients c WHERE c.site_id = $1 AND c.revoked_at IS NULL ORDER BY c.id`,
		[]any{siteID}, clientDest)
}

// Revoke ends a client at once and reports whether it was there.
func (g Clients) Revoke(ctx context.Context, siteID, id string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE clients SET revoked_at = $1 WHERE id = $2 AND site_id = $3 AND revoked_at IS NULL`, millis(now), id, siteID)
	return n == 1, err
}
