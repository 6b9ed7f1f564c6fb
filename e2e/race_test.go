package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// parallel is how often one refresh token is exchanged at once.
const parallel = 100

// TestRefreshRace exchanges one refresh token a hundred times at the same
// moment: everybody gets the same successor and nobody is signed out (SE-10,
// SE-11). On PostgreSQL also through three servers on one database.
func TestRefreshRace(t *testing.T) {
	t.Parallel()
	for _, world := range []struct {
		engine otltest.Engine
		nodes  int
	}{{otltest.SQLite, 1}, {otltest.Postgres, 1}, {otltest.Postgres, 3}} {
		name := string(world.engine)
		if world.nodes > 1 {
			name = fmt.Sprintf("%s, %d nodes", world.engine, world.nodes)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			r := newRace(t, world.engine, world.nodes)
			rounds := count(t, "OTL_E2E_ROUNDS", 20)
			for round := range rounds {
				r.round(t, round)
			}
			r.reuse(t)
			t.Logf("%s: %d rounds of %d exchanges of one token, 1 successor each, %.1f s", name, rounds, parallel, time.Since(begin).Seconds())
		})
	}
}

// race is one session whose refresh token many clients hold.
type race struct {
	nodes   []*client
	session claims
	first   string // the first refresh token
	now     login  // the latest answer
}

// newRace starts the nodes, all at once where there are several: on an empty
// database one of them has to make the schema and the keys.
func newRace(t *testing.T, e otltest.Engine, nodes int) *race {
	t.Helper()
	url := ""
	if e == otltest.Postgres {
		url = otltest.EmptyDatabaseURL(t, e)
	}
	in := newInstallation(t, url)
	var servers []*process
	for range nodes {
		servers = append(servers, in.launch(t))
	}
	r := &race{}
	for _, s := range servers {
		s.wait(t)
		t.Cleanup(func() { s.clean(t) })
	}
	key := in.site(t)
	for _, s := range servers {
		r.nodes = append(r.nodes, newClient(t, s.url, key))
	}
	must(t, http.StatusCreated)(r.nodes[0].register("jane@dev.test", password, "")).into(&r.now)
	r.first = r.now.Refresh
	var err error
	if r.session, err = read(r.now.Access); err != nil {
		t.Fatal(err)
	}
	return r
}

// round exchanges the latest token everywhere at once.
func (r *race) round(t *testing.T, round int) {
	t.Helper()
	type result struct {
		reply
		err error
	}
	results := make([]result, parallel)
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	for i := range results {
		ready.Add(1)
		done.Go(func() {
			c := r.nodes[i%len(r.nodes)]
			ready.Done()
			<-start
			results[i].reply, results[i].err = c.refresh(r.now.Refresh)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()

	answers := map[string]int{}
	var next login
	for _, one := range results {
		must(t, http.StatusOK)(one.reply, one.err).into(&next)
		answers[next.Refresh]++
		if said, err := read(next.Access); err != nil || said.Session != r.session.Session || said.Version != r.session.Version {
			t.Fatalf("round %d: an access token of session %s at version %d (%v), not of %s at %d",
				round, said.Session, said.Version, err, r.session.Session, r.session.Version)
		}
	}
	if len(answers) != 1 || next.Refresh == r.now.Refresh {
		t.Fatalf("round %d: %d different successors", round, len(answers))
	}
	r.now = next
	r.alive(t, round)
}

// alive asks every node for the session: it is the only one, and the access
// token counts. That the successor can be exchanged the next round shows.
func (r *race) alive(t *testing.T, round int) {
	t.Helper()
	for _, c := range r.nodes {
		must(t, http.StatusOK)(c.do(http.MethodGet, "/api/v1/users/me", r.now.Access, nil))
		ids, reply, err := c.sessions(r.session.Subject)
		must(t, http.StatusOK)(reply, err)
		if len(ids) != 1 || !ids[r.session.Session] {
			t.Fatalf("round %d: the live sessions are %v, not %s alone", round, ids, r.session.Session)
		}
	}
}

// reuse ends the race: the last successor can be exchanged, the first token of
// all is stolen goods and ends the session, on every node (SE-12).
func (r *race) reuse(t *testing.T) {
	t.Helper()
	must(t, http.StatusOK)(r.nodes[0].refresh(r.now.Refresh)).into(&r.now)
	if got := must(t, http.StatusUnauthorized)(r.nodes[0].refresh(r.first)); got.code() != "refresh_reused" {
		t.Errorf("a token used long ago: %s", got)
	}
	for _, c := range r.nodes {
		if got := must(t, http.StatusUnauthorized)(c.refresh(r.now.Refresh)); got.code() != "session_revoked" {
			t.Errorf("the newest token after a reuse: %s", got)
		}
		must(t, http.StatusUnauthorized)(c.do(http.MethodGet, "/api/v1/users/me", r.now.Access, nil))
		ids, reply, err := c.sessions(r.session.Subject)
		must(t, http.StatusOK)(reply, err)
		if len(ids) != 0 {
			t.Errorf("live sessions after a reuse: %v", ids)
		}
	}
}
