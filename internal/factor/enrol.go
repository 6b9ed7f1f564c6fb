package factor

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	// enrolTTL is how long a factor that was begun to be set up can be confirmed, unless
	// whoever began it says otherwise.
	enrolTTL = 15 * time.Minute
	// maxFactors is how many factors one person can have.
	maxFactors = 20
)

// Errors of setting factors up.
var (
	// ErrUnproven is the answer to somebody who signed in with one factor where two are
	// needed: to change what factors he has once he has some (MF-08), or to act as the
	// owner of a site (decision D2).
	ErrUnproven = &otl.Error{Kind: otl.Unauthenticated, Code: "mfa_proof_required", Text: "This needs a sign-in with a second factor. Prove one, or set one up first."}
	// ErrTooMany is the answer to one factor too many.
	ErrTooMany = &otl.Error{Kind: otl.Conflict, Code: "mfa_too_many", Text: "A person has at most 20 factors. Remove one first."}
)

// Setup changes what factors people have.
type Setup struct{ *Factors }

// New is a factor somebody would like to have.
type New struct {
	Kind   otl.FactorKind // all but FactorRecovery
	Label  string         // "" for the usual one of the kind
	Number string         // of FactorSMS, E.164
	TTL    time.Duration  // in which it can be confirmed; 0 for fifteen minutes
	Text   string         // of the SMS in place of ours, as message.Custom has it; "" for ours
}

// Ways gives the kinds of factors that a person can set up, the best first.
func (f *Setup) Ways(u otl.User) []otl.FactorKind {
	var out []otl.FactorKind
	if f.Keys != nil {
		out = append(out, otl.FactorKey)
	}
	out = append(out, otl.FactorTOTP)
	if len(f.SMS.Numbers) > 0 {
		out = append(out, otl.FactorSMS)
	}
	if !u.EmailVerifiedAt.IsZero() && !u.Held(otl.ChannelMail, "", f.Now()) {
		out = append(out, otl.FactorMail)
	}
	return out
}

// Enrolment is a factor that has just been begun to be set up.
type Enrolment struct {
	otl.Factor
	Seed      secret.Text // of an authenticator app, in base32; given by Enrol and Again alone (MF-12)
	Link      secret.Text // otpauth URL of the same, for a QR code
	Options   string      // of a key: for navigator.credentials.create, as JSON
	ExpiresAt time.Time   // until when it can be confirmed
}

// Enrol begins to set a factor up for the person of a session. It opens nothing until
// it is confirmed. The errors are ErrUnproven, otl.ErrSessionRevoked, otl.ErrIndependent for
// a site whose own he is not, ErrTooMany, and those of Send for a factor that is a code we send:
// codes are counted for nobody but who may have one sent.
func (f *Setup) Enrol(ctx context.Context, b store.Standing, n New) (Enrolment, error) {
	one, err := f.fresh(b.User, &n)
	if err != nil {
		return Enrolment{}, err
	}
	if one.Kind.Sent() {
		err := f.may(ctx, f.Store.Read, b)
		if err == nil {
			err = f.pace(ctx, limit.Prompts, b.User.ID, b.Site.ID, one)
		}
		if err != nil {
			return Enrolment{}, err
		}
	}
	e := Enrolment{Factor: one, ExpiresAt: one.ConfirmBy}
	text, err := custom(n.Text)
	if err != nil {
		return Enrolment{}, err
	}
	var sealed []byte
	switch one.Kind {
	case otl.FactorTOTP:
		seed := secret.NewTOTPSeed()
		e.tell(f.Messages.Host, b.User, seed)
		sealed = f.Master.Seal([]byte(seed.Reveal()), place(one))
	case otl.FactorKey:
		if e.Options, sealed, err = f.begin(ctx, b.User, one); err != nil {
			return Enrolment{}, err
		}
	}
	return e, f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := f.may(ctx, tx, b); err != nil {
			return err
		}
		if has, err := tx.Factors.Of(ctx, b.User.ID); err != nil || len(has) >= maxFactors {
			return cmp.Or(err, error(ErrTooMany))
		}
		if err := tx.Factors.DeletePending(ctx, b.User.ID, one.Kind); err != nil {
			return err
		}
		if err := tx.Factors.Insert(ctx, one, sealed); err != nil || !one.Kind.Sent() {
			return err
		}
		return f.write(ctx, tx, Prompt{User: b.User, SiteID: b.Site.ID, Slot: one.ID, Until: e.ExpiresAt, Custom: text}, one)
	})
}

