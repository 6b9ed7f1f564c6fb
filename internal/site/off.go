package site

import (
	"cmp"
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// maxOff is how many of his sites that are turned off somebody is shown.
const maxOff = 1000

// Off looks after sites that are turned off and can still be restored.
type Off struct{ *Sites }

// List gives those of the businesses a person owns, oldest first, at most 1000, without what
// they have several of.
func (s Off) List(ctx context.Context, owner string) ([]otl.OffSite, error) {
	if owner == "" { // to the store that is everybody's (TE-01)
		return nil, nil
	}
	return s.Store.Read.Sites.Off(ctx, owner, "", "", s.Now().Add(-Grace), maxOff)
}

// Owned gives one of them. Any other site is as unknown as one that never was (TE-01).
func (s Off) Owned(ctx context.Context, owner, id string) (otl.OffSite, error) {
	if owner == "" || !secret.ValidID(id) {
		return otl.OffSite{}, otl.NoSuch("site")
	}
	found, err := s.Store.Read.Sites.Off(ctx, owner, id, "", s.Now().Add(-Grace), 1)
	if err != nil || len(found) == 0 {
		return otl.OffSite{}, cmp.Or(err, error(otl.NoSuch("site")))
	}
	return found[0], nil
}
