package signin

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Members of the data of a ticket whose code leads back to a site in a browser.
const (
	dataHow    = "how"    // the method it proved
	dataNonce  = "nonce"  // of the ID token
	dataAnswer = "answer" // what the browser brings back: a code, or "id_token"
)

// LinkCodePrefix starts the codes that links and one-time codes lead to.
const LinkCodePrefix = "otl_lc_"

// Results leads browsers back to sites with what came of a code there.
type Results struct{ *Codes }

// Result is a code that somebody entered at a site whose browser is to bring the
// answer back to it.
type Result struct {
	CodeAttempt
	Client string // that sent the code, and alone can redeem what comes of it
	Nonce  string
	Answer string // "code" or "id_token"
}

// Enter checks a one-time code and gives what a browser takes to the address that was
// named when the code was sent: a code that the client redeems within a minute. Nobody
// is signed in yet. The errors are those of Verify; a code that was sent
// without an address is none.
func (s Results) Enter(ctx context.Context, r Result) (code secret.Text, err error) {
	u, err := r.whose(ctx, s.Codes)
	if err != nil {
		return code, err
	}
	code = secret.NewToken(LinkCodePrefix)
	var refused error
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		refused = nil
		t, err := s.guess(ctx, tx, u, r.CodeAttempt)
		if err == nil && (t.Data[dataClient] != r.Client || t.Data[dataRedirect] == "") {
			return ErrCode // and the code stays good where it belongs
		}
		if off := r.Site.Opens(methodOf(t).Way()); err == nil && off != nil {
			return off // and the code stays good, should the site take it again
		}
		if counted(err) {
			refused = err
			return nil
		}
		if err != nil {
			return err
		}
		t.Data[dataHow], t.Data[dataNonce], t.Data[dataAnswer] = string(methodOf(t)), r.Nonce, r.Answer
		return s.follow(ctx, tx, t, code)
	})
	if err == nil {
		err = refused
	}
	return code, r.shown(err)
}

// follow writes the code that a ticket leads to which was just used up, or will be by
// the code: of that there may be many. None outlives the ticket (contract 3.3).
func (s *Codes) follow(ctx context.Context, tx *store.Tx, t otl.Ticket, code secret.Text) error {
	now := s.Now()
	if until := now.Add(redeemTime); until.Before(t.ExpiresAt) {
		t.ExpiresAt = until
	}
	t.ID, t.Purpose, t.CreatedAt = secret.NewID(now), otl.PurposeLinkCode, now
	if t.Data[dataOf] != "" {
		t.Slot = t.ID
	}
	return tx.Tickets.Insert(ctx, t, secret.Digest(code.Reveal()), nil)
}

// Landing is where a browser takes the code of Enter.
type Landing struct {
	Client   string // whose code it is
	Redirect string // registered address, its own query kept
	Answer   string // as in Result
	To       string // the address with the code
}

// Land gives where a browser takes a code, and uses nothing up. The error is ErrLink.
func (s Results) Land(ctx context.Context, code secret.Text) (Landing, error) {
	t, err := s.Store.Read.Tickets.Live(ctx, otl.PurposeLinkCode, secret.Digest(code.Reveal()), s.Now())
	if errors.Is(err, store.ErrNotFound) {
		err = ErrLink
	}
	if err != nil {
		return Landing{}, err
	}
	to := t.Data[dataRedirect]
	return Landing{t.Data[dataClient], to, t.Data[dataAnswer], landing(to, code.Reveal(), t.Data[dataState])}, nil
}

// Nonce gives what a client sent along to have in the ID token.
func (p Proven) Nonce() string { return p.Ticket.Data[dataNonce] }

// Kept gives what goes with the code or link that a person was sent last at a site, for as
// long as that is kept: a day after it has expired. Where there is none it is nil.
func (s Results) Kept(ctx context.Context, userID, siteID string) (map[string]string, error) {
	t, err := s.Store.Read.Tickets.Newest(ctx, userID, otl.PurposeSignIn, siteID, "")
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return t.Data, err
}
