package store

import (
	"context"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Businesses is the group of statements about the accounts that own sites.
type Businesses struct{ group }

// Insert adds a business.
func (g Businesses) Insert(ctx context.Context, b otl.Business) error {
	_, err := g.exec(ctx, `INSERT INTO businesses (id, name, created_at) VALUES ($1, $2, $3)`,
		b.ID, b.Name, millis(b.CreatedAt))
	return err
}

// AddOwner makes a person an owner of a business; twice is once.
func (g Businesses) AddOwner(ctx context.Context, businessID, userID string, now time.Time) error {
	_, err := g.exec(ctx, `INSERT INTO business_members (business_id, user_id, role, created_at)
		VALUES ($1, $2, 'owner', $3) ON CONFLICT (business_id, user_id) DO NOTHING`, businessID, userID, millis(now))
	return err
}

// Owners gives the people who own the business of a site, by id.
func (g Businesses) Owners(ctx context.Context, siteID string) ([]otl.User, error) {
	return all(ctx, g.group, `SELECT `+userColumns+` FROM users u JOIN business_members m ON m.user_id = u.id AND m.role = 'owner'
		JOIN sites s ON s.business_id = m.business_id WHERE s.id = $1 AND u.disabled_at IS NULL ORDER BY u.id`, []any{siteID}, userDest)
}

// OwnedBy gives the oldest business a person owns, or ErrNotFound.
func (g Businesses) OwnedBy(ctx context.Context, userID string) (otl.Business, error) {
	var b otl.Business
	err := g.one(ctx, `SELECT b.id, b.name, b.created_at FROM businesses b
		JOIN business_members m ON m.business_id = b.id AND m.role = 'owner'
		WHERE m.user_id = $1 ORDER BY b.id LIMIT 1`, []any{userID}, &b.ID, &b.Name, at(&b.CreatedAt))
	return b, err
}

// Owns reports whether a person owns a business.
func (g Businesses) Owns(ctx context.Context, userID string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM business_members WHERE user_id = $1 AND role = 'owner'`, []any{userID}, &n)
	return n > 0, err
}

// Oldest gives the first business of the installation, or ErrNotFound.
func (g Businesses) Oldest(ctx context.Context) (otl.Business, error) {
	var b otl.Business
	err := g.one(ctx, `SELECT id, name, created_at FROM businesses ORDER BY id LIMIT 1`, nil,
		&b.ID, &b.Name, at(&b.CreatedAt))
	return b, err
}

// Sites is the group of statements about sites and their callback URLs.
type Sites struct{ group }

const siteColumns = `s.id, s.business_id, s.slug, s.name, s.domain, s.region, s.first_party, s.requested, s.version,
	s.created_at, s.updated_at, s.deleted_at, s.mfa, s.mfa_roles, s.required, s.trust_days, s.ways_off`

func siteDest(s *otl.Site) []any {
	return []any{
		&s.ID, text(&s.BusinessID), &s.Slug, &s.Name, &s.Domain, &s.Region, &s.FirstParty,
		words(&s.Requested, otl.StoredFields), &s.Version, at(&s.CreatedAt), at(&s.UpdatedAt), at(&s.DeletedAt),
		&s.MFA, words(&s.MFARoles, strings.Fields), words(&s.Required, otl.StoredFields), &s.TrustDays, words(&s.Off, otl.StoredWays),
	}
}

// Insert adds a site without its callback URLs and reports whether it did:
// false means that the slug is taken.
func (g Sites) Insert(ctx context.Context, s otl.Site) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO sites (id, business_id, slug, name, domain, region, first_party, requested,
		version, created_at, updated_at, required) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (slug) DO NOTHING`,
		s.ID, orNull(s.BusinessID), s.Slug, s.Name, s.Domain, s.Region, s.FirstParty, s.Requested.String(), s.Version,
		millis(s.CreatedAt), millis(s.UpdatedAt), s.Required.String())
	return n == 1, err
}

// ByID gives one site without its callback URLs.
func (g Sites) ByID(ctx context.Context, id string) (otl.Site, error) {
	var s otl.Site
	err := g.one(ctx, `SELECT `+siteColumns+` FROM sites s WHERE s.id = $1 AND s.deleted_at IS NULL`, []any{id}, siteDest(&s)...)
	return s, err
}

