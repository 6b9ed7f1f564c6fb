package outbox

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// MaxWaiting is how many deliveries may wait for one endpoint (WH-07): about 15 MiB, and
// 2 GiB if each was answered at length.
const MaxWaiting = 100_000

// Bound disables endpoints for which more than so many deliveries wait, whatever keeps them:
// a receiver that is slow, or one that was paused and forgotten. Nothing is lost: the events
// stay in the log, and can be sent again for as long as any.
func (c *Couriers) Bound(ctx context.Context, most int) error {
	full, err := c.Store.Read.Endpoints.Full(ctx, most)
	for _, e := range full {
		err = errors.Join(err, c.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return c.stop(ctx, tx, e.Endpoint, otl.EndpointDisabled, otl.ReasonBacklog)
		}))
	}
	return errors.Join(err, c.Webhooks.GiveUp(ctx, ""))
}

// stop turns an endpoint off and tells its owners. What waits for one that is disabled is
// given up afterwards.
func (c *Couriers) stop(ctx context.Context, tx *store.Tx, e otl.Endpoint, state otl.EndpointState, reason string) error {
	now := c.Now()
	was, err := tx.Endpoints.Stop(ctx, e.ID, state, reason, now)
	if err != nil || !was {
		return err
	}
	if err := tx.Events.Append(ctx, otl.Event{
		ID: "evt_" + secret.NewID(now), Type: otl.EventEndpointStopped, SiteID: e.SiteID, CreatedAt: now,
		Data: map[string]string{otl.DataEndpoint: e.ID, otl.DataReason: reason},
	}); err != nil {
		return err
	}
	c.Log.Warn("endpoint stopped", "endpoint", e.ID, "site", e.SiteID, "reason", reason)
	return c.tell(ctx, tx, e, otl.MessageWebhookStopped)
}

// tell queues a mail to each owner of the site, or to the operator where it has none.
func (c *Couriers) tell(ctx context.Context, tx *store.Tx, e otl.Endpoint, kind otl.MessageKind) error {
	data := map[string]string{"url": e.URL}
	owners, err := c.Messages.Owners(ctx, tx, kind, e.SiteID, data)
	if err != nil || owners > 0 {
		return err
	}
	return c.Messages.ToOperator(ctx, tx, kind, e.SiteID, data)
}
