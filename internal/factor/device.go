package factor

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	devicePrefix = "otl_td_"
	// maxDevices is how many trusted devices are listed, the latest first.
	maxDevices = 100
)

// Members of the data of a trusted device.
const (
	dataAgent = "user_agent"
	dataUsed  = "used_at" // of the latest sign-in it let in, RFC 3339; missing for none
)

// Trust gives a token by which a person's device is let in at a site without a second step
// for a time, where the site does not demand one and for no longer than it allows by then;
// at every site if it is our own.
func (f *Factors) Trust(ctx context.Context, tx *store.Tx, userID, siteID string, ttl time.Duration) (secret.Text, error) {
	now, token := f.Now(), secret.NewKey(devicePrefix)
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeDevice, UserID: userID, SiteID: siteID, CreatedAt: now, ExpiresAt: now.Add(ttl),
		Data: map[string]string{dataAgent: otl.Agent(otl.RequestOf(ctx).UserAgent)},
	}
	t.Slot = t.ID
	if err := tx.Tickets.Insert(ctx, t, secret.Digest(token.Reveal()), nil); err != nil {
		return token, err
	}
	return token, tx.Events.Append(ctx, f.event(otl.EventDeviceTrusted, userID, siteID, deviceFacts(t)))
}

// deviceFacts gives what an event says of a trusted device: what it is, as far as it said.
func deviceFacts(t otl.Ticket) map[string]string {
	return map[string]string{otl.DataUserAgent: t.Data[dataAgent]}
}

// Forgotten appends that the devices which a person trusts at a site, or for "" wherever, are
// trusted no more, for whoever ends that in the same transaction thereafter: one entry, which
// says what and where a single one is, and counts several, up to a hundred.
func Forgotten(ctx context.Context, tx *store.Tx, userID, siteID string, now time.Time) error {
	all, err := tx.Tickets.Of(ctx, userID, otl.PurposeDevice, siteID, now, maxDevices)
	if err != nil || len(all) == 0 {
		return err
	}
	if len(all) == 1 {
		return tx.Events.Append(ctx, event(now, otl.EventDeviceForgotten, userID, all[0].SiteID, deviceFacts(all[0])))
	}
	return tx.Events.Append(ctx, event(now, otl.EventDeviceForgotten, userID, siteID, map[string]string{otl.DataDevices: strconv.Itoa(len(all))}))
}

// DeviceDigest gives what Admit knows a trusted device by; nil for no token.
func DeviceDigest(token secret.Text) []byte {
	if token.Empty() {
		return nil
	}
	return secret.Digest(token.Reveal())
}

// Trusted gives the device of a digest, if the person trusts it: at the site he said so, or
// everywhere if he said so on our own pages. What one site holds is worth nothing at another
// (D1, MF-13). Each site says for how long, and may say otherwise by now than it did then.
// Its id is "" where he does not.
func (f *Factors) Trusted(ctx context.Context, tx *store.Tx, st store.Standing, device []byte) (otl.Ticket, error) {
	t, err := Places{f}.held(ctx, tx, st, device)
	if t.ID != "" && !f.Now().Before(trustedUntil(t, st.Site)) {
		return otl.Ticket{}, err
	}
	return t, err
}

// held is Trusted but for the days of the site, which are about a second step alone.
func (f Places) held(ctx context.Context, tx *store.Tx, st store.Standing, device []byte) (otl.Ticket, error) {
	if len(device) == 0 {
		return otl.Ticket{}, nil
	}
	t, err := tx.Tickets.Live(ctx, otl.PurposeDevice, device, f.Now())
	if errors.Is(err, store.ErrNotFound) || err == nil && (t.UserID != st.User.ID || t.SiteID != f.Home && t.SiteID != st.Site.ID) {
		return otl.Ticket{}, nil
	}
	return t, err
}

// trustedUntil gives until when a device is trusted at a site.
func trustedUntil(t otl.Ticket, s otl.Site) time.Time {
	if until := t.CreatedAt.Add(s.TrustTTL()); until.Before(t.ExpiresAt) {
		return until
	}
	return t.ExpiresAt
}

