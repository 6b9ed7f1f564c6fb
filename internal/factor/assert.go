package factor

import (
	"cmp"
	"context"
	"encoding/json"
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
		return tx.Tickets.Insert(ctx, t, nil, nil)
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
	return f.keep(ctx, tx, one, c.SiteID, kept, err)
}

// keep writes what the check of an assertion gave: what is kept of the key from now on,
// or that there are two of it.
func (f *Factors) keep(ctx context.Context, tx *store.Tx, one otl.Factor, siteID string, kept []byte, err error) error {
	if errors.Is(err, errCloned) {
		noted := tx.Events.Append(ctx, f.event(otl.EventFactorCloned, one.UserID, siteID, map[string]string{"factor": one.ID}))
		return cmp.Or(noted, error(ErrProof))
	}
	if err != nil {
		return err
	}
	if err := tx.Factors.Seal(ctx, one.ID, f.Master.Seal(kept, place(one))); err != nil {
		return err
	}
	return proven(tx.Factors.Accept(ctx, one.ID, 0, f.Now()))
}

// Invite gives options for navigator.credentials.get, as JSON, with which whoever is
// there signs in with a passkey without saying who he is; "" where there are no
// passkeys. The challenge is random, at least 16 bytes, and good once.
func (f *Factors) Invite(challenge []byte) (string, error) {
	if f.Keys == nil || len(challenge) == 0 {
		return "", nil
	}
	o, _, err := f.Keys.ask(challenge)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(o)
	return string(raw), err
}

// Recognise checks what a browser made of an invitation inside a transaction, in which
// the caller has used the challenge up. It gives whose passkey it is and what it
// proves: that he has the key, and, because it has verified him, that it is he: two
// factors. The error is ErrProof, also for somebody who is disabled; the transaction
// must be kept then.
func (f *Factors) Recognise(ctx context.Context, tx *store.Tx, siteID string, challenge []byte, proof secret.Text) (otl.User, otl.Methods, error) {
	if f.Keys == nil || len(challenge) == 0 {
		return otl.User{}, nil, ErrProof
	}
	var u otl.User
	var keys []otl.Factor
	which, kept, err := f.Keys.answered(challenge, []byte(proof.Reveal()), func(id string) (otl.User, [][]byte, error) {
		var sealed [][]byte
		var err error
		u, keys, sealed, err = holder(ctx, tx, f, id)
		return u, sealed, err
	})
	if err != nil && !errors.Is(err, errCloned) {
		return otl.User{}, nil, err
	}
	err = f.keep(ctx, tx, keys[which], siteID, kept, err)
	return u, otl.Methods{otl.MethodKey, otl.MethodVerified}, err
}

// holder gives the person a passkey names, with his keys and what is kept of each, or ErrProof. Who has none is not
// looked for: that would take longer than of nobody (OT-10).
func holder(ctx context.Context, tx *store.Tx, f *Factors, id string) (u otl.User, keys []otl.Factor, kept [][]byte, err error) {
	if !secret.ValidID(id) {
		return u, nil, nil, ErrProof
	}
	if keys, kept, err = f.keysOf(ctx, tx, id); err != nil {
		return u, nil, nil, err
	}
	if len(keys) == 0 {
		return u, nil, nil, ErrProof
	}
	if u, err = tx.Users.ByID(ctx, id); store.Gone(u, err) {
		err = ErrProof
	}
	return u, keys, kept, err
}

// keysOf gives the confirmed keys of a person with what is kept of each.
func (f *Factors) keysOf(ctx context.Context, tx *store.Tx, userID string) (keys []otl.Factor, kept [][]byte, err error) {
	has, err := tx.Factors.Of(ctx, userID)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range has {
		if one.Kind != otl.FactorKey {
			continue
		}
		_, raw, err := tx.Factors.ByID(ctx, userID, one.ID)
		if err != nil {
			return nil, nil, err
		}
		if raw, err = f.Master.Open(raw, place(one)); err != nil {
			return nil, nil, err
		}
		keys, kept = append(keys, one), append(kept, raw)
	}
	return keys, kept, nil
}

// asked reports whether a ticket is the live challenge of a key.
func asked(t otl.Ticket, one otl.Factor, now time.Time) bool {
	return t.UsedAt.IsZero() && now.Before(t.ExpiresAt) && t.Data[dataFactor] == one.ID && t.Data[dataCeremony] != ""
}

// begin begins the registration of a key for a person, and gives the options for the
// browser and what is sealed of it until it is confirmed.
func (f *Setup) begin(ctx context.Context, u otl.User, one otl.Factor) (options string, sealed []byte, err error) {
	_, kept, err := f.keysOf(ctx, f.Store.Read, u.ID)
	if err != nil {
		return "", nil, err
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
