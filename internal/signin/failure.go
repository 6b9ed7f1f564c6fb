package signin

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Failures notes sign-ins that fail and calls that are refused, for the log: who was tried, as
// far as that is known, where from, and why. They are counted in memory and written by Flush, the first of a
// kind at once and what follows once a minute, so that a storm of wrong passwords neither
// fills the log nor keeps the writer from anything else (ADR 27). The methods of a nil
// one note nothing.
type Failures struct {
	Store *store.Store
	Now   func() time.Time
	Home  string // id of the first-party site: at its pages people sign in for others

	mu    sync.Mutex
	kept  map[kind]*misses
	sites map[string]int // how many kinds are kept of each

	Total atomic.Uint64 // ever, on this node
	Codes atomic.Uint64 // of them, by a one-time code that was wrong, used or expired
}

const (
	// apart is how long after an entry the next one of the same kind is written.
	apart = time.Minute
	// mostKinds is how many kinds of a site are told apart within that time. Those beyond
	// are counted together, whoever they were about and wherever they came from.
	mostKinds = 60
	// failuresAtOnce is how many entries one transaction writes.
	failuresAtOnce = 64
)

// failure is a sign-in that failed.
type failure struct {
	site   string     // id
	name   string     // what the person was called; "" where he was called nothing
	user   string     // id of the person, if there is one
	method otl.Method // "" where it is not known
	reason string     // what was the matter, where the answer does not say; "" for the code of the answer

	refused   bool   // a call, before it was any sign-in
	operation string // what was called: method and pattern of the path
}

// Reasons that no answer gives, because they would tell who has an account.
const (
	reasonNobody     = "nobody"
	reasonDisabled   = "user_disabled"
	reasonSuspended  = "suspended"
	reasonNoPassword = "no_password"
	reasonPassword   = "wrong_password"
)

// kind is what is counted together. It holds nothing that whoever tries does not know, or
// reading how failures were put together would tell who has an account (PW-09).
type kind struct {
	site   string
	by     otl.Actor
	name   string // digest of what the person was called
	from   netip.Addr
	client netip.Addr
	method otl.Method
	answer string

	refused   bool
	operation string
}

// misses is how often something failed since it was last written.
type misses struct {
	failure     // the latest
	answer      string
	client      netip.Addr
	request     otl.Request
	n           int
	first, last time.Time
	written     time.Time
}

// note counts a failure if the error is one, and gives the error.
func (f *Failures) note(ctx context.Context, x failure, err error) error {
	if f == nil || err == nil {
		return err
	}
	known := otl.As(err)
	switch known.Kind {
	case otl.Unauthenticated, otl.Forbidden, otl.Limited:
	default:
		return err
	}
	f.Total.Add(1)
	if known.Code == ErrCode.Code || known.Code == ErrCodeLocked.Code || known.Code == ErrCodeExpired.Code {
		f.Codes.Add(1)
	}
	if visited := otl.RequestOf(ctx).SiteID; x.site == f.Home && visited != "" {
		x.site = visited // whom he would be signed in for
	}
	f.count(ctx, x, known.Code)
	return err
}

// count counts a failure that was answered with a code.
func (f *Failures) count(ctx context.Context, x failure, code string) {
	from, now := otl.RequestOf(ctx), f.Now()
	of := kind{x.site, from.Actor(), string(secret.Digest(x.name)), from.Peer, from.Client, x.method, code, x.refused, x.operation}
	x.name = "" // somebody may have typed his password there
	request := otl.Request{ID: from.ID, Peer: from.Peer, SiteID: from.SiteID, By: from.Actor()}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.kept[of]
	if m == nil && f.sites[x.site] >= mostKinds {
		of = kind{site: x.site, method: x.method, answer: code, refused: x.refused}
		x, request = failure{site: x.site, method: x.method, refused: x.refused}, otl.Request{By: otl.Actor{Kind: otl.ActorAnybody}}
		m = f.kept[of]
	}
	if m == nil {
		m = f.keep(of)
	}
	if m.n == 0 {
		m.first = now
	}
	m.failure, m.answer, m.client, m.request, m.last = x, of.answer, of.client, request, now
	m.n++
}

