package e2e

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// endpoint is the answer to the registration of one.
type endpoint struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

func hook(t *testing.T, c *client, url string, events ...string) (e endpoint) {
	t.Helper()
	body := map[string]any{"url": url}
	if len(events) > 0 {
		body["events"] = events
	}
	must(t, http.StatusCreated)(c.do(http.MethodPost, "/api/v1/webhooks", "", body)).into(&e)
	return e
}

// foreign is a receiver in another language.
type foreign struct {
	port    int
	secrets io.Writer
	heard   chan judged
}

// judged is what a receiver found of one request.
type judged struct {
	Good     bool
	ID, Type string
}

// startReceiver runs e2e/receiver.* with the library of Standard Webhooks.
func startReceiver(t *testing.T, program string, args ...string) *foreign {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	var first struct{ Port int }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil {
		t.Fatalf("%s says %q; `make test` brings what it imports", strings.Join(args, " "), lines.Text())
	}
	f := &foreign{first.Port, in, make(chan judged, 100)}
	go func() {
		for lines.Scan() {
			var one judged
			if json.Unmarshal(lines.Bytes(), &one) == nil {
				f.heard <- one
			}
		}
	}()
	return f
}

// learn tells a receiver the secret of its endpoint and waits until it has read it.
func (f *foreign) learn(t *testing.T, secret string) {
	t.Helper()
	if _, err := fmt.Fprintln(f.secrets, secret); err != nil {
		t.Fatal(err)
	}
	if got := <-f.heard; got.Type != "secret" {
		t.Fatalf("%+v instead of having read its secret", got)
	}
}

// TestWH06_PublishedLibrariesVerify has receivers in JavaScript and Python check what
// is sent with the libraries of Standard Webhooks, and X-OTL-Signature by hand: with
// the first secret, while two sign, and with the second one.
func TestWH06_PublishedLibrariesVerify(t *testing.T) {
	t.Parallel()
	need(t, "node", "python3")
	dir := t.TempDir()
	p := dev(t, binary(t), dir)
	defer p.stop(t)
	vars := sourced(t, dir)
	c := newClient(t, vars["OTL_URL"], vars["OTL_SITE_KEY"])
	for name, f := range map[string]*foreign{"JavaScript": startReceiver(t, "node", "receiver.js"), "Python": startReceiver(t, "python3", "receiver.py")} {
		e := hook(t, c, fmt.Sprintf("http://127.0.0.1:%d/", f.port))
		path := "/api/v1/webhooks/" + e.ID
		f.learn(t, e.Secret)
		test := func(kind string) {
			t.Helper()
			var sent struct {
				ID string `json:"event_id"`
			}
			must(t, http.StatusAccepted)(c.do(http.MethodPost, path+"/test", "", map[string]string{"type": kind})).into(&sent)
			select {
			case got := <-f.heard:
				if !got.Good || got.ID != sent.ID || got.Type != kind {
					t.Errorf("%s finds %+v of %s, a %s", name, got, sent.ID, kind)
				}
			case <-time.After(startTime):
				t.Fatalf("%s hears nothing", name)
			}
		}
		for _, kind := range []string{"user.created", "user.updated", "session.created", "session.revoked", "role.assigned", "payment.completed"} {
			test(kind)
		}
		must(t, http.StatusCreated)(c.do(http.MethodPost, path+"/rotate-secret", "", map[string]int{"overlap_seconds": 3600}))
		test("user.updated") // the receiver knows the first secret alone
		var next endpoint
		must(t, http.StatusCreated)(c.do(http.MethodPost, path+"/rotate-secret", "", map[string]int{"overlap_seconds": 0})).into(&next)
		f.learn(t, next.Secret)
		test("user.updated")
		must(t, http.StatusOK)(c.do(http.MethodDelete, path, "", nil))
	}
}

// tally is what one receiver heard: of each person, which numbers with which event.
type tally struct {
	mu       sync.Mutex
	ids      map[string]map[int]string // by person and user_sequence
	requests int
	differs  int // a number that came with two ids
	slow     []time.Duration
}

