package store

import (
	"context"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// recall remembers what the server of an SQLite file has read to check tokens,
// site keys and clients: nearly every request needs one of them, and they hardly change.
//
// It is exact. Every write goes through the one writer, which hands the changes
// of a transaction to apply after the commit and before anybody is answered; so
// whoever was told that a session has ended finds it ended. What a command in
// another process writes is noticed by the writer, which looks every lookEvery;
// until it has looked within trustFor, nothing is recalled.
//
// On PostgreSQL there is none: other nodes write too, and each request reads.
type recall struct {
	mu        sync.RWMutex
	standings map[string]Standing
	sessions  map[string]map[string]struct{} // of a person, those in standings
	keys      map[string]keyAndSite
	callers   map[string]Caller  // of the OneLogin wire, by the digest of their token
	loads     map[*load]struct{} // under way
	looked    time.Time          // when the writer last knew what others wrote
}

type keyAndSite struct {
	key  otl.SiteKey
	site otl.Site
}

// load is a read under way. A change that is applied meanwhile spoils it: what
// it read may be from before.
type load struct{ spoilt bool }

const (
	lookEvery = 100 * time.Millisecond
	trustFor  = 500 * time.Millisecond
	// maxRecalled bounds the sessions remembered, about 1 KiB each. When it is
	// reached all are forgotten: those in use are back at their next request.
	maxRecalled = 16384
)

func newRecall() *recall {
	r := &recall{loads: map[*load]struct{}{}, looked: time.Now()}
	r.forget()
	return r
}

// forget drops everything. The caller holds the lock, or has r to himself.
func (r *recall) forget() {
	r.standings, r.sessions = map[string]Standing{}, map[string]map[string]struct{}{}
	r.keys, r.callers = map[string]keyAndSite{}, map[string]Caller{}
}

// trusted reports whether what is remembered may be used. The caller holds the
// lock.
func (r *recall) trusted() bool { return time.Since(r.looked) < trustFor }

// lookedAt notes that the writer looked for writes of other processes, and
// whether there were any.
func (r *recall) lookedAt(now time.Time, others bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = now
	if others {
		r.forget()
		r.spoil()
	}
}

func (r *recall) spoil() {
	for l := range r.loads {
		l.spoilt = true
	}
}

// begin starts a read whose result is to be remembered.
func (r *recall) begin() *load {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &load{}
	r.loads[l] = struct{}{}
	return l
}

// end finishes a read and remembers its result unless it may be out of date.
func (r *recall) end(l *load, remember func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.loads, l)
	if l.spoilt || remember == nil {
		return
	}
	if max(len(r.standings), len(r.keys), len(r.callers)) >= maxRecalled {
		r.forget()
	}
	remember()
}

// recalled gives what get has of something, where that may be used, or what fetch reads of it, which is kept.
func recalled[V any](r *recall, get func() (V, bool), fetch func() (V, error), keep func(V)) (V, error) {
	r.mu.RLock()
	v, ok := get()
	ok = ok && r.trusted()
	r.mu.RUnlock()
	if ok {
		return v, nil
	}
	l := r.begin()
	v, err := fetch()
	if err != nil {
		r.end(l, nil)
		return v, err
	}
	r.end(l, func() { keep(v) })
	return v, nil
}

// standing gives a session's standing, read by fetch unless it is remembered.
func (r *recall) standing(ctx context.Context, id string, fetch func(context.Context, string) (Standing, error)) (Standing, error) {
	return recalled(r,
		func() (st Standing, ok bool) { st, ok = r.standings[id]; return st, ok },
		func() (Standing, error) { return fetch(ctx, id) },
		func(st Standing) {
			r.standings[id] = st
			if r.sessions[st.User.ID] == nil {
				r.sessions[st.User.ID] = map[string]struct{}{}
			}
			r.sessions[st.User.ID][id] = struct{}{}
		})
}

