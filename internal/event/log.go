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
// places have no gaps, and whoever has read one has read all before it (ADR 13). On SQLite
// it is the same commit (ADR 48).
type Log struct {
	Store *store.Store
	Log   *slog.Logger
	Now   func() time.Time
	// Keep is how long entries are kept; 0 for ever.
	Keep time.Duration
	// KeepAddresses is how long entries say from where and with what somebody came; 0 as
	// long as they are kept.
	KeepAddresses time.Duration
	// Queued is called when deliveries to endpoints were queued; nil for nobody.
	Queued func(endpoints []string)
}

const (
	// look is how often a node looks for events that other processes appended.
	look = 100 * time.Millisecond
	// pulls is how long a site that read what it is told of is held to read on.
	pulls = 30 * 24 * time.Hour
	// batch is how many events get their places in one transaction.
	batch = 256
)

// Run places events until ctx ends: on SQLite at the end of the commit that appended them,
// which spares another one (ADR 48).
func (l *Log) Run(ctx context.Context) {
	l.Store.AtLast(l.last)
	defer l.Store.AtLast(nil)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.Store.Appended():
		case <-tick.C:
			if found, err := l.Store.Read.Events.Unplaced(ctx, 1); err == nil && len(found) == 0 {
				continue // as nearly always: nobody waits for the lock of the log
			}
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

// last writes the events of a commit with their places at its end (store.Last).
func (l *Log) last(ctx context.Context, tx *store.Tx, held []store.Entry) (after func(), rest bool, err error) {
	n, queued, err := l.placeNext(ctx, tx, held)
	return func() { l.wake(queued) }, n == batch, err
}

// Place gives the next events their places and says how many they were.
func (l *Log) Place(ctx context.Context) (n int, err error) {
	var queued map[string]bool
	err = l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		n, queued, err = l.placeNext(ctx, tx, nil)
		return err
	})
	if err == nil {
		l.wake(queued)
	}
	return n, err
}

// wake tells that deliveries to endpoints were queued.
func (l *Log) wake(endpoints map[string]bool) {
	if len(endpoints) > 0 && l.Queued != nil {
		l.Queued(slices.Collect(maps.Keys(endpoints)))
	}
}

