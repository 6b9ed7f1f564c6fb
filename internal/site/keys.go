package site

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// NewKey is what a new site key is made of.
type NewKey struct {
	Name      string
	Scopes    otl.Scopes  // otl.DefaultScopes if empty
	ExpiresAt time.Time   // zero: never
	Key       secret.Text // the key itself; empty to make one
}

// MadeKey is a new site key with the key itself, which is shown this once.
type MadeKey struct {
	otl.SiteKey
	Key secret.Text
}

// maxKeys bounds the keys of a site that are not revoked.
const maxKeys = 50

// usedEvery is how exact "last used" is kept.
const usedEvery = time.Minute

// Authenticate finds the site a key belongs to. Whatever is wrong with the key
// (missing, mistyped, unknown, expired, revoked, of a deleted site), the error
// is otl.ErrSiteKey.
func (s *Sites) Authenticate(ctx context.Context, key secret.Text) (otl.SiteKey, otl.Site, error) {
	if _, ok := secret.CheckKey(KeyPrefix, key.Reveal()); !ok {
		return otl.SiteKey{}, otl.Site{}, otl.ErrSiteKey
	}
	row, site, err := s.Store.SiteKey(ctx, secret.Digest(key.Reveal()))
	if errors.Is(err, store.ErrNotFound) {
		return otl.SiteKey{}, otl.Site{}, otl.ErrSiteKey
	}
	if err != nil {
		return otl.SiteKey{}, otl.Site{}, err
	}
	now := s.Now()
	if !row.Live(now) {
		return otl.SiteKey{}, otl.Site{}, otl.ErrSiteKey
	}
	if now.Sub(row.LastUsedAt) >= usedEvery {
		s.mu.Lock()
		if s.used == nil {
			s.used = map[string]time.Time{}
		}
		s.used[row.ID] = now
		s.mu.Unlock()
	}
	return row, site, nil
}

// Flush stores when keys were last used. Requests only note it, so that a read
// stays a read.
func (s *Sites) Flush(ctx context.Context) error {
	s.mu.Lock()
	used := s.used
	s.used = nil
	s.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for id, at := range used {
			if err := tx.SiteKeys.Used(ctx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// Keys gives the keys of a site that are not revoked, oldest first.
func (s *Sites) Keys(ctx context.Context, siteID string) ([]otl.SiteKey, error) {
	return s.Store.Read.SiteKeys.OfSite(ctx, siteID)
}

// CreateKey adds a key to a site. The key itself is returned this once.
func (s *Sites) CreateKey(ctx context.Context, siteID string, n NewKey) (made MadeKey, err error) {
	if n.Name, err = otl.CheckText("name", n.Name, maxSiteName); err != nil {
		return MadeKey{}, err
	}
	if len(n.Scopes) == 0 {
		n.Scopes = otl.DefaultScopes()
	}
	again := otl.RequestOf(ctx).Once
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if made, err = s.addKey(ctx, tx, siteID, n); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, again, s.Now(), made)
	})
	return made, err
}

func (s *Sites) addKey(ctx context.Context, tx *store.Tx, siteID string, n NewKey) (MadeKey, error) {
	now := s.Now()
	key := n.Key
	if key.Empty() {
		key = secret.NewKey(KeyPrefix)
	}
	shown, ok := secret.CheckKey(KeyPrefix, key.Reveal())
	if !ok {
		return MadeKey{}, otl.InvalidField("key", "malformed", "Not a site key: its checksum is wrong.")
	}
	row := otl.SiteKey{ID: secret.NewID(now), SiteID: siteID, Name: n.Name, Prefix: shown, Scopes: n.Scopes, CreatedAt: now, ExpiresAt: n.ExpiresAt}
	if have, err := tx.SiteKeys.OfSite(ctx, siteID); err != nil || len(have) >= maxKeys {
		if err == nil {
			err = &otl.Error{Kind: otl.Conflict, Code: "too_many_keys", Text: "A site has at most 50 keys. Revoke one first."}
		}
		return MadeKey{}, err
	}
	fresh, err := tx.SiteKeys.Insert(ctx, row, secret.Digest(key.Reveal()))
	if err != nil {
		return MadeKey{}, err
	}
	if !fresh {
		return MadeKey{}, &otl.Error{Kind: otl.Conflict, Code: "site_key_exists", Text: "This site key is in use already."}
	}
	return MadeKey{row, key}, appendEvent(ctx, tx, otl.EventSiteKeyCreated, siteID, now, map[string]string{"key_id": row.ID, "scopes": row.Scopes.String()}, otl.Changes(nil, keyState(row))...)
}

// RollKey makes a successor with the same name and scopes and lets the old key
// work for the overlap, so that a site can be moved over without an outage
// (SR-10).
func (s *Sites) RollKey(ctx context.Context, siteID, keyID string, overlap time.Duration) (made MadeKey, err error) {
	if !secret.ValidID(keyID) {
		return MadeKey{}, otl.NoSuch("site key")
	}
	again := otl.RequestOf(ctx).Once
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		old, err := tx.SiteKeys.ByID(ctx, siteID, keyID)
		if errors.Is(err, store.ErrNotFound) || err == nil && !old.Live(s.Now()) {
			return otl.NoSuch("site key")
		}
		if err != nil {
			return err
		}
		now := s.Now()
		if err := tx.SiteKeys.Expire(ctx, siteID, keyID, now.Add(overlap)); err != nil {
			return err
		}
		if made, err = s.addKey(ctx, tx, siteID, NewKey{Name: old.Name, Scopes: old.Scopes, ExpiresAt: lasting(old, now)}); err != nil {
			return err
		}
		expiring := old
		expiring.ExpiresAt = now.Add(overlap)
		if err := appendEvent(ctx, tx, otl.EventSiteKeyRolled, siteID, now, map[string]string{"key_id": keyID, "successor": made.ID},
			otl.Changes(keyState(old), keyState(expiring))...); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, again, s.Now(), made)
	})
	return made, err
}

// lasting gives when the successor of a key ends that begins now: it is good for as long as
// the key was made for, zero for one without an end.
func lasting(old otl.SiteKey, now time.Time) time.Time {
	if old.MadeUntil.IsZero() {
		return time.Time{}
	}
	return now.Add(old.MadeUntil.Sub(old.CreatedAt))
}

// RevokeKey ends a key at once, or fails with NotFound.
func (s *Sites) RevokeKey(ctx context.Context, siteID, keyID string) error {
	if !secret.ValidID(keyID) {
		return otl.NoSuch("site key")
	}
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		live, err := tx.SiteKeys.Revoke(ctx, siteID, keyID, s.Now())
		if err != nil {
			return err
		}
		if !live {
			return otl.NoSuch("site key")
		}
		return appendEvent(ctx, tx, otl.EventSiteKeyRevoked, siteID, s.Now(), map[string]string{"key_id": keyID})
	})
}