// BySlug gives one site without its callback URLs.
func (g Sites) BySlug(ctx context.Context, slug string) (otl.Site, error) {
	var s otl.Site
	err := g.one(ctx, `SELECT `+siteColumns+` FROM sites s WHERE s.slug = $1 AND s.deleted_at IS NULL`, []any{slug}, siteDest(&s)...)
	return s, err
}

// List gives partner sites after the given id, oldest first, without their
// callback URLs.
func (g Sites) List(ctx context.Context, after string, limit int) ([]otl.Site, error) {
	return all(ctx, g.group, `SELECT `+siteColumns+` FROM sites s
		WHERE s.id > $1 AND s.deleted_at IS NULL AND NOT s.first_party ORDER BY s.id LIMIT $2`,
		[]any{after, limit}, siteDest)
}

// OwnedBy gives the partner sites of the businesses a person owns, after the
// given id, oldest first, without their callback URLs.
func (g Sites) OwnedBy(ctx context.Context, userID, after string, limit int) ([]otl.Site, error) {
	return all(ctx, g.group, `SELECT `+siteColumns+` FROM sites s
		JOIN business_members m ON m.business_id = s.business_id AND m.role = 'owner'
		WHERE m.user_id = $1 AND s.id > $2 AND s.deleted_at IS NULL AND NOT s.first_party
		ORDER BY s.id LIMIT $3`, []any{userID, after, limit}, siteDest)
}

// Owned gives one partner site of the businesses a person owns, without its
// callback URLs and origins; one that is deleted only where deleted is true.
func (g Sites) Owned(ctx context.Context, userID, id string, deleted bool) (otl.Site, error) {
	var s otl.Site
	err := g.one(ctx, `SELECT `+siteColumns+` FROM sites s
		JOIN business_members m ON m.business_id = s.business_id AND m.role = 'owner'
		WHERE m.user_id = $1 AND s.id = $2 AND (s.deleted_at IS NOT NULL) = $3 AND NOT s.first_party`,
		[]any{userID, id, deleted}, siteDest(&s)...)
	return s, err
}

// Update writes a site, but not its callback URLs and origins, if it still has
// the version it was read with, and reports whether it had.
func (g Sites) Update(ctx context.Context, s otl.Site) (bool, error) {
	g.changes.site()
	n, err := g.exec(ctx, `UPDATE sites SET name = $1, domain = $2, region = $3, requested = $4, updated_at = $5, mfa = $6, mfa_roles = $7, required = $8, trust_days = $9, ways_off = $10,
		version = version + 1 WHERE id = $11 AND version = $12 AND deleted_at IS NULL`,
		s.Name, s.Domain, s.Region, s.Requested.String(), millis(s.UpdatedAt), string(s.MFA), strings.Join(s.MFARoles, " "), s.Required.String(), s.TrustDays, s.Off.String(), s.ID, s.Version)
	return n == 1, err
}

// Touch notes that something a site has several of has changed.
func (g Sites) Touch(ctx context.Context, id string, now time.Time) error {
	g.changes.site()
	_, err := g.exec(ctx, `UPDATE sites SET version = version + 1, updated_at = $1 WHERE id = $2`, millis(now), id)
	return err
}

// Delete turns a site off, held where its owner is not to turn it on again, and reports whether
// it was on: from the commit on nobody finds it, its keys or its sessions.
func (g Sites) Delete(ctx context.Context, id string, held bool, now time.Time) (bool, error) {
	g.changes.site()
	n, err := g.exec(ctx, `UPDATE sites SET deleted_at = $1, held = $2, updated_at = $1, version = version + 1 WHERE id = $3 AND deleted_at IS NULL`, millis(now), held, id)
	return n == 1, err
}

// Held reports whether a site is off and its owner is not to turn it on again.
func (g Sites) Held(ctx context.Context, id string) (held bool, err error) {
	err = g.one(ctx, `SELECT held FROM sites WHERE id = $1`, []any{id}, &held)
	return held, err
}

