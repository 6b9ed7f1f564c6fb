package limit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Rates of answers that an address or a username is somebody's already: whoever may ask
// for names that are free could learn by them who is known in the network.
var (
	DuplicatesPerSite    = Rate{"duplicates", 300, time.Hour}
	DuplicatesPerAddress = Rate{"duplicates-from", 60, time.Hour}
)

// Probe does something that fails with otl.ErrEmailTaken or otl.ErrUsernameTaken where a
// name is somebody's, on behalf of a site and of whoever sits behind the address of the
// request. It is counted before it is done and forgiven if no name was taken, so that
// answers given at once are no more than answers one by one.
func (l *Limits) Probe(ctx context.Context, siteID string, act func() error) error {
	uses := duplicates(ctx, siteID)
	if err := l.Take(ctx, uses...); err != nil {
		return err
	}
	err := act()
	if errors.Is(err, otl.ErrEmailTaken) || errors.Is(err, otl.ErrUsernameTaken) {
		return err
	}
	return errors.Join(err, l.forgive(ctx, uses))
}

// Told counts that a site learns by an answer that somebody is known in the network: as often as
// by an error of Probe, whichever way it asks. The error is Exceeded.
func (l *Limits) Told(ctx context.Context, siteID string) error {
	return l.Take(ctx, duplicates(ctx, siteID)...)
}

func duplicates(ctx context.Context, siteID string) []Use {
	return []Use{{Rate: DuplicatesPerSite, By: []string{siteID}}, {Rate: DuplicatesPerAddress, By: []string{Network(otl.RequestOf(ctx).Client)}}}
}

// forgive takes uses back.
func (l *Limits) forgive(ctx context.Context, uses []Use) error {
	if l == nil || !slices.ContainsFunc(uses, Use.counts) {
		return nil
	}
	return l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, u := range uses {
			if !u.counts() {
				continue
			}
			if err := tx.Rates.Forgive(ctx, u.name(), u.Rate.every()); err != nil {
				return err
			}
		}
		return nil
	})
}
