package account

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/limit"
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
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return takeDown(ctx, tx, a, u, r.Site.ID) })
	return hash, scheme, err
}

// takeDown adds a person who asked for an account. Where somebody has the address, or may have it back, it
// writes as much: a row of nobody's and an entry of the log, in as many indexes and by as many statements
// (OT-10). Of that entry the site is not told, or it would learn whom the installation knows.
func takeDown(ctx context.Context, tx *store.Tx, a *Accounts, u otl.User, siteID string) error {
	reserved, err := tx.Tickets.Reserved(ctx, u.Email.Key, u.ID, a.Now())
	if err != nil {
		return err
	}
	_, err = tx.Users.ByEmail(ctx, u.Email.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	known, e := err == nil || reserved, a.event(otl.EventUserCreated, u.ID, siteID, map[string]string{otl.DataSource: "signup"})
	if !known {
		added, err := tx.Users.Insert(ctx, u)
		if err != nil {
			return err
		}
		known = !added // another node was faster
	}
	if known {
		if err := tx.Nobodies.Insert(ctx, u.ID, u.Email.Key, u.Name); err != nil {
			return err
		}
		e = a.event(otl.EventSignUpKnown, "", "", map[string]string{"site": siteID})
	}
	return tx.Events.AppendLater(ctx, e)
}