// Note notes in the transaction that opens the session of a pass that a trusted device let
// its person in, if one did.
func (p Pass) Note(ctx context.Context, tx *store.Tx, now time.Time) error {
	if p.device.ID == "" {
		return nil
	}
	t := p.device
	if t.Data = maps.Clone(t.Data); t.Data == nil { // of before devices had names
		t.Data = map[string]string{}
	}
	t.Data[dataUsed] = now.UTC().Format(time.RFC3339)
	return tx.Tickets.Note(ctx, t)
}

// Devices are the devices that people trust.
type Devices struct{ *Factors }

// Device is one of them.
type Device struct {
	ID         string
	Site       otl.Site // where alone it is trusted, with its id alone if it is gone; that of our own pages for everywhere
	Agent      string   // what it is, as far as it said; "" for nothing
	CreatedAt  time.Time
	LastUsedAt time.Time // when it last let its person in without a second step; zero for never
	// ExpiresAt is until when it spares the second step. Where that is over the site allows fewer
	// days by now, or is gone: should it allow more again, it does once more (MF-13).
	ExpiresAt time.Time
}

// ErrNoDevice is the answer to the id of a device that the person does not trust.
var ErrNoDevice = otl.NoSuch("trusted device")

// Renew is Trust at our own site for the device that a request comes from: the token that
// it may have from before makes room, and is not outlived by it. It says for how long the
// new one is good.
func (f Devices) Renew(ctx context.Context, tx *store.Tx, userID string, home otl.Site, ttl time.Duration) (secret.Text, time.Duration, error) {
	now := f.Now()
	old, err := tx.Tickets.Live(ctx, otl.PurposeDevice, otl.RequestOf(ctx).Device, now)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return secret.Text{}, 0, err
	}
	if err == nil && old.UserID == userID && old.SiteID == home.ID {
		ttl = max(ttl, trustedUntil(old, home).Sub(now))
		_, err := tx.Tickets.Drop(ctx, userID, otl.PurposeDevice, old.ID, now)
		if err == nil {
			err = tx.Events.Append(ctx, f.event(otl.EventDeviceForgotten, userID, old.SiteID, deviceFacts(old)))
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return secret.Text{}, 0, err
		}
	}
	token, err := f.Trust(ctx, tx, userID, home.ID, ttl)
	return token, ttl, err
}

// List gives the devices a person trusts at a site or, for "", wherever, the latest first, also
// those that spare him nothing by now: he may take them back before they do again.
func (f Devices) List(ctx context.Context, userID, siteID string) (out []Device, err error) {
	all, err := f.Store.Read.Tickets.Of(ctx, userID, otl.PurposeDevice, siteID, f.Now(), maxDevices)
	if err != nil {
		return nil, err
	}
	sites := map[string]otl.Site{}
	for _, t := range all {
		s, known := sites[t.SiteID]
		if !known {
			if s, err = f.Store.Read.Sites.ByID(ctx, t.SiteID); err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			s.ID = t.SiteID
			sites[t.SiteID] = s // of no days where it is gone
		}
		d := Device{ID: t.ID, Site: s, Agent: t.Data[dataAgent], CreatedAt: t.CreatedAt, ExpiresAt: trustedUntil(t, s)}
		d.LastUsedAt, _ = time.Parse(time.RFC3339, t.Data[dataUsed]) // none where it let nobody in
		out = append(out, d)
	}
	return out, nil
}

// Forget has a device trusted no more. The error is ErrNoDevice.
func (f Devices) Forget(ctx context.Context, userID, id string) error {
	if !secret.ValidID(id) {
		return ErrNoDevice
	}
	return f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		t, err := tx.Tickets.Drop(ctx, userID, otl.PurposeDevice, id, f.Now())
		if errors.Is(err, store.ErrNotFound) {
			err = ErrNoDevice
		}
		if err != nil {
			return err
		}
		return tx.Events.Append(ctx, f.event(otl.EventDeviceForgotten, userID, t.SiteID, deviceFacts(t)))
	})
}