// Hold keeps the owner of a site that was deleted after since from turning it on again, and gives when
// it was deleted; ErrNotFound where there is none that he could.
func (g Sites) Hold(ctx context.Context, id string, since, now time.Time) (deleted time.Time, err error) {
	g.changes.site()
	err = g.one(ctx, `UPDATE sites SET held = true, updated_at = $1, version = version + 1 WHERE id = $2 AND deleted_at > $3 AND NOT held RETURNING deleted_at`,
		[]any{millis(now), id, millis(since)}, at(&deleted))
	return deleted, err
}

// Off gives sites that were turned off after since, oldest first, without their callback URLs and
// origins: those after an id, or the one of an id; of the businesses a person owns, or all of
// them for owner "".
func (g Sites) Off(ctx context.Context, owner, id, after string, since time.Time, limit int) ([]otl.OffSite, error) {
	return all(ctx, g.group, `SELECT `+siteColumns+`, s.held FROM sites s
		WHERE s.deleted_at > $1 AND s.id > $2 AND ($3 = '' OR s.id = $3) AND NOT s.first_party
		AND ($4 = '' OR s.business_id IN (SELECT m.business_id FROM business_members m WHERE m.user_id = $4 AND m.role = 'owner')) ORDER BY s.id LIMIT $5`,
		[]any{millis(since), after, id, owner, limit}, func(s *otl.OffSite) []any { return append(siteDest(&s.Site), &s.Held) })
}

// Restore turns a site on again that was deleted after since, one that is held only where held is
// true, and reports whether there was one.
func (g Sites) Restore(ctx context.Context, id string, held bool, since, now time.Time) (bool, error) {
	g.changes.site()
	n, err := g.exec(ctx, `UPDATE sites SET deleted_at = NULL, held = false, updated_at = $1, version = version + 1 WHERE id = $2 AND deleted_at > $3 AND (NOT held OR $4)`,
		millis(now), id, millis(since), held)
	return n == 1, err
}

// Purge removes sites that were deleted before a time, with everything that is
// theirs; at most limit of them. It gives their ids.
func (g Sites) Purge(ctx context.Context, before time.Time, limit int) ([]string, error) {
	g.changes.site()
	return all(ctx, g.group, `DELETE FROM sites WHERE id IN (SELECT id FROM sites WHERE deleted_at <= $1 LIMIT $2) RETURNING id`, []any{millis(before), limit},
		func(s *string) []any { return []any{s} })
}

// PulledAt gives when a site last read what it is told of, exact to an hour.
func (g Sites) PulledAt(ctx context.Context, id string) (last time.Time, err error) {
	err = g.one(ctx, `SELECT pulled_at FROM sites WHERE id = $1`, []any{id}, at(&last))
	return last, err
}

// Pulled notes that it does.
func (g Sites) Pulled(ctx context.Context, id string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE sites SET pulled_at = $1 WHERE id = $2`, millis(now), id)
	return err
}

// Pulling gives the sites that read what they are told of after a time.
func (g Sites) Pulling(ctx context.Context, since time.Time) ([]string, error) {
	return all(ctx, g.group, `SELECT id FROM sites WHERE pulled_at IS NOT NULL AND pulled_at > $1 AND deleted_at IS NULL ORDER BY pulled_at`, []any{millis(since)},
		func(s *string) []any { return []any{s} })
}

// Callbacks gives the callback URLs of a site in the order they were added.
func (g Sites) Callbacks(ctx context.Context, siteID string) ([]string, error) {
	return all(ctx, g.group, `SELECT url FROM callback_urls WHERE site_id = $1 ORDER BY created_at, url`, []any{siteID},
		func(s *string) []any { return []any{s} })
}

// AddCallback registers a callback URL; twice is once. It reports whether it
// was new.
func (g Sites) AddCallback(ctx context.Context, siteID, url string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO callback_urls (site_id, url, created_at) VALUES ($1, $2, $3)
		ON CONFLICT (site_id, url) DO NOTHING`, siteID, url, millis(now))
	return n == 1, err
}