// tell adds the seed of an app of a server with a host name to what its person is shown.
func (e *Enrolment) tell(host string, u otl.User, seed secret.Text) {
	e.Seed, e.Link = secret.EncodeTOTPSeed(seed), secret.TOTPLink(seed, host, u.Email.Address)
}

// Again gives an app that a person has begun to set up once more with its seed, as Enrol did. The
// error is ErrNone for any other, for one that is confirmed, and for one whose time is over. Whoever
// asks makes sure that it is shown where it was begun (MF-12).
func (f *Setup) Again(ctx context.Context, u otl.User, id string) (Enrolment, error) {
	if !secret.ValidID(id) {
		return Enrolment{}, ErrNone
	}
	one, sealed, err := f.Store.Read.Factors.ByID(ctx, u.ID, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (one.Kind != otl.FactorTOTP || !one.ConfirmedAt.IsZero() || !f.Now().Before(one.ConfirmBy)) {
		err = ErrNone
	}
	if err != nil {
		return Enrolment{}, err
	}
	seed, err := f.Master.Open(sealed, place(one))
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{Factor: one, ExpiresAt: one.ConfirmBy}
	e.tell(f.Messages.Host, u, secret.NewText(string(seed)))
	return e, nil
}

// fresh checks what somebody would like and gives it as a factor not yet confirmed.
func (f *Setup) fresh(u otl.User, n *New) (otl.Factor, error) {
	now := f.Now()
	one := otl.Factor{ID: secret.NewID(now), UserID: u.ID, Kind: n.Kind, CreatedAt: now, ConfirmBy: now.Add(cmp.Or(n.TTL, enrolTTL))}
	usual := Usual(n.Kind)
	var err error
	switch {
	case usual == "":
		return one, otl.InvalidField("kind", "unknown_value", "must be totp, sms_otp, email_otp or webauthn")
	case n.Kind == otl.FactorKey && f.Keys == nil:
		return one, otl.InvalidField("kind", "no_host_name", "needs a server that is reached by a name, not by an address")
	case n.Kind == otl.FactorSMS:
		if one.Target, err = otl.ParsePhone(n.Number); err != nil {
			return one, err
		}
	case n.Kind == otl.FactorMail && u.EmailVerifiedAt.IsZero():
		return one, otl.InvalidField("kind", "address_unproven", "needs an address that was proven: sign in with a code or link sent there")
	}
	one.Label, err = checkLabel(n.Label)
	if one.Label == "" {
		one.Label = usual
	}
	return one, err
}

// Registrations are factors that somebody is setting up.
type Registrations struct{ *Setup }

// Begun is Setup.Begun for whoever may set factors of the person up. The error is also one of
// otl.ErrSessionRevoked and otl.ErrIndependent.
func (f Registrations) Begun(ctx context.Context, b store.Standing, id string) (Enrolment, error) {
	if err := stands(ctx, f.Store.Read, b, f.Now()); err != nil {
		return Enrolment{}, err
	}
	return f.Setup.Begun(ctx, b.User.ID, id)
}

// Begun gives a factor of a person that was begun to be set up, whether or not it was
// finished. The error is ErrNone for one whose time is over, as for none.
func (f *Setup) Begun(ctx context.Context, userID, id string) (Enrolment, error) {
	if !secret.ValidID(id) {
		return Enrolment{}, ErrNone
	}
	one, _, err := f.Store.Read.Factors.ByID(ctx, userID, id)
	e := Enrolment{Factor: one, ExpiresAt: one.ConfirmBy}
	if errors.Is(err, store.ErrNotFound) || err == nil && one.ConfirmedAt.IsZero() && !f.Now().Before(e.ExpiresAt) {
		err = ErrNone
	}
	return e, err
}

// Usual gives what a factor of a kind is called that its person has given no name, "" for
// recovery codes. Pages and messages say that in his language.
func Usual(k otl.FactorKind) string {
	switch k {
	case otl.FactorTOTP:
		return "Authenticator app"
	case otl.FactorSMS:
		return "Telephone"
	case otl.FactorMail:
		return "E-mail"
	case otl.FactorKey:
		return "Passkey"
	}
	return ""
}

// called gives what a message calls factors: one that has no name but the usual by its kind, in the language of the message.
func called(all ...otl.Factor) string {
	out := make([]message.Factor, len(all))
	for i, one := range all {
		out[i] = message.Factor{Kind: one.Kind, Name: one.Label}
		if one.Label == Usual(one.Kind) {
			out[i].Name = ""
		}
	}
	return message.Factors(out...)
}

func checkLabel(s string) (string, error) { return otl.CheckText("label", s, otl.MaxLabel) }

// may reports whether the person of a session, or the site whose own he is, may change what
// factors he has. The errors are ErrUnproven and those of stands.
func (f *Setup) may(ctx context.Context, tx *store.Tx, b store.Standing) error {
	if err := stands(ctx, tx, b, f.Now()); err != nil {
		return err
	}
	has, err := tx.Factors.Of(ctx, b.User.ID)
	switch {
	case err != nil:
		return err
	case enrolled(has) && !b.Session.Methods.Strong():
		return ErrUnproven
	}
	return nil
}

// sure is Setup.may with the row of the person held, so that the answer stands until the transaction ends: on
// PostgreSQL a first factor could else be confirmed in this moment, of which the session knows nothing.
func sure(ctx context.Context, tx *store.Tx, f *Setup, b store.Standing) error {
	if err := tx.Users.Lock(ctx, b.User.ID); err != nil {
		return err
	}
	return f.may(ctx, tx, b)
}

// Confirmed is a factor that was just set up, with recovery codes where it is the
// first one, and the session version that was raised by it.
type Confirmed struct {
	otl.Factor
	RecoveryCodes []secret.Text // shown this once
	Version       int
}

// Confirm finishes setting a factor up with a proof of it. The person is told by
// mail, by which he can undo the first one, and all his access tokens are void (MF-08). The errors are ErrNone, ErrProof,
// ErrUnproven, otl.ErrSessionRevoked, otl.ErrIndependent and limit.Exceeded.
func (f *Setup) Confirm(ctx context.Context, b store.Standing, id string, proof secret.Text) (Confirmed, error) {
	var c Confirmed
	var refused error
	err := f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		c, refused, err = f.ConfirmIn(ctx, tx, b, id, proof)
		return err
	})
	if err == nil {
		err = refused
	}
	return c, err
}

