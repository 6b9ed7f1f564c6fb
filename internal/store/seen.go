package store

import (
	"context"
	"time"
)

// SeenTokens is the group of statements about signed tokens that others made, each of
// which is good once: assertions of clients (RFC 7523) and proofs of keys (RFC 9449).
type SeenTokens struct{ group }

// First notes that a token was used which nobody would take after a time, and reports
// whether it was for the first time: of any number of calls at once one reports true
// (MN-01).
func (g SeenTokens) First(ctx context.Context, digest []byte, until time.Time) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO seen_tokens (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`, digest, millis(until))
	return n == 1, err
}

// Prune deletes at most limit of those that nobody would take any more.
func (g SeenTokens) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM seen_tokens WHERE digest IN (SELECT digest FROM seen_tokens WHERE expires_at < $1 LIMIT $2)`, millis(before), limit)
}
