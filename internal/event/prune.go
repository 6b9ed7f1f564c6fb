package event

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// pruneStep is how many entries go in one transaction.
const pruneStep = 200

// Prune removes entries older than Keep from the beginning of the logs, and keeps the
// place and the hash of the last one that goes, so that what is left can still be
// verified (AU-08).
func (l *Log) Prune(ctx context.Context) error {
	if l.Keep == 0 {
		return nil
	}
	for {
		n, err := l.prune(ctx, l.Now().Add(-l.Keep))
		if err != nil || n < pruneStep {
			return err
		}
	}
}

func (l *Log) prune(ctx context.Context, before time.Time) (n int, err error) {
	err = l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Logs.Head(ctx, ""); err != nil { // nobody places meanwhile
			return err
		}
		span, err := tx.Logs.Span(ctx, "")
		if err != nil {
			return err
		}
		page, err := tx.Events.Stored(ctx, span.Pruned.Length, span.Head.Length, pruneStep)
		if err != nil {
			return err
		}
		if n = slices.IndexFunc(page, func(e store.Entry) bool { return !e.CreatedAt.Before(before) }); n < 0 {
			n = len(page)
		}
		if n == 0 {
			return nil
		}
		last := page[n-1]
		if err := cut(ctx, tx, span.Pruned.Length, otl.Head{Length: last.Seq, Hash: last.Hash}); err != nil {
			return err
		}
		now := l.Now()
		return tx.Events.Append(ctx, otl.Event{
			ID: "evt_" + secret.NewID(now), Type: otl.EventAuditPruned, CreatedAt: now,
			Data: map[string]string{"from": strconv.FormatInt(span.Pruned.Length+1, 10), "to": strconv.FormatInt(last.Seq, 10)},
		})
	})
	return n, err
}

// cut removes entries behind a place up to a new beginning from the log of the
// installation, and with them the same events from the logs of the sites.
func cut(ctx context.Context, tx *store.Tx, after int64, beginning otl.Head) error {
	gone, err := tx.Logs.Cut(ctx, after, beginning.Length)
	if err != nil {
		return err
	}
	sites := map[string]otl.Head{}
	for _, e := range gone {
		if e.Seq > sites[e.SiteID].Length {
			sites[e.SiteID] = otl.Head{Length: e.Seq, Hash: e.Hash}
		}
	}
	for siteID, h := range sites {
		if err := tx.Logs.SetBeginning(ctx, siteID, h); err != nil {
			return err
		}
	}
	if err := tx.Events.Cut(ctx, after, beginning.Length); err != nil {
		return err
	}
	return tx.Logs.SetBeginning(ctx, "", beginning)
}
