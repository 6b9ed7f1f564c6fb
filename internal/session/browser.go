package session

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// A browser session is the network's single sign-on session: a session at the
// first-party site that a browser holds by a cookie instead of tokens. It is listed
// and ended like any other. The value of the cookie is the session's id and 256
// random bits; its digest stands where other sessions keep that of their refresh
// token, whose form it does not have, so that neither passes for the other.

// ErrNoBrowserSession means that a cookie opens nothing (any more).
var ErrNoBrowserSession = &otl.Error{Kind: otl.Unauthenticated, Code: "browser_session_ended", Text: "You were signed out. Sign in to continue."}

const cookiePrefix = "otl_bs_"

// slideAfter is how old the latest use of a browser session may be before a use is
// noted again: not every page writes.
const slideAfter = 10 * time.Minute

// Browser is a browser session with the value of its cookie.
type Browser struct {
	store.Standing
	Cookie secret.Text // set where the session was just opened, and of a former one
}

// newCookie gives the value of a cookie for a session.
func newCookie(id string) secret.Text {
	return secret.NewText(cookiePrefix + id + base64.RawURLEncoding.EncodeToString(secret.Bytes(32)))
}

// cookieSession gives the id of the session a cookie is of.
func cookieSession(value string) (string, bool) {
	rest, ok := strings.CutPrefix(value, cookiePrefix)
	if !ok || len(rest) != 26+43 || !secret.ValidID(rest[:26]) {
		return "", false
	}
	return rest[:26], true
}

// OpenBrowser begins a browser session inside a transaction for a person who has
// just proven himself. St needs the person and the first-party site.
func (s *Sessions) OpenBrowser(ctx context.Context, tx *store.Tx, st store.Standing, pass factor.Pass, from *otl.Request) (Browser, error) {
	if !st.Site.FirstParty {
		return Browser{}, errors.New("a browser session at a partner site")
	}
	if _, err := s.Open(ctx, tx, &st, pass, from); err != nil {
		return Browser{}, err
	}
	b := Browser{st, newCookie(st.Session.ID)}
	b.Session.Refresh = otl.Rotation{Digest: secret.Digest(b.Cookie.Reveal())}
	return b, tx.Sessions.Hold(ctx, b.Session.ID, b.Session.Refresh.Digest)
}

// Browser gives the session that the first of some cookies holds which holds one. It is
// ErrNoBrowserSession for those that ended or expired, for a disabled person, for one that a
// site opened which is deleted, and for what was never a cookie. Use keeps the session alive as refreshes keep others.
func (s *Sessions) Browser(ctx context.Context, cookies ...secret.Text) (Browser, error) {
	for _, one := range cookies {
		if b, err := s.browser(ctx, one); !errors.Is(err, ErrNoBrowserSession) {
			return b, err
		}
	}
	return Browser{}, ErrNoBrowserSession
}

// Browsers gives the sessions that cookies hold, in the order of the cookies.
func (s *Sessions) Browsers(ctx context.Context, cookies ...secret.Text) ([]Browser, error) {
	var held []Browser
	for _, one := range cookies {
		b, err := s.browser(ctx, one)
		if errors.Is(err, ErrNoBrowserSession) {
			continue
		}
		if err != nil {
			return nil, err
		}
		held = append(held, b)
	}
	return held, nil
}

// Supersede ends, inside a transaction, the sessions whose place in a browser another one
// takes (SE-04). Those that ended meanwhile are passed over.
func (s *Sessions) Supersede(ctx context.Context, tx *store.Tx, held ...Browser) error {
	for _, b := range held {
		if _, err := s.End(ctx, tx, b.User.ID, b.Session.ID, otl.EndSuperseded); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// Formers reads the cookies of sessions that browsers held before.
type Formers struct{ *Sessions }

// Of gives a session that a browser held by a cookie and that opens nothing any more: it
// expired, or another took its place. It is ErrNoBrowserSession for one that is live, that
// was ended on purpose, or that a site opened, and for whatever Browser refuses besides.
func (s Formers) Of(ctx context.Context, cookie secret.Text) (Browser, error) {
	st, err := held(ctx, s.Store, cookie)
	if err != nil {
		return Browser{}, err
	}
	if one := st.Session; one.Live(s.Now()) || one.EndReason != "" && one.EndReason != otl.EndSuperseded || one.HandedBy != "" {
		return Browser{}, ErrNoBrowserSession
	}
	return Browser{st, cookie}, nil
}

// Whose gives the id of the person whose session a cookie holds, or held, whatever became of
// it; "" for what is no cookie of ours.
func (s Formers) Whose(ctx context.Context, cookie secret.Text) (string, error) {
	st, err := held(ctx, s.Store, cookie)
	if errors.Is(err, ErrNoBrowserSession) {
		return "", nil
	}
	return st.User.ID, err
}

// held gives the session a cookie is of, live or not, of a person who is not disabled.
func held(ctx context.Context, in *store.Store, cookie secret.Text) (store.Standing, error) {
	id, ok := cookieSession(cookie.Reveal())
	if !ok {
		return store.Standing{}, ErrNoBrowserSession
	}
	st, err := in.Standing(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!secret.SameDigest(secret.Digest(cookie.Reveal()), st.Session.Refresh.Digest) ||
		!st.Site.FirstParty || !st.User.DisabledAt.IsZero()) {
		err = ErrNoBrowserSession
	}
	return st, err
}

func (s *Sessions) browser(ctx context.Context, cookie secret.Text) (Browser, error) {
	st, err := held(ctx, s.Store, cookie)
	if err != nil {
		return Browser{}, err
	}
	now := s.Now()
	if !st.Session.Live(now) {
		return Browser{}, ErrNoBrowserSession
	}
	if err := handed(ctx, s.Store, st.Session); err != nil {
		return Browser{}, err
	}
	if now.Sub(st.Session.LastSeenAt) < slideAfter {
		return Browser{Standing: st}, nil
	}
	st.Session.LastSeenAt, st.Session.RefreshBy = now, now.Add(s.RefreshTTL)
	if st.Session.RefreshBy.After(st.Session.ExpiresAt) {
		st.Session.RefreshBy = st.Session.ExpiresAt
	}
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Sessions.Seen(ctx, st.Session) })
	return Browser{Standing: st}, err
}

// handed refuses a session that a site's session token opened once the site is deleted: it
// may hold the cookie (SE-13). A site that is restored has its sessions back.
func handed(ctx context.Context, st *store.Store, sess otl.Session) error {
	if sess.HandedBy == "" {
		return nil
	}
	_, err := st.Read.Sites.ByID(ctx, sess.HandedBy)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoBrowserSession
	}
	return err
}