// siteKey gives a key and its site by the digest, read by fetch unless they are
// remembered.
func (r *recall) siteKey(ctx context.Context, digest []byte,
	fetch func(context.Context, []byte) (otl.SiteKey, otl.Site, error),
) (otl.SiteKey, otl.Site, error) {
	found, err := recalled(r,
		func() (k keyAndSite, ok bool) { k, ok = r.keys[string(digest)]; return k, ok },
		func() (k keyAndSite, err error) { k.key, k.site, err = fetch(ctx, digest); return k, err },
		func(k keyAndSite) { r.keys[string(digest)] = k })
	return found.key, found.site, err
}

// caller gives who calls with a token of the OneLogin wire at the given time, by its digest, read by fetch unless he is
// remembered.
func (r *recall) caller(ctx context.Context, access []byte, now time.Time,
	fetch func(context.Context, []byte, time.Time) (Caller, error),
) (Caller, error) {
	return recalled(r,
		func() (c Caller, ok bool) { c, ok = r.callers[string(access)]; return c, ok && c.Until.After(now) },
		func() (Caller, error) { return fetch(ctx, access, now) },
		func(c Caller) { r.callers[string(access)] = c })
}

// changes is what a transaction changes of what is remembered, and whether it
// appended an event. A nil one, where nobody wants to know, takes everything and
// keeps nothing.
type changes struct {
	recalled bool // whether anything is remembered at all
	all      []func(*recall)
	events   bool
	holds    bool // whether events wait for the end of the commit
	held     []Entry
}

// point is how far changes had come.
type point struct{ all, held int }

func (c *changes) add(change func(*recall)) {
	if c != nil && c.recalled {
		c.all = append(c.all, change)
	}
}

// event says that an event was appended.
func (c *changes) event() {
	if c != nil {
		c.events = true
	}
}

// holding says whether events wait for the end of the commit that begins.
func (c *changes) holding(yes bool) {
	if c != nil {
		c.holds = yes
	}
}

// hold keeps an event for the end of the commit, where such wait for that.
func (c *changes) hold(e Entry) bool {
	if c == nil || !c.holds {
		return false
	}
	c.held = append(c.held, e)
	return true
}

// release gives the events that wait for the end of the commit, and keeps them no longer.
func (c *changes) release() []Entry {
	if c == nil {
		return nil
	}
	held := c.held
	c.held = nil
	return held
}

// appended reports whether an event was, and forgets it.
func (c *changes) appended() bool {
	if c == nil || !c.events {
		return false
	}
	c.events = false
	return true
}

// mark and cut take back the changes of a write that is taken back.
func (c *changes) mark() point {
	if c == nil {
		return point{}
	}
	return point{len(c.all), len(c.held)}
}

func (c *changes) cut(to point) {
	if c != nil {
		c.all, c.held = c.all[:to.all], c.held[:to.held]
	}
}

// person says that a person, one of his sessions or one of his grants changed.
func (c *changes) person(id string) {
	c.add(func(r *recall) {
		for session := range r.sessions[id] {
			delete(r.standings, session)
		}
		delete(r.sessions, id)
	})
}

// rotated says what the refresh token of a session is now.
func (c *changes) rotated(id string, rotation otl.Rotation, by time.Time) {
	c.add(func(r *recall) {
		if st, ok := r.standings[id]; ok {
			st.Session.Refresh, st.Session.LastSeenAt, st.Session.RefreshBy = rotation, rotation.RotatedAt, by
			r.standings[id] = st
		}
	})
}

// site says that a site or one of its keys changed.
func (c *changes) site() { c.add((*recall).forget) }

// clients says that a client of the OneLogin wire or a token of one changed.
func (c *changes) clients() { c.add(func(r *recall) { clear(r.callers) }) }

// apply brings what is remembered up to a commit, or forgets it all when nobody
// knows whether the commit was made.
func (r *recall) apply(c *changes, known bool) {
	if r == nil || len(c.all) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, change := range c.all {
		change(r)
	}
	c.all = c.all[:0]
	r.spoil()
	if !known {
		r.forget()
	}
}
