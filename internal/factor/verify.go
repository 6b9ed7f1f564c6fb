package factor

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// codeTTL is how long a code that is sent as a second step is good, unless the step
// ends before.
const codeTTL = 5 * time.Minute

// dataFactor is the member of a ticket's data that names the factor it is about.
const dataFactor = "factor"

// Prompt asks for the code of a factor to be sent.
type Prompt struct {
	User     otl.User
	SiteID   string
	FactorID string
	Kind     otl.FactorKind // used where FactorID is "": the first of the kind
	Slot     string         // id of the step or session it is for; a later code takes the place of the one before
	Used     otl.Methods    // what he has proven himself with: a factor of the same kind is none (MF-06)
	Until    time.Time      // end of the step
	TTL      time.Duration  // of the code; 0 for five minutes
	Custom   string         // message.Custom as JSON, "" for none
	Quiet    bool           // send nothing: only the factor is asked for
}

// Send sends the code of a factor that is one, or makes the challenge of a key, and
// gives the factor. Of an authenticator app there is nothing to send: only the factor
// is given. The
// errors are ErrNone, limit.ErrNumber, and limit.Exceeded beyond three prompts in ten
// minutes (MF-11).
func (f *Factors) Send(ctx context.Context, p Prompt) (Offer, error) {
	one, sealed, err := f.factor(ctx, f.Store.Read, p.User, p.FactorID, p.Kind, p.Used)
	if err != nil {
		return Offer{}, err
	}
	o := Offer{Factor: one, Hint: hint(p.User, one)}
	switch {
	case p.Quiet:
		return o, nil
	case one.Kind == otl.FactorKey:
		o.Options, err = f.ask(ctx, p, one, sealed)
		return o, err
	case !one.Kind.Sent():
		return o, nil
	}
	if err := f.pace(ctx, limit.Prompts, p.User.ID, p.SiteID, one); err != nil {
		return o, err
	}
	return o, f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return f.write(ctx, tx, p, one) })
}

// pace counts one more code to be sent to a person by a rate (MF-11, OT-20).
func (f *Factors) pace(ctx context.Context, r limit.Rate, userID, siteID string, one otl.Factor) error {
	uses, channel := []limit.Use{{Rate: r, By: []string{userID}}}, otl.ChannelMail
	if one.Kind == otl.FactorSMS {
		channel = otl.ChannelSMS
	}
	if err := f.Messages.Reaches(channel); err != nil {
		return err
	}
	if one.Kind == otl.FactorSMS {
		if err := f.SMS.Reaches(ctx, siteID, one.Target); err != nil {
			return err
		}
		uses = append(uses, f.SMS.Factor(siteID))
	}
	return f.Limits.Take(ctx, uses...)
}

// write makes a code and queues the message that carries it.
func (f *Factors) write(ctx context.Context, tx *store.Tx, p Prompt, one otl.Factor) error {
	now, code := f.Now(), secret.NewCode(f.Length)
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeFactor, UserID: p.User.ID, SiteID: p.SiteID, Slot: p.Slot, Channel: otl.ChannelSMS,
		Data: map[string]string{dataFactor: one.ID}, CreatedAt: now, ExpiresAt: now.Add(cmp.Or(p.TTL, codeTTL)),
	}
	if !p.Until.IsZero() && p.Until.Before(t.ExpiresAt) {
		t.ExpiresAt = p.Until
	}
	to := one.Target
	if one.Kind == otl.FactorMail {
		t.Channel, to = otl.ChannelMail, p.User.Email.Address
	}
	if err := tx.Tickets.Insert(ctx, t, nil, f.digest(t, code)); err != nil {
		return err
	}
	if one.Kind == otl.FactorSMS {
		stopped, err := limit.Sent(ctx, tx, p.SiteID, to, now)
		if err == nil && stopped {
			err = f.Messages.SMSStopped(ctx, tx, p.SiteID, limit.Range(to))
		}
		if err != nil {
			return err
		}
	}
	minutes := max(int(t.ExpiresAt.Sub(now).Minutes()), 1)
	_, err := f.Messages.Queue(ctx, tx, message.Note{
		Kind: otl.MessageFactorCode, Channel: t.Channel, To: to, UserID: p.User.ID, SiteID: p.SiteID, Locale: p.User.Locale, Expires: t.ExpiresAt,
		Data: map[string]string{message.DataCode: code, message.DataMinutes: strconv.Itoa(minutes), message.DataCustom: p.Custom, message.DataThread: message.Thread(p.Slot)},
	})
	return err
}

func (f *Factors) digest(t otl.Ticket, code string) []byte {
	return secret.CodeDigest(f.Key, code, t.ID, t.UserID, string(t.Purpose), t.SiteID, t.Slot, t.Data[dataFactor])
}