// ServeHTTP implements http.Handler.
func (h *tally) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var e struct {
		ID      string    `json:"id"`
		At      time.Time `json:"created_at"`
		UserSeq int       `json:"user_sequence"`
		Data    struct {
			UserID string `json:"user_id"`
		} `json:"data"`
	}
	if json.NewDecoder(r.Body).Decode(&e) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	h.slow = append(h.slow, time.Since(e.At))
	of := h.ids[e.Data.UserID]
	if of == nil {
		of = map[int]string{}
		h.ids[e.Data.UserID] = of
	}
	if was, ok := of[e.UserSeq]; ok && was != e.ID {
		h.differs++
	}
	of[e.UserSeq] = e.ID
}

// distinct gives how many events came, each counted once.
func (h *tally) distinct() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, of := range h.ids {
		n += len(of)
	}
	return n
}

// TestWH04_NothingIsLostInAKill has people given roles and relieved of them at nodes that
// are killed at random, while three endpoints are told of it: whatever was acknowledged
// reaches each of them, and what comes twice has the same id. OTL_E2E_EVENTS says how
// many events, 100000 for the whole proof.
func TestWH04_NothingIsLostInAKill(t *testing.T) {
	t.Parallel()
	for engine, nodes := range map[otltest.Engine]int{otltest.SQLite: 1, otltest.Postgres: 3} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			newHookRig(t, engine, nodes).run(count(t, "OTL_E2E_EVENTS", 900))
		})
	}
}

// hookRig is nodes that are killed, and three receivers.
type hookRig struct {
	t         *testing.T
	receivers []*tally
	in        installation
	key       string

	mu    sync.Mutex
	nodes []*process

	calm                         time.Duration // at least, between two kills
	acknowledged, unknown, kills atomic.Int64
	stop                         atomic.Bool
}

