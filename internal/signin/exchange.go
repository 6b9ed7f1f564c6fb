package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Exchange is the code at the end of a flow that a site redeems.
type Exchange struct {
	Site     otl.Site
	Client   string // id of the client, "" for the site's key
	Code     secret.Text
	Verifier string // RFC 7636
	Key      string // thumbprint of the key the client proved to hold, "" for none
	Apart    bool   // the session outlives the browser session it came from
	Bind     bool   // the refresh token is bound to Key
	Redirect string // as in the request of the flow; "" where the wire does not send it again
}

// Exchanged is a session with what the wire that began the flow added.
type Exchanged struct {
	session.Tokens
	More map[string]string
}

// Exchange opens a session at a site for the person whose code it is, in the ways he
// proved himself to the browser session, which must still stand. A code is good for a
// minute, once, for the site, client, address and verifier it was made for (OA-05);
// whatever is wrong the error is ErrCode. One that is presented again was stolen, or
// its answer was: the session it opened ends.
func (s *Flows) Exchange(ctx context.Context, e Exchange) (Exchanged, error) {
	digest := secret.Digest(e.Code.Reveal())
	var opened session.Opened
	var t otl.Ticket
	var refused error
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		opened, refused = session.Opened{}, nil
		var err error
		t, err = tx.Tickets.Use(ctx, otl.PurposeFlow, digest, s.Now())
		if errors.Is(err, store.ErrNotFound) {
			refused = ErrCode
			return replayed(ctx, tx, s.Sessions, otl.PurposeFlow, digest, e.Site.ID, refused)
		}
		if err != nil {
			return err
		}
		if t.SiteID != e.Site.ID || t.Data[dataClient] != e.Client || !e.from(t) || !e.holds(t) || !verifies(t.Data[dataChallenge], e.Verifier) {
			return ErrCode // and it stays good for whom it is for
		}
		if opened, err = s.arrive(ctx, tx, e, t); err != nil {
			return err
		}
		t.Data[dataSession] = opened.Session.ID
		return tx.Tickets.Note(ctx, t)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Exchanged{}, s.Second.Failures.note(ctx, failure{site: e.Site.ID, name: t.UserID, user: t.UserID}, err)
	}
	otl.RequestOf(ctx).UserID = t.UserID
	out := Exchanged{More: map[string]string{}}
	for k, v := range t.Data {
		if name, ok := strings.CutPrefix(k, dataMore); ok {
			out.More[name] = v
		}
	}
	out.Tokens, err = opened.For(e.Client, s.Sessions)
	return out, err
}

// from reports whether the address is that of the request. A code without a challenge
// has nothing else that binds it to the request, so there it must be sent again (RFC 6749
// section 4.1.3).
func (e Exchange) from(t otl.Ticket) bool {
	if e.Redirect == "" {
		return t.Data[dataChallenge] != "" || t.Data[dataMore+dataVisit] != ""
	}
	return e.Redirect == t.Data[dataRedirect]
}

// holds reports whether the client holds the key that its request named, if it named one
// (RFC 9449 section 10).
func (e Exchange) holds(t otl.Ticket) bool {
	return t.Data[dataMore+MoreKey] == "" || t.Data[dataMore+MoreKey] == e.Key
}

// verifies holds a verifier against a challenge: both, or neither (OA-04).
func verifies(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	sum := sha256.Sum256([]byte(verifier))
	return len(verifier) >= 43 && len(verifier) <= 128 && secret.SameDigest(secret.Digest(base64.RawURLEncoding.EncodeToString(sum[:])), secret.Digest(challenge))
}

// arrive opens the session at the site.
func (s *Flows) arrive(ctx context.Context, tx *store.Tx, e Exchange, t otl.Ticket) (session.Opened, error) {
	now, site := s.Now(), e.Site
	held, err := tx.Sessions.Standing(ctx, t.Data[dataHolder])
	if errors.Is(err, store.ErrNotFound) || err == nil && !held.Session.Live(now) {
		return session.Opened{}, ErrCode // he signed out meanwhile
	}
	if err == nil && site.Opens(held.Session.Methods.Way()) != nil {
		return session.Opened{}, ErrCode // the site has switched off how he signed in
	}
	if err != nil {
		return session.Opened{}, err
	}
	st := store.Standing{Site: site, Session: otl.Session{AuthAt: held.Session.AuthAt, Client: t.Data[dataClient], Scope: t.Data[dataMore+MoreScope], Claims: t.Data[dataMore+MoreClaims]}}
	if e.Client != "" && !e.Apart {
		st.Session.Holder = held.Session.ID
	}
	if e.Bind {
		st.Session.ProofKey = e.Key
	}
	if st.User, st.Grant, err = tx.Users.At(ctx, t.UserID, site.ID); err == nil {
		st.User, err = tx.Users.Came(ctx, st.User, now)
	}
	if err == nil {
		st.Grant, err = tx.Grants.SignedIn(ctx, st.Grant, now)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = ErrCode // he is disabled or gone, or disconnected the site meanwhile
	}
	if err != nil {
		return session.Opened{}, err
	}
	from := &otl.Request{UserAgent: t.Data[dataAgent]}
	from.Client, _ = netip.ParseAddr(t.Data[dataIP]) // none where the browser's was not known
	device, err := hex.DecodeString(t.Data[dataDevice])
	if err != nil {
		return session.Opened{}, err
	}
	pass, offers, err := s.Second.Factors.Admit(ctx, tx, st, held.Session.Methods, device)
	if err == nil && consents(st) != nil {
		return session.Opened{}, ErrCode // or has withdrawn what the site requires
	}
	if err == nil && len(offers) > 0 || err != nil && otl.As(err).Kind == otl.Forbidden {
		return session.Opened{}, ErrCode // the site has come to demand more meanwhile
	}
	if err != nil {
		return session.Opened{}, err
	}
	refresh, err := s.Sessions.Open(ctx, tx, &st, pass, from)
	return session.Opened{Standing: st, Refresh: refresh}, err
}

// replayed ends the session that a code of a site has opened, when it is presented again.
func replayed(ctx context.Context, tx *store.Tx, sessions *session.Sessions, p otl.Purpose, digest []byte, siteID string, refused error) error {
	t, err := tx.Tickets.Spent(ctx, p, digest)
	if errors.Is(err, store.ErrNotFound) || err == nil && (t.SiteID != siteID || t.Data[dataSession] == "") {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := tx.Sessions.Standing(ctx, t.Data[dataSession])
	if errors.Is(err, store.ErrNotFound) || err == nil && !st.Session.EndedAt.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	err = session.Reused(ctx, tx, sessions, st, otl.EndCodeReuse)
	if errors.Is(err, store.ErrNotFound) { // another one that came again was faster, and nothing of this remains
		err = refused
	}
	return err
}