// RemoveCallback unregisters a callback URL and reports whether it was there.
func (g Sites) RemoveCallback(ctx context.Context, siteID, url string) (bool, error) {
	n, err := g.exec(ctx, `DELETE FROM callback_urls WHERE site_id = $1 AND url = $2`, siteID, url)
	return n == 1, err
}

// SiteKeys is the group of statements about site keys.
type SiteKeys struct{ group }

const siteKeyColumns = `k.id, k.site_id, k.name, k.prefix, k.scopes, k.created_at, k.last_used_at, k.expires_at, k.made_until, k.revoked_at`

func siteKeyDest(k *otl.SiteKey) []any {
	return []any{
		&k.ID, &k.SiteID, &k.Name, &k.Prefix, words(&k.Scopes, storedScopes), at(&k.CreatedAt),
		at(&k.LastUsedAt), at(&k.ExpiresAt), at(&k.MadeUntil), at(&k.RevokedAt),
	}
}

func storedScopes(s string) otl.Scopes {
	var out otl.Scopes
	for _, sc := range otl.AllScopes() {
		if wordIn(s, string(sc)) {
			out = append(out, sc)
		}
	}
	return out
}

// Insert adds a key, known by its digest only, and reports whether it did:
// false means that this very key is stored already.
func (g SiteKeys) Insert(ctx context.Context, k otl.SiteKey, digest []byte) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO site_keys (id, site_id, key_hash, name, prefix, scopes, created_at, expires_at, made_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (key_hash) DO NOTHING`,
		k.ID, k.SiteID, digest, k.Name, k.Prefix, k.Scopes.String(), millis(k.CreatedAt), millis(k.ExpiresAt))
	return n == 1, err
}

// ByDigest gives a key, whether or not it is live, with its site.
func (g SiteKeys) ByDigest(ctx context.Context, digest []byte) (otl.SiteKey, otl.Site, error) {
	var k otl.SiteKey
	var s otl.Site
	err := g.one(ctx, `SELECT `+siteKeyColumns+`, `+siteColumns+` FROM site_keys k
		JOIN sites s ON s.id = k.site_id
		WHERE k.key_hash = $1 AND s.deleted_at IS NULL`, []any{digest}, append(siteKeyDest(&k), siteDest(&s)...)...)
	return k, s, err
}

// OfSite gives the keys of a site that are not revoked, oldest first.
func (g SiteKeys) OfSite(ctx context.Context, siteID string) ([]otl.SiteKey, error) {
	return all(ctx, g.group, `SELECT `+siteKeyColumns+` FROM site_keys k
		WHERE k.site_id = $1 AND k.revoked_at IS NULL ORDER BY k.id`, []any{siteID}, siteKeyDest)
}

// ByID gives one key of a site that is not revoked.
func (g SiteKeys) ByID(ctx context.Context, siteID, id string) (otl.SiteKey, error) {
	var k otl.SiteKey
	err := g.one(ctx, `SELECT `+siteKeyColumns+` FROM site_keys k
		WHERE k.id = $1 AND k.site_id = $2 AND k.revoked_at IS NULL`, []any{id, siteID}, siteKeyDest(&k)...)
	return k, err
}

// Expire lets a key of a site end at the given time, unless it ends sooner.
func (g SiteKeys) Expire(ctx context.Context, siteID, id string, at time.Time) error {
	g.changes.site()
	_, err := g.exec(ctx, `UPDATE site_keys SET expires_at = $1
		WHERE id = $2 AND site_id = $3 AND (expires_at IS NULL OR expires_at > $1)`, millis(at), id, siteID)
	return err
}

// Revoke ends a key of a site at once and reports whether it was live.
func (g SiteKeys) Revoke(ctx context.Context, siteID, id string, now time.Time) (bool, error) {
	g.changes.site()
	n, err := g.exec(ctx, `UPDATE site_keys SET revoked_at = $1 WHERE id = $2 AND site_id = $3 AND revoked_at IS NULL`,
		millis(now), id, siteID)
	return n == 1, err
}

// Used records when a key was last used.
func (g SiteKeys) Used(ctx context.Context, id string, at time.Time) error {
	g.changes.site()
	_, err := g.exec(ctx, `UPDATE site_keys SET last_used_at = $1 WHERE id = $2`, millis(at), id)
	return err
}
