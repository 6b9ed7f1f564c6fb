package factor

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Verifications are what a site asks outside any sign-in: whether one of its people has a
// factor. The answer is all that comes of it: nothing is opened, no failure counts at
// another site, and no code is sent that a sign-in then lacks (decision D1, ADR 30).
type Verifications struct{ *Factors }

// VerificationTTL is how long a verification is good unless the site says otherwise.
const VerificationTTL = 2 * time.Minute

// ErrVerification is the answer to a verification that is unknown, over, of another site,
// person or factor, or that too many wrong proofs have ended.
var ErrVerification = &otl.Error{Kind: otl.Unauthenticated, Code: "mfa_verification_invalid", Text: "The verification is unknown, over or has expired. Begin another."}

// StandIn is the id of what stands in for the factors of a site's own person.
const StandIn = string(otl.PurposeStandIn)

// VerificationState is how far a verification has come.
type VerificationState string

// The states of a verification.
const (
	VerificationPending  VerificationState = "pending"
	VerificationAccepted VerificationState = "accepted"
	VerificationRejected VerificationState = "rejected" // too late, or too many wrong proofs
)

// Verification is one factor of one person, as a site asks for it.
type Verification struct {
	otl.Factor // of the kind "" where it is StandIn
	State      VerificationState
	ExpiresAt  time.Time
}

// Question says what a site asks.
type Question struct {
	store.Standing             // of person, site and grant
	FactorID       string      // StandIn for the token that stands in
	Token          secret.Text // by which the verification is known
	SMS            string      // what is written in place of ours, as message.Custom has it; "" for ours
}

// dataAccepted is the member of a verification's data that is there once it was accepted.
const dataAccepted = "accepted"

// Begin begins a verification that is good for a time, in the place of one there was of
// the same factor, and sends the code of a factor that is one. The errors are ErrNone,
// limit.ErrNumber, and limit.Exceeded beyond limit.SitePrompts.
func (f Verifications) Begin(ctx context.Context, q Question, ttl time.Duration) (Verification, error) {
	one, _, err := f.asked(ctx, f.Store.Read, q)
	if err != nil {
		return Verification{}, err
	}
	if one.Kind.Sent() {
		if err := f.pace(ctx, limit.SitePrompts, q.User.ID, q.Site.ID, one); err != nil {
			return Verification{}, err
		}
	}
	text, err := custom(q.SMS)
	if err != nil {
		return Verification{}, err
	}
	now := f.Now()
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeVerification, UserID: q.User.ID, SiteID: q.Site.ID, Slot: one.ID,
		Data: map[string]string{dataFactor: one.ID}, CreatedAt: now, ExpiresAt: now.Add(ttl),
	}
	return Verification{one, VerificationPending, t.ExpiresAt}, f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Tickets.Insert(ctx, t, secret.Digest(q.Token.Reveal()), nil); err != nil || !one.Kind.Sent() {
			return err
		}
		return f.write(ctx, tx, Prompt{User: q.User, SiteID: q.Site.ID, Slot: t.ID, TTL: ttl, Custom: text}, one)
	})
}

// custom gives the text of an SMS in place of ours as message.Custom, "" for none.
func custom(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	raw, err := json.Marshal(message.Custom{SMS: text})
	return string(raw), err
}

// asked gives the factor that is asked for, if the person has it, lives, and it is one
// that a server can pass on. What stands for a lost factor is for signing in alone.
func (f Verifications) asked(ctx context.Context, tx *store.Tx, q Question) (otl.Factor, []byte, error) {
	if !q.User.DisabledAt.IsZero() || !q.Grant.Live() {
		return otl.Factor{}, nil, ErrNone
	}
	if q.FactorID == StandIn { // of its own people alone, and they may have become independent
		return otl.Factor{ID: StandIn, UserID: q.User.ID}, nil, stands(ctx, tx, q.Standing, f.Now())
	}
	one, sealed, err := f.factor(ctx, tx, q.User, q.FactorID, "", nil)
	if err == nil && (one.Kind == otl.FactorRecovery || one.Kind == otl.FactorKey) {
		err = ErrNone
	}
	return one, sealed, err
}

// Look tells how far a verification has come. The error is ErrVerification, or for a token that
// stands in otl.ErrIndependent where the person is the site's own no more.
func (f Verifications) Look(ctx context.Context, q Question) (Verification, error) {
	t, err := f.Store.Read.Tickets.Any(ctx, otl.PurposeVerification, secret.Digest(q.Token.Reveal()))
	if errors.Is(err, store.ErrNotFound) || err == nil && !q.of(t) {
		return Verification{}, ErrVerification
	}
	v := Verification{otl.Factor{ID: t.Data[dataFactor]}, VerificationPending, t.ExpiresAt}
	switch {
	case t.Data[dataAccepted] != "":
		v.State = VerificationAccepted
	case !t.UsedAt.IsZero(), t.Tries >= f.Tries, !f.Now().Before(t.ExpiresAt):
		v.State = VerificationRejected
	}
	if err == nil && v.ID == StandIn {
		err = stands(ctx, f.Store.Read, q.Standing, f.Now())
	}
	return v, err
}

