package account

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Own is what a person wants to be known by from now on: one of the two.
type Own struct {
	Email, Phone string
}

// AskOwn asks on behalf of a person himself, who has just proven who he is, for another
// address or number. It comes into force once somebody proves to hold it, and can be
// undone from the address before (OT-17); unlike what a site asks for it opens every
// site at once. What somebody else has is taken like anything else: the person is told of it by mail
// and as much is written, but nothing is sent there. Whether an address has an account shows nowhere, neither by his
// own mails nor by time (OT-10). The errors are those of values and
// limit.Exceeded, ErrHeld, and those of SMS.
func (a *Changes) AskOwn(ctx context.Context, home otl.Site, u otl.User, o Own) error {
	k := ask{site: home, user: u, purpose: otl.PurposeEmailChange, was: u.Email.Address}
	var at string
	var day []limit.Use
	if o.Email != "" {
		to, err := otl.ParseEmail(o.Email)
		if err != nil {
			return err
		}
		if k.to, at = to.Address, to.Key; at == u.Email.Key {
			return nil
		}
	} else {
		to, err := otl.ParsePhone(o.Phone)
		if err != nil {
			return err
		}
		if to == u.Phone && !u.PhoneVerifiedAt.IsZero() {
			return nil
		}
		if err := a.SMS.Reaches(ctx, home.ID, to); err != nil {
			return err
		}
		k.purpose, k.was, k.to = otl.PurposePhoneChange, u.Phone, to
		at, day = to, append(day, a.SMS.Day(home.ID))
	}
	if a.Now().Before(u.HeldUntil) {
		return ErrHeld
	}
	if err := a.Limits.Take(ctx, append(limit.Sending(at, "change "+u.ID+string(k.purpose)), day...)...); err != nil {
		return err
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		k := k
		if k.purpose == otl.PurposeEmailChange {
			e, err := otl.ParseEmail(k.to)
			if err != nil {
				return err
			}
			err = a.free(ctx, tx, e, u.ID)
			if k.taken = errors.Is(err, otl.ErrEmailTaken); err != nil && !k.taken {
				return err
			}
		}
		return a.send(ctx, tx, []ask{k})
	})
}

// own reports whether the person himself asked for a change, at our own pages.
func (a *Changes) own(ctx context.Context, tx *store.Tx, t otl.Ticket) (bool, error) {
	site, err := tx.Sites.ByID(ctx, t.SiteID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return site.FirstParty, err
}