// factor gives a factor of a person that he may use after what he has used before,
// or ErrNone.
func (f *Factors) factor(ctx context.Context, tx *store.Tx, u otl.User, id string, kind otl.FactorKind, used otl.Methods) (otl.Factor, []byte, error) {
	var one otl.Factor
	var sealed []byte
	var err error
	switch {
	case id == "":
		one, sealed, err = tx.Factors.First(ctx, u.ID, kind)
	case secret.ValidID(id):
		one, sealed, err = tx.Factors.ByID(ctx, u.ID, id)
	default:
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && !usable(u, one, used, f.Now()) {
		return otl.Factor{}, nil, ErrNone
	}
	return one, sealed, err
}

// Claim is a proof that somebody says he has a factor.
type Claim struct {
	User     otl.User
	SiteID   string
	FactorID string
	Kind     otl.FactorKind // as in Prompt
	Slot     string         // as in Prompt
	Used     otl.Methods    // as in Prompt
	Proof    secret.Text
}

// Verify checks a proof inside a transaction, uses it up, and gives the factor. The
// guess is counted before it is looked at, under the person, whatever the door
// (OT-08): the transaction must be kept when the error is ErrNone, ErrProof or
// limit.Exceeded.
func (f *Factors) Verify(ctx context.Context, tx *store.Tx, c Claim) (otl.Factor, error) {
	one, sealed, err := f.factor(ctx, tx, c.User, c.FactorID, c.Kind, c.Used)
	if err != nil {
		return one, err
	}
	if err := f.count(ctx, tx, one); err != nil {
		return one, err
	}
	if err := f.accept(ctx, tx, one, sealed, c); err != nil {
		return one, err
	}
	return one, limit.ClearFactors(ctx, tx, c.User.ID, limit.FactorAt(c.User.ID, c.SiteID, one.ID))
}

// accept checks a proof of a factor and uses it up. The error is ErrProof, or ErrReused for
// a code of an app that was.
func (f *Factors) accept(ctx context.Context, tx *store.Tx, one otl.Factor, sealed []byte, c Claim) error {
	code := plain(c.Proof)
	switch one.Kind {
	case otl.FactorTOTP:
		return f.acceptTOTP(ctx, tx, one, sealed, code)
	case otl.FactorSMS, otl.FactorMail:
		return f.acceptSent(ctx, tx, one, c, code)
	case otl.FactorRecovery:
		return f.acceptRecovery(ctx, tx, one, c, code)
	case otl.FactorKey:
		return f.acceptKey(ctx, tx, one, sealed, c)
	}
	return ErrProof
}

// count counts a guess. Signatures of keys are not guessed at: they stay good whatever
// else was (PW-13).
func (f *Factors) count(ctx context.Context, tx *store.Tx, one otl.Factor) error {
	switch one.Kind {
	case otl.FactorKey:
		return nil
	case otl.FactorRecovery:
		return limit.TryFactor(ctx, tx, limit.Recovery(one.UserID), f.Now())
	}
	return limit.TryFactor(ctx, tx, limit.Factors(one.UserID), f.Now())
}

// plain gives a code without what people put between its parts.
func plain(proof secret.Text) string {
	return strings.NewReplacer(" ", "", "-", "").Replace(proof.Reveal())
}

// place is what the sealed part of a factor is bound to (SR-02).
func place(f otl.Factor) string { return "factors|" + f.ID + "|" + f.UserID + "|" + string(f.Kind) }

func (f *Factors) acceptTOTP(ctx context.Context, tx *store.Tx, one otl.Factor, sealed []byte, code string) error {
	seed, err := f.Master.Open(sealed, place(one))
	if err != nil {
		return err
	}
	now := f.Now()
	step, ok := secret.MatchTOTP(secret.NewText(string(seed)), secret.NewText(code), now)
	if !ok {
		return ErrProof
	}
	first, err := tx.Factors.Accept(ctx, one.ID, step, now)
	if err == nil && !first {
		err = ErrReused
	}
	return err
}

// proven turns what a conditional statement reports into the answer: where it was
// not the first, the proof was used before.
func proven(first bool, err error) error {
	if err == nil && !first {
		return ErrProof
	}
	return err
}

func (f *Factors) acceptSent(ctx context.Context, tx *store.Tx, one otl.Factor, c Claim, code string) error {
	if err := f.spend(ctx, tx, one, c, code); err != nil {
		return err
	}
	return proven(tx.Factors.Accept(ctx, one.ID, 0, f.Now()))
}

// spend uses up the code that was sent for a factor in the slot of a claim.
func (f *Factors) spend(ctx context.Context, tx *store.Tx, one otl.Factor, c Claim, code string) error {
	now := f.Now()
	t, digest, err := tx.Tickets.Guess(ctx, c.User.ID, otl.PurposeFactor, c.SiteID, c.Slot, now, f.Tries, nil)
	if errors.Is(err, store.ErrNotFound) {
		return ErrProof
	}
	if err != nil {
		return err
	}
	if t.Data[dataFactor] != one.ID || !secret.SameDigest(f.digest(t, code), digest) {
		return ErrProof
	}
	if err := proven(tx.Tickets.Spend(ctx, t.ID, now)); err != nil || one.Kind != otl.FactorSMS {
		return err
	}
	return limit.Entered(ctx, tx, t.SiteID, one.Target, t.CreatedAt)
}

// Refused takes the error of a transaction in which Verify ran apart: where the proof was
// wrong, and nothing of ours, it is refused, and as no error is left the transaction is kept
// with what was counted on the way.
func Refused(err error) (refused, rest error) {
	if err == nil {
		return nil, nil
	}
	switch otl.As(err).Kind {
	case otl.Unauthenticated, otl.NotFound, otl.Limited:
		return err, nil
	}
	return nil, err
}
