package installation

import (
	"context"
	"fmt"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

const (
	// purposeAccess marks the keys of native access tokens. A key signs for one
	// purpose (SE-08).
	purposeAccess = "access"
	// JWKSMaxAge is how long verifiers may keep the public keys.
	JWKSMaxAge = 5 * time.Minute
	// lead is how long a new key is published before it signs, so that every
	// verifier that honours JWKSMaxAge knows it in time (SE-16).
	lead = time.Hour
	// overlap is how long a key goes on verifying after the last token it signed
	// has expired.
	overlap = 24 * time.Hour
)

func keyPlace(id string) string { return "signing_keys|" + id + "|private" }

// SigningKey is one signing key with the times it serves.
type SigningKey struct {
	ID          string
	Algorithm   token.Algorithm
	CreatedAt   time.Time
	SignFrom    time.Time
	SignUntil   time.Time // zero for the newest key
	VerifyUntil time.Time // zero for the newest key
	RevokedAt   time.Time
	stored      store.SigningKey
}

// SigningKeys gives every key in the order they sign.
func (in *Installation) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	rows, err := in.Store.Read.SigningKeys.All(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]SigningKey, 0, len(rows))
	for i, k := range rows {
		key := SigningKey{
			ID: k.ID, Algorithm: token.Algorithm(k.Algorithm), CreatedAt: k.CreatedAt, SignFrom: k.SignFrom,
			RevokedAt: k.RevokedAt, stored: k,
		}
		if i+1 < len(rows) {
			key.SignUntil = rows[i+1].SignFrom
			key.VerifyUntil = key.SignUntil.Add(in.AccessTTL + overlap)
		}
		out = append(out, key)
	}
	return out, nil
}

// Maintain makes the next signing key when it is due, deletes keys that nothing
// can refer to any more, and loads what has changed. It is cheap when nothing is
// due, safe to run on several nodes at once, and meant to run every second by
// one goroutine. Beside the servers (Options.Serve is false) it loads, and makes a
// new database its first key.
func (in *Installation) Maintain(ctx context.Context) error {
	state, err := in.Store.Read.SigningKeys.State(ctx)
	if err != nil {
		return err
	}
	if state != in.state {
		if err := in.load(ctx); err != nil {
			return err
		}
		in.state = state
	}
	if !in.Serve && len(in.keys) > 0 {
		return nil
	}
	changed, err := in.rotateIfDue(ctx, in.keys)
	if err != nil {
		return err
	}
	for _, k := range in.keys {
		if k.VerifyUntil.IsZero() || !in.Now().After(k.VerifyUntil) {
			continue
		}
		changed = true
		if err := in.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return tx.SigningKeys.Delete(ctx, k.ID)
		}); err != nil {
			return err
		}
	}
	if changed {
		return in.load(ctx)
	}
	return nil
}

// rotateIfDue publishes the next key one lead before the current one has signed
// for its time, and at once when the configured algorithm has changed or no
// usable key is left.
func (in *Installation) rotateIfDue(ctx context.Context, keys []SigningKey) (bool, error) {
	now := in.Now()
	if len(keys) == 0 {
		return true, in.add(ctx, 1, now)
	}
	newest := keys[len(keys)-1]
	due := newest.SignFrom.Add(in.Rotation)
	switch {
	case !newest.RevokedAt.IsZero():
		return true, in.add(ctx, newest.stored.Sequence+1, now)
	case newest.Algorithm != in.Algorithm:
		return true, in.add(ctx, newest.stored.Sequence+1, later(now, newest.SignFrom).Add(lead))
	case !now.Before(due.Add(-lead)):
		return true, in.add(ctx, newest.stored.Sequence+1, later(due, now.Add(lead)))
	}
	return false, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Rotate makes a new signing key that signs after the usual lead, or at once.
// With revoke every older key stops verifying in the same moment: each access
// token signed by them is void and its holder must refresh.
func (in *Installation) Rotate(ctx context.Context, atOnce, revoke bool) error {
	keys, err := in.SigningKeys(ctx)
	if err != nil {
		return err
	}
	now := in.Now()
	from := now.Add(lead)
	if atOnce || revoke {
		from = now
	}
	sequence := 1
	if len(keys) > 0 {
		newest := keys[len(keys)-1]
		sequence = newest.stored.Sequence + 1
		if !revoke {
			from = later(from, newest.SignFrom)
		}
	}
	if revoke {
		if err := in.revokeAll(ctx, keys); err != nil {
			return err
		}
	}
	if err := in.add(ctx, sequence, from); err != nil {
		return err
	}
	return in.load(ctx)
}

func (in *Installation) revokeAll(ctx context.Context, keys []SigningKey) error {
	return in.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, k := range keys {
			if err := tx.SigningKeys.Revoke(ctx, k.ID, in.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// add makes and stores the key of one sequence number. When another node was
// first, its key stands and ours is forgotten.
func (in *Installation) add(ctx context.Context, sequence int, signFrom time.Time) error {
	private, err := token.Generate(in.Algorithm)
	if err != nil {
		return err
	}
	der, err := token.MarshalPrivate(private)
	if err != nil {
		return err
	}
	now := in.Now()
	key := token.Key{ID: secret.NewID(now), Algorithm: in.Algorithm, Private: private}
	public, err := key.PublicJSON()
	if err != nil {
		return err
	}
	row := store.SigningKey{
		ID: key.ID, Purpose: purposeAccess, Sequence: sequence, Algorithm: string(in.Algorithm),
		Public: public, Private: in.Master.Seal(der, keyPlace(key.ID)), CreatedAt: now, SignFrom: signFrom,
	}
	return in.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.SigningKeys.Insert(ctx, row)
		if err != nil || !first {
			return err
		}
		return tx.Events.Append(ctx, otl.Event{
			ID: "evt_" + secret.NewID(now), Type: otl.EventKeyRotated, CreatedAt: now,
			Data: map[string]string{"key_id": key.ID, "algorithm": string(in.Algorithm)},
		})
	})
}

// load hands every key that is not revoked to the ring.
func (in *Installation) load(ctx context.Context) error {
	keys, err := in.SigningKeys(ctx)
	if err != nil {
		return err
	}
	var ring []token.Key
	for _, k := range keys {
		if !k.RevokedAt.IsZero() {
			continue
		}
		der, err := in.Master.Open(k.stored.Private, keyPlace(k.ID))
		if err != nil {
			return fmt.Errorf("signing key %s: %w", k.ID, err)
		}
		private, err := token.ParsePrivate(der)
		if err != nil {
			return fmt.Errorf("signing key %s: %w", k.ID, err)
		}
		ring = append(ring, token.Key{ID: k.ID, Algorithm: k.Algorithm, Private: private, SignFrom: k.SignFrom, VerifyUntil: k.VerifyUntil})
	}
	in.keys = keys
	return in.Ring.Load(ring)
}
