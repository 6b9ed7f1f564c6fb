package account

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Fresh is how lately somebody has proven who he is who chooses a password without the present one.
const Fresh = 2 * time.Minute

// Taken is what a new password takes (PW-14).
type Taken int

// What it can take.
const (
	TakesNothing Taken = iota // more: he has just shown the present one, or two factors, or has none and has just proven who he is
	TakesPresent              // the present one, or a fresh proof of a second factor
	TakesProof                // a fresh proof of who he is: there is no password yet
)

// Renewal is a new password of somebody in a browser session.
type Renewal struct{ *Accounts }

// Takes gives what a new password takes of the person of a session. A code or link by mail alone
// is no proof of whoever has a password: the mailbox may be in other hands. Nor is a factor
// that was set up in this moment, which anybody does who holds the session.
func (a Renewal) Takes(ctx context.Context, by store.Standing) (Taken, error) {
	has, err := a.Store.Read.Passwords.Has(ctx, by.User.ID)
	if err != nil {
		return TakesProof, err
	}
	now, s := a.Now(), by.Session
	fresh := s.HandedBy == "" && now.Sub(s.AuthAt) <= Fresh
	switch {
	case !has && !fresh:
		return TakesProof, nil
	case !has, fresh && slices.Contains(s.Methods, otl.MethodPassword) && !s.Methods.Strong():
		return TakesNothing, nil
	case !fresh || !s.Methods.Strong():
		return TakesPresent, nil
	}
	factors, err := a.Store.Read.Factors.Of(ctx, by.User.ID)
	if err != nil || !slices.ContainsFunc(factors, func(f otl.Factor) bool { return !f.ConfirmedAt.IsZero() && now.Sub(f.ConfirmedAt) > Fresh }) {
		return TakesPresent, err
	}
	return TakesNothing, nil
}

// Renewed is what somebody would like to have as his password.
type Renewed struct {
	By      store.Standing // of a browser session
	Present secret.Text    // looked at where Takes says so
	New     secret.Text
}

// Renew sets it. All his sessions end, and the browser gets another one in the place of its own,
// proven as that was: whoever holds a copy of its cookie is out as well (SE-04, PW-14). He is told by
// mail. The error is of a rule that the new one breaks, of a wrong present one,
// limit.Exceeded, or otl.ErrSessionRevoked where his session ended meanwhile or is no proof any more.
func (a Renewal) Renew(ctx context.Context, r Renewed) (b session.Browser, err error) {
	u, home := r.By.User, r.By.Site
	if err := a.Rules.Check(r.New, u.Email, home.Name); err != nil {
		return b, err
	}
	takes, err := a.Takes(ctx, r.By)
	switch {
	case err != nil:
		return b, err
	case takes == TakesProof:
		return b, otl.ErrSessionRevoked
	case takes == TakesPresent:
		if _, _, err := a.knows(ctx, r.By, r.Present); err != nil {
			return b, err
		}
	}
	if err := a.Limits.Take(ctx, newPassword(u.ID)); err != nil {
		return b, err
	}
	hash, scheme, err := a.Hasher.Hash(ctx, home.ID, r.New)
	if err != nil {
		return b, err
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		b, err = a.renew(ctx, tx, r.By, password{hash, scheme, false})
		return err
	})
	return b, err
}

// renew does it, if the session still stands once the row of the person is locked, as by whoever
// ends sessions.
func (a Renewal) renew(ctx context.Context, tx *store.Tx, by store.Standing, p password) (b session.Browser, err error) {
	if _, err := tx.Users.RaiseSessionVersion(ctx, by.User.ID); err != nil {
		return b, err
	}
	st, err := tx.Sessions.Standing(ctx, by.Session.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!st.Session.Live(a.Now()) || st.Barred()) {
		err = otl.ErrSessionRevoked
	}
	if err != nil {
		return b, err
	}
	pass, due, err := a.Factors.Admit(ctx, tx, st, st.Session.Methods, nil)
	if err == nil && len(due) > 0 {
		err = otl.ErrSessionRevoked // there are factors since, or were all along on a device that is trusted
	}
	if err != nil {
		return b, err
	}
	if st.User.SessionVersion, err = a.changed(ctx, tx, st.User, st.Site.ID, p, "change", ""); err != nil {
		return b, err
	}
	st.Session = otl.Session{AuthAt: st.Session.AuthAt}
	return a.Sessions.OpenBrowser(ctx, tx, st, pass, otl.RequestOf(ctx))
}

// newPassword is one use of the rate of new passwords of a person.
func newPassword(userID string) limit.Use {
	return limit.Use{Rate: limit.NewPasswords, By: []string{userID}}
}

// knows looks at what the person of a session says is his present password, which counts as a
// failed sign-in where it is wrong (PW-11), and gives what was stored with whose failures were
// counted.
func (a Renewal) knows(ctx context.Context, by store.Standing, present secret.Text) (store.Credential, limit.Account, error) {
	account := a.holder(ctx, by)
	if present.Empty() {
		return store.Credential{}, account, otl.InvalidField("current_password", "required", "is required")
	}
	who, err := a.Store.Read.Users.Credential(ctx, cmp.Or(by.User.Email.Key, by.User.Username.Key), by.Site.ID)
	if err != nil {
		return who, account, err
	}
	if err := a.Limits.Try(ctx, account); err != nil {
		return who, account, err
	}
	checked, err := a.Hasher.Check(ctx, by.Site.ID, secret.Stored{Hash: who.Hash, Imported: who.Imported}, present)
	if err == nil && !checked.Match {
		err = otl.InvalidField("current_password", "wrong", "is not the present password")
	}
	return who, account, err
}
