package webhook

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Webhooks keeps the endpoints of sites.
type Webhooks struct {
	Store  *store.Store
	Master secret.Master
	Now    func() time.Time
	Ledger *ledger.Ledger         // of what sites are shown; nil for none
	Check  func(url string) error // reports whether this server may call an address
	Ask    Ask
	Queued func(endpoints []string) // called when deliveries were queued; nil for nobody
	// Search counts a site's listing of deliveries by a filter, which looks at many for each
	// that it finds, and refuses what is too much (TE-07); nil for no bound.
	Search func(ctx context.Context, siteID string) error
	// LogoutToken makes what tells a client of the end of a session.
	LogoutToken func(ctx context.Context, client, person, session string) (secret.Text, error)
}

// Ask posts on behalf of a site to an address that it named, and gives status and body of the answer, or
// else in words what became of it.
type Ask func(ctx context.Context, siteID, url string, head map[string][]string, body []byte) (status int, answer []byte, problem string)

const (
	maxEndpoints   = 20
	maxDescription = 200
	// Overlap is how long two secrets sign while one replaces the other, unless the
	// site wants it shorter or longer.
	Overlap = 24 * time.Hour
	// MaxOverlap is the longest a site may want.
	MaxOverlap = 7 * 24 * time.Hour
)

func place(id string) string { return "endpoints|" + id + "|secret" }

// NewEndpoint is what an endpoint is made of.
type NewEndpoint struct {
	URL         string
	Description string
	Events      []string    // none for all
	Secret      secret.Text // empty to make one
}

// Made is an endpoint with its secret, which is shown this once.
type Made struct {
	otl.Endpoint
	Secret secret.Text
}

// Change is what of an endpoint is to be set; nil leaves a member as it is.
type Change struct {
	URL, Description, State *string
	Events                  *[]string
}

func apply(e *otl.Endpoint, c Change, check func(url string) error) error {
	var bad []otl.FieldError
	note := func(err error) {
		var one *otl.Error
		if errors.As(err, &one) {
			bad = append(bad, one.More...)
		}
	}
	if c.URL != nil {
		e.URL = *c.URL
		if len(e.URL) > otl.MaxURL {
			note(otl.InvalidField("url", "too_long", "must be at most "+strconv.Itoa(otl.MaxURL)+" bytes"))
		} else if err := check(e.URL); err != nil {
			note(otl.InvalidField("url", "url_not_allowed", err.Error()))
		}
	}
	if c.Description != nil {
		var err error
		e.Description, err = otl.CheckText("description", *c.Description, maxDescription)
		note(err)
	}
	if c.Events != nil {
		var err error
		e.Events, err = otl.ParseEventTypes("events", *c.Events)
		note(err)
	}
	if c.State != nil {
		note(setState(e, *c.State))
	}
	if len(bad) > 0 {
		return otl.InvalidFields(bad)
	}
	return nil
}

// setState turns an endpoint on, which forgets that it failed, or off.
func setState(e *otl.Endpoint, state string) error {
	s := otl.EndpointState(state)
	if s == e.State {
		return nil
	}
	switch s {
	case otl.EndpointOn:
		e.State, e.Reason, e.FailingSince, e.WarnedAt = s, "", time.Time{}, time.Time{}
	case otl.EndpointPaused, otl.EndpointDisabled:
		e.State, e.Reason = s, otl.ReasonOwner
	default:
		return otl.InvalidField("state", "unknown_value", "must be one of on, paused, disabled")
	}
	return nil
}

// Create adds an endpoint to a site.
func (w *Webhooks) Create(ctx context.Context, siteID string, n NewEndpoint) (Made, error) {
	now := w.Now()
	m := Made{Secret: n.Secret, Endpoint: otl.Endpoint{ID: secret.NewID(now), SiteID: siteID, State: otl.EndpointOn, CreatedAt: now, UpdatedAt: now}}
	if err := apply(&m.Endpoint, Change{URL: &n.URL, Description: &n.Description, Events: &n.Events}, w.Check); err != nil {
		return Made{}, err
	}
	if m.Secret.Empty() {
		m.Secret = newSecret()
	}
	m.VerifiedAt = known(now, otl.Endpoint{}, m.URL)
	stored := store.StoredEndpoint{Endpoint: m.Endpoint, Secrets: store.Secrets{Current: w.Master.Seal([]byte(m.Secret.Reveal()), place(m.ID))}}
	again := otl.RequestOf(ctx).Once
	err := w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		have, err := tx.Endpoints.OfSite(ctx, siteID)
		if err != nil {
			return err
		}
		own := slices.DeleteFunc(have, func(e store.StoredEndpoint) bool { return e.Client != "" })
		if len(own) >= maxEndpoints {
			return &otl.Error{Kind: otl.Conflict, Code: "too_many_endpoints", Text: "A site has at most 20 webhook endpoints. Delete one first."}
		}
		if err := tx.Endpoints.Insert(ctx, stored); err != nil {
			return err
		}
		if err := w.note(ctx, tx, otl.EventEndpointCreated, nil, &m.Endpoint); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, again, now, m)
	})
	if err == nil {
		w.wake(m.ID) // it is to show that it is the site's
	}
	return m, err
}

