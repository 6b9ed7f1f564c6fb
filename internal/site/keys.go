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
	Scopes    otl.Scopes
	ExpiresAt time.Time   // zero: never
	Key       secret.Text // the key itself; empty to make one
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
func (s *Sites) CreateKey(ctx context.Context, siteID string, n NewKey) (secret.Text, otl.SiteKey, error) {
	var err error
	if n.Name, err = otl.CheckText("name", n.Name, maxSiteName); err != nil {
		return secret.Text{}, otl.SiteKey{}, err
	}
	var key secret.Text
	var row otl.SiteKey
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		key, row, err = s.addKey(ctx, tx, siteID, n)
		return err
	})
	return key, row, err
}

func (s *Sites) addKey(ctx context.Context, tx *store.Tx, siteID string, n NewKey) (secret.Text, otl.SiteKey, error) {
	now := s.Now()
	key := n.Key
	if key.Empty() {
		key = secret.NewKey(KeyPrefix)
	}
	shown, ok := secret.CheckKey(KeyPrefix, key.Reveal())
	if !ok {
		return secret.Text{}, otl.SiteKey{}, otl.InvalidField("key", "malformed", "Not a site key: its checksum is wrong.")
	}
	row := otl.SiteKey{ID: secret.NewID(now), SiteID: siteID, Name: n.Name, Prefix: shown, Scopes: n.Scopes, CreatedAt: now, ExpiresAt: n.ExpiresAt}
	if have, err := tx.SiteKeys.OfSite(ctx, siteID); err != nil || len(have) >= maxKeys {
		if err == nil {
			err = &otl.Error{Kind: otl.Conflict, Code: "too_many_keys", Text: "A site has at most 50 keys. Revoke one first."}
		}
		return secret.Text{}, otl.SiteKey{}, err
	}
	fresh, err := tx.SiteKeys.Insert(ctx, row, secret.Digest(key.Reveal()))
	if err != nil {
		return secret.Text{}, otl.SiteKey{}, err
	}
	if !fresh {
		return secret.Text{}, otl.SiteKey{}, &otl.Error{Kind: otl.Conflict, Code: "site_key_exists", Text: "This site key is in use already."}
	}
	return key, row, appendEvent(ctx, tx, otl.EventSiteKeyCreated, siteID, now, map[string]string{"key_id": row.ID, "scopes": row.Scopes.String()})
}

// RollKey makes a successor with the same name and scopes and lets the old key
// work for the overlap, so that a site can be moved over without an outage
// (SR-10).
func (s *Sites) RollKey(ctx context.Context, siteID, keyID string, overlap time.Duration) (secret.Text, otl.SiteKey, error) {
	var key secret.Text
	var row otl.SiteKey
	if !secret.ValidID(keyID) {
		return key, row, otl.NoSuch("site key")
	}
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		old, err := tx.SiteKeys.ByID(ctx, siteID, keyID)
		if errors.Is(err, store.ErrNotFound) || err == nil && !old.Live(s.Now()) {
			return otl.NoSuch("site key")
		}
		if err != nil {
			return err
		}
		if err := tx.SiteKeys.Expire(ctx, siteID, keyID, s.Now().Add(overlap)); err != nil {
			return err
		}
		key, row, err = s.addKey(ctx, tx, siteID, NewKey{Name: old.Name, Scopes: old.Scopes})
		return err
	})
	return key, row, err
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
