package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
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

// wires makes sign-ins on OneLogin's wire of some people.
func (r stepping) wires(ctx context.Context, people []Person) (*halfway, error) {
	header, err := r.apiToken(ctx)
	return &halfway{people: people, header: header, sub: r.Client.Subdomain, waiting: make([]step, len(people)), now: r.clock()}, err
}

// wire signs one person after the other in by both calls. Those of the wire take the code of
// the step ahead, which no load before has used.
type wire struct {
	*client
	*halfway
	next *atomic.Int64 // shared by all connections
}

func (w wire) step() (bool, error) {
	i := int(w.next.Add(1)-1) % len(w.people)
	err := w.begin(w.client, i)
	if errors.Is(err, errBusy) {
		return false, nil
	}
	if err == nil {
		err = w.finish(w.client, i)
	}
	return err == nil, err
}

// wireLogins measures full sign-ins with two factors on OneLogin's wire.
func (r stepping) wireLogins(ctx context.Context) error {
	people, _ := r.parts()
	if len(people) == 0 || r.Client.ID == "" {
		return nil
	}
	s, err := r.wires(ctx, people)
	if err != nil {
		return err
	}
	var next atomic.Int64
	return r.hashed(ctx, "login with a second factor on OneLogin's wire", func(c *client) worker { return wire{c, s, &next} })
}

// factors measures verify_factor alone: sign-ins are begun, which is where the hashes are, and
// nobody counts; then they are finished.
func (r stepping) factors(ctx context.Context) error {
	_, people := r.parts()
	if len(people) == 0 || r.Client.ID == "" {
		return nil
	}
	s, err := r.wires(ctx, people)
	if err != nil {
		return err
	}
	if _, err := r.each(ctx, len(people), loginConnections, s.begin); err != nil {
		return err
	}
	before, err := r.used(ctx)
	if err != nil {
		return err
	}
	l, err := r.each(ctx, len(people), r.Connections, s.finish)
	if err != nil {
		return err
	}
	res, err := r.weigh(ctx, "verify_factor on OneLogin's wire", l, before, l.took)
	res.Connections = r.Connections
	res.limit("http", r.bare)
	r.add(res)
	return err
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

// each does something once for each of n, over some connections at once, and gives how
// long each took. It fails where one does.
func (r stepping) each(ctx context.Context, n, connections int, do func(c *client, i int) error) (load, error) {
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

// errBusy is the refusal of a server that has as many to sign in as it can.
var errBusy = errors.New("the server is busy")

// begin proves a password and keeps the step that is due.
func (s *halfway) begin(c *client, i int) error {
	p := s.people[i]
	body := marshal(map[string]string{"username_or_email": p.Email, "password": p.Password.Reveal(), "subdomain": s.sub})
	status, err := c.do(c.request(http.MethodPost, "/api/1/login/auth", s.header, body))
	if err == nil && status == http.StatusServiceUnavailable {
		return errBusy
	}
	_, rest, ok := bytes.Cut(c.body, []byte(`"device_id":`))
	if err != nil || status != http.StatusOK || !ok {
		return orUnexpected(err, status, c.body)
	}
	digits := rest[:max(bytes.IndexAny(rest, ",}"), 0)]
	s.waiting[i].state = c.text("state_token")
	s.waiting[i].device, err = strconv.Atoi(string(digits))
	return err
}

// finish proves the second factor.
func (s *halfway) finish(c *client, i int) error {
	code := secret.TOTP(s.people[i].Seed, s.now().Add(30*time.Second))
	body := marshal(map[string]string{"device_id": strconv.Itoa(s.waiting[i].device), "state_token": s.waiting[i].state, "otp_token": code})
	status, err := c.do(c.request(http.MethodPost, "/api/1/login/verify_factor", s.header, body))
	if err != nil || status != http.StatusOK || c.text("session_token") == "" {
		return orUnexpected(err, status, c.body)
	}
	return nil
}
