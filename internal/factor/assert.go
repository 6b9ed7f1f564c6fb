package factor

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// dataCeremony is the member of a ticket's data that holds the challenge of a key.
const dataCeremony = "ceremony"

// ask makes a challenge for a key in the slot of a prompt, and gives the options for
// the browser. A later one takes the place of the one before.
func (f *Factors) ask(ctx context.Context, p Prompt, one otl.Factor, sealed []byte) (string, error) {
	kept, err := f.Master.Open(sealed, place(one))
	if err != nil {
		return "", err
	}
	if f.Keys == nil {
		return "", ErrNone
	}
	options, ceremony, err := f.Keys.get(p.User, kept)
	if err != nil {
		return "", err
	}
	now := f.Now()
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeFactor, UserID: p.User.ID, SiteID: p.SiteID, Slot: p.Slot,
		Data: map[string]string{dataFactor: one.ID, dataCeremony: string(ceremony)}, CreatedAt: now, ExpiresAt: now.Add(codeTTL),
	}
	return string(options), f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Tickets.Insert(ctx, t, secret.Bytes(32), nil)
	})
}

// acceptKey checks the assertion of a key: of the challenge in the slot, which is used
// up whatever it comes to (MF-10). Checking a signature takes no longer than a
// statement does.
func (f *Factors) acceptKey(ctx context.Context, tx *store.Tx, one otl.Factor, sealed []byte, c Claim) error {
	now := f.Now()
	t, err := tx.Tickets.Newest(ctx, c.User.ID, otl.PurposeFactor, c.SiteID, c.Slot)
	if errors.Is(err, store.ErrNotFound) || err == nil && !asked(t, one, now) || f.Keys == nil {
		return ErrProof
	}
	if err != nil {
		return err
	}
	if err := proven(tx.Tickets.Spend(ctx, t.ID, now)); err != nil {
		return err
	}
	kept, err := f.Master.Open(sealed, place(one))
	if err != nil {
		return err
	}
	kept, err = f.Keys.got(c.User, kept, []byte(t.Data[dataCeremony]), []byte(c.Proof.Reveal()))
	if errors.Is(err, errCloned) {
		noted := tx.Events.Append(ctx, f.event(otl.EventFactorCloned, c.User.ID, c.SiteID, map[string]string{"factor": one.ID}))
		return cmp.Or(noted, error(ErrProof))
	}
	if err != nil {
		return err
	}
	if err := tx.Factors.Seal(ctx, one.ID, f.Master.Seal(kept, place(one))); err != nil {
		return err
	}
	return proven(tx.Factors.Accept(ctx, one.ID, 0, now))
}

// asked reports whether a ticket is the live challenge of a key.
func asked(t otl.Ticket, one otl.Factor, now time.Time) bool {
	return t.UsedAt.IsZero() && now.Before(t.ExpiresAt) && t.Data[dataFactor] == one.ID && t.Data[dataCeremony] != ""
}

// begin begins the registration of a key for a person, and gives the options for the
// browser and what is sealed of it until it is confirmed.
func (f *Setup) begin(ctx context.Context, u otl.User, one otl.Factor) (options string, sealed []byte, err error) {
	has, err := f.Store.Read.Factors.Of(ctx, u.ID)
	if err != nil {
		return "", nil, err
	}
	var kept [][]byte
	for _, other := range has {
		if other.Kind != otl.FactorKey {
			continue
		}
		_, raw, err := f.Store.Read.Factors.ByID(ctx, u.ID, other.ID)
		if err != nil {
			return "", nil, err
		}
		if raw, err = f.Master.Open(raw, place(other)); err != nil {
			return "", nil, err
		}
		kept = append(kept, raw)
	}
	o, ceremony, err := f.Keys.create(u, kept)
	return string(o), f.Master.Seal(ceremony, place(one)), err
}

// register checks the key that a browser made and keeps it.
func (f *Setup) register(ctx context.Context, tx *store.Tx, u otl.User, one otl.Factor, ceremony []byte, proof secret.Text) error {
	if f.Keys == nil {
		return ErrProof
	}
	kept, err := f.Keys.created(u, ceremony, []byte(proof.Reveal()))
	if err != nil {
		return err
	}
	return tx.Factors.Seal(ctx, one.ID, f.Master.Seal(kept, place(one)))
}
