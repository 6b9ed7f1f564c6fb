package session

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// ErrNone means that there is no live session of this id at the site.
var ErrNone = otl.NoSuch("session")

// ErrStronger means that the site has come to demand two factors of the person since
// the session was opened with one (MF-05).
var ErrStronger = &otl.Error{Kind: otl.Unauthenticated, Code: "second_factor_demanded", Text: "The site now asks for a second factor. Sign in again."}

// Resume gives a new refresh token of a live session to a holder of it at its site, which names it by its id
// alone, and with a method notes that the person has just proven himself in that
// way too. The refresh token before it is exchanged, as if it had been presented: for the length of Grace it gives the same
// successor, as long as that is unused.
// The error is ErrStronger where that is not enough, and ErrNone for any session that is not a live one of this site and the holder's, and of
// this person unless userID is "".
func (s *Sessions) Resume(ctx context.Context, tx *store.Tx, by Holder, siteID, userID, id string, method otl.Method) (Opened, error) {
	if !secret.ValidID(id) {
		return Opened{}, ErrNone
	}
	now := s.Now()
	st, err := tx.Sessions.Standing(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return Opened{}, ErrNone
	}
	if err != nil {
		return Opened{}, err
	}
	if st.Site.ID != siteID || !by.Holds(st.Session) || userID != "" && st.User.ID != userID || !st.Session.Live(now) || st.Barred() ||
		!st.Site.FirstParty && !st.Grant.Live() {
		return Opened{}, ErrNone
	}
	if method != "" {
		st.Session.Methods = st.Session.Methods.With(method)
		st.Session.AuthAt = now
		if err := tx.Sessions.AddMethod(ctx, st.Session, st.Session.Methods, now); err != nil {
			return Opened{}, err
		}
	}
	if !st.Session.Methods.Meets(st.Site, st.Grant.Roles) {
		return Opened{}, ErrStronger
	}
	was := st.Session.Refresh
	nonce := secret.Bytes(32)
	next, err := s.Refresher.Following(id, was.Generation, was.Digest, nonce)
	if err != nil {
		return Opened{}, err
	}
	refresh, until := next[0], now.Add(s.RefreshTTL)
	if until.After(st.Session.ExpiresAt) {
		until = st.Session.ExpiresAt
	}
	st.Session.Refresh = otl.Rotation{
		Digest: secret.Digest(refresh.Reveal()), Generation: was.Generation + 1, Previous: was.Digest, Nonce: nonce, RotatedAt: now, PaidTo: was.PaidTo,
	}
	if won, err := tx.Sessions.Rotate(ctx, id, was, st.Session.Refresh, until); err != nil || !won {
		if err == nil {
			err = ErrNone // it ended, or was refreshed, in this moment
		}
		return Opened{}, err
	}
	return Opened{st, refresh}, nil
}
