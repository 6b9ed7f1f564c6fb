package signin

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
)

// Formers are the people who were signed in in a browser before (H14, ADR 38). What a browser
// keeps of them is the cookies of their sessions, which open nothing any more.
type Formers struct{ *Flows }

// List gives the latest former session of each person whose cookie a browser kept, but of
// one, in the order of the cookies.
func (s Formers) List(ctx context.Context, but string, kept []secret.Text) ([]session.Browser, error) {
	var out []session.Browser
	for _, one := range kept {
		b, err := session.Formers{Sessions: s.Sessions}.Of(ctx, one)
		if errors.Is(err, session.ErrNoBrowserSession) {
			continue
		}
		if err != nil {
			return nil, err
		}
		known := slices.ContainsFunc(out, func(o session.Browser) bool { return o.User.ID == b.User.ID })
		if !known && b.User.ID != but && Called(b.User) != "" {
			out = append(out, b)
		}
	}
	return out, nil
}

// Called gives what a person signs in with: an address or username; "" for neither.
func Called(u otl.User) string { return cmp.Or(u.Email.Address, u.Username.Name) }

// Choose notes that whom a former session was of wants to sign in again in a visit. Whoever
// sits there has not shown yet that he is, so pages show a hint of the name alone.
func (s Formers) Choose(ctx context.Context, v Visit, former session.Browser) error {
	v.Progress.Name, v.Progress.Masked = Called(former.User), true
	return s.save(ctx, v)
}
