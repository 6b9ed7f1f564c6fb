package site

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// operator stands in the log for whoever runs the server.
const operator = "operator"

// Operator is what whoever runs the server does to sites, whoever owns them.
type Operator struct{ *Sites }

// TurnOff is Delete on behalf of whoever runs the server, who alone can restore the site then. One
// that its owner deleted is held by it, and gone when it would have been.
func (s Operator) TurnOff(ctx context.Context, id string) (until time.Time, err error) {
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := s.Now()
		until = now.Add(Grace)
		site, err := tx.Sites.ByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			until, err = hold(ctx, tx, id, now)
			return err
		}
		if err == nil && site.FirstParty {
			err = otl.NoSuch("site")
		}
		if err != nil {
			return err
		}
		return turnOff(ctx, tx, id, operator, now)
	})
	return until, err
}

// hold keeps the owner of a site that he deleted from restoring it. It gives the end of the grace.
func hold(ctx context.Context, tx *store.Tx, id string, now time.Time) (time.Time, error) {
	deleted, err := tx.Sites.Hold(ctx, id, now.Add(-Grace), now)
	if errors.Is(err, store.ErrNotFound) {
		err = otl.NoSuch("site")
	}
	if err != nil {
		return time.Time{}, err
	}
	return deleted.Add(Grace), appendEvent(ctx, tx, otl.EventSiteDeleted, id, now, map[string]string{otl.DataBy: operator, "held": "true"})
}

// TurnOn is Restore on behalf of whoever runs the server, whoever turned the site off.
func (s Operator) TurnOn(ctx context.Context, id string) (out otl.Site, err error) {
	if !secret.ValidID(id) {
		return out, otl.NoSuch("site")
	}
	if err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return turnOn(ctx, tx, id, operator, s.Now()) }); err != nil {
		return out, err
	}
	return s.Get(ctx, id)
}

// Off gives the sites that are turned off and can be restored, after an id, oldest first: what an
// owner deleted is seen before it is gone.
func (s Operator) Off(ctx context.Context, after string, limit int) ([]otl.OffSite, error) {
	found, err := s.Store.Read.Sites.Off(ctx, "", "", after, s.Now().Add(-Grace), limit)
	for i := range found {
		if err == nil {
			err = details(ctx, s.Store.Read, &found[i].Site)
		}
	}
	return found, err
}

// Find gives a site by id or slug, or one of Off by its id.
func (s Operator) Find(ctx context.Context, idOrSlug string) (otl.OffSite, error) {
	one, err := s.Get(ctx, idOrSlug)
	if !otl.Is(err, "not_found") || !secret.ValidID(idOrSlug) {
		return otl.OffSite{Site: one}, err
	}
	found, failed := s.Store.Read.Sites.Off(ctx, "", idOrSlug, "", s.Now().Add(-Grace), 1)
	if failed != nil || len(found) == 0 {
		return otl.OffSite{}, cmp.Or(failed, err)
	}
	return found[0], details(ctx, s.Store.Read, &found[0].Site)
}
