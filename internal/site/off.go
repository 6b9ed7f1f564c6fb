package site

import (
	"context"
	"slices"

	"github.com/onetimelogin/otl/internal/otl"
)

// maxOff is how many of his sites that are turned off somebody is shown.
const maxOff = 50

// Off looks after sites that are turned off and can still be restored.
type Off struct{ *Sites }

// List gives those of the businesses a person owns, oldest first, at most 50, without what
// they have several of.
func (s Off) List(ctx context.Context, owner string) ([]otl.OffSite, error) {
	return s.Store.Read.Sites.Off(ctx, owner, s.Now().Add(-Grace), maxOff)
}

// Owned gives one of them. Any other site is as unknown as one that never was (TE-01).
func (s Off) Owned(ctx context.Context, owner, id string) (otl.OffSite, error) {
	all, err := s.List(ctx, owner)
	if err != nil {
		return otl.OffSite{}, err
	}
	if i := slices.IndexFunc(all, func(one otl.OffSite) bool { return one.ID == id }); i >= 0 {
		return all[i], nil
	}
	return otl.OffSite{}, otl.NoSuch("site")
}
