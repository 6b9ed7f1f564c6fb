package factor

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Places are where people are known.
type Places struct{ *Factors }

// maxPlaces is how many devices of a person Of gives at most.
const maxPlaces = 1000

// At names where a request to a site comes from, if a person is known there: the network
// address, if he has a live session from it, or the device that he trusts; "" where he is not
// known. It is the same work for nobody. An address that a site names counts for its own
// sessions alone, or it could ask from where people are signed in at others (D1).
func (f Places) At(ctx context.Context, tx *store.Tx, st store.Standing) (string, error) {
	from := otl.RequestOf(ctx)
	if from.Client.IsValid() {
		at := ""
		if from.Client != from.Peer {
			at = st.Site.ID
		}
		if live, err := tx.Sessions.LiveFrom(ctx, st.User.ID, at, from.Client.String(), f.Now()); err != nil || live {
			return from.Client.String(), err
		}
	}
	if len(from.Device) == 0 {
		return "", nil
	}
	t, err := f.Trusted(ctx, tx, st, from.Device)
	return t.ID, err
}

// Knows reports whether a person is known where a request to a site comes from.
func (f Places) Knows(ctx context.Context, tx *store.Tx, st store.Standing) (bool, error) {
	place, err := f.At(ctx, tx, st)
	return place != "", err
}

// Trusts reports whether a request to a site comes from a device that a person trusts there.
func (f Places) Trusts(ctx context.Context, tx *store.Tx, st store.Standing) (bool, error) {
	device := otl.RequestOf(ctx).Device
	if len(device) == 0 {
		return false, nil
	}
	t, err := f.Trusted(ctx, tx, st, device)
	return t.ID != "", err
}

// Of gives every place that At may name of a person, at most 1000 of each kind.
func (f Places) Of(ctx context.Context, tx *store.Tx, userID string) ([]string, error) {
	addresses, err := tx.Sessions.LiveAddresses(ctx, userID, f.Now())
	if err != nil {
		return nil, err
	}
	devices, err := tx.Tickets.Of(ctx, userID, otl.PurposeDevice, "", f.Now(), maxPlaces)
	var out []string
	for _, a := range addresses {
		out = append(out, a.String())
	}
	for _, d := range devices {
		out = append(out, d.ID)
	}
	return out, err
}
