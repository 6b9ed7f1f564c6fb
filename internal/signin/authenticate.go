package signin

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Bearer is the person behind an access token that has just been found good.
type Bearer struct {
	store.Standing
	Token token.Access
}

// Authenticate checks an access token, and in the store that it still counts:
// the session lives, the person is not disabled, the site exists and is let in,
// and the token carries the current session version (SE-07, SE-13). Nothing is
// cached, so that what was revoked is refused at the next call.
//
// The errors are otl.ErrTokenMissing, otl.ErrToken, otl.ErrSessionRevoked and
// otl.ErrSessionStale.
func (s *SignIn) Authenticate(ctx context.Context, raw secret.Text) (Bearer, error) {
	if raw.Empty() {
		return Bearer{}, otl.ErrTokenMissing
	}
	now := s.Now()
	a, err := s.Sessions.Ring.Verify(raw.Reveal(), s.Sessions.Issuer, now)
	if err != nil {
		return Bearer{}, otl.ErrToken
	}
	st, err := s.Stands(ctx, a.Session, a.SessionVersion)
	if err != nil {
		return Bearer{}, err
	}
	if a.Subject != st.User.ID || a.Audience != s.Sessions.Audience(st.Site) {
		return Bearer{}, otl.ErrToken
	}
	otl.RequestOf(ctx).UserID = a.Subject
	return Bearer{st, a}, nil
}

// Stands gives the session a genuine token names, if it still counts; the errors are
// those of Authenticate. Whether it is of whom the token is about is not looked at.
func (s *SignIn) Stands(ctx context.Context, session string, version int) (store.Standing, error) {
	st, err := s.Store.Standing(ctx, session)
	if errors.Is(err, store.ErrNotFound) {
		return st, otl.ErrSessionRevoked
	}
	if err != nil {
		return st, err
	}
	switch {
	case !st.Session.EndedAt.IsZero(), st.Barred(), !s.Now().Before(st.Session.ExpiresAt):
		return st, otl.ErrSessionRevoked
	case !st.Site.FirstParty && !st.Grant.Live():
		return st, otl.ErrSessionRevoked
	case version != st.User.SessionVersion:
		return st, otl.ErrSessionStale
	}
	return st, nil
}

// ByRefresh gives the session whose refresh token this is at this moment. It is
// otl.ErrRefresh for every other, and for one of another site.
func (s *SignIn) ByRefresh(ctx context.Context, raw secret.Text, site otl.Site) (store.Standing, error) {
	presented, err := s.Sessions.Refresher.Read(raw)
	if err != nil {
		return store.Standing{}, otl.ErrRefresh
	}
	st, err := s.Store.Read.Sessions.Standing(ctx, presented.Session)
	if errors.Is(err, store.ErrNotFound) {
		return store.Standing{}, otl.ErrRefresh
	}
	if err != nil {
		return st, err
	}
	if !secret.SameDigest(presented.Digest(), st.Session.Refresh.Digest) || st.Site.ID != site.ID || !st.Session.Live(s.Now()) ||
		st.Barred() || !st.Grant.Live() {
		return store.Standing{}, otl.ErrRefresh
	}
	return st, nil
}

// LogoutEverywhere ends every session the person of a genuine token has at the site
// of the token, and says how many.
func (s *SignIn) LogoutEverywhere(ctx context.Context, session string, version int) (int, error) {
	st, err := s.Stands(ctx, session, version)
	if err != nil {
		return 0, err
	}
	otl.RequestOf(ctx).UserID = st.User.ID
	var live []otl.Session
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if live, err = tx.Sessions.Live(ctx, st.User.ID, st.Site.ID, "", s.Now(), 1000); err != nil {
			return err
		}
		_, err := s.Sessions.EndAll(ctx, tx, st.User.ID, st.Site.ID, "", otl.EndLogout)
		return err
	})
	return len(live), err
}

// Introspection is what a site may know of an access token it was sent.
type Introspection struct {
	Active bool
	Token  token.Access // set only if active
	Roles  []string     // what the person is at the site by now
}

// Introspect tells a site whether an access token issued for it is good at this
// moment. A token of another site is as inactive as a forged one (TE-04).
func (s *SignIn) Introspect(ctx context.Context, raw secret.Text, site otl.Site) (Introspection, error) {
	b, err := s.Authenticate(ctx, raw)
	if err != nil {
		if otl.As(err).Kind == otl.Unauthenticated {
			err = nil
		}
		return Introspection{}, err
	}
	if b.Site.ID != site.ID {
		return Introspection{}, nil
	}
	return Introspection{Active: true, Token: b.Token, Roles: b.Grant.Roles}, nil
}

// Logout is a request to end a session, proven by one of its tokens.
type Logout struct {
	Site       otl.Site // whose key came along; without one the token must be first-party
	Access     secret.Text
	Refresh    secret.Text // used where there is no access token
	Everywhere bool        // every session of the person on the site, or on all for a first-party token
}

// Logout ends the session of the token presented, or every session the person
// has on the site, and gives the raised session version. A refresh token proves
// the session even after it was exchanged: whoever holds one may give the
// session up.
func (s *SignIn) Logout(ctx context.Context, l Logout) (version int, err error) {
	sess, err := s.proven(ctx, l)
	if err != nil {
		return 0, err
	}
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if l.Everywhere {
			version, err = s.Sessions.EndAll(ctx, tx, sess.UserID, l.Site.ID, "", otl.EndLogout)
		} else {
			version, err = s.Sessions.End(ctx, tx, sess.UserID, sess.ID, otl.EndLogout)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return 0, otl.ErrSessionRevoked
	}
	return version, err
}

