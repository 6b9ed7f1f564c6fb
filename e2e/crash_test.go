package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// Sizes of the crash rig.
const (
	actors    = 10
	newcomers = 2
	leastLoad = 20 * time.Millisecond
	mostLoad  = 500 * time.Millisecond
)

// crashRig kills a server under load, starts it again and compares what it finds
// with what was acknowledged.
type crashRig struct {
	t        *testing.T
	in       installation
	database database
	actors   []*actor
	killed   atomic.Bool

	acknowledged, lost, late atomic.Int64
	cutOff, applied          int // writes without an answer; those found done nevertheless
}

// lose reports an acknowledged write that is not there, or that came back.
func (r *crashRig) lose(format string, args ...any) {
	r.lost.Add(1)
	r.t.Errorf("LOST: "+format, args...)
}

// TestCrash proves that what was acknowledged survives kill -9, on both engines,
// and that nobody is signed out by it (DD-01).
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			r := newCrashRig(t, e)
			cycles := count(t, "OTL_E2E_CYCLES", 20)
			done := 0
			for ; done < cycles && r.lost.Load() == 0 && !t.Failed(); done++ {
				r.cycle()
			}
			r.finish()
			t.Logf("%s: %d cycles, %d acknowledged writes, %d cut off by a kill and %d of them applied, %d too late for the grace, %d lost, %.1f s",
				e, done, r.acknowledged.Load(), r.cutOff, r.applied, r.late.Load(), r.lost.Load(), time.Since(begin).Seconds())
		})
	}
}

func newCrashRig(t *testing.T, e otltest.Engine) *crashRig {
	t.Helper()
	url := ""
	if e == otltest.Postgres {
		url = otltest.EmptyDatabaseURL(t, e)
	}
	r := &crashRig{t: t, in: newInstallation(t, url)}
	r.database = database{url, r.in.dir}
	key := r.in.site(t)
	for i := range actors {
		r.actors = append(r.actors, &actor{
			rig: r, c: newClient(t, "", key), number: i, newcomer: i < newcomers,
			random: rand.New(rand.NewPCG(uint64(i), 1)),
		})
	}
	return r
}

// each runs something for every actor at once.
func (r *crashRig) each(do func(*actor)) {
	var all sync.WaitGroup
	for _, a := range r.actors {
		all.Go(func() { do(a) })
	}
	all.Wait()
}

// restart starts a server and points the actors to it.
func (r *crashRig) restart() *process {
	p := r.in.serve(r.t)
	for _, a := range r.actors {
		a.c.http.CloseIdleConnections()
		a.c.url = p.url
	}
	return p
}

// cycle starts, compares, loads and kills.
func (r *crashRig) cycle() {
	p := r.restart()
	r.killed.Store(false)
	r.each(func(a *actor) { a.settle(a.recent()) })
	moment := time.AfterFunc(leastLoad+rand.N(mostLoad-leastLoad), func() {
		r.killed.Store(true)
		p.kill()
	})
	defer moment.Stop()
	r.each((*actor).load)
	<-p.ended
	p.clean(r.t)
	r.inspect()
}

// finish holds everybody who was ever registered against the ledger and stops
// the server in good order.
func (r *crashRig) finish() {
	p := r.restart()
	r.killed.Store(false)
	r.each(func(a *actor) { a.settle(a.people) })
	p.stop(r.t)
	p.clean(r.t)
	r.inspect()
}

// TestCrashWhileStarting kills the very first starts on an empty directory or
// database: keys, schema and installation are made there. The next start must
// find its way (DD-01).
func TestCrashWhileStarting(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			var took time.Duration
			for i := range (count(t, "OTL_E2E_CYCLES", 20) + 1) / 2 {
				t.Run(fmt.Sprint(i), func(t *testing.T) { took = killStarts(t, e, took) })
			}
		})
	}
}

// killStarts kills two starts somewhere within the time a start takes, lets the
// third one be, and gives how long it took.
func killStarts(t *testing.T, e otltest.Engine, took time.Duration) time.Duration {
	url := ""
	if e == otltest.Postgres {
		url = otltest.EmptyDatabaseURL(t, e)
	}
	in := newInstallation(t, url)
	if took > 0 {
		for range 2 {
			p := in.launch(t)
			moment := time.NewTimer(rand.N(took))
			select {
			case <-moment.C:
			case <-p.ended:
				t.Fatalf("the server ended by itself: %s\n%s", p.cmd.ProcessState, p.log())
			}
			p.kill()
		}
	}
	begin := time.Now()
	p := in.serve(t)
	took = time.Since(begin)
	c := newClient(t, p.url, in.site(t))
	must(t, 201)(c.register("jane@dev.test", password, ""))
	p.kill()
	p.clean(t)
	p = in.serve(t)
	c.url = p.url
	must(t, 200)(c.login("jane@dev.test", password))
	p.stop(t)
	for _, broken := range (database{url, in.dir}).broken(t) {
		t.Errorf("half a write: %s", broken)
	}
	return took
}
