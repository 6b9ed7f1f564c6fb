package event

import (
	"context"
	"slices"
	"strconv"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Fade takes addresses and browsers out of entries that are older than KeepAddresses
// (PR-08), from the beginning of the log on. What an entry said stays as a hash, so that the
// log still verifies, and up to where it was done is an entry itself.
func (l *Log) Fade(ctx context.Context) error {
	if l.KeepAddresses == 0 {
		return nil
	}
	for {
		n, err := l.fade(ctx)
		if err != nil || n < eraseStep {
			return err
		}
	}
}

func (l *Log) fade(ctx context.Context) (n int, err error) {
	now := l.Now()
	before := now.Add(-l.KeepAddresses)
	err = l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Logs.Head(ctx, ""); err != nil { // no other node does it meanwhile
			return err
		}
		span, err := tx.Logs.Span(ctx, "")
		if err != nil {
			return err
		}
		page, err := tx.Events.Stored(ctx, max(span.Faded, span.Pruned.Length), span.Head.Length, eraseStep)
		if err != nil {
			return err
		}
		if n = slices.IndexFunc(page, func(e store.Entry) bool { return !e.CreatedAt.Before(before) }); n < 0 {
			n = len(page)
		}
		if n == 0 {
			return nil
		}
		for _, e := range page[:n] {
			if e = e.Read(); bare(&e.Event) {
				continue
			}
			if err := erase(ctx, tx, e); err != nil {
				return err
			}
		}
		if err := tx.Logs.SetFaded(ctx, page[n-1].Seq); err != nil {
			return err
		}
		return tx.Events.Append(ctx, otl.Event{
			ID: "evt_" + secret.NewID(now), Type: otl.EventAddressesGone, CreatedAt: now,
			Data: map[string]string{"from": strconv.FormatInt(page[0].Seq, 10), "to": strconv.FormatInt(page[n-1].Seq, 10)},
		})
	})
	return n, err
}
