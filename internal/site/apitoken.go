package site

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// APITokens keeps the tokens clients call the OneLogin wire with (contract 2.2 to
// 2.4). They follow from the key and the id of their pair: a client that asks
// again is given the same ones, though only digests are stored.
type APITokens struct {
	Store *store.Store
	Key   []byte // 32 bytes
	Now   func() time.Time
}

// Lives of the tokens of a pair (contract 2.15).
const (
	APITokenTTL     = 10 * time.Hour
	apiTokenRefresh = 45 * 24 * time.Hour
)

// APITokenPair is a pair of tokens as it is handed out.
type APITokenPair struct {
	otl.APIToken
	Access, Refresh secret.Text // 64 hexadecimal characters
}

func (s *APITokens) pair(t otl.APIToken) APITokenPair {
	return APITokenPair{t, secret.DerivedToken(s.Key, "access", t.ID), secret.DerivedToken(s.Key, "refresh", t.ID)}
}

// add makes a new pair of a client.
func (s *APITokens) add(ctx context.Context, tx *store.Tx, clientID string) (APITokenPair, error) {
	now := s.Now()
	p := s.pair(otl.APIToken{
		ID: secret.NewID(now), ClientID: clientID, CreatedAt: now, ExpiresAt: now.Add(APITokenTTL), RefreshBy: now.Add(apiTokenRefresh),
	})
	return p, tx.APITokens.Insert(ctx, p.APIToken, secret.Digest(p.Access.Reveal()), secret.Digest(p.Refresh.Reveal()))
}

// live gives the newest pair of a client that works, or store.ErrNotFound. One that
// was made under a master key that has been replaced cannot be given again.
func (s *APITokens) live(ctx context.Context, tx *store.Tx, clientID string) (APITokenPair, error) {
	t, digest, err := tx.APITokens.Newest(ctx, clientID, s.Now())
	if err != nil {
		return APITokenPair{}, err
	}
	p := s.pair(t)
	if !secret.SameDigest(secret.Digest(p.Access.Reveal()), digest) {
		return APITokenPair{}, store.ErrNotFound
	}
	return p, nil
}

// Get gives the pair a client has, or a new one where it has none that works.
func (s *APITokens) Get(ctx context.Context, c otl.Client) (p APITokenPair, err error) {
	if p, err = s.live(ctx, s.Store.Read, c.ID); !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if p, err = s.live(ctx, tx, c.ID); errors.Is(err, store.ErrNotFound) {
			p, err = s.add(ctx, tx, c.ID)
		}
		return err
	})
	return p, err
}

// Replace gives a client a new pair and ends all it had.
func (s *APITokens) Replace(ctx context.Context, c otl.Client) (p APITokenPair, err error) {
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.APITokens.RevokeAll(ctx, c.ID, s.Now()); err != nil {
			return err
		}
		p, err = s.add(ctx, tx, c.ID)
		return err
	})
	return p, err
}

// Exchange gives a new pair for one that was not exchanged before, which ends, and
// the site of its client. The error is otl.ErrToken.
func (s *APITokens) Exchange(ctx context.Context, access, refresh secret.Text) (p APITokenPair, of otl.Site, err error) {
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		clientID, err := tx.APITokens.Exchange(ctx, secret.Digest(access.Reveal()), secret.Digest(refresh.Reveal()), s.Now())
		if err != nil {
			return err
		}
		if _, of, _, err = tx.Clients.ByID(ctx, clientID); err != nil {
			return err
		}
		p, err = s.add(ctx, tx, clientID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = otl.ErrToken
	}
	return p, of, err
}

// Revoke ends the pair of a token, if it is one of the client's.
func (s *APITokens) Revoke(ctx context.Context, c otl.Client, access secret.Text) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.APITokens.Revoke(ctx, c.ID, secret.Digest(access.Reveal()), s.Now())
	})
}

// Authenticate gives the client that calls with a token, and its site. The error is
// otl.ErrToken.
func (s *APITokens) Authenticate(ctx context.Context, access secret.Text) (otl.Client, otl.Site, error) {
	by, err := s.Store.Caller(ctx, secret.Digest(access.Reveal()), s.Now())
	if errors.Is(err, store.ErrNotFound) {
		err = otl.ErrToken
	}
	return by.Client, by.Site, err
}

// Prune deletes pairs that neither work nor can be exchanged.
func (s *APITokens) Prune(ctx context.Context) error {
	return s.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.APITokens.Prune(ctx, s.Now(), store.Batch)
	})
}