// note appends what an administrative act did to an endpoint; nil is an endpoint that
// is not there yet, or not any more.
func (w *Webhooks) note(ctx context.Context, tx *store.Tx, t otl.EventType, before, after *otl.Endpoint) error {
	e, now := after, w.Now()
	if e == nil {
		e = before
	}
	return tx.Events.Append(ctx, otl.Event{
		ID: "evt_" + secret.NewID(now), Type: t, SiteID: e.SiteID, Data: map[string]string{otl.DataEndpoint: e.ID}, CreatedAt: now,
		Changes: otl.Changes(state(before), state(after)),
	})
}

func state(e *otl.Endpoint) map[string]string {
	if e == nil {
		return nil
	}
	return map[string]string{"url": e.URL, "description": e.Description, "events": e.Events.String(), "state": string(e.State), "verified": strconv.FormatBool(!e.VerifiedAt.IsZero())}
}

// List gives the endpoints of a site, oldest first.
func (w *Webhooks) List(ctx context.Context, siteID string) ([]otl.Endpoint, error) {
	all, err := w.Store.Read.Endpoints.OfSite(ctx, siteID)
	out := make([]otl.Endpoint, len(all))
	for i, e := range all {
		out[i] = e.Endpoint
	}
	return out, err
}

// Get gives one endpoint of a site. Any other is as unknown as one that never was
// (TE-01).
func (w *Webhooks) Get(ctx context.Context, siteID, id string) (otl.Endpoint, error) {
	e, err := find(ctx, w.Store.Read, siteID, id)
	return e.Endpoint, err
}

func find(ctx context.Context, tx *store.Tx, siteID, id string) (store.StoredEndpoint, error) {
	if !secret.ValidID(id) || siteID == "" {
		return store.StoredEndpoint{}, noEndpoint()
	}
	e, err := tx.Endpoints.ByID(ctx, siteID, id)
	if errors.Is(err, store.ErrNotFound) {
		err = noEndpoint()
	}
	return e, err
}

func noEndpoint() error { return otl.NoSuch("webhook endpoint") }

// sendable finds an endpoint of a site to which somebody wants something sent by hand.
func sendable(ctx context.Context, tx *store.Tx, siteID, id string) (store.StoredEndpoint, error) {
	e, err := find(ctx, tx, siteID, id)
	if err == nil && e.State == otl.EndpointDisabled {
		err = errDisabled()
	}
	return e, err
}

func errDisabled() error {
	return &otl.Error{Kind: otl.Conflict, Code: "endpoint_disabled", Text: "The endpoint is disabled. Turn it on first."}
}

// changeable is an error for an endpoint of a client: where it lies, what it hears of and
// how it is signed follow from the client.
func changeable(e otl.Endpoint) error {
	if e.Client == "" {
		return nil
	}
	return &otl.Error{Kind: otl.Conflict, Code: "client_endpoint", Text: "The endpoint belongs to a client, which is told there of its sessions that end. It can be paused and disabled, and no more."}
}

// Update changes an endpoint. For one that is disabled nothing waits, nor did when it is
// turned on again.
func (w *Webhooks) Update(ctx context.Context, siteID, id string, c Change) (e otl.Endpoint, err error) {
	if before, err := find(ctx, w.Store.Read, siteID, id); err != nil {
		return e, err
	} else if before.State == otl.EndpointDisabled {
		if err := w.GiveUp(ctx, id); err != nil {
			return e, err
		}
	}
	err = w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		stored, err := find(ctx, tx, siteID, id)
		if err != nil {
			return err
		}
		if c.URL != nil || c.Events != nil {
			if err := changeable(stored.Endpoint); err != nil {
				return err
			}
		}
		set, err := written(stored.Endpoint, c, w.Check, w.Now())
		if err != nil {
			return err
		}
		if err := tx.Endpoints.Update(ctx, id, set, w.Now()); err != nil {
			return err
		}
		after, err := find(ctx, tx, siteID, id) // others may have verified or stopped it meanwhile
		if err != nil {
			return err
		}
		e = after.Endpoint
		return w.note(ctx, tx, otl.EventEndpointUpdated, &stored.Endpoint, &e)
	})
	if err != nil {
		return e, err
	}
	w.wake(id)
	if e.State == otl.EndpointDisabled {
		err = w.GiveUp(ctx, id)
	}
	return e, err
}

