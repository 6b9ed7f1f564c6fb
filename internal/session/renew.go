package session

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Renew exchanges a refresh token that was presented with the key of one site.
//
// The token must be the session's current one. Its immediate predecessor gets
// the same successor for the length of Grace, as long as that successor is
// unused: two tabs may refresh at once and a lost answer may be asked for again
// (SE-11). Any other token that this installation did issue was used before, by
// somebody else or after it was stolen: the session ends (SE-12).
//
// The errors are otl.ErrRefresh, otl.ErrRefreshReused, otl.ErrSessionRevoked,
// ErrStronger, and limit.Exceeded beyond the rate of refreshes.
func (s *Sessions) Renew(ctx context.Context, raw secret.Text, siteID string) (Tokens, error) {
	return s.RenewFor(ctx, raw, siteID, Holder{})
}

// Holder is who presents a refresh token.
type Holder struct {
	Client string // id of the client, "" for the site itself
	Key    string // thumbprint of the key it proved to hold, "" for none
	Public bool   // the client proved nothing: it holds its own sessions alone
	Stays  bool   // its refresh token stays what it is: to be good it takes a proof of the client (OA-23)
}

// Holds reports whether a session is the holder's: one of a client is nobody else's (RFC
// 6749 section 6), one of the site itself its programs' too, if they have proven to be,
// and one that is bound to a key nobody's who does not hold it (RFC 9449 section 5).
func (h Holder) Holds(s otl.Session) bool {
	own := s.Client == h.Client || s.Client == "" && !h.Public
	return own && (s.ProofKey == "" || s.ProofKey == h.Key)
}

// RenewFor exchanges a refresh token that a client of the site presented. One of a session
// that it does not hold is none.
func (s *Sessions) RenewFor(ctx context.Context, raw secret.Text, siteID string, by Holder) (Tokens, error) {
	presented, err := s.Refresher.Read(raw)
	if err != nil {
		return Tokens{}, otl.ErrRefresh
	}
	// Each round that loses a race reads what the winner wrote; the second look
	// finds its own token to be the predecessor, or reused. Of a token that stays one
	// wins each round.
	for range 10 {
		st, err := s.standing(ctx, presented, siteID)
		if err == nil && !by.Holds(st.Session) {
			err = otl.ErrRefresh
		}
		if err != nil {
			return Tokens{}, err
		}
		renewed, done, err := s.exchange(ctx, presented, st, by)
		if err != nil {
			return Tokens{}, err
		}
		if done {
			return renewed.For(by.Client, s)
		}
	}
	return Tokens{}, otl.Busy(time.Second)
}

// standing finds the session a token belongs to and refuses what cannot be
// renewed whatever the token.
func (s *Sessions) standing(ctx context.Context, presented token.Refresh, siteID string) (store.Standing, error) {
	st, err := s.Store.Standing(ctx, presented.Session)
	if errors.Is(err, store.ErrNotFound) {
		return st, otl.ErrRefresh
	}
	if err != nil {
		return st, err
	}
	known := presented.Genuine || secret.SameDigest(presented.Digest(), st.Session.Refresh.Digest)
	switch {
	case !known, st.Session.SiteID != siteID:
		return st, otl.ErrRefresh
	case !st.Session.EndedAt.IsZero():
		return st, otl.ErrSessionRevoked
	case !st.Session.Live(s.Now()), st.Barred(), !st.Site.FirstParty && !st.Grant.Live():
		return st, otl.ErrRefresh
	case !st.Session.Methods.Meets(st.Site, st.Grant.Roles):
		return st, ErrStronger
	}
	return st, nil
}

// exchange rotates, repeats or refuses. It reports false when another exchange
// of the same token came first and the state must be read again.
func (s *Sessions) exchange(ctx context.Context, presented token.Refresh, st store.Standing, by Holder) (Opened, bool, error) {
	digest, rotation := presented.Digest(), st.Session.Refresh
	switch {
	case secret.SameDigest(digest, rotation.Digest):
		return s.rotate(ctx, presented, st, by)
	case secret.SameDigest(digest, rotation.Previous) && s.Now().Before(rotation.RotatedAt.Add(s.Grace)):
		renewed, err := s.repeat(presented, st)
		return renewed, true, err
	case presented.Generation > rotation.Generation:
		// A token from the future of this row: the database was restored from a
		// backup. Whoever holds it is not to be punished, nor believed.
		return Opened{}, true, otl.ErrRefresh
	}
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return Reused(ctx, tx, s, st, otl.EndRefreshReuse)
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Opened{}, true, err
	}
	return Opened{}, true, otl.ErrRefreshReused
}

func (s *Sessions) rotate(ctx context.Context, presented token.Refresh, st store.Standing, of Holder) (Opened, bool, error) {
	now := s.Now()
	paid, err := s.Limits.Paid(limit.Refresh, st.Session.Refresh.PaidTo, now)
	if err != nil {
		return Opened{}, false, err
	}
	next := otl.Rotation{
		Generation: presented.Generation, Previous: presented.Digest(), Nonce: secret.Bytes(32), RotatedAt: now, PaidTo: paid,
	}
	refresh := presented.Text()
	if !of.Stays {
		next.Generation++
		tokens, err := s.Refresher.Successors(presented, next.Nonce)
		if err != nil {
			return Opened{}, false, err
		}
		refresh = tokens[0]
	}
	next.Digest = secret.Digest(refresh.Reveal())
	by := now.Add(s.RefreshTTL)
	if by.After(st.Session.ExpiresAt) {
		by = st.Session.ExpiresAt
	}
	var won bool
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		won, err = tx.Sessions.Rotate(ctx, st.Session.ID, st.Session.Refresh, next, by)
		return err
	})
	if err != nil || !won {
		return Opened{}, false, err
	}
	st.Session.Refresh, st.Session.LastSeenAt, st.Session.RefreshBy = next, now, by
	return Opened{st, refresh}, true, nil
}

// repeat derives the successor that was handed out before, by a refresh or where the session was resumed.
func (s *Sessions) repeat(presented token.Refresh, st store.Standing) (Opened, error) {
	nonce := st.Session.Refresh.Nonce
	tokens, err := s.Refresher.Successors(presented, nonce)
	if err != nil {
		return Opened{}, err
	}
	more, err := s.Refresher.Following(presented.Session, presented.Generation, presented.Digest(), nonce)
	if err != nil {
		return Opened{}, err
	}
	for _, t := range append(tokens, more...) {
		if secret.SameDigest(secret.Digest(t.Reveal()), st.Session.Refresh.Digest) {
			return Opened{st, t}, nil
		}
	}
	return Opened{}, otl.ErrRefresh
}
