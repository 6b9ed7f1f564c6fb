package store

import (
	"context"
	"time"
)

// Installation is the group of statements about the installation itself.
type Installation struct{ group }

// InstallationRow is what an installation knows of itself.
type InstallationRow struct {
	KeyCheck   []byte // a constant sealed under the master key
	SubjectKey []byte // what pairwise ids are made with, sealed; empty until it is made
	SiteID     string // of the first-party site
	CreatedAt  time.Time
}

// Get gives the row, or ErrNotFound in a new database.
func (g Installation) Get(ctx context.Context) (InstallationRow, error) {
	var r InstallationRow
	err := g.one(ctx, `SELECT key_check, subject_key, site_id, created_at FROM installation WHERE id = 1`, nil,
		&r.KeyCheck, &r.SubjectKey, &r.SiteID, at(&r.CreatedAt))
	return r, err
}

// Insert writes the row and reports whether it did: false means that another
// node was first.
func (g Installation) Insert(ctx context.Context, r InstallationRow) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO installation (id, key_check, site_id, created_at) VALUES (1, $1, $2, $3)
		ON CONFLICT (id) DO NOTHING`, r.KeyCheck, r.SiteID, millis(r.CreatedAt))
	return n == 1, err
}

// AddSubjectKey writes what pairwise ids are made with, if there is nothing yet.
func (g Installation) AddSubjectKey(ctx context.Context, sealed []byte) error {
	_, err := g.exec(ctx, `UPDATE installation SET subject_key = $1 WHERE id = 1 AND subject_key IS NULL`, sealed)
	return err
}

// Seal replaces what is sealed after a change of the master key, and reports whether the proof was
// still what was read: false means that another node was first.
func (g Installation) Seal(ctx context.Context, was, keyCheck, subjectKey []byte) (bool, error) {
	n, err := g.exec(ctx, `UPDATE installation SET key_check = $1, subject_key = $2 WHERE id = 1 AND key_check = $3`, keyCheck, subjectKey, was)
	return n == 1, err
}

// SigningKeys is the group of statements about the keys tokens are signed with.
type SigningKeys struct{ group }

// SigningKey is one stored key pair; the private half is sealed.
type SigningKey struct {
	ID        string // the kid
	Purpose   string // a key signs for one purpose only (SE-08)
	Sequence  int    // 1, 2, 3 … in the order they sign
	Algorithm string
	Public    string // JWK as JSON
	Private   []byte // sealed PKCS #8
	CreatedAt time.Time
	SignFrom  time.Time
	RevokedAt time.Time
}

// Insert adds a key and reports whether it did: false means that another node
// has made the key of that sequence.
func (g SigningKeys) Insert(ctx context.Context, k SigningKey) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO signing_keys (id, purpose, sequence, algorithm, public, private, created_at, sign_from)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (purpose, sequence) DO NOTHING`,
		k.ID, k.Purpose, k.Sequence, k.Algorithm, k.Public, k.Private, millis(k.CreatedAt), millis(k.SignFrom))
	return n == 1, err
}

// All gives every key of a purpose, or of all for "", in the order of purpose and
// sequence.
func (g SigningKeys) All(ctx context.Context, purpose string) ([]SigningKey, error) {
	return all(ctx, g.group, `SELECT id, purpose, sequence, algorithm, public, private, created_at, sign_from, revoked_at
		FROM signing_keys WHERE $1 = '' OR purpose = $1 ORDER BY purpose, sequence`, []any{purpose}, func(k *SigningKey) []any {
		return []any{
			&k.ID, &k.Purpose, &k.Sequence, &k.Algorithm, &k.Public, &k.Private, at(&k.CreatedAt),
			at(&k.SignFrom), at(&k.RevokedAt),
		}
	})
}

// State gives a number that changes whenever a key is added, revoked or
// deleted.
func (g SigningKeys) State(ctx context.Context) (string, error) {
	var state string
	err := g.one(ctx, `SELECT CAST(count(*) AS text) || '.' || CAST(COALESCE(max(sequence), 0) AS text) || '.' ||
		CAST(count(revoked_at) AS text) || '.' || CAST(COALESCE(sum(sign_from), 0) AS text) FROM signing_keys`, nil, &state)
	return state, err
}

// Seal replaces the sealed private half of a key after a change of the master
// key.
func (g SigningKeys) Seal(ctx context.Context, id string, private []byte) error {
	_, err := g.exec(ctx, `UPDATE signing_keys SET private = $1 WHERE id = $2`, private, id)
	return err
}

// Revoke makes a key worthless at once, for signing and for verifying, and reports whether it was
// of worth.
func (g SigningKeys) Revoke(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE signing_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL`, millis(now), id)
	return n == 1, err
}

// Delete removes a key nothing refers to any more.
func (g SigningKeys) Delete(ctx context.Context, id string) error {
	_, err := g.exec(ctx, `DELETE FROM signing_keys WHERE id = $1`, id)
	return err
}
