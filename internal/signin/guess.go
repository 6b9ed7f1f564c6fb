package signin

import (
	"context"
	"errors"
	"strings"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// whose gives the person whose code somebody enters, and nobody where none can be sent
// to him: what follows is the same work then (OT-10).
func (a *CodeAttempt) whose(ctx context.Context, s *Codes) (otl.User, error) {
	if err := a.Who.Check(); err != nil {
		return otl.User{}, err
	}
	m, err := s.find(ctx, a.Site, a.Who, a.Known)
	if errors.Is(err, store.ErrNotFound) || err == nil && !a.Known && !m.User.DisabledAt.IsZero() {
		return otl.User{}, nil
	}
	return m.User, err
}

// slot gives where the code of somebody who was found by an identifier stands. People
// have one at each site; nobody has one for each thing he is called.
func (i Identifier) slot(u otl.User) string {
	if u.ID != "" {
		return ""
	}
	return secret.Slot(string(i.Type) + " " + i.Value)
}

// withheld gives where the code stands that seemed to be sent to somebody for a visit to the
// hosted pages, or to nobody, while messages are used up: there it is in the place of any before,
// and in no other visit, so that nobody's code is made worthless by what others ask for while
// nothing is sent (PW-13). The calls of a site have no visits, and share one place.
func (i Identifier) withheld(flow string) string {
	return secret.Slot(string(i.Type) + " " + i.Value + " withheld " + flow)
}

// guess counts a guess and, if it is right, uses the ticket up.
func (s *Codes) guess(ctx context.Context, tx *store.Tx, u otl.User, a CodeAttempt) (otl.Ticket, error) {
	now, st := s.Now(), store.Standing{User: u, Site: a.Site}
	budget, err := s.Limits.Budget(ctx, tx, a.Site.ID)
	if err == nil {
		err = budget.Check(
			func() (bool, error) { return places(s.Second).Trusts(ctx, tx, st) },
			func() (bool, error) { return places(s.Second).Knows(ctx, tx, st) })
	}
	if err != nil {
		return otl.Ticket{}, err
	}
	var nobodys []string
	if !a.Known { // what seemed to be sent to him is nobody's
		nobodys = []string{a.Who.slot(otl.User{}), a.Who.withheld(a.Flow)}
	}
	t, digest, err := tx.Tickets.Guess(ctx, u.ID, otl.PurposeSignIn, a.Site.ID, "", now, s.Tries, nobodys)
	none := errors.Is(err, store.ErrNotFound)
	if err != nil && !none {
		return t, err
	}
	right := t.UserID != "" && a.right(s, t, digest)
	before, was, found, err := a.before(ctx, tx, s, u, t.ID, right)
	switch {
	case err != nil:
		return t, err
	case found && a.right(s, before, was):
		t, right = before, true
	case none && a.Known:
		return t, s.why(ctx, tx, u.ID, a.Site.ID)
	case none:
		return t, ErrCode // whatever it is
	}
	if t.UserID == "" {
		u = otl.User{}
	}
	if !right {
		if err := limit.WrongCode(ctx, tx, limit.Codes(u, a.Who.slot(u)), now); err != nil {
			return t, err
		}
		if err := missed(ctx, tx, s, budget); err != nil {
			return t, err
		}
		if t.Tries >= s.Tries {
			return t, ErrCodeLocked
		}
		return t, ErrCode
	}
	if err := limit.RightCode(ctx, tx, limit.Codes(u, a.Who.slot(u)), now); err != nil {
		return t, err
	}
	if first, err := tx.Tickets.Spend(ctx, t.ID, now); err != nil || !first {
		if err == nil {
			err = ErrCode
		}
		return t, err
	}
	if t.Channel == otl.ChannelSMS {
		if err := limit.Entered(ctx, tx, t.SiteID, t.Data[dataNumber], t.CreatedAt); err != nil {
			return t, err
		}
	}
	if methodOf(t) == otl.MethodDirect { // or a site could clear what strangers guess at other sites, and make room for more
		return t, nil
	}
	if err := limit.ClearCodes(ctx, tx, u.ID); err != nil { // before the budget, as a wrong one: rows are locked in one order
		return t, err
	}
	return t, budget.Right(ctx, tx)
}

// counted reports whether the error of a guess is an answer to whoever guessed: what was counted stays counted then.
func counted(err error) bool {
	if err == nil {
		return false
	}
	switch otl.As(err).Kind {
	case otl.Unauthenticated, otl.Forbidden, otl.Limited:
		return true
	}
	return false
}

// right reports whether it is the code of a ticket that was entered, with what else that asks for.
func (a CodeAttempt) right(s *Codes, t otl.Ticket, digest []byte) bool {
	plain := strings.NewReplacer(" ", "", "-", "").Replace(a.Code.Reveal())
	return secret.SameDigest(s.codeDigest(t, plain), digest) && requested(t, a.RequestID) && t.Data[dataFlow] == a.Flow
}

// before counts a guess at the code that was sent to a person for the visit it is entered in, where what only
// seemed to be sent for another took its place since; newest is the id of the ticket the guess was counted at
// already. Nobody got that: in its own visit the code of before is as good as it was (PW-13). Guesses at it
// are the person's, and five at most; those of the household are counted at the newest alone, as they are where it
// was sent. Where there is none a wrong code is counted as nobody's, so that as much is written (OT-10); right says that
// the newest was. It reports whether there is one.
func (a CodeAttempt) before(ctx context.Context, tx *store.Tx, s *Codes, u otl.User, newest string, right bool) (t otl.Ticket, digest []byte, found bool, err error) {
	if a.Flow == "" {
		return t, nil, false, nil
	}
	t, digest, err = tx.Tickets.GuessIn(ctx, a.Flow, dataFlow, u.ID, otl.PurposeSignIn, a.Site.ID, newest, s.Now(), s.Tries)
	found, whose := err == nil, limit.Codes(u, "")
	if errors.Is(err, store.ErrNotFound) {
		err, whose = nil, limit.Codes(otl.User{}, "before "+a.Who.slot(otl.User{}))
	}
	if err == nil && !right && (!found || !a.right(s, t, digest)) {
		if err = limit.WrongCode(ctx, tx, whose, s.Now()); err != nil && otl.As(err).Kind == otl.Limited {
			err = nil // that they are closed to him would tell that there is somebody
		}
	}
	return t, digest, found && err == nil, err
}

// missed counts a wrong code, and tells of very many: in the log, and the operator (OT-09).
func missed(ctx context.Context, tx *store.Tx, s *Codes, budget limit.Budget) error {
	many, err := budget.Wrong(ctx, tx)
	if err != nil || !many {
		return err
	}
	if err := tx.Events.Append(ctx, s.event(otl.EventCodesGuessed, "", "", nil)); err != nil {
		return err
	}
	if mails, err := budget.Mails(ctx, tx); err != nil || !mails {
		return err
	}
	return s.Messages.ToOperator(ctx, tx, otl.MessageCodesGuessed, s.Second.Home, nil)
}

// why tells what is the matter where there is no code to guess.
func (s *Codes) why(ctx context.Context, tx *store.Tx, userID, siteID string) error {
	t, err := tx.Tickets.Newest(ctx, userID, otl.PurposeSignIn, siteID, "")
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrCode
	case err != nil:
		return err
	case !t.UsedAt.IsZero():
		return ErrCode
	case t.Tries >= s.Tries:
		return ErrCodeLocked
	}
	return ErrCodeExpired
}
