package factor

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Owned is the factors a person has.
type Owned struct {
	Factors   []Offer
	CodesLeft int // recovery codes
}

// List gives the confirmed factors of a person, the default first.
func (f *Setup) List(ctx context.Context, u otl.User) (Owned, error) {
	has, err := f.Store.Read.Factors.Of(ctx, u.ID)
	if err != nil {
		return Owned{}, err
	}
	o := Owned{Factors: []Offer{}}
	for _, one := range has {
		o.Factors = append(o.Factors, Offer{Factor: one, Hint: hint(u, one)})
	}
	o.CodesLeft, err = f.Store.Read.Tickets.Count(ctx, u.ID, otl.PurposeRecovery, f.Now())
	return o, err
}

// Enrolled reports whether a person has a second factor.
func (f *Setup) Enrolled(ctx context.Context, userID string) (bool, error) {
	has, err := f.Store.Read.Factors.Of(ctx, userID)
	return enrolled(has), err
}

// Accepted gives the argument of PublicKeyCredential.signalAllAcceptedCredentials, as JSON:
// by it a browser forgets the passkeys of a person that were removed here. It is "" where
// there are no passkeys.
func (f *Setup) Accepted(ctx context.Context, u otl.User) (string, error) {
	if f.Keys == nil {
		return "", nil
	}
	_, kept, err := f.keysOf(ctx, f.Store.Read, u.ID)
	if err != nil {
		return "", err
	}
	raw, err := f.Keys.accepts(u, kept)
	return string(raw), err
}

// Update renames a factor of the person of a session, unless label is nil, and makes
// it the one that is offered first if prefer is true. The error is ErrNone.
func (f *Setup) Update(ctx context.Context, b store.Standing, id string, label *string, prefer bool) (Offer, error) {
	name := ""
	if label != nil {
		var err error
		if name, err = checkLabel(*label); err != nil {
			return Offer{}, err
		}
		if name == "" {
			return Offer{}, otl.InvalidField("label", "required", "must not be empty")
		}
	}
	var one otl.Factor
	err := f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if one, err = f.owned(ctx, tx, b.User.ID, id); err != nil {
			return err
		}
		if label != nil {
			if err := tx.Factors.Rename(ctx, b.User.ID, id, name); err != nil {
				return err
			}
		}
		if prefer && one.Kind == otl.FactorRecovery {
			return otl.InvalidField("default", "stands_in", "cannot be said of recovery codes: they stand in for the others")
		}
		if prefer {
			if err := tx.Factors.Prefer(ctx, b.User.ID, id); err != nil {
				return err
			}
		}
		one, err = f.owned(ctx, tx, b.User.ID, id)
		return err
	})
	return Offer{Factor: one, Hint: hint(b.User, one)}, err
}

// owned gives a confirmed factor of a person, or ErrNone.
func (f *Setup) owned(ctx context.Context, tx *store.Tx, userID, id string) (otl.Factor, error) {
	one, err := begunOrOwned(ctx, tx, userID, id)
	if err == nil && one.ConfirmedAt.IsZero() {
		err = ErrNone
	}
	return one, err
}

// begunOrOwned gives a factor of a person, confirmed or not, or ErrNone.
func begunOrOwned(ctx context.Context, tx *store.Tx, userID, id string) (otl.Factor, error) {
	if !secret.ValidID(id) {
		return otl.Factor{}, ErrNone
	}
	one, _, err := tx.Factors.ByID(ctx, userID, id)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNone
	}
	return one, err
}

// Remove takes a factor away from the person of a session and gives the raised session
// version. With the last one go his recovery codes and trusted devices. One that is still
// being set up was never in force: it is given up, and nothing else changes. The errors are
// ErrNone, ErrUnproven, otl.ErrSessionRevoked and otl.ErrIndependent.
func (f *Setup) Remove(ctx context.Context, b store.Standing, id string) (version int, err error) {
	err = f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := sure(ctx, tx, f, b); err != nil {
			return err
		}
		one, err := begunOrOwned(ctx, tx, b.User.ID, id)
		if err != nil {
			return err
		}
		if one.ConfirmedAt.IsZero() {
			version = b.User.SessionVersion
			_, err := tx.Factors.Delete(ctx, b.User.ID, id)
			return err
		}
		if version, err = f.changed(ctx, tx, b, otl.EventFactorRemoved, otl.MessageFactorRemoved, one, ""); err != nil {
			return err
		}
		return f.remove(ctx, tx, one)
	})
	return version, err
}

// remove deletes a factor with what depends on it.
func (f *Setup) remove(ctx context.Context, tx *store.Tx, one otl.Factor) error {
	now := f.Now()
	if _, err := tx.Factors.Delete(ctx, one.UserID, one.ID); err != nil {
		return err
	}
	if one.Kind == otl.FactorRecovery {
		return tx.Tickets.Void(ctx, one.UserID, otl.PurposeRecovery, "", now)
	}
	if err := Forgotten(ctx, tx, one.UserID, "", now); err != nil {
		return err
	}
	for _, p := range []otl.Purpose{otl.PurposeDevice, otl.PurposeFactor} {
		if err := tx.Tickets.Void(ctx, one.UserID, p, "", now); err != nil {
			return err
		}
	}
	left, err := tx.Factors.Of(ctx, one.UserID)
	if err != nil || enrolled(left) {
		if err == nil && one.Default {
			err = tx.Factors.Prefer(ctx, one.UserID, left[0].ID)
		}
		return err
	}
	if err := tx.Factors.DeleteAll(ctx, one.UserID); err != nil {
		return err
	}
	for _, p := range []otl.Purpose{otl.PurposeRecovery, otl.PurposeFactorUndo} {
		if err := tx.Tickets.Void(ctx, one.UserID, p, "", now); err != nil {
			return err
		}
	}
	return nil
}

// Reset takes everything away from a person who has lost his factors, on behalf of an
// operator, tells him by mail and gives the raised session version.
func (f *Setup) Reset(ctx context.Context, u otl.User) (version int, err error) {
	err = f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if version, err = f.voidTokens(ctx, tx, u.ID); err != nil {
			return err
		}
		return Undos{f.Factors}.takeAll(ctx, tx, u, "", "operator")
	})
	return version, err
}

// ErrNoFactor is the answer to somebody who would like recovery codes and has nothing
// they could stand in for.
var ErrNoFactor = &otl.Error{Kind: otl.Conflict, Code: "mfa_no_factor", Text: "Recovery codes stand in for a second factor. Set one up first."}

// NewCodes makes ten new recovery codes for the person of a session, in the place of
// those before, and gives the raised session version. The errors are ErrUnproven and
// ErrNoFactor.
func (f *Setup) NewCodes(ctx context.Context, b store.Standing) (codes []secret.Text, version int, err error) {
	err = f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := sure(ctx, tx, f, b); err != nil {
			return err
		}
		has, err := tx.Factors.Of(ctx, b.User.ID)
		if err != nil {
			return err
		}
		if !enrolled(has) {
			return ErrNoFactor
		}
		for _, one := range has {
			if one.Kind == otl.FactorRecovery {
				if _, err := tx.Factors.Delete(ctx, b.User.ID, one.ID); err != nil {
					return err
				}
			}
		}
		var made otl.Factor
		if made, codes, err = f.makeCodes(ctx, tx, b.User.ID, b.Site.ID); err != nil {
			return err
		}
		version, err = f.changed(ctx, tx, b, otl.EventFactorAdded, otl.MessageFactorAdded, made, "")
		return err
	})
	return codes, version, err
}
