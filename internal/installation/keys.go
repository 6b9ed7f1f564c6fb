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
	// The purposes of keys: native access tokens, and the tokens of OpenID clients, by
	// their algorithm. A key signs for one purpose (SE-08).
	purposeAccess   = "access"
	purposeIdentity = "identity"
	purposeES256    = "identity_es256"
	// identityTTL is how long a token of an OpenID client lives (contract 3.7).
	identityTTL = time.Hour
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

// keychain is the keys of one purpose. Access tokens are signed as configured,
// those of OpenID clients with RS256, which is what their libraries read (decision
// D5), or with ES256 where a client wants that.
type keychain struct {
	*Installation
	purpose   string
	algorithm token.Algorithm
	ttl       time.Duration // how long a token lives at most
	ring      *token.Ring
	keys      []SigningKey // as they were when they were last loaded
}

// SigningKey is one signing key with the times it serves.
type SigningKey struct {
	ID          string
	Purpose     string // "access", "identity" or "identity_es256"
	Algorithm   token.Algorithm
	CreatedAt   time.Time
	SignFrom    time.Time
	SignUntil   time.Time // zero for the newest key
	VerifyUntil time.Time // zero for the newest key
	RevokedAt   time.Time
	stored      store.SigningKey
}

// SigningKeys gives every key, by purpose and in the order they sign.
func (in *Installation) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	var all []SigningKey
	for _, c := range in.chains {
		keys, err := c.read(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
	}
	return all, nil
}

func (c *keychain) read(ctx context.Context) ([]SigningKey, error) {
	rows, err := c.Store.Read.SigningKeys.All(ctx, c.purpose)
	if err != nil {
		return nil, err
	}
	out := make([]SigningKey, 0, len(rows))
	for i, k := range rows {
		key := SigningKey{
			ID: k.ID, Purpose: k.Purpose, Algorithm: token.Algorithm(k.Algorithm), CreatedAt: k.CreatedAt, SignFrom: k.SignFrom,
			RevokedAt: k.RevokedAt, stored: k,
		}
		if i+1 < len(rows) {
			key.SignUntil = rows[i+1].SignFrom
			key.VerifyUntil = key.SignUntil.Add(c.ttl + overlap)
		}
		out = append(out, key)
	}
	return out, nil
}

// Maintain makes the next signing keys when they are due, deletes keys that
// nothing can refer to any more, and loads what has changed. It is cheap when
// nothing is due, safe to run on several nodes at once, and meant to run every
// second by one goroutine. Beside the servers (Options.Serve is false) it only
// loads.
func (in *Installation) Maintain(ctx context.Context) error {
	if err := in.refresh(ctx); err != nil || !in.Serve {
		return err
	}
	for _, c := range in.chains {
		if err := c.maintain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// refresh loads the keys if any have changed.
func (in *Installation) refresh(ctx context.Context) error {
	state, err := in.Store.Read.SigningKeys.State(ctx)
	if err != nil || state == in.state {
		return err
	}
	for _, c := range in.chains {
		if err := c.load(ctx); err != nil {
			return err
		}
	}
	in.state = state
	return nil
}

func (c *keychain) maintain(ctx context.Context) error {
	changed, err := c.rotateIfDue(ctx, c.keys)
	if err != nil {
		return err
	}
	for _, k := range c.keys {
		if k.VerifyUntil.IsZero() || !c.Now().After(k.VerifyUntil) {
			continue
		}
		changed = true
		if err := c.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return tx.SigningKeys.Delete(ctx, k.ID)
		}); err != nil {
			return err
		}
	}
	if changed {
		return c.load(ctx)
	}
	return nil
}