// of reports whether a verification is one of the person at the site, and of the factor
// if one is named.
func (q Question) of(t otl.Ticket) bool {
	return t.UserID == q.User.ID && t.SiteID == q.Site.ID && (q.FactorID == "" || q.FactorID == t.Data[dataFactor])
}

// Answer holds a proof against the factor of a verification. Without a token the proof of
// a factor that needs no code sent is looked at at once. The errors are ErrVerification,
// ErrProof, ErrNone, and limit.Exceeded after a hundred wrong proofs of the factor at the
// site in a row.
func (f Verifications) Answer(ctx context.Context, q Question, proof secret.Text) (v Verification, err error) {
	var refused error
	err = f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		v, err = f.answer(ctx, tx, q, proof)
		refused, err = Refused(err)
		return err
	})
	if err == nil {
		err = refused
	}
	return v, err
}

func (f Verifications) answer(ctx context.Context, tx *store.Tx, q Question, proof secret.Text) (v Verification, err error) {
	var t otl.Ticket
	if !q.Token.Empty() {
		t, err = tx.Tickets.Try(ctx, otl.PurposeVerification, secret.Digest(q.Token.Reveal()), f.Now(), f.Tries)
		if errors.Is(err, store.ErrNotFound) || err == nil && !q.of(t) {
			return v, ErrVerification
		}
		if err != nil {
			return v, err
		}
		q.FactorID = t.Data[dataFactor]
	}
	one, sealed, err := f.asked(ctx, tx, q)
	if err != nil {
		return v, err
	}
	at := limit.FactorAt(q.User.ID, q.Site.ID, one.ID)
	if err := limit.TryFactor(ctx, tx, at, f.Now()); err != nil {
		return v, err
	}
	c := Claim{User: q.User, SiteID: q.Site.ID, FactorID: one.ID, Slot: t.ID, Proof: proof}
	if q.FactorID == StandIn {
		err = f.acceptStandIn(ctx, tx, c)
	} else {
		err = f.accept(ctx, tx, one, sealed, c)
	}
	if err != nil {
		return v, err
	}
	v = Verification{one, VerificationAccepted, t.ExpiresAt}
	if err := limit.Clear(ctx, tx, at); err != nil {
		return v, err
	}
	return v, f.accepted(ctx, tx, t, q, one)
}

// accepted notes that a verification has succeeded: of any number at once one does.
func (f Verifications) accepted(ctx context.Context, tx *store.Tx, t otl.Ticket, q Question, one otl.Factor) error {
	if t.ID != "" {
		if first, err := tx.Tickets.Spend(ctx, t.ID, f.Now()); err != nil || !first {
			return cmp.Or(err, error(ErrVerification))
		}
		t.Data[dataAccepted] = "yes"
		if err := tx.Tickets.Note(ctx, t); err != nil {
			return err
		}
	}
	return tx.Events.Append(ctx, f.event(otl.EventFactorVerified, q.User.ID, q.Site.ID, facts(one, "")))
}

// Bounds of what stands in for the factors of a site's own person (contract 2.11).
const (
	MinStandIn = 2 * time.Minute
	MaxStandIn = 72 * time.Hour
)

// dataReusable is the member of a stand-in's data that is there where it is good more
// than once.
const dataReusable = "reusable"

// StandIn gives a token that verifications of the site take in the place of a factor of
// the person, once or as often as he likes, until it expires; it takes the place of the
// one before. The error is otl.ErrIndependent where the person is not the site's own. No sign-in
// takes it.
func (f Verifications) StandIn(ctx context.Context, b store.Standing, ttl time.Duration, reusable bool) (secret.Text, time.Time, error) {
	now, token := f.Now(), hex.EncodeToString(secret.Bytes(20))
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeStandIn, UserID: b.User.ID, SiteID: b.Site.ID, Data: map[string]string{}, CreatedAt: now, ExpiresAt: now.Add(ttl),
	}
	if reusable {
		t.Data[dataReusable] = "yes"
	}
	return secret.NewText(token), t.ExpiresAt, f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := stands(ctx, tx, b, now); err != nil {
			return err
		}
		if err := tx.Tickets.Insert(ctx, t, secret.Digest(token), nil); err != nil {
			return err
		}
		return tx.Events.Append(ctx, f.event(otl.EventStandInGiven, b.User.ID, b.Site.ID, nil))
	})
}

func (f Verifications) acceptStandIn(ctx context.Context, tx *store.Tx, c Claim) error {
	t, err := tx.Tickets.Live(ctx, otl.PurposeStandIn, secret.Digest(c.Proof.Reveal()), f.Now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrProof
	case err != nil:
		return err
	case t.UserID != c.User.ID || t.SiteID != c.SiteID:
		return ErrProof
	case t.Data[dataReusable] != "":
		return nil
	}
	return proven(tx.Tickets.Spend(ctx, t.ID, f.Now()))
}
