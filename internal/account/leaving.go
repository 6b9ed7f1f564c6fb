package account

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Erasures deletes the accounts of people who asked for it, after a grace.
type Erasures struct{ *Accounts }

// Grace is how long somebody who asked for his account to be deleted can take that back.
const Grace = 14 * 24 * time.Hour

// dueStep is how many people one run of Due deletes, each in a transaction of his
// own: what waits is done at the next run.
const dueStep = 100

// Ask notes that a person wants his account to be deleted, and gives when it
// will be. All his sessions end; until then he can sign in at our own pages alone
// (factor.ErrLeaving). Asked again, it is when it was.
func (a Erasures) Ask(ctx context.Context, u otl.User, homeID string) (time.Time, error) {
	at := a.Now().Add(Grace)
	err := a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.Users.SetDeleteAt(ctx, u.ID, at)
		if err != nil {
			return err
		}
		if !first {
			is, err := tx.Users.ByID(ctx, u.ID)
			at = is.DeleteAt
			return err
		}
		if err := tx.Events.Append(ctx, a.event(otl.EventDeletionAsked, u.ID, "", nil)); err != nil {
			return err
		}
		// No site hears why yet: he may take it back.
		if _, err := a.Sessions.EndAll(ctx, tx, u.ID, "", "", otl.EndLogout); err != nil {
			return err
		}
		return a.Messages.Mail(ctx, tx, otl.MessageLeaving, u, homeID, map[string]string{
			message.DataDate: at.UTC().Format("2006-01-02 15:04 MST"), message.DataLink: a.PublicURL + "/account",
		})
	})
	return at, err
}

// TakeBack lets a person keep the account he asked to be deleted. Sessions that
// ended stay ended.
func (a Erasures) TakeBack(ctx context.Context, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		was, err := tx.Users.SetDeleteAt(ctx, userID, time.Time{})
		if err != nil || !was {
			return err
		}
		return tx.Events.Append(ctx, a.event(otl.EventDeletionBack, userID, "", nil))
	})
}

// Due deletes people for good whose grace is over. Each is claimed by the
// transaction that deletes him: of several nodes one does, and one that dies leaves him
// to the others (MN-12). Their last mail says that it is done.
func (a Erasures) Due(ctx context.Context) error {
	due, err := a.Store.Read.Users.Leaving(ctx, a.Now(), dueStep)
	if err != nil {
		return err
	}
	for _, id := range due {
		err := a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			mine, err := tx.Users.Claim(ctx, id, a.Now())
			if err != nil || !mine {
				return err
			}
			return a.bid(ctx, tx, id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// AtOnce is Delete at the person's own will: he is told by mail that it is done.
func (a Erasures) AtOnce(ctx context.Context, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return a.bid(ctx, tx, userID) })
}

// bid is erase with a last mail to the address there was.
func (a Erasures) bid(ctx context.Context, tx *store.Tx, userID string) error {
	u, err := tx.Users.ByID(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return otl.NoSuch("user")
	}
	if err != nil {
		return err
	}
	if err := a.erase(ctx, tx, userID); err != nil {
		return err
	}
	return a.Messages.Farewell(ctx, tx, u, a.Factors.Home)
}

// erase ends a person's sessions, tells the sites that know him and removes him.
func (a Erasures) erase(ctx context.Context, tx *store.Tx, userID string) error {
	if _, err := a.Sessions.EndAll(ctx, tx, userID, "", "", otl.EndUserDeleted); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = otl.NoSuch("user")
		}
		return err
	}
	sites, err := memberships(ctx, tx, userID)
	if err != nil {
		return err
	}
	if err := tx.Events.Append(ctx, a.event(otl.EventUserDeleted, userID, "", map[string]string{otl.DataSites: sites})); err != nil {
		return err
	}
	if err := tx.Events.Forget(ctx, userID); err != nil {
		return err
	}
	_, err = tx.Users.Delete(ctx, userID)
	return err
}

// exports is how often a person may have everything written down that is kept of him.
var exports = limit.Rate{Name: "exports", Uses: 5, Per: 24 * time.Hour}
