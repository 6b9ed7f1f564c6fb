package event

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Log gives events their places: in the log of the installation and in those of the
// sites they concern. That happens after the transaction that appended them, so that
// no request waits for it, and in one of its own that only one node at a time is in:
// places have no gaps, and whoever has read one has read all before it (ADR 13).
type Log struct {
	Store *store.Store
	Log   *slog.Logger
	Now   func() time.Time
	// Keep is how long entries are kept; 0 for ever.
	Keep time.Duration
	// Queued is called when deliveries to endpoints were queued; nil for nobody.
	Queued func(endpoints []string)
}

const (
	// look is how often a node looks for events that other processes appended.
	look = 100 * time.Millisecond
	// batch is how many events get their places in one transaction.
	batch = 64
)

// Run places events until ctx ends.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.Store.Appended():
		}
		for more := true; more && ctx.Err() == nil; {
			n, err := l.Place(ctx)
			if err != nil && ctx.Err() == nil {
				l.Log.Error("place events", "err", err)
			}
			more = n == batch && err == nil
		}
	}
}

// Place gives the next events their places and says how many they were.
func (l *Log) Place(ctx context.Context) (n int, err error) {
	if found, err := l.Store.Read.Events.Unplaced(ctx, 1); err != nil || len(found) == 0 {
		return 0, err
	}
	var queued map[string]bool
	err = l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		p := placer{tx: tx, now: l.Now(), heads: map[string]otl.Head{}, endpoints: map[string][]store.StoredEndpoint{}, queued: map[string]bool{}}
		if _, err := p.head(ctx, ""); err != nil { // from here on this node is alone
			return err
		}
		found, err := tx.Events.Unplaced(ctx, batch)
		if err != nil {
			return err
		}
		n = len(found)
		for _, e := range found {
			if err := p.place(ctx, e); err != nil {
				return err
			}
		}
		queued = p.queued
		return p.save(ctx)
	})
	if err == nil && len(queued) > 0 && l.Queued != nil {
		l.Queued(slices.Collect(maps.Keys(queued)))
	}
	return n, err
}

// placer is one transaction that places events.
type placer struct {
	tx        *store.Tx
	now       time.Time
	heads     map[string]otl.Head // by site, "" for the installation
	endpoints map[string][]store.StoredEndpoint
	queued    map[string]bool // endpoints by id
}

func (p *placer) head(ctx context.Context, siteID string) (otl.Head, error) {
	if h, ok := p.heads[siteID]; ok {
		return h, nil
	}
	h, err := p.tx.Logs.Head(ctx, siteID)
	if errors.Is(err, store.ErrNotFound) && siteID != "" {
		err = nil
	}
	p.heads[siteID] = h
	return h, err
}

func (p *placer) save(ctx context.Context) error {
	for siteID, h := range p.heads {
		if err := p.tx.Logs.SetHead(ctx, siteID, h); err != nil {
			return err
		}
	}
	return nil
}

func (p *placer) place(ctx context.Context, stored store.Entry) error {
	h, err := p.head(ctx, "")
	if err != nil {
		return err
	}
	what := digest(stored)
	h = otl.Head{Length: h.Length + 1, Hash: link(h.Hash, h.Length+1, what)}
	p.heads[""] = h
	e := stored.Event
	e.Seq, e.Hash = h.Length, h.Hash
	if err := p.tx.Events.Place(ctx, e); err != nil {
		return err
	}
	sites, err := p.concerned(ctx, e)
	if err != nil {
		return err
	}
	for _, siteID := range sites {
		if err := p.enter(ctx, siteID, e, what); err != nil {
			return err
		}
	}
	return nil
}

// enter adds an event to the log of a site.
func (p *placer) enter(ctx context.Context, siteID string, e otl.Event, what [sha256.Size]byte) error {
	h, err := p.head(ctx, siteID)
	if err != nil {
		return err
	}
	entry := otl.SiteEvent{Event: e, SiteID: siteID, Seq: h.Length + 1, Told: e.Type.Told() || e.Type == otl.EventWebhookTest}
	if entry.Told && e.UserID != "" && !Stranger(e, siteID) {
		if entry.UserSeq, err = p.tx.Logs.Heard(ctx, siteID, e.UserID); err != nil {
			return err
		}
	}
	entry.Hash = linkSite(h.Hash, entry.Seq, what, entry.Told, entry.UserSeq)
	p.heads[siteID] = otl.Head{Length: entry.Seq, Hash: entry.Hash}
	if err := p.tx.Logs.Append(ctx, entry); err != nil || !entry.Told {
		return err
	}
	return p.queue(ctx, entry)
}

// Stranger reports whether a site is told only that somebody registered elsewhere.
func Stranger(e otl.Event, siteID string) bool {
	return e.Type == otl.EventUserCreated && e.SiteID != siteID
}

// queue writes a delivery for each endpoint of the site that hears of an event.
func (p *placer) queue(ctx context.Context, e otl.SiteEvent) error {
	all, known := p.endpoints[e.SiteID]
	if !known {
		var err error
		if all, err = p.tx.Endpoints.OfSite(ctx, e.SiteID); err != nil {
			return err
		}
		p.endpoints[e.SiteID] = all
	}
	for _, to := range all {
		hears := to.Hears(e.Type)
		if e.Type == otl.EventWebhookTest {
			hears = to.ID == e.Data[otl.DataEndpoint]
		}
		if !hears {
			continue
		}
		if err := p.tx.Deliveries.Insert(ctx, to.ID, e.Seq, p.now); err != nil {
			return err
		}
		p.queued[to.ID] = true
	}
	return nil
}

// concerned gives the sites in whose logs an event belongs: the one it happened at,
// or, where it is about a person alone, those that person lets in and that may see
// something of it (WH-13, PR-06).
func (p *placer) concerned(ctx context.Context, e otl.Event) ([]string, error) {
	switch {
	case e.Type == otl.EventUserUpdated:
		return p.seeing(ctx, e)
	case e.Type == otl.EventUserCreated: // anywhere in the network (contract 1.7)
		hearing, err := p.tx.Endpoints.Hearing(ctx, e.Type)
		if e.SiteID != "" && !slices.Contains(hearing, e.SiteID) {
			hearing = append(hearing, e.SiteID)
		}
		return hearing, err
	case e.Type == otl.EventUserDeleted: // his grants went with him
		return strings.Fields(e.Data[otl.DataSites]), nil
	case e.SiteID != "":
		return []string{e.SiteID}, nil
	}
	return nil, nil
}

// seeing gives the sites that were granted one of the fields that changed.
func (p *placer) seeing(ctx context.Context, e otl.Event) ([]string, error) {
	grants, err := p.tx.Grants.OfPerson(ctx, e.UserID)
	if err != nil {
		return nil, err
	}
	var sites []string
	for _, g := range grants {
		if len(Seen(g.Fields, e)) > 0 {
			sites = append(sites, g.SiteID)
		}
	}
	return sites, nil
}

// Seen gives which of what changed a site with these fields may see.
func Seen(granted otl.Fields, e otl.Event) []string {
	var out []string
	for _, changed := range strings.Fields(e.Data[otl.DataChanged]) {
		if granted.Has(otl.Field(strings.TrimSuffix(changed, "_verified"))) {
			out = append(out, changed)
		}
	}
	return out
}
