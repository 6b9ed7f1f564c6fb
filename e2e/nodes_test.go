package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// cluster is several servers on one PostgreSQL.
type cluster struct {
	in      installation
	servers []*process
	nodes   []*client
}

// newCluster starts servers, each by way of the URL given for it.
func newCluster(t *testing.T, urls ...string) *cluster {
	t.Helper()
	return newInstallation(t, urls[0]).cluster(t, urls...)
}

func (in installation) cluster(t *testing.T, urls ...string) *cluster {
	t.Helper()
	c := &cluster{in: in}
	for _, url := range urls {
		in := c.in
		in.settings = append(append([]string{}, in.settings...), "OTL_DATABASE_URL="+url)
		s := in.launch(t)
		s.wait(t)
		c.servers = append(c.servers, s)
	}
	key := c.in.site(t)
	for _, s := range c.servers {
		c.nodes = append(c.nodes, newClient(t, s.url, key))
	}
	return c
}

func same(url string, n int) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = url
	}
	return urls
}

// join registers a person at a node and gives the tokens.
func join(t testing.TB, c *client, email string) (l login) {
	t.Helper()
	must(t, http.StatusCreated)(c.register(email, password, "")).into(&l)
	return l
}

func (c *client) me(access string) (reply, error) {
	return c.do(http.MethodGet, "/api/v1/users/me", access, nil)
}

// TestMN04_RevocationReachesEveryNode ends sessions at one node and asks all of them
// at once: not one answer after the end of a session takes its token (SE-07).
func TestMN04_RevocationReachesEveryNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, same(otltest.EmptyDatabaseURL(t, otltest.Postgres), 3)...)
	join(t, c.nodes[0], "jane@dev.test")
	for i := range 50 {
		at := c.nodes[i%3]
		var l login
		must(t, http.StatusOK)(at.login("jane@dev.test", password)).into(&l)
		said, err := read(l.Access)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range c.nodes {
			must(t, http.StatusOK)(n.me(l.Access))
		}
		must(t, http.StatusOK)(c.nodes[(i+1)%3].revoke(said.Session))
		var wg sync.WaitGroup
		for _, n := range c.nodes {
			wg.Go(func() {
				if r, err := n.me(l.Access); err != nil || r.status != http.StatusUnauthorized {
					t.Errorf("round %d: %v %v", i, r, err)
				}
				if r, err := n.refresh(l.Refresh); err != nil || r.status != http.StatusUnauthorized {
					t.Errorf("round %d: %v %v", i, r, err)
				}
			})
		}
		wg.Wait()
	}
}

// TestMN09_AKilledNodeLosesOnlyWhatItWasDoing keeps people refreshing at three nodes,
// kills one, and has everybody whose call failed try again elsewhere: nobody is
// signed out (MN-09).
func TestMN09_AKilledNodeLosesOnlyWhatItWasDoing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, same(otltest.EmptyDatabaseURL(t, otltest.Postgres), 3)...)
	const people, rounds = 12, 60
	var failed, refreshed atomic.Int32
	var wg sync.WaitGroup
	halfway := make(chan struct{})
	var begun sync.Once
	for p := range people {
		l := join(t, c.nodes[p%3], fmt.Sprintf("p%d@dev.test", p))
		wg.Go(func() {
			for i := range rounds {
				if i == rounds/2 {
					begun.Do(func() { close(halfway) })
				}
				node := (p + i) % 3
				r, err := c.nodes[node].refresh(l.Refresh)
				for tries := 1; err != nil && tries < 3; tries++ { // nobody knows whether it took effect
					failed.Add(1)
					r, err = c.nodes[(node+tries)%3].refresh(l.Refresh)
				}
				if err != nil || r.status != http.StatusOK {
					t.Errorf("person %d is signed out: %v %v", p, r, err)
					return
				}
				r.into(&l)
				refreshed.Add(1)
			}
		})
	}
	<-halfway
	c.servers[2].kill()
	wg.Wait()
	if refreshed.Load() != people*rounds || failed.Load() == 0 {
		t.Errorf("%d of %d refreshed, %d calls failed", refreshed.Load(), people*rounds, failed.Load())
	}
	t.Logf("%d exchanges by %d people at 3 nodes, one of them killed: %d calls tried again, nobody signed out", refreshed.Load(), people, failed.Load())
	for _, s := range c.servers[:2] {
		s.clean(t)
	}
}

// TestMN10_ACutDatabaseIsNeverAStaleYes cuts one node's wire to the database, ends a
// session at another node meanwhile, and mends the wire: while it is cut the node
// says 503 and not ready, and it never takes the ended session's token again
// (DD-06).
func TestMN10_ACutDatabaseIsNeverAStaleYes(t *testing.T) {
	t.Parallel()
	direct := otltest.EmptyDatabaseURL(t, otltest.Postgres)
	w := newWire(t, direct)
	c := newCluster(t, direct, w.url)
	whole, behind := c.nodes[0], c.nodes[1]
	l, stays := join(t, whole, "jane@dev.test"), join(t, whole, "john@dev.test")
	said, err := read(l.Access)
	if err != nil {
		t.Fatal(err)
	}
	must(t, http.StatusOK)(behind.me(l.Access))
	must(t, http.StatusOK)(behind.me(stays.Access))

	w.set(true)
	for what, call := range map[string]func() (reply, error){
		"who am I": func() (reply, error) { return behind.me(l.Access) },
		"refresh":  func() (reply, error) { return behind.refresh(stays.Refresh) },
		"sign in":  func() (reply, error) { return behind.login("jane@dev.test", password) },
		"register": func() (reply, error) { return behind.register("new@dev.test", password, "") },
		"introspect": func() (reply, error) {
			return behind.do(http.MethodPost, "/api/v1/auth/introspect", "", map[string]string{"token": l.Access})
		},
		"ready": func() (reply, error) { return behind.do(http.MethodGet, "/readyz", "", nil) },
	} {
		if r, err := call(); err != nil || r.status != http.StatusServiceUnavailable {
			t.Errorf("%s while the database is away: %v %v", what, r, err)
		}
	}
	must(t, http.StatusOK)(behind.do(http.MethodGet, "/healthz", "", nil))
	must(t, http.StatusOK)(behind.do(http.MethodGet, "/.well-known/jwks.json", "", nil))
	must(t, http.StatusOK)(whole.revoke(said.Session))
	w.set(false)

	limit := time.NewTimer(startTime)
	defer limit.Stop()
	for {
		r, err := behind.me(l.Access)
		if err == nil && r.status == http.StatusUnauthorized {
			break
		}
		if err != nil || r.status != http.StatusServiceUnavailable {
			t.Fatalf("after the wire was mended: %v %v", r, err)
		}
		select {
		case <-limit.C:
			t.Fatal("the node does not find its database again")
		default:
		}
	}
	must(t, http.StatusOK)(behind.refresh(stays.Refresh))
	must(t, http.StatusOK)(behind.do(http.MethodGet, "/readyz", "", nil))
}
