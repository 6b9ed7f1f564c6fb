package session

import (
	"context"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Uprooted is what an uproot took away that had worked until then.
type Uprooted struct {
	Password bool     // it let somebody in; one that was given to begin with never did
	Also     []string // what went with the password, as message.DataAlso has it
}

// Uproot removes, at the first proof of a person's address, what somebody planted in
// the account who had not proven to hold it: password, factors, sessions, and everything that
// waits to be used to change the account. Whoever proved the number besides the address
// may have been somebody else too: it has to be proven again (OT-16). Keep is the id of the session that the proof is
// added to, "" for none. A site says which that is, and may have proven a number of its own in it: the number goes all the same (D1).
func (s *Sessions) Uproot(ctx context.Context, tx *store.Tx, f *factor.Factors, userID, siteID, keep string) (Uprooted, error) {
	gone, err := uprootPassword(ctx, tx, s, userID, siteID, keep)
	if err != nil {
		return gone, err
	}
	if err := tx.Users.UnprovePhone(ctx, userID); err != nil {
		return gone, err
	}
	for _, p := range []otl.Purpose{otl.PurposeReset, otl.PurposeUndo} {
		if err := tx.Tickets.Void(ctx, userID, p, "", s.Now()); err != nil {
			return gone, err
		}
	}
	if err := f.RemoveAll(ctx, tx, userID, siteID, "first proof of the address"); err != nil {
		return gone, err
	}
	_, err = s.EndAll(ctx, tx, userID, "", keep, otl.EndUnproven) // and changes that wait to be proven
	return gone, err
}

// uprootPassword removes the password, and says what will go with it.
func uprootPassword(ctx context.Context, tx *store.Tx, s *Sessions, userID, siteID, keep string) (gone Uprooted, err error) {
	temporary, err := tx.Passwords.Temporary(ctx, userID)
	if err != nil {
		return gone, err
	}
	had, err := tx.Passwords.Remove(ctx, userID)
	if err != nil || !had {
		return gone, err
	}
	if err := tx.Events.Append(ctx, s.event(otl.EventPasswordRemoved, userID, siteID, "", map[string]string{"by": "first proof of the address"})); err != nil {
		return gone, err
	}
	if gone.Password = !temporary; temporary {
		return gone, nil
	}
	live, err := tx.Sessions.Live(ctx, userID, "", "", s.Now(), 2)
	if err != nil {
		return gone, err
	}
	if slices.ContainsFunc(live, func(one otl.Session) bool { return one.ID != keep }) {
		gone.Also = append(gone.Also, "sessions")
	}
	has, err := tx.Factors.Of(ctx, userID)
	if err == nil && len(has) > 0 {
		gone.Also = append(gone.Also, "factors")
	}
	return gone, err
}

// Tell says where somebody has just proven to be reached that the password of before no longer works:
// he may have set it himself, and would not know why. Nobody is told where none worked.
func (gone Uprooted) Tell(ctx context.Context, tx *store.Tx, m *message.Messages, u otl.User, by otl.Channel, siteID string) error {
	if !gone.Password {
		return nil
	}
	data := map[string]string{message.DataAlso: strings.Join(gone.Also, " ")}
	if by != otl.ChannelSMS {
		return m.Mail(ctx, tx, otl.MessagePasswordRemoved, u, siteID, data)
	}
	_, err := m.Queue(ctx, tx, message.Note{
		Kind: otl.MessagePasswordRemoved, Channel: by, To: u.Phone, UserID: u.ID, SiteID: siteID, Locale: u.Locale, Data: data,
	})
	return err
}
