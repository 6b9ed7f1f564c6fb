package signin

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// All gives the sessions that cookies hold, the one that counts first.
func (s *Flows) All(ctx context.Context, held []secret.Text) ([]session.Browser, error) {
	all, err := s.Sessions.Browsers(ctx, held...)
	if len(all) > 0 {
		otl.RequestOf(ctx).UserID = all[0].User.ID
	}
	return all, err
}

// SignOut ends the sessions a browser holds (All) and those that clients opened from them,
// or, everywhere, all sessions of the person of the first. Of the person of another one only
// that one ends, and no more than itself by one that a site opened, which may hold it (D2).
func (s *Flows) SignOut(ctx context.Context, held []session.Browser, everywhere bool) error {
	for i, b := range held {
		all := everywhere && i == 0 && b.Session.HandedBy == ""
		err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			if all {
				_, err := s.Sessions.EndAll(ctx, tx, b.User.ID, "", "", otl.EndLogout)
				return err
			}
			return s.Sessions.EndBrowser(ctx, tx, b.User.ID, b.Session.ID, otl.EndLogout)
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) { // it ended meanwhile
			return err
		}
	}
	return nil
}

// Opened reports whether a client opened a session from a browser session. It may have ended
// meanwhile: clients revoke their tokens before they sign out.
func (s *SignIn) Opened(ctx context.Context, who session.Browser, id string) (bool, error) {
	if who.Session.ID == "" || id == "" {
		return false, nil
	}
	st, err := s.Store.Standing(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return st.Session.Holder == who.Session.ID, err
}

// ModeLogout is the Mode of a visit of somebody whom a client wants signed out: he is
// asked, and goes back to an address of the client's, which the caller has checked.
const ModeLogout = "logout"

// Leaving gives where a browser goes after a sign-out that a client asked for, "" where
// none did.
func (s *Flows) Leaving(ctx context.Context, id string, browser secret.Text) (string, error) {
	if id == "" {
		return "", nil
	}
	f, err := s.live(ctx, id)
	if errors.Is(err, ErrFlow) || err == nil && (f.Asked.Mode != ModeLogout || !isOf(f, browser)) {
		return "", nil
	}
	return Landed(f.Asked.Redirect, f.Asked.State), err
}

// Landed gives an address with the state that came along, if any; its own query stays.
func Landed(to, state string) string {
	if to == "" || state == "" {
		return to
	}
	join := "?"
	if strings.Contains(to, "?") {
		join = "&"
	}
	return to + join + "state=" + url.QueryEscape(state)
}