// ConfirmIn is Confirm within a transaction. A refusal comes apart from errors: what was
// counted is kept.
func (f *Setup) ConfirmIn(ctx context.Context, tx *store.Tx, b store.Standing, id string, proof secret.Text) (c Confirmed, refused, err error) {
	one, step, err := f.shown(ctx, tx, b, id, proof)
	if err != nil {
		refused, err = Refused(err)
		return c, refused, err
	}
	c, err = f.added(ctx, tx, b, one, step)
	return c, nil, err
}

// shown counts the try and gives the factor that a proof is of, with the time step of a
// code that has one.
func (f *Setup) shown(ctx context.Context, tx *store.Tx, b store.Standing, id string, proof secret.Text) (otl.Factor, int64, error) {
	now := f.Now()
	if err := f.may(ctx, tx, b); err != nil {
		return otl.Factor{}, 0, err
	}
	one, sealed, err := tx.Factors.ByID(ctx, b.User.ID, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!one.ConfirmedAt.IsZero() || !now.Before(one.ConfirmBy)) {
		return one, 0, ErrNone
	}
	if err != nil {
		return one, 0, err
	}
	if err := limit.TryFactor(ctx, tx, limit.Factors(b.User.ID), now); err != nil {
		return one, 0, err
	}
	step, err := f.shows(ctx, tx, b, one, sealed, proof)
	return one, step, err
}

// shows reports whether a proof is one of a factor that is being set up, and the time
// step of a code that has one.
func (f *Setup) shows(ctx context.Context, tx *store.Tx, b store.Standing, one otl.Factor, sealed []byte, proof secret.Text) (int64, error) {
	if one.Kind.Sent() {
		return 0, f.spend(ctx, tx, one, Claim{User: b.User, SiteID: b.Site.ID, Slot: one.ID}, plain(proof))
	}
	opened, err := f.Master.Open(sealed, place(one))
	if err != nil {
		return 0, err
	}
	if one.Kind == otl.FactorKey {
		return 0, f.register(ctx, tx, b.User, one, opened, proof)
	}
	step, ok := secret.MatchTOTP(secret.NewText(string(opened)), secret.NewText(plain(proof)), f.Now())
	if !ok {
		return 0, ErrProof
	}
	return step, nil
}

