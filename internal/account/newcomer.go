package account

import (
	"context"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Newcomers are people whom nobody knows before they have proven an address.
type Newcomers struct{ *Accounts }

// LetIn reports whether a site lets in whoever comes by a link for the first time: not where it asks for more than a link
// shows and the first sign-in grants.
func (a Newcomers) LetIn(ctx context.Context, site otl.Site) (bool, error) {
	if len(site.Lacks(otl.MinimalFields())) > 0 {
		return false, nil
	}
	demanded, err := factor.Demands(ctx, a.Store.Read, store.Standing{Site: site})
	return !demanded, err
}

// Of gives what adds a person on behalf of a site in the transaction in which he proves an address that nobody has; he
// counts with those who register there. The error is otl.ErrEmailTaken where somebody was faster, or may have the address back.
func (a Newcomers) Of(site otl.Site) func(context.Context, *store.Tx, string) (otl.User, error) {
	return func(ctx context.Context, tx *store.Tx, address string) (otl.User, error) {
		u, _, err := a.newUser(Registration{Email: address, Site: site}, func(otl.Email) error { return nil })
		if err != nil {
			return u, err
		}
		u.CreatedBy = site.ID
		if err := a.insert(ctx, tx, u, "register", site.ID); err != nil {
			return u, err // and who is there already does not count
		}
		return u, a.Limits.TakeIn(ctx, tx, limit.Use{Rate: limit.Register, By: []string{site.ID}})
	}
}
