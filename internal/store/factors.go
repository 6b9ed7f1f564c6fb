package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Factors is the group of statements about people's second factors. Recovery codes
// and trusted devices are tickets.
type Factors struct{ group }

const factorColumns = `id, user_id, kind, label, target, is_default, last_step, created_at, COALESCE(confirm_by, created_at + 900000), confirmed_at, last_used_at`

func factorDest(f *otl.Factor) []any {
	return []any{
		&f.ID, &f.UserID, &f.Kind, &f.Label, &f.Target, &f.Default, &f.LastStep, at(&f.CreatedAt), at(&f.ConfirmBy), at(&f.ConfirmedAt), at(&f.LastUsedAt),
	}
}

// Insert adds a factor with what is sealed of it, nil for nothing.
func (g Factors) Insert(ctx context.Context, f otl.Factor, sealed []byte) error {
	_, err := g.exec(ctx, `INSERT INTO factors (id, user_id, kind, label, target, sealed, is_default, last_step, created_at, confirm_by, confirmed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		f.ID, f.UserID, string(f.Kind), f.Label, f.Target, orNone(sealed), f.Default, f.LastStep, millis(f.CreatedAt), millis(f.ConfirmBy), millis(f.ConfirmedAt))
	return err
}

// Of gives the confirmed factors of a person, the default first, then the oldest, and
// what stands in for the others last.
func (g Factors) Of(ctx context.Context, userID string) ([]otl.Factor, error) {
	return all(ctx, g.group, `SELECT `+factorColumns+` FROM factors WHERE user_id = $1 AND confirmed_at IS NOT NULL
		ORDER BY is_default DESC, kind = 'recovery_code', id`, []any{userID}, factorDest)
}

// First gives the confirmed factor of a kind that comes first in Of, with what is sealed of it.
func (g Factors) First(ctx context.Context, userID string, kind otl.FactorKind) (otl.Factor, []byte, error) {
	var f otl.Factor
	var sealed []byte
	err := g.one(ctx, `SELECT `+factorColumns+`, sealed FROM factors WHERE user_id = $1 AND kind = $2 AND confirmed_at IS NOT NULL
		ORDER BY is_default DESC, id LIMIT 1`, []any{userID, string(kind)}, append(factorDest(&f), &sealed)...)
	return f, sealed, err
}

// ByID gives one factor of a person, confirmed or not, with what is sealed of it.
func (g Factors) ByID(ctx context.Context, userID, id string) (otl.Factor, []byte, error) {
	var f otl.Factor
	var sealed []byte
	err := g.one(ctx, `SELECT `+factorColumns+`, sealed FROM factors WHERE id = $1 AND user_id = $2`,
		[]any{id, userID}, append(factorDest(&f), &sealed)...)
	return f, sealed, err
}

// Accept notes that a confirmed factor was used, with a code of the given time step
// (0 for a kind without), and reports whether it was the first with this step or a
// later one: of any number of calls with one code exactly one is (MF-01).
func (g Factors) Accept(ctx context.Context, id string, step int64, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE factors SET last_used_at = $1, last_step = $2
		WHERE id = $3 AND confirmed_at IS NOT NULL AND (last_step < $2 OR $2 = 0)`, millis(now), step, id)
	return n == 1, err
}

// Confirm notes that a person has shown that he has a factor, with a code of the
// given time step, and reports whether it was not confirmed before.
func (g Factors) Confirm(ctx context.Context, id string, step int64, isDefault bool, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE factors SET confirmed_at = $1, last_step = $2, is_default = $3
		WHERE id = $4 AND confirmed_at IS NULL`, millis(now), step, isDefault, id)
	return n == 1, err
}

// Seal replaces what is sealed of a factor.
func (g Factors) Seal(ctx context.Context, id string, sealed []byte) error {
	_, err := g.exec(ctx, `UPDATE factors SET sealed = $1 WHERE id = $2`, sealed, id)
	return err
}

// SealedFactor is what is sealed of a factor, and what it is bound to.
type SealedFactor struct {
	ID, UserID string
	Kind       otl.FactorKind
	Sealed     []byte
}

// Sealed gives factors of which something is sealed, behind an id, in the order of ids.
func (g Factors) Sealed(ctx context.Context, after string, limit int) ([]SealedFactor, error) {
	return all(ctx, g.group, `SELECT id, user_id, kind, sealed FROM factors WHERE id > $1 AND sealed IS NOT NULL ORDER BY id LIMIT $2`,
		[]any{after, limit}, func(f *SealedFactor) []any { return []any{&f.ID, &f.UserID, &f.Kind, &f.Sealed} })
}

// Reseal replaces what is sealed of a factor if it is still what was read.
func (g Factors) Reseal(ctx context.Context, id string, was, sealed []byte) error {
	_, err := g.exec(ctx, `UPDATE factors SET sealed = $1 WHERE id = $2 AND sealed = $3`, sealed, id, was)
	return err
}

// Rename gives a factor of a person another label.
func (g Factors) Rename(ctx context.Context, userID, id, label string) error {
	_, err := g.exec(ctx, `UPDATE factors SET label = $1 WHERE id = $2 AND user_id = $3`, label, id, userID)
	return err
}

// Prefer makes one confirmed factor of a person the default and all others not.
func (g Factors) Prefer(ctx context.Context, userID, id string) error {
	_, err := g.exec(ctx, `UPDATE factors SET is_default = (id = $1) WHERE user_id = $2 AND confirmed_at IS NOT NULL`, id, userID)
	return err
}

// Delete removes a factor of a person and reports whether he had it.
func (g Factors) Delete(ctx context.Context, userID, id string) (bool, error) {
	n, err := g.exec(ctx, `DELETE FROM factors WHERE id = $1 AND user_id = $2`, id, userID)
	return n == 1, err
}

// DeletePending removes what a person began to set up of one kind and did not finish.
func (g Factors) DeletePending(ctx context.Context, userID string, kind otl.FactorKind) error {
	_, err := g.exec(ctx, `DELETE FROM factors WHERE user_id = $1 AND kind = $2 AND confirmed_at IS NULL`, userID, string(kind))
	return err
}

// DeleteAll removes every factor of a person.
func (g Factors) DeleteAll(ctx context.Context, userID string) error {
	_, err := g.exec(ctx, `DELETE FROM factors WHERE user_id = $1`, userID)
	return err
}