func (s *SignIn) proven(ctx context.Context, l Logout) (otl.Session, error) {
	if !l.Access.Empty() || l.Refresh.Empty() {
		b, err := s.Authenticate(ctx, l.Access)
		switch {
		case err != nil:
			return otl.Session{}, err
		case l.Site.ID == "" && !b.Site.FirstParty:
			return otl.Session{}, otl.ErrNoSiteKey
		case l.Site.ID != "" && b.Site.ID != l.Site.ID:
			return otl.Session{}, otl.ErrToken
		}
		return b.Session, nil
	}
	presented, err := s.Sessions.Refresher.Read(l.Refresh)
	if err != nil {
		return otl.Session{}, otl.ErrRefresh
	}
	st, err := s.Store.Read.Sessions.Standing(ctx, presented.Session)
	if errors.Is(err, store.ErrNotFound) {
		return otl.Session{}, otl.ErrRefresh
	}
	if err != nil {
		return otl.Session{}, err
	}
	known := presented.Genuine || secret.SameDigest(presented.Digest(), st.Session.Refresh.Digest)
	switch {
	case !known || st.Session.SiteID != l.Site.ID:
		return otl.Session{}, otl.ErrRefresh
	case !st.Session.EndedAt.IsZero():
		return otl.Session{}, otl.ErrSessionRevoked
	}
	otl.RequestOf(ctx).UserID = st.User.ID
	return st.Session, nil
}

// Scope limits whose sessions may be seen and ended: those of one person,
// on one site or, for a first-party token, on all.
type Scope struct {
	UserID string // "" only together with a site: any person of it
	SiteID string // "" for every site
}

// List gives the live sessions within a scope, newest first, before an id.
func (s *SignIn) List(ctx context.Context, sc Scope, before string, limit int) ([]otl.Session, error) {
	return s.Store.Read.Sessions.Live(ctx, sc.UserID, sc.SiteID, before, s.Now(), limit)
}

// Revoke ends one session within a scope and gives the raised session version.
// One outside the scope is as unknown as one that never was (TE-01).
func (s *SignIn) Revoke(ctx context.Context, sc Scope, id string, reason otl.EndReason) (version int, err error) {
	if !secret.ValidID(id) {
		return 0, otl.NoSuch("session")
	}
	st, err := s.Store.Read.Sessions.Standing(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, otl.NoSuch("session")
	}
	if err != nil {
		return 0, err
	}
	if sc.UserID != "" && st.User.ID != sc.UserID || sc.SiteID != "" && st.Site.ID != sc.SiteID || !st.Session.Live(s.Now()) {
		return 0, otl.NoSuch("session")
	}
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		version, err = s.Sessions.End(ctx, tx, st.User.ID, id, reason)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return 0, otl.NoSuch("session")
	}
	return version, err
}

// pruneAfter is how long an ended or expired session is kept for the record.
const pruneAfter = 30 * 24 * time.Hour

// Prune deletes sessions whose absolute end is long past.
func (s *SignIn) Prune(ctx context.Context) error {
	before := secret.NewID(s.Now().Add(-s.Sessions.MaxAge - pruneAfter))
	return s.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.Sessions.Prune(ctx, before, store.Batch)
	})
}

// Fade takes from sessions that were opened longer ago than that from where and with what
// they were opened (PR-08); 0 leaves it as long as they are kept. What people signed in from is
// forgotten as soon, and after 90 days.
func (s *SignIn) Fade(ctx context.Context, after time.Duration) error {
	kept := placesKept
	if after > 0 {
		kept = min(kept, after)
	}
	if err := s.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.SeenPlaces.Prune(ctx, s.Now().Add(-kept), store.Batch)
	}); err != nil || after == 0 {
		return err
	}
	before := secret.NewID(s.Now().Add(-after))
	return s.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		from, err := tx.Sessions.Faded(ctx)
		if err != nil {
			return 0, err
		}
		found, err := tx.Sessions.Aged(ctx, from, before, store.Batch)
		if err != nil || len(found) == 0 {
			return 0, err
		}
		for _, one := range found {
			if err := tx.Sessions.Fade(ctx, one); err != nil {
				return 0, err
			}
		}
		return len(found), tx.Sessions.SetFaded(ctx, found[len(found)-1].ID)
	})
}

// RevokeAll ends every session of a person, on behalf of an operator. He is told by mail.
func (s *SignIn) RevokeAll(ctx context.Context, userID string) (version int, err error) {
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if version, err = s.Sessions.EndAll(ctx, tx, userID, "", "", otl.EndAdmin); err != nil {
			return err
		}
		u, err := tx.Users.ByID(ctx, userID)
		if err != nil {
			return err
		}
		return s.Sessions.Messages.Mail(ctx, tx, otl.MessageSignedOut, u, "", nil)
	})
	return version, err
}

// Alone ends every session of the person of a browser session but that one, everywhere.
func (s *SignIn) Alone(ctx context.Context, st store.Standing) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := s.Sessions.EndAll(ctx, tx, st.User.ID, "", st.Session.ID, otl.EndLogout)
		return err
	})
}