// placeNext is Place within a transaction, which also writes the events that were held for
// their places: of those that are too many for one transaction the last without. It gives the
// endpoints that deliveries were queued to.
func (l *Log) placeNext(ctx context.Context, tx *store.Tx, held []store.Entry) (n int, queued map[string]bool, err error) {
	p := placer{tx: tx, now: l.Now(), heads: map[string]otl.Head{}, endpoints: map[string][]store.StoredEndpoint{}, queued: map[string]bool{}}
	if _, err := p.head(ctx, ""); err != nil { // from here on this node is alone
		return 0, nil, err
	}
	found, err := tx.Events.Unplaced(ctx, batch)
	if err != nil {
		return 0, nil, err
	}
	held, rest := held[:min(len(held), batch-len(found))], held[min(len(held), batch-len(found)):]
	if n = len(found) + len(held); n > 0 {
		err = p.place(ctx, found, held)
	}
	for i := 0; i < len(rest) && err == nil; i++ { // behind them
		err = tx.Events.Insert(ctx, rest[i])
	}
	return n, p.queued, err
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

// place gives events their places, in as few statements as will do: first those in
// the log of the installation, then in the logs of the sites concerned, then the numbers
// of what each site is told of each person, of which the hashes of its log say too.
func (p *placer) place(ctx context.Context, found, held []store.Entry) error {
	what := map[string][sha256.Size]byte{}
	var entries []otl.SiteEvent
	for _, some := range [][]store.Entry{found, held} {
		for i := range some {
			e, h, said := &some[i].Event, p.heads[""], digest(&some[i])
			e.Seq, e.Hash = h.Length+1, link(h.Hash, h.Length+1, said)
			p.heads[""], what[e.ID] = otl.Head{Length: e.Seq, Hash: e.Hash}, said
			sites, err := p.concerned(ctx, *e)
			if err != nil {
				return err
			}
			for _, siteID := range sites {
				entries = append(entries, otl.SiteEvent{Event: *e, SiteID: siteID, Told: e.Type.Told() || e.Type == otl.EventWebhookTest})
			}
		}
	}
	if err := p.number(ctx, entries); err != nil {
		return err
	}
	var deliveries []otl.Delivery
	for i := range entries {
		e := &entries[i]
		h, err := p.head(ctx, e.SiteID)
		if err != nil {
			return err
		}
		e.Seq = h.Length + 1
		e.Hash = linkSite(h.Hash, e.Seq, what[e.Event.ID], e.Told, e.UserSeq)
		p.heads[e.SiteID] = otl.Head{Length: e.Seq, Hash: e.Hash}
		if deliveries, err = p.queue(ctx, deliveries, *e); err != nil {
			return err
		}
	}
	if err := errors.Join(p.tx.Events.Place(ctx, found), p.tx.Events.InsertPlaced(ctx, held)); err != nil {
		return err
	}
	return p.write(ctx, entries, deliveries)
}

func (p *placer) write(ctx context.Context, entries []otl.SiteEvent, deliveries []otl.Delivery) error {
	if err := p.tx.Logs.Append(ctx, entries); err != nil {
		return err
	}
	if err := p.tx.Deliveries.Insert(ctx, p.now, deliveries); err != nil {
		return err
	}
	for siteID, h := range p.heads {
		if err := p.tx.Logs.SetHead(ctx, siteID, h); err != nil {
			return err
		}
	}
	return nil
}

// number counts what each site is told of each person.
func (p *placer) number(ctx context.Context, entries []otl.SiteEvent) error {
	type pair struct{ site, person string }
	of := func(e otl.SiteEvent) (pair, bool) {
		return pair{e.SiteID, e.UserID}, e.Told && e.UserID != "" && !Stranger(e.Event, e.SiteID)
	}
	more := map[pair]int64{}
	var pairs []store.Hearing
	for _, e := range entries {
		if about, counts := of(e); counts {
			if more[about]++; more[about] == 1 {
				pairs = append(pairs, store.Hearing{SiteID: e.SiteID, UserID: e.UserID})
			}
		}
	}
	for i, one := range pairs {
		pairs[i].N = more[pair{one.SiteID, one.UserID}]
	}
	now, err := p.tx.Logs.Heard(ctx, pairs)
	if err != nil {
		return err
	}
	next := map[pair]int64{}
	for _, h := range now {
		about := pair{h.SiteID, h.UserID}
		next[about] = h.N - more[about]
	}
	for i, e := range entries {
		if about, counts := of(e); counts {
			next[about]++
			entries[i].UserSeq = next[about]
		}
	}
	return nil
}

// Stranger reports whether a site is told only that somebody registered elsewhere.
func Stranger(e otl.Event, siteID string) bool {
	return e.Type == otl.EventUserCreated && e.SiteID != siteID
}

// queue adds a delivery for each endpoint of the site that hears of an event.
func (p *placer) queue(ctx context.Context, to []otl.Delivery, e otl.SiteEvent) ([]otl.Delivery, error) {
	if !e.Told {
		return to, nil
	}
	all, known := p.endpoints[e.SiteID]
	if !known {
		var err error
		if all, err = p.tx.Endpoints.OfSite(ctx, e.SiteID); err != nil {
			return to, err
		}
		p.endpoints[e.SiteID] = all
	}
	for _, one := range all {
		if one.Gets(e.Event) {
			to = append(to, otl.Delivery{EndpointID: one.ID, Seq: e.Seq})
			p.queued[one.ID] = true
		}
	}
	return to, nil
}

// concerned gives the sites in whose logs an event belongs: the one it happened at,
// or, where it is about a person alone, those that person lets in and that may see
// something of it (WH-13, PR-06).
func (p *placer) concerned(ctx context.Context, e otl.Event) ([]string, error) {
	switch {
	case e.Type == otl.EventUserUpdated:
		return p.seeing(ctx, e)
	case e.Type == otl.EventUserCreated: // anywhere in the network (contract 1.7)
		return p.hearing(ctx, e)
	case e.Type == otl.EventUserDeleted: // his grants went with him
		return strings.Fields(e.Data[otl.DataSites]), nil
	case e.UserID != "" && slices.Contains([]otl.EventType{otl.EventLinkOpened, otl.EventLinkDenied, otl.EventPasswordChanged, otl.EventPasswordRemoved}, e.Type):
		return p.members(ctx, e)
	case e.SiteID != "":
		return []string{e.SiteID}, nil
	}
	return nil, nil
}

// members gives the site an event happened at where it is about one of its people, whom the first-party site has without a
// grant. A link, and one to a new password, can be sent to anybody in the name of a site: what becomes of it tells of whoever is
// none of them that he has an account, who he is, and where (PW-09, D1).
func (p *placer) members(ctx context.Context, e otl.Event) ([]string, error) {
	g, err := p.tx.Grants.Of(ctx, e.UserID, e.SiteID)
	if err == nil && g.Live() {
		return []string{e.SiteID}, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	site, err := p.tx.Sites.ByID(ctx, e.SiteID)
	if err == nil && site.FirstParty {
		return []string{e.SiteID}, nil
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil // deleted meanwhile
	}
	return nil, err
}

// hearing gives the sites that hear of what happens anywhere: by an endpoint, or because they
// ask, and the one where it happened.
func (p *placer) hearing(ctx context.Context, e otl.Event) ([]string, error) {
	told, err := p.tx.Endpoints.Hearing(ctx, e.Type)
	if err != nil {
		return nil, err
	}
	pulling, err := p.tx.Sites.Pulling(ctx, p.now.Add(-pulls))
	for _, id := range append(pulling, e.SiteID) {
		if id != "" && !slices.Contains(told, id) {
			told = append(told, id)
		}
	}
	return told, err
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
