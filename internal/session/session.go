package session

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Sessions opens, renews and ends sessions.
type Sessions struct {
	Store     *store.Store
	Now       func() time.Time
	Ring      *token.Ring
	Refresher token.Refresher
	Limits    *limit.Limits
	Ledger    *ledger.Ledger // of what sites are shown; nil for none
	Messages  *message.Messages
	Issuer    string // public URL of the installation

	AccessTTL  time.Duration // how long an access token is good
	RefreshTTL time.Duration // how long a refresh token is good (sliding)
	MaxAge     time.Duration // how long a session lasts, however often refreshed
	Grace      time.Duration // how long a predecessor still gets its successor
	PerSite    int           // live sessions of one person on one site; the oldest goes
}

// Tokens is what a person who has just signed in, or refreshed, is handed.
type Tokens struct {
	Access    secret.Text
	ExpiresIn time.Duration // of the access token
	Refresh   secret.Text
	store.Standing
}

// Standing is a session with everything that decides whether it still counts.
type Standing = store.Standing

// Opened is a session that has just been written, whose tokens are still to be made.
type Opened struct {
	store.Standing
	Refresh secret.Text
}

// Tokens makes the tokens of a session, after its transaction: signing takes longer
// than all else.
func (s *Sessions) Tokens(o Opened) (Tokens, error) { return s.Issue(o.Standing, o.Refresh) }

// For is Sessions.Tokens for the site itself, where client is "", and ForClient for any other.
func (o Opened) For(client string, s *Sessions) (Tokens, error) {
	if client != "" {
		return o.ForClient(), nil
	}
	return s.Tokens(o)
}

// ForClient gives what a client of OpenID is handed of a session: its access token is made by
// Identity, and of one of ours that nobody gets the ledger would tell what nobody was shown.
func (o Opened) ForClient() Tokens { return Tokens{Refresh: o.Refresh, Standing: o.Standing} }

// errNotAdmitted is a mistake of ours: a door that did not ask factor.Admit.
var errNotAdmitted = errors.New("a session for somebody who was not admitted")

// maxUserAgent is how much of a User-Agent header is kept, in bytes.
const maxUserAgent = 255

// Open begins a session inside a transaction for the person, site and grant of
// st, and gives its first refresh token; the session itself is written into st. Where
// he proved himself earlier than now, st says when (Session.AuthAt). Without a pass for this person and site there is none (MF-02).
// Sessions of the same person on the same site beyond PerSite end, the oldest
// first (SE-19). Issue makes the tokens after the commit.
func (s *Sessions) Open(ctx context.Context, tx *store.Tx, st *store.Standing, pass factor.Pass, from *otl.Request) (secret.Text, error) {
	if !pass.Good(st.User.ID, st.Site.ID) {
		return secret.Text{}, errNotAdmitted
	}
	now := s.Now()
	proven := st.Session.AuthAt
	if proven.IsZero() {
		proven = now
	}
	sess := otl.Session{
		ID: secret.NewID(now), UserID: st.User.ID, SiteID: st.Site.ID, Methods: pass.Methods(), AuthAt: proven, CreatedAt: now, LastSeenAt: now,
		RefreshBy: now.Add(min(s.RefreshTTL, s.MaxAge)), ExpiresAt: now.Add(s.MaxAge), UserAgent: userAgent(from.UserAgent),
		Client: st.Session.Client, Scope: st.Session.Scope, Claims: st.Session.Claims, ProofKey: st.Session.ProofKey, Holder: st.Session.Holder, HandedBy: st.Session.HandedBy,
	}
	if from.Client.IsValid() {
		sess.IP = from.Client.String()
	}
	refresh, err := s.Refresher.First(sess.ID)
	if err != nil {
		return refresh, err
	}
	sess.Refresh.Digest = secret.Digest(refresh.Reveal())
	if err := tx.Sessions.Insert(ctx, sess); err != nil {
		return refresh, err
	}
	if err := s.makeRoom(ctx, tx, sess); err != nil {
		return refresh, err
	}
	if err := pass.Note(ctx, tx, now); err != nil {
		return refresh, err
	}
	st.Session = sess
	return refresh, tx.Events.Append(ctx, s.event(otl.EventSessionCreated, sess.UserID, sess.SiteID, sess.ID,
		map[string]string{otl.DataMethods: sess.Methods.String(), otl.DataIP: sess.IP, otl.DataUserAgent: sess.UserAgent}))
}

