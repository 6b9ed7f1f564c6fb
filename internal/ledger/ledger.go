package ledger

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	// flushEvery is how often what was noted is written: what a crash loses of it.
	flushEvery = time.Minute
	// most is how many different readings are held at once, about 200 bytes each. At
	// half of it they are written; beyond it new ones are only counted as lost.
	most = 1 << 17
	// part is how many readings one transaction carries.
	part = 256
	// keep is for how many days readings are kept.
	keep = 90
)

// Ledger notes what sites are shown of people. The methods of a nil one note nothing.
type Ledger struct {
	Store *store.Store
	Now   func() time.Time
	Log   *slog.Logger

	mu    sync.Mutex
	noted map[about]seen
	lost  int64
	full  chan struct{} // tells Run that there is much to write
}

// about is what of whom was shown to whom, on which day. It is small, because the map
// of them is looked into at every answer.
type about struct {
	userID, siteID string
	day            int32
	fields         uint16 // a bit for each of otl.AllFields
}

// seen is how often, and from when to when.
type seen struct {
	times       int64
	first, last time.Time
}

// New makes a ledger.
func New(s *store.Store, now func() time.Time, log *slog.Logger) *Ledger {
	return &Ledger{Store: s, Now: now, Log: log, noted: map[about]seen{}, full: make(chan struct{}, 1)}
}

// Note notes that a site was shown fields of a person, which costs nobody a statement.
// What our own site shows a person of himself is no reading, nor is an answer without a
// field in it.
func (l *Ledger) Note(site otl.Site, userID string, shown otl.Fields) {
	if l == nil || site.FirstParty {
		return
	}
	l.NoteAt(site.ID, userID, shown)
}

// NoteAt is Note for the id of a partner site.
func (l *Ledger) NoteAt(siteID, userID string, shown otl.Fields) {
	if l == nil || len(shown) == 0 || siteID == "" || userID == "" {
		return
	}
	now := l.Now()
	k := about{userID, siteID, int32(otl.DayOf(now)), bits(shown)}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, known := l.noted[k]
	if !known {
		if len(l.noted) >= most {
			l.lost++
			return
		}
		if s.first = now; len(l.noted) == most/2 {
			select {
			case l.full <- struct{}{}:
			default:
			}
		}
	}
	s.times++
	s.last = now
	l.noted[k] = s
}

// Lost gives how many readings were not counted because too many waited to be written.
func (l *Ledger) Lost() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func bits(fs otl.Fields) (out uint16) {
	for i, f := range otl.AllFields() {
		if fs.Has(f) {
			out |= 1 << i
		}
	}
	return out
}

func fields(bits uint16) (out otl.Fields) {
	for i, f := range otl.AllFields() {
		if bits&(1<<i) != 0 {
			out = append(out, f)
		}
	}
	return out
}

// Run writes what was noted until ctx ends.
func (l *Ledger) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.full:
		}
		if err := l.Flush(ctx); err != nil && ctx.Err() == nil {
			l.Log.Error("write the ledger", "err", err)
		}
	}
}

// Flush writes what was noted by now. What could not be written stays noted.
func (l *Ledger) Flush(ctx context.Context) error {
	return l.write(ctx, l.take(func(about) bool { return true }))
}

// take gives what was noted that is wanted, and forgets it, in an order that is the same
// on every node: those that write the same rows do not wait for each other in a circle.
func (l *Ledger) take(wanted func(about) bool) []otl.Reading {
	l.mu.Lock()
	var out []otl.Reading
	for k, s := range l.noted {
		if wanted(k) {
			out = append(out, otl.Reading{UserID: k.userID, SiteID: k.siteID, Day: int(k.day), Fields: fields(k.fields), Times: s.times, First: s.first, Last: s.last})
			delete(l.noted, k)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(out, func(a, b otl.Reading) int {
		return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.SiteID, b.SiteID), a.Day-b.Day, cmp.Compare(bits(a.Fields), bits(b.Fields)))
	})
	return out
}

func (l *Ledger) write(ctx context.Context, all []otl.Reading) error {
	for len(all) > 0 {
		now := all[:min(part, len(all))]
		if err := l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Ledger.Add(ctx, now) }); err != nil {
			l.back(all)
			return err
		}
		all = all[len(now):]
	}
	return nil
}

// back notes again what could not be written.
func (l *Ledger) back(all []otl.Reading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range all {
		k := about{r.UserID, r.SiteID, int32(r.Day), bits(r.Fields)}
		s, known := l.noted[k]
		if !known {
			s.last = r.Last
		}
		s.times, s.first = s.times+r.Times, r.First
		l.noted[k] = s
	}
}

// Of gives what sites saw of a person, the newest day first, with what this node has
// noted of it and not yet written.
func (l *Ledger) Of(ctx context.Context, userID string) ([]otl.Reading, error) {
	if err := l.write(ctx, l.take(func(k about) bool { return k.userID == userID })); err != nil {
		return nil, err
	}
	return l.Store.Read.Ledger.Readings(ctx, userID)
}

// Prune deletes readings that are older than 90 days.
func (l *Ledger) Prune(ctx context.Context) error {
	before := otl.DayOf(l.Now()) - keep
	return l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Ledger.Prune(ctx, before)
		return err
	})
}
