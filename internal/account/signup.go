package account

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// SignUp takes down somebody who wants an account, without letting him in: whether the
// address is his he proves afterwards, and the password becomes his only then. What
// the caller learns, and the work, is the same where somebody has the address already;
// that person's account stays as it is. Where the site takes no passwords there must be none;
// where it takes nothing by mail it is otl.ErrWay, as nobody could prove his address.
func (a *Accounts) SignUp(ctx context.Context, r Registration) (hash, scheme string, err error) {
	if err := a.Messages.Reaches(otl.ChannelMail); err != nil {
		return "", "", err // nobody could prove his address
	}
	rule := func(e otl.Email) error { return a.Rules.Check(r.Password, e, r.Site.Name) }
	switch with := r.Site.Offers(otl.WayPassword); {
	case !r.Site.Offers(otl.WayCode) && !r.Site.Offers(otl.WayLink), !with && !r.Password.Empty():
		return "", "", otl.ErrWay
	case !with:
		rule = func(otl.Email) error { return nil }
	}
	u, _, err := a.newUser(r, rule)
	if err != nil {
		return "", "", err
	}
	if err := a.Limits.Take(ctx, limit.Use{Rate: limit.Register, By: []string{r.Site.ID}}); err != nil {
		return "", "", err
	}
	if !r.Password.Empty() {
		if hash, scheme, err = a.Hasher.Hash(ctx, r.Site.ID, r.Password); err != nil {
			return "", "", err
		}
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		err := a.insert(ctx, tx, u, "signup", r.Site.ID)
		if errors.Is(err, otl.ErrEmailTaken) { // a transaction that writes nothing waits for no disk
			_, err = a.Messages.Queue(ctx, tx, message.Note{Kind: otl.MessageVerify, Channel: otl.ChannelMail, SiteID: r.Site.ID})
		}
		return err
	})
	return hash, scheme, err
}