// makeRoom ends the oldest sessions beyond PerSite: of those that a site opened only the
// like, so that it cannot crowd out the person's own (D1). Never the one that was just
// opened: after the clock was set back, its id is older than those before it.
func (s *Sessions) makeRoom(ctx context.Context, tx *store.Tx, opened otl.Session) error {
	excess, err := tx.Sessions.Excess(ctx, opened.UserID, opened.SiteID, opened.HandedBy, s.PerSite-1)
	if err != nil || len(excess) == 0 {
		return err
	}
	stays := max(slices.Index(excess, opened.ID), 0) // the newest of them where the one opened is newer still
	for _, id := range slices.Delete(excess, stays, stays+1) {
		if _, err := s.End(ctx, tx, opened.UserID, id, otl.EndSuperseded); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// Issue signs an access token for a session and pairs it with a refresh token.
// What it says of the person is what the site was granted. It never outlives
// the session.
func (s *Sessions) Issue(st store.Standing, refresh secret.Text) (Tokens, error) {
	now := s.Now()
	a := token.Access{
		ID: secret.NewID(now), Issuer: s.Issuer, Subject: st.User.ID, Audience: s.Audience(st.Site), Session: st.Session.ID,
		SessionVersion: st.User.SessionVersion, Methods: st.Session.Methods.AMR(), AuthAt: st.Session.AuthAt, IssuedAt: now,
		ExpiresAt: now.Add(min(s.AccessTTL, st.Session.ExpiresAt.Sub(now))), Roles: st.Grant.Roles,
	}
	if Visible(st).Has(otl.FieldEmail) {
		a.Email = st.User.Email.Address
	}
	if Visible(st).Has(otl.FieldName) {
		a.Name = st.User.Name
	}
	access, err := s.Ring.Sign(a)
	if err != nil {
		return Tokens{}, err
	}
	s.Ledger.Note(st.Site, st.User.ID, slices.DeleteFunc(otl.MinimalFields(), func(f otl.Field) bool { return !Visible(st).Has(f) }))
	return Tokens{secret.NewText(access), a.ExpiresAt.Sub(now), refresh, st}, nil
}

// Audience gives the "aud" of access tokens for a site: its id, or the issuer
// for the first-party site (decision D2).
func (s *Sessions) Audience(site otl.Site) string {
	if site.FirstParty {
		return s.Issuer
	}
	return site.ID
}

// Visible gives the fields of the person that the site of a session may see.
func Visible(st store.Standing) otl.Fields {
	switch {
	case st.Site.FirstParty:
		return otl.AllFields()
	case st.Grant.Live():
		return st.Grant.Fields
	}
	return nil
}

// userAgent gives what is kept of a User-Agent header: at most maxUserAgent
// bytes of text that every database takes.
func userAgent(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if len(s) <= maxUserAgent {
		return s
	}
	n := maxUserAgent
	for !utf8.RuneStart(s[n]) { // never inside a character
		n--
	}
	return s[:n]
}

func (s *Sessions) event(t otl.EventType, userID, siteID, sessionID string, data map[string]string) otl.Event {
	now := s.Now()
	return otl.Event{ID: "evt_" + secret.NewID(now), Type: t, UserID: userID, SiteID: siteID, SessionID: sessionID, Data: data, CreatedAt: now}
}

// End ends one session of a person inside a transaction and gives his session
// version afterwards, 0 where the reason does not raise it. It fails with
// store.ErrNotFound when there is nothing to end; the transaction must then be
// given up.
func (s *Sessions) End(ctx context.Context, tx *store.Tx, userID, id string, reason otl.EndReason) (version int, err error) {
	if version, err = raise(ctx, tx, userID, reason); err != nil {
		return 0, err
	}
	ended, err := tx.Sessions.End(ctx, id, reason, s.Now())
	if err != nil {
		return 0, err
	}
	return version, s.tell(ctx, tx, userID, []store.Ended{ended}, version)
}

// Reused ends a session, as End does, because what renews it or opened it was presented a
// second time: there are two who hold it. Its person is told by mail (SE-12, OA-05).
func Reused(ctx context.Context, tx *store.Tx, s *Sessions, st store.Standing, reason otl.EndReason) error {
	if _, err := s.End(ctx, tx, st.User.ID, st.Session.ID, reason); err != nil {
		return err
	}
	return s.Messages.Mail(ctx, tx, otl.MessageSessionReused, st.User, st.Site.ID, nil)
}

// EndBrowser ends a browser session of a person inside a transaction, and with it the
// sessions that clients opened from it: who signs out of a browser is signed out of what
// was reached from there. It fails with store.ErrNotFound where there was nothing to end.
func (s *Sessions) EndBrowser(ctx context.Context, tx *store.Tx, userID, id string, reason otl.EndReason) error {
	version, err := raise(ctx, tx, userID, reason)
	if err != nil {
		return err
	}
	held := reason
	if reason == otl.EndLogout {
		held = otl.EndSSOLogout
	}
	ended, err := tx.Sessions.EndHeld(ctx, userID, id, reason, held, s.Now())
	if err == nil && len(ended) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, userID, ended, version)
}

// EndAll ends every session of a person inside a transaction, on one site or,
// for "", on all, except the one to keep ("" for none). Those of a site are also the browser
// sessions that its session tokens opened, which it may hold (SE-13, D1). It raises the session
// version even where no session was left, and gives it. It fails with
// store.ErrNotFound where there is no such person.
func (s *Sessions) EndAll(ctx context.Context, tx *store.Tx, userID, siteID, keep string, reason otl.EndReason) (version int, err error) {
	version, ended, err := endAll(ctx, tx, s, userID, siteID, keep, reason)
	if err != nil {
		return 0, err
	}
	return version, s.tell(ctx, tx, userID, ended, version)
}

// endAll is EndAll but for the telling, which names what ended.
func endAll(ctx context.Context, tx *store.Tx, s *Sessions, userID, siteID, keep string, reason otl.EndReason) (version int, ended []store.Ended, err error) {
	if version, err = raise(ctx, tx, userID, reason); err != nil {
		return 0, nil, err
	}
	if ended, err = tx.Sessions.EndAll(ctx, userID, siteID, keep, reason, s.Now()); err != nil {
		return 0, nil, err
	}
	// Whoever asked for another address may be whom the sessions are ended for (OT-17).
	if err := tx.Tickets.VoidChanges(ctx, userID, s.Now()); err != nil {
		return 0, nil, err
	}
	// And he may have had his device trusted (MF-13), or be on the way in (SE-05, MF-02).
	if err := factor.Forgotten(ctx, tx, userID, siteID, s.Now()); err != nil {
		return 0, nil, err
	}
	opened := otl.PurposeLinkCode // what links that he opened gave sites
	if reason == otl.EndUserDisabled || reason == otl.EndSuspended {
		opened = "" // the site is told so of whoever is kept out, and not that his link is none
	}
	if err := tx.Tickets.VoidProofs(ctx, userID, siteID, opened, s.Now()); err != nil {
		return 0, nil, err
	}
	if siteID == "" && reason != otl.EndUserDisabled { // no browser offers him any more (H14); who is disabled may be enabled
		if err := tx.Sessions.Overrule(ctx, userID, reason); err != nil {
			return 0, nil, err
		}
	}
	if siteID == "" {
		if err := tx.Flows.Forget(ctx, userID); err != nil {
			return 0, nil, err
		}
		if err := tx.SeenPlaces.Forget(ctx, userID); err != nil { // where he came from is news again
			return 0, nil, err
		}
	}
	return version, ended, nil
}

// raise comes before sessions end, because it locks the row of the person, as a
// sign-in does: on PostgreSQL a session that is being opened is then either seen
// and ended, or gets the raised version, and nobody waits in a circle.
func raise(ctx context.Context, tx *store.Tx, userID string, reason otl.EndReason) (version int, err error) {
	if !reason.RaisesVersion() {
		return 0, nil
	}
	return tx.Users.RaiseSessionVersion(ctx, userID)
}

// tell appends what ended to the log of events and to the feed of revocations.
func (s *Sessions) tell(ctx context.Context, tx *store.Tx, userID string, ended []store.Ended, version int) error {
	if err := logEnded(ctx, tx, s, ended, version); err != nil {
		return err
	}
	return tx.Revocations.Append(ctx, s.revocations(userID, ended, version))
}

// logEnded appends what ended to the log of events.
func logEnded(ctx context.Context, tx *store.Tx, s *Sessions, ended []store.Ended, version int) error {
	for _, e := range ended {
		data := map[string]string{otl.DataReason: string(e.Reason), otl.DataSessionVersion: strconv.Itoa(version)}
		if e.Client != "" {
			data[otl.DataClient] = e.Client
		}
		if err := tx.Events.Append(ctx, s.event(otl.EventSessionRevoked, e.UserID, e.SiteID, e.ID, data)); err != nil {
			return err
		}
	}
	return nil
}

// revocations gives what the feed says of sessions that ended, and of a version
// that was raised though none did.
func (s *Sessions) revocations(userID string, ended []store.Ended, version int) []otl.Revocation {
	now := s.Now()
	if len(ended) == 0 {
		return []otl.Revocation{{UserID: userID, SessionVersion: version, At: now}}
	}
	all := make([]otl.Revocation, len(ended))
	for i, e := range ended {
		all[i] = otl.Revocation{UserID: e.UserID, SiteID: e.SiteID, SessionID: e.ID, SessionVersion: version, At: now}
	}
	return all
}