func (f *Failures) keep(of kind) *misses {
	if f.kept == nil {
		f.kept, f.sites = map[kind]*misses{}, map[string]int{}
	}
	m := &misses{}
	f.kept[of] = m
	f.sites[of.site]++
	return m
}

// Flush writes what is due.
func (f *Failures) Flush(ctx context.Context) error { return f.write(ctx, f.due(false)) }

// Close writes all that was not written yet.
func (f *Failures) Close(ctx context.Context) error { return f.write(ctx, f.due(true)) }

// due takes what is to be written, in the order in which it happened, and forgets what
// has not happened for long.
func (f *Failures) due(all bool) (due []misses) {
	now := f.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for of, m := range f.kept {
		long := now.Sub(m.written) >= apart
		switch {
		case m.n > 0 && (long || all):
			due = append(due, *m)
			m.n, m.written = 0, now
		case m.n == 0 && long:
			delete(f.kept, of)
			if f.sites[of.site]--; f.sites[of.site] == 0 {
				delete(f.sites, of.site)
			}
		}
	}
	slices.SortFunc(due, func(a, b misses) int { return cmp.Or(a.last.Compare(b.last), cmp.Compare(a.request.ID, b.request.ID)) })
	return due
}

// write appends entries. What cannot be written now is given up: nothing else depends on
// it, and the failure to write is in the server's log.
func (f *Failures) write(ctx context.Context, due []misses) error {
	for part := range slices.Chunk(due, failuresAtOnce) {
		err := f.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, m := range part {
				if err := tx.Events.Append(otl.WithRequest(ctx, &m.request), m.event()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// event gives the entry: as of the latest of those it counts.
func (m misses) event() otl.Event {
	data := map[string]string{
		otl.DataReason: cmp.Or(m.reason, m.answer), otl.DataAnswer: m.answer, otl.DataMethods: string(m.method), otl.DataTries: strconv.Itoa(m.n),
	}
	if m.client.IsValid() {
		data[otl.DataIP] = m.client.String()
	}
	if m.n > 1 {
		data[otl.DataSince] = m.first.UTC().Format(time.RFC3339)
	}
	e := otl.Event{ID: "evt_" + secret.NewID(m.last), Type: otl.EventSignInFailed, UserID: m.user, SiteID: m.site, CreatedAt: m.last, Data: data}
	if m.refused {
		e.Type = otl.EventAccessRefused
		delete(data, otl.DataAnswer) // which is the reason
		delete(data, otl.DataMethods)
		if data[otl.DataOperation] = m.operation; m.operation == "" {
			delete(data, otl.DataOperation)
		}
	}
	return e
}

// fault says why a password that was looked at did not do.
func fault(who store.Credential, match bool) string {
	switch {
	case who.User.ID == "":
		return reasonNobody
	case !who.User.DisabledAt.IsZero():
		return reasonDisabled
	case !who.Grant.SuspendedAt.IsZero():
		return reasonSuspended
	case who.Hash == "":
		return reasonNoPassword
	case !match:
		return reasonPassword
	}
	return ""
}

// failure is what of somebody who has proven something is noted when it was not enough.
func (p Proved) failure() failure {
	x := failure{site: p.Site.ID, name: p.User.ID, user: p.User.ID}
	if n := len(p.Methods); n > 0 {
		x.method = p.Methods[n-1]
	}
	return x
}

// failure is what of a wrong code is noted.
func (a CodeAttempt) failure(userID string, err error) failure {
	x := failure{site: a.Site.ID, name: string(a.Who.Type) + ":" + a.Who.Value, user: userID, reason: reasonNobody}
	if userID != "" {
		x.reason = otl.As(err).Code
	}
	return x
}

// failure is what of a wrong second factor is noted, of the person the step is of if
// there is such a step.
func (sp StepProof) failure(p Proved) failure {
	x := p.failure()
	x.site, x.method = sp.Site.ID, cmp.Or(p.tried, sp.Kind).Method()
	return x
}