// rotateIfDue publishes the next key one lead before the current one has signed
// for its time, and at once when the configured algorithm has changed or no
// usable key is left.
func (c *keychain) rotateIfDue(ctx context.Context, keys []SigningKey) (bool, error) {
	now := c.Now()
	if len(keys) == 0 {
		return true, c.add(ctx, 1, now)
	}
	newest := keys[len(keys)-1]
	due := newest.SignFrom.Add(c.Rotation)
	switch {
	case !newest.RevokedAt.IsZero():
		return true, c.add(ctx, newest.stored.Sequence+1, now)
	case newest.Algorithm != c.algorithm:
		return true, c.add(ctx, newest.stored.Sequence+1, later(now, newest.SignFrom).Add(lead))
	case !now.Before(due.Add(-lead)):
		return true, c.add(ctx, newest.stored.Sequence+1, later(due, now.Add(lead)))
	}
	return false, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Rotate makes new signing keys that sign after the usual lead, or at once. With
// revoke every older key stops verifying in the same moment: each access token
// signed by them is void and its holder must refresh.
func (in *Installation) Rotate(ctx context.Context, atOnce, revoke bool) error {
	for _, c := range in.chains {
		if err := c.rotate(ctx, atOnce, revoke); err != nil {
			return err
		}
	}
	return nil
}

func (c *keychain) rotate(ctx context.Context, atOnce, revoke bool) error {
	keys, err := c.read(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return nil // a server makes the first one when it starts
	}
	now, newest := c.Now(), keys[len(keys)-1]
	from := now
	if !atOnce && !revoke {
		from = now.Add(lead)
	}
	if !revoke {
		from = later(from, newest.SignFrom)
	}
	if revoke {
		if err := c.revokeAll(ctx, keys); err != nil {
			return err
		}
	}
	if err := c.add(ctx, newest.stored.Sequence+1, from); err != nil {
		return err
	}
	return c.load(ctx)
}

func (c *keychain) revokeAll(ctx context.Context, keys []SigningKey) error {
	return c.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, k := range keys {
			now := c.Now()
			was, err := tx.SigningKeys.Revoke(ctx, k.ID, now)
			if err != nil {
				return err
			}
			if !was {
				continue
			}
			if err := tx.Events.Append(ctx, keyEvent(otl.EventKeyRevoked, k.ID, k.Algorithm, now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// add makes and stores the key of one sequence number. When another node was
// first, its key stands and ours is forgotten.
func (c *keychain) add(ctx context.Context, sequence int, signFrom time.Time) error {
	private, err := token.Generate(c.algorithm)
	if err != nil {
		return err
	}
	der, err := token.MarshalPrivate(private)
	if err != nil {
		return err
	}
	now := c.Now()
	key := token.Key{ID: secret.NewID(now), Algorithm: c.algorithm, Private: private}
	public, err := key.PublicJSON()
	if err != nil {
		return err
	}
	row := store.SigningKey{
		ID: key.ID, Purpose: c.purpose, Sequence: sequence, Algorithm: string(c.algorithm),
		Public: public, Private: c.Master.Seal(der, keyPlace(key.ID)), CreatedAt: now, SignFrom: signFrom,
	}
	return c.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.SigningKeys.Insert(ctx, row)
		if err != nil || !first {
			return err
		}
		return tx.Events.Append(ctx, keyEvent(otl.EventKeyRotated, key.ID, c.algorithm, now))
	})
}

func keyEvent(t otl.EventType, id string, a token.Algorithm, now time.Time) otl.Event {
	return otl.Event{ID: "evt_" + secret.NewID(now), Type: t, CreatedAt: now, Data: map[string]string{"key_id": id, "algorithm": string(a)}}
}

// load hands every key that is not revoked to the ring.
func (c *keychain) load(ctx context.Context) error {
	keys, err := c.read(ctx)
	if err != nil {
		return err
	}
	var ring []token.Key
	for _, k := range keys {
		if !k.RevokedAt.IsZero() {
			continue
		}
		der, err := c.Master.Open(k.stored.Private, keyPlace(k.ID))
		if err != nil {
			return fmt.Errorf("signing key %s: %w", k.ID, err)
		}
		private, err := token.ParsePrivate(der)
		if err != nil {
			return fmt.Errorf("signing key %s: %w", k.ID, err)
		}
		ring = append(ring, token.Key{ID: k.ID, Algorithm: k.Algorithm, Private: private, SignFrom: k.SignFrom, VerifyUntil: k.VerifyUntil})
	}
	c.keys = keys
	return c.ring.Load(ring)
}
