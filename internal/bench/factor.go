package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// halfway are sign-ins on OneLogin's wire that wait for their second step: one of each of some
// people.
type halfway struct {
	people  []Person
	header  string // carries the token of the client
	sub     string // its subdomain
	waiting []step
	now     func() time.Time
}

// step is where one of them stands.
type step struct {
	state  string
	device int
}

// stepsASecond is how many of them are begun for each second a load lasts: a step lives for
// two minutes, and a hash costs what it costs.
const stepsASecond = 60

// factors measures sign-ins with two factors on OneLogin's wire, and verify_factor alone:
// in each turn some are begun, which is where the hashes are, then these are finished.
func (r stepping) factors(ctx context.Context) error {
	n := min(len(r.Second), max(int(r.Duration.Seconds()*stepsASecond), 8))
	if n == 0 || r.Client.ID == "" {
		return nil
	}
	header, err := r.apiToken(ctx)
	if err != nil {
		return err
	}
	s := &halfway{people: r.Second[:n], header: header, sub: r.Client.Subdomain, waiting: make([]step, n), now: r.Now}
	if s.now == nil {
		s.now = time.Now
	}
	both := make([]time.Duration, n)
	var raw, begun, verified load
	var hashed, checked time.Duration // of the server's processors
	var last usage
	for from := 0; from < n; from += (n + turns - 1) / turns {
		part := both[from:min(from+(n+turns-1)/turns, n)]
		raw.join(rawHash(ctx, r.Hash, r.Duration/(2*turns)))
		before, err := r.used(ctx)
		if err != nil {
			return err
		}
		l, err := r.each(ctx, part, loginConnections, func(c *client, i int) error { return s.begin(c, from+i) })
		if err != nil {
			return err
		}
		begun.join(l)
		middle, err := r.used(ctx)
		if err != nil {
			return err
		}
		if l, err = r.each(ctx, part, r.Connections, func(c *client, i int) error { return s.finish(c, from+i) }); err != nil {
			return err
		}
		verified.join(l)
		if last, err = r.used(ctx); err != nil {
			return err
		}
		hashed, checked = hashed+middle.cpu-before.cpu, checked+last.cpu-middle.cpu
	}
	raw.join(rawHash(ctx, r.Hash, r.Duration/(2*turns)))
	slices.Sort(both)
	took := begun.took + verified.took
	whole, err := weighed("login with a second factor on OneLogin's wire", load{took: took, good: both}, hashed+checked, last.mem, took)
	if err != nil {
		return err
	}
	whole.Connections = loginConnections
	whole.limit("hash", raw.rate())
	r.add(whole)
	alone, err := weighed("verify_factor on OneLogin's wire", verified, checked, last.mem, verified.took)
	if err != nil {
		return err
	}
	alone.Connections = r.Connections
	r.add(alone)
	return nil
}

// apiToken gets the token of the client on OneLogin's wire, as the header that carries it.
func (r stepping) apiToken(ctx context.Context) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {r.Client.ID}, "client_secret": {r.Client.Secret.Reveal()}}
	body, err := newBrowser(r.Nodes[0]).open(ctx, http.MethodPost, "/auth/oauth2/v2/token", form)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	err = json.Unmarshal(body, &answer)
	return "Authorization: bearer " + answer.Token + "\r\n", err
}

// each does something once for each of some, over some connections at once, and adds how
// long each took. It fails where one does.
func (r stepping) each(ctx context.Context, times []time.Duration, connections int, do func(c *client, i int) error) (load, error) {
	n := len(times)
	todo := make(chan int, n)
	for i := range n {
		todo <- i
	}
	close(todo)
	all := load{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for range min(connections, n) {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			return all, err
		}
		wg.Go(func() {
			defer c.close()
			for i := range todo {
				if ctx.Err() != nil {
					return
				}
				begin := time.Now()
				err := do(c, i)
				took := time.Since(begin)
				times[i] += took
				mu.Lock()
				all.add(took, true, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all.took = time.Since(start)
	slices.Sort(all.good)
	if all.err == nil {
		all.err = ctx.Err()
	}
	return all, all.err
}

// begin proves a password and keeps the step that is due.
func (s *halfway) begin(c *client, i int) error {
	p := s.people[i]
	body := marshal(map[string]string{"username_or_email": p.Email, "password": p.Password.Reveal(), "subdomain": s.sub})
	status, err := c.do(c.request(http.MethodPost, "/api/1/login/auth", s.header, body))
	_, rest, ok := bytes.Cut(c.body, []byte(`"device_id":`))
	if err != nil || status != http.StatusOK || !ok {
		return orUnexpected(err, status, c.body)
	}
	digits := rest[:max(bytes.IndexAny(rest, ",}"), 0)]
	s.waiting[i].state = c.text("state_token")
	s.waiting[i].device, err = strconv.Atoi(string(digits))
	return err
}

// finish proves the second factor. Its code is that of the step ahead, which no load before
// has used.
func (s *halfway) finish(c *client, i int) error {
	code := secret.TOTP(s.people[i].Seed, s.now().Add(30*time.Second))
	body := marshal(map[string]string{"device_id": strconv.Itoa(s.waiting[i].device), "state_token": s.waiting[i].state, "otp_token": code})
	status, err := c.do(c.request(http.MethodPost, "/api/1/login/verify_factor", s.header, body))
	if err != nil || status != http.StatusOK || c.text("session_token") == "" {
		return orUnexpected(err, status, c.body)
	}
	return nil
}