// added writes that a factor is confirmed and everything that goes with it. Of two first ones that are
// confirmed at once the later one is not the first any more, and takes a proof of the other (MF-08).
func (f *Setup) added(ctx context.Context, tx *store.Tx, b store.Standing, one otl.Factor, step int64) (c Confirmed, err error) {
	if err := sure(ctx, tx, f, b); err != nil {
		return c, err
	}
	has, err := tx.Factors.Of(ctx, b.User.ID)
	if err != nil {
		return c, err
	}
	one.ConfirmedAt, one.LastStep, one.Default = f.Now(), step, !enrolled(has)
	c.Factor = one
	if err := proven(tx.Factors.Confirm(ctx, one.ID, step, one.Default, one.ConfirmedAt)); err != nil {
		return c, err
	}
	if err := limit.ClearFactors(ctx, tx, b.User.ID); err != nil {
		return c, err
	}
	if len(has) == 0 {
		if _, c.RecoveryCodes, err = f.makeCodes(ctx, tx, b.User.ID, b.Site.ID); err != nil {
			return c, err
		}
	}
	undo := ""
	if !enrolled(has) {
		if undo, err = (Undos{f.Factors}).link(ctx, tx, b.User, b.Site.ID); err != nil {
			return c, err
		}
	}
	c.Version, err = f.changed(ctx, tx, b, otl.EventFactorAdded, otl.MessageFactorAdded, one, undo)
	return c, err
}

// voidTokens raises the session version of a person, and tells whoever verifies tokens
// by himself.
func (f *Setup) voidTokens(ctx context.Context, tx *store.Tx, userID string) (int, error) {
	version, err := tx.Users.RaiseSessionVersion(ctx, userID)
	if err != nil {
		return 0, err
	}
	return version, tx.Revocations.Append(ctx, []otl.Revocation{{UserID: userID, SessionVersion: version, At: f.Now()}})
}

// stands is otl.ErrSessionRevoked where the session that a change is asked for with has
// ended since it was read. A site that changes factors of its own people does so without a
// session: it is otl.ErrIndependent where he is its own no more (decision D1). Whoever asks
// with the row of the person held, as whoever ends sessions or proves an address holds it,
// knows that neither changes in this moment. Joining another site does not wait for that row:
// who joins meanwhile has joined after the change.
func stands(ctx context.Context, tx *store.Tx, b store.Standing, now time.Time) error {
	if b.Session.ID == "" {
		owns, err := tx.Grants.Owns(ctx, b.Site.ID, b.User.ID)
		if err == nil && !owns {
			err = otl.ErrIndependent
		}
		return err
	}
	is, err := tx.Sessions.Standing(ctx, b.Session.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !is.Session.Live(now) {
		return otl.ErrSessionRevoked
	}
	return err
}

// changed voids the person's access tokens, appends the event and queues the mail that
// go with every change of his factors (MF-08); undo is the link that takes the change back, "" for
// none. The error is that of stands.
func (f *Setup) changed(ctx context.Context, tx *store.Tx, b store.Standing, e otl.EventType, kind otl.MessageKind, one otl.Factor, undo string) (int, error) {
	version, err := f.voidTokens(ctx, tx, b.User.ID)
	if err != nil {
		return 0, err
	}
	if err := stands(ctx, tx, b, f.Now()); err != nil {
		return 0, err
	}
	by := ""
	if b.Session.ID == "" { // a site, whose own he is
		by = "site"
	}
	if err := tx.Events.Append(ctx, f.event(e, b.User.ID, b.Site.ID, facts(one, by))); err != nil {
		return 0, err
	}
	return version, f.Messages.Mail(ctx, tx, kind, b.User, b.Site.ID, map[string]string{message.DataLabel: called(one), message.DataLink: undo})
}

// Given is a factor that an operator gives somebody, without a proof.
type Given struct {
	New
	Seed secret.Text // of FactorTOTP
}

// Give adds a factor to a person on behalf of an operator at the server's own command
// line.
func (f *Setup) Give(ctx context.Context, u otl.User, g Given) (otl.Factor, error) {
	one, err := f.fresh(u, &g.New)
	if err != nil {
		return one, err
	}
	one.ConfirmedAt = one.CreatedAt
	var sealed []byte
	if one.Kind == otl.FactorTOTP {
		sealed = f.Master.Seal([]byte(g.Seed.Reveal()), place(one))
	}
	return one, f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Users.Lock(ctx, u.ID); err != nil { // or two were the first
			return err
		}
		has, err := tx.Factors.Of(ctx, u.ID)
		if err != nil {
			return err
		}
		one.Default = !enrolled(has)
		if err := tx.Factors.Insert(ctx, one, sealed); err != nil {
			return err
		}
		return tx.Events.Append(ctx, f.event(otl.EventFactorAdded, u.ID, "", facts(one, "operator")))
	})
}