// written gives what is to be written of a change to an endpoint, and nothing besides.
func written(was otl.Endpoint, c Change, check func(url string) error, now time.Time) (set store.EndpointChange, err error) {
	e := was
	if err := apply(&e, c, check); err != nil {
		return set, err
	}
	set.VerifiedAt = known(now, was, e.URL)
	if c.URL != nil {
		set.URL = &e.URL
	}
	if c.Description != nil {
		set.Description = &e.Description
	}
	if c.Events != nil {
		types := e.Events.String()
		set.Events = &types
	}
	if c.State != nil { // as it was read it may be no more
		state := string(e.State)
		if set.State = &state; e.State != otl.EndpointOn {
			set.Reason = otl.ReasonOwner
		}
	}
	return set, nil
}

// GiveUp ends what waits for an endpoint that is disabled, for all such for "": in steps
// for which nobody waits long.
func (w *Webhooks) GiveUp(ctx context.Context, id string) error {
	return w.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.Deliveries.GiveUp(ctx, id, w.Now(), store.Batch)
	})
}

// Delete removes an endpoint with everything that was to be sent to it.
func (w *Webhooks) Delete(ctx context.Context, siteID, id string) error {
	return w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		e, err := find(ctx, tx, siteID, id)
		if err != nil {
			return err
		}
		if _, err := tx.Endpoints.Delete(ctx, siteID, id); err != nil {
			return err
		}
		return w.note(ctx, tx, otl.EventEndpointDeleted, &e.Endpoint, nil)
	})
}

// Rotate gives an endpoint a new secret. The one before signs beside it for the
// overlap.
func (w *Webhooks) Rotate(ctx context.Context, siteID, id string, overlap time.Duration) (m Made, err error) {
	again := otl.RequestOf(ctx).Once
	m.Secret = newSecret()
	err = w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		e, err := find(ctx, tx, siteID, id)
		if err != nil {
			return err
		}
		if err := changeable(e.Endpoint); err != nil {
			return err
		}
		now := w.Now()
		m.Endpoint = e.Endpoint
		m.OldUntil, m.UpdatedAt = now.Add(overlap), now
		if err := tx.Endpoints.Rotate(ctx, id, w.Master.Seal([]byte(m.Secret.Reveal()), place(id)), m.OldUntil, now); err != nil {
			return err
		}
		if err := w.note(ctx, tx, otl.EventEndpointRotated, &e.Endpoint, &m.Endpoint); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, again, now, m)
	})
	return m, err
}

// Secrets gives the secrets that sign for an endpoint at this moment, the current one
// first.
func (w *Webhooks) Secrets(e store.StoredEndpoint) ([]secret.Text, error) {
	if e.Client != "" {
		return nil, nil // it is told by signed tokens
	}
	sealed := [][]byte{e.Secrets.Current}
	if w.Now().Before(e.OldUntil) {
		sealed = append(sealed, e.Secrets.Old)
	}
	var out []secret.Text
	for _, s := range sealed {
		plain, err := w.Master.Open(s, place(e.ID))
		if err != nil {
			return nil, err
		}
		out = append(out, secret.NewText(string(plain)))
	}
	return out, nil
}

// Test has an event sent to one endpoint that tells of nothing, or plays one of a
// type. It gives its id.
func (w *Webhooks) Test(ctx context.Context, siteID, id, as string) (string, error) {
	if as != "" && !otl.EventType(as).Told() {
		_, err := otl.ParseEventTypes("type", []string{as})
		return "", err
	}
	now := w.Now()
	e := otl.Event{
		ID: "evt_" + secret.NewID(now), Type: otl.EventWebhookTest, SiteID: siteID, CreatedAt: now,
		Data: map[string]string{otl.DataEndpoint: id, otl.DataAs: as},
	}
	return e.ID, w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		to, err := sendable(ctx, tx, siteID, id)
		if err != nil {
			return err
		}
		if err := changeable(to.Endpoint); err != nil {
			return err
		}
		return tx.Events.Append(ctx, e)
	})
}

func (w *Webhooks) wake(endpoints ...string) {
	if w.Queued != nil && len(endpoints) > 0 {
		w.Queued(endpoints)
	}
}
