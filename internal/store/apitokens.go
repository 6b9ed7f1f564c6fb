package store

import (
	"context"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// APITokens is the group of statements about the tokens of the OneLogin wire.
type APITokens struct{ group }

const apiTokenColumns = `t.id, t.client_id, t.created_at, t.expires_at, t.refresh_by, t.revoked_at`

func apiTokenDest(t *otl.APIToken) []any {
	return []any{&t.ID, &t.ClientID, at(&t.CreatedAt), at(&t.ExpiresAt), at(&t.RefreshBy), at(&t.RevokedAt)}
}

// Insert adds a pair of tokens, known by their digests.
func (g APITokens) Insert(ctx context.Context, t otl.APIToken, access, refresh []byte) error {
	_, err := g.exec(ctx, `INSERT INTO api_tokens (id, client_id, access, refresh, created_at, expires_at, refresh_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.ID, t.ClientID, access, refresh, millis(t.CreatedAt), millis(t.ExpiresAt), millis(t.RefreshBy))
	return err
}

// Caller is who calls with a token of the OneLogin wire: a client, of a site.
type Caller struct {
	Client otl.Client
	Site   otl.Site
	Until  time.Time // when the token expires
}

// ByAccess gives who may call with a token at the given time, or ErrNotFound.
func (g APITokens) ByAccess(ctx context.Context, access []byte, now time.Time) (c Caller, err error) {
	err = g.one(ctx, `SELECT t.expires_at, `+clientColumns+`, `+siteColumns+` FROM api_tokens t
		JOIN clients c ON c.id = t.client_id JOIN sites s ON s.id = c.site_id
		WHERE t.access = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 AND c.revoked_at IS NULL AND s.deleted_at IS NULL`,
		[]any{access, millis(now)}, slices.Concat([]any{at(&c.Until)}, clientDest(&c.Client), siteDest(&c.Site))...)
	return c, err
}

// Newest gives the latest pair of a client that can be called with at the given
// time, with the digest of the token to call with, or ErrNotFound.
func (g APITokens) Newest(ctx context.Context, clientID string, now time.Time) (t otl.APIToken, access []byte, err error) {
	err = g.one(ctx, `SELECT `+apiTokenColumns+`, t.access FROM api_tokens t
		WHERE t.client_id = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 ORDER BY t.id DESC LIMIT 1`,
		[]any{clientID, millis(now)}, append(apiTokenDest(&t), &access)...)
	return t, access, err
}

// Exchange uses a pair up and gives the id of its client, or ErrNotFound: of any
// number of calls with one pair exactly one succeeds.
func (g APITokens) Exchange(ctx context.Context, access, refresh []byte, now time.Time) (clientID string, err error) {
	g.changes.clients()
	err = g.one(ctx, `UPDATE api_tokens SET revoked_at = $1
		WHERE access = $2 AND refresh = $3 AND revoked_at IS NULL AND refresh_by > $1 RETURNING client_id`,
		[]any{millis(now), access, refresh}, &clientID)
	return clientID, err
}

// Revoke ends the pair a client calls with a token of, if there is one.
func (g APITokens) Revoke(ctx context.Context, clientID string, access []byte, now time.Time) error {
	g.changes.clients()
	_, err := g.exec(ctx, `UPDATE api_tokens SET revoked_at = $1 WHERE access = $2 AND client_id = $3 AND revoked_at IS NULL`,
		millis(now), access, clientID)
	return err
}

// RevokeAll ends every pair of a client.
func (g APITokens) RevokeAll(ctx context.Context, clientID string, now time.Time) error {
	g.changes.clients()
	_, err := g.exec(ctx, `UPDATE api_tokens SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL`, millis(now), clientID)
	return err
}

// Prune deletes pairs that are of no use since before, at most limit of them, and
// says how many.
func (g APITokens) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM api_tokens WHERE id IN (SELECT id FROM api_tokens WHERE refresh_by < $1 LIMIT $2)`, millis(before), limit)
}
