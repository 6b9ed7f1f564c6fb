package account

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Renewal is a new password of somebody who has just proven who he is, by whatever way he has:
// he may have forgotten the present one, or have none.
type Renewal struct{ *Accounts }

// Renew sets it. All his sessions end but the one he asks with, and he is told by mail (PW-14). The
// error is of a rule that the password breaks, or otl.ErrVersion where he was signed out
// everywhere meanwhile.
func (a Renewal) Renew(ctx context.Context, by store.Standing, chosen secret.Text) error {
	if err := a.Rules.Check(chosen, by.User.Email, by.Site.Name); err != nil {
		return err
	}
	hash, scheme, err := a.Hasher.Hash(ctx, by.Site.ID, chosen)
	if err != nil {
		return err
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		u, err := tx.Users.ByID(ctx, by.User.ID)
		if err != nil {
			return err
		}
		if u.SessionVersion != by.User.SessionVersion || !u.DisabledAt.IsZero() {
			return otl.ErrVersion
		}
		_, err = a.changed(ctx, tx, u, by.Site.ID, password{hash, scheme, false}, "change", by.Session.ID)
		return err
	})
}