func newHookRig(t *testing.T, engine otltest.Engine, nodes int) *hookRig {
	t.Helper()
	db := ""
	if engine == otltest.Postgres {
		db = otltest.EmptyDatabaseURL(t, engine)
	}
	r := &hookRig{t: t, in: newInstallation(t, db), nodes: make([]*process, nodes)}
	var urls, ports []string
	for range 3 {
		h := &tally{ids: map[string]map[int]string{}}
		srv := httptest.NewTLSServer(h)
		t.Cleanup(srv.Close)
		u, err := url.Parse(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		r.receivers, urls, ports = append(r.receivers, h), append(urls, srv.URL), append(ports, u.Port())
		cert := filepath.Join(r.in.dir, "receiver.pem") // the same for every such server
		if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.in.settings = append(r.in.settings, "OTL_EGRESS_ALLOW=127.0.0.0/8", "OTL_EGRESS_PORTS="+strings.Join(ports, ","), "SSL_CERT_FILE="+filepath.Join(r.in.dir, "receiver.pem"))
	r.nodes[0] = r.in.serve(t)
	r.key = r.in.site(t)
	for i := range r.nodes[1:] {
		r.nodes[i+1] = r.in.serve(t)
	}
	c := newClient(t, r.nodes[0].url, r.key)
	for _, u := range urls {
		hook(t, c, u, "role.assigned", "role.removed")
	}
	must(t, http.StatusCreated)(c.do(http.MethodPost, "/api/v1/roles", "", map[string]string{"name": "editor"}))
	return r
}

// node gives the address of one node.
func (r *hookRig) node(i int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[i%len(r.nodes)].url
}

const hookActors = 12

func (r *hookRig) run(events int) {
	t := r.t
	var acting, killing sync.WaitGroup
	people := make([]string, hookActors)
	for i := range hookActors {
		people[i] = join(t, newClient(t, r.node(i), r.key), fmt.Sprintf("p%d@dev.test", i)).User.ID
	}
	// A kill has some dozen requests sent again. In the long run nodes die as often as
	// they may and duplicates stay rare.
	if r.calm = 500 * time.Millisecond; events >= 100_000 {
		r.calm = 20 * time.Second
	}
	start := time.Now()
	killing.Go(r.killer)
	for i, person := range people {
		c := newClient(t, "", r.key)
		acting.Go(func() {
			for n := range (events + hookActors - 1) / hookActors {
				r.toggle(c, i+n, person, n%2 == 0)
			}
		})
	}
	acting.Wait()
	took := time.Since(start)
	r.stop.Store(true)
	killing.Wait()
	r.drain()
	r.judge(took)
	for _, p := range r.nodes {
		p.stop(t)
	}
}

// toggle gives a person the role or takes it, until one of the nodes says that it is
// so.
func (r *hookRig) toggle(c *client, node int, person string, give bool) {
	for tries := 0; ; tries++ {
		c.url = r.node(node + tries)
		method, path, body := http.MethodPost, "/api/v1/users/"+person+"/roles", any(map[string]string{"role": "editor"})
		if !give {
			method, path, body = http.MethodDelete, path+"/editor", nil
		}
		reply, err := c.do(method, path, "", body)
		switch {
		case err != nil:
			r.unknown.Add(1)
			time.Sleep(20 * time.Millisecond)
			continue
		case reply.status == http.StatusNotFound && !give && tries > 0: // the try before had taken it
			r.acknowledged.Add(1)
		case reply.status == http.StatusOK:
			r.acknowledged.Add(1)
		default:
			r.t.Errorf("%s %s: %s", method, path, reply)
		}
		return
	}
}

// killer ends a node now and then and starts it again.
func (r *hookRig) killer() {
	for !r.stop.Load() {
		pause := time.NewTimer(r.calm + rand.N(3*r.calm))
		<-pause.C
		if r.stop.Load() && r.kills.Load() > 0 {
			return
		}
		i := rand.N(len(r.nodes))
		r.mu.Lock()
		victim := r.nodes[i]
		r.mu.Unlock()
		victim.kill()
		r.kills.Add(1)
		next := r.in.serve(r.t)
		r.mu.Lock()
		r.nodes[i] = next
		r.mu.Unlock()
	}
}

// stalled is how long deliveries may wait while none comes: longer than the last pause
// but two between tries, and than a lease of a node that was killed.
const stalled = 2 * time.Minute

// drain waits until nothing more comes and nothing waits, as long as something does come.
func (r *hookRig) drain() {
	c, came, since := newClient(r.t, r.node(0), r.key), 0, time.Now()
	for quiet := 0; quiet < 3; {
		time.Sleep(300 * time.Millisecond)
		if n := r.requests(); n > came {
			came, since = n, time.Now()
		}
		if time.Since(since) > stalled {
			r.t.Fatal("deliveries still wait")
		}
		if r.waiting(c) == 0 {
			quiet++
		} else {
			quiet = 0
		}
	}
}

// requests gives how many came to all receivers.
func (r *hookRig) requests() (n int) {
	for _, h := range r.receivers {
		h.mu.Lock()
		n += h.requests
		h.mu.Unlock()
	}
	return n
}

func (r *hookRig) waiting(c *client) (n int) {
	var hooks struct{ Data []endpoint }
	must(r.t, http.StatusOK)(c.do(http.MethodGet, "/api/v1/webhooks", "", nil)).into(&hooks)
	for _, h := range hooks.Data {
		var page struct{ Data []any }
		must(r.t, http.StatusOK)(c.do(http.MethodGet, "/api/v1/webhooks/"+h.ID+"/deliveries?state=waiting&limit=1", "", nil)).into(&page)
		n += len(page.Data)
	}
	return n
}

// judge holds what came against what was acknowledged. What was done without an
// answer is an event too.
func (r *hookRig) judge(took time.Duration) {
	done, most := r.acknowledged.Load(), r.acknowledged.Load()+r.unknown.Load()
	twice := 0
	for i, h := range r.receivers {
		n := h.distinct()
		twice += h.requests - n
		if int64(n) < done || int64(n) > most || h.differs > 0 {
			r.t.Errorf("receiver %d heard of %d events, want %d to %d; %d came with two ids", i, n, done, most, h.differs)
		}
		if n != r.receivers[0].distinct() {
			r.t.Errorf("receiver %d heard of %d events, receiver 0 of %d", i, n, r.receivers[0].distinct())
		}
	}
	share := float64(twice) / float64(3*r.receivers[0].distinct())
	if done >= 100_000 && share > 0.001 {
		r.t.Errorf("%.3f %% came twice", 100*share)
	}
	r.t.Logf("%d changes acknowledged and %d unanswered in %.1f s, %d kills: %d events reached each of 3 endpoints, 0 lost, %d requests came twice (%.3f %%)",
		done, r.unknown.Load(), took.Seconds(), r.kills.Load(), r.receivers[0].distinct(), twice, 100*share)
}
