package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// Options say what to drive and how.
type Options struct {
	Nodes       []string // addresses of the server's nodes, http only; most loads go to the first
	Admin       []string // their admin listeners, in the same order; empty where unknown
	Bare        string   // address of ServeBare in another process
	SiteKey     secret.Text
	Sites       []secret.Text // keys of further sites, whose endpoints are told of events together
	People      []Person      // the first ones are signed in, one for each connection; the others sign in again and again
	Hash        secret.Argon2
	Duration    time.Duration // of one load
	Overload    time.Duration // of the one at twice the limit; longer than a server lets people wait
	Connections int
	Receiver    *Receiver        // of webhooks, which the server believes and may call; nil leaves those loads out
	Storm       int              // sign-ins sent at one moment; 0 leaves that load out
	Mailbox     *Mailbox         // of mails, which the server delivers there; nil leaves that load out
	Client      Client           // of Transmit's wire; without an id that load is left out
	Second      []Person         // people with an authenticator app; none leaves that load out
	Now         func() time.Time // the server's clock, for codes that depend on it; nil is this machine's
	Only        []string         // the loads to run, by the beginning of their names; none for all
	Progress    func(name string)
}

// run is a run on its way.
type run struct {
	Options
	sessions []*tokens
	rawHash  float64
	bare     float64
	results  []Result
}

// Run puts one load after the other on the server and gives what each came to.
func Run(ctx context.Context, o Options) ([]Result, error) {
	if len(o.Nodes) == 0 || len(o.People) == 0 {
		return nil, errors.New("bench needs a server and people to sign in")
	}
	r := &run{Options: o}
	r.Connections = min(o.Connections, len(o.People))
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"raw limits", r.limits},
		{"login", r.logins},
		{"sessions", r.open},
		{"login with a second factor", stepping{r}.logins},
		{"login with a second factor on OneLogin's wire", stepping{r}.wireLogins},
		{"verify_factor on OneLogin's wire", stepping{r}.factors},
		{"refresh", r.refreshes},
		{"introspect", r.introspects},
		{"me", r.me},
		{"jwks", r.jwks},
		{"otp send and verify", coding{r}.codes},
		{"otp by mail", coding{r}.mails},
		{"otp on Transmit's wire", coding{r}.transmits},
		{"hosted pages", viewing{r}.pages},
		{"login at twice the limit", r.overload},
		{"logins all at once", r.storm},
		{"revoke", r.revocations},
		{"feed", r.feed},
		{"webhooks", telling{r}.webhooks},
		{"endpoints", telling{r}.hundred},
	} {
		if !r.wanted(part.name) {
			continue
		}
		r.Progress(part.name)
		if err := part.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return r.results, nil
}

// wanted reports whether a part is to be run: what others need is, whatever was
// chosen.
func (o Options) wanted(name string) bool {
	begins := func(only string) bool { return strings.HasPrefix(name, only) }
	return len(o.Only) == 0 || name == "raw limits" || name == "sessions" || slices.ContainsFunc(o.Only, begins)
}

// measured drives workers and weighs what the servers used meanwhile.
func (r *run) measured(ctx context.Context, name string, workers []worker) (Result, error) {
	before, err := r.used(ctx)
	if err != nil {
		return Result{}, err
	}
	begin := time.Now()
	l := drive(ctx, workers, r.Duration)
	took := time.Since(begin)
	res, err := r.weigh(ctx, name, l, before, took)
	res.Connections = len(workers)
	return res, err
}

func (r *run) weigh(ctx context.Context, name string, l load, before usage, took time.Duration) (Result, error) {
	after, err := r.used(ctx)
	if err != nil {
		return Result{}, err
	}
	return weighed(name, l, after.cpu-before.cpu, after.mem, took)
}

// weighed gives what a load came to that took so long and cost so much processor time.
func weighed(name string, l load, spent time.Duration, mem float64, took time.Duration) (Result, error) {
	if len(l.good) == 0 {
		return Result{}, errors.Join(errors.New("nothing succeeded"), l.err)
	}
	res := result(name, l)
	// The time unmeasured was spent on the same work, at the same rate.
	if ops := res.Ops * took.Seconds(); ops > 0 {
		res.CPU = ms(spent) / ops
	}
	res.ServerMB = mem
	return res, nil
}

// used adds up the processor time of all nodes; memory is the first one's.
func (r *run) used(ctx context.Context) (usage, error) {
	var all usage
	for i, admin := range r.Admin {
		u, err := used(ctx, admin)
		if err != nil {
			return all, err
		}
		all.cpu += u.cpu
		if i == 0 {
			all.mem = u.mem
		}
	}
	return all, nil
}

func (r *run) add(res Result) { r.results = append(r.results, res) }

func (r *run) limits(ctx context.Context) error {
	r.rawHash = rawHash(ctx, r.Hash, r.Duration).rate()
	if r.Bare == "" {
		return nil
	}
	workers, err := r.same(r.Bare, r.Connections, http.MethodGet, "/", "", nil)
	if err != nil {
		return err
	}
	l := drive(ctx, workers, r.Duration)
	r.bare = l.rate()
	res := result("bare net/http", l)
	res.Connections = len(workers)
	r.add(res)
	return l.err
}

// open signs in one person for each connection.
func (r *run) open(context.Context) error {
	c, err := newClient(r.Nodes[0])
	if err != nil {
		return err
	}
	defer c.close()
	for _, p := range r.People[:r.Connections] {
		t, err := r.login(c, p)
		if err != nil {
			return err
		}
		r.sessions = append(r.sessions, t)
	}
	return nil
}

// same makes workers that all send the same request.
func (r *run) same(base string, n int, method, path, header string, body []byte) ([]worker, error) {
	var workers []worker
	for range n {
		c, err := newClient(base)
		if err != nil {
			return nil, err
		}
		workers = append(workers, fixed{c, c.request(method, path, header, body)})
	}
	return workers, nil
}

// each makes one worker for each session, with a request of its own.
func (r *run) each(raw func(c *client, s *tokens) []byte) ([]worker, error) {
	var workers []worker
	for _, s := range r.sessions {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			return nil, err
		}
		workers = append(workers, fixed{c, raw(c, s)})
	}
	return workers, nil
}

// loginConnections is how many people sign in at once where the limit is
// measured: enough that somebody is always waiting for a hash. The way from an
// answer to the next request is several turns of processors that are all hashing.
const loginConnections = 32

// others gives the people whose sessions nobody needs: a person has a bounded
// number of them, and the oldest end.
func (r *run) others() []Person {
	if len(r.People) > r.Connections {
		return r.People[r.Connections:]
	}
	return r.People
}

func (r *run) loginWorker(i int) (worker, error) {
	c, err := newClient(r.Nodes[0])
	if err != nil {
		return nil, err
	}
	p := r.others()[i%len(r.others())]
	return fixed{c, c.request(http.MethodPost, "/api/v1/auth/login", siteKey(r.SiteKey), p.body())}, nil
}

func (r *run) logins(ctx context.Context) error {
	res, err := r.hashing(ctx, "login", func() (workers []worker, err error) {
		for i := range loginConnections {
			w, err := r.loginWorker(i)
			if err != nil {
				return nil, err
			}
			workers = append(workers, w)
		}
		return workers, nil
	})
	if err != nil {
		return err
	}
	res.Hash = "argon2id " + r.Hash.String()
	r.add(res)
	return nil
}

func (r *run) refreshWorkers() ([]worker, error) {
	var workers []worker
	for _, s := range r.sessions {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			return nil, err
		}
		workers = append(workers, refresher{c, siteKey(r.SiteKey), s})
	}
	return workers, nil
}

func (r *run) refreshes(ctx context.Context) error {
	workers, err := r.refreshWorkers()
	if err != nil {
		return err
	}
	res, err := r.measured(ctx, "refresh", workers)
	res.limit("http", r.bare)
	r.add(res)
	return err
}

func (r *run) introspects(ctx context.Context) error {
	workers, err := r.each(func(c *client, s *tokens) []byte {
		return c.request(http.MethodPost, "/api/v1/auth/introspect", siteKey(r.SiteKey), []byte(`{"token":"`+s.access+`"}`))
	})
	return r.simple(ctx, "introspect", workers, err)
}

func (r *run) me(ctx context.Context) error {
	workers, err := r.each(func(c *client, s *tokens) []byte {
		return c.request(http.MethodGet, "/api/v1/users/me", "Authorization: Bearer "+s.access+"\r\n", nil)
	})
	return r.simple(ctx, "me", workers, err)
}

func (r *run) jwks(ctx context.Context) error {
	workers, err := r.same(r.Nodes[0], r.Connections, http.MethodGet, "/.well-known/jwks.json", "", nil)
	return r.simple(ctx, "jwks", workers, err)
}

func (r *run) simple(ctx context.Context, name string, workers []worker, err error) error {
	if err != nil {
		return err
	}
	res, err := r.measured(ctx, name, workers)
	res.limit("http", r.bare)
	r.add(res)
	return err
}

// overload sends sign-ins at twice the rate that can be hashed, for longer than
// one may wait for a hash, and refreshes beside them.
func (r *run) overload(ctx context.Context) error {
	workers, err := r.refreshWorkers()
	if err != nil {
		return err
	}
	// A few connections that refresh: their answers must not wait for hashes.
	workers = workers[:min(4, len(workers))]
	if len(r.People) == r.Connections {
		workers = nil // the sign-ins would end their sessions
	}
	before, err := r.used(ctx)
	if err != nil {
		return err
	}
	refreshed := make(chan load, 1)
	go func() { refreshed <- drive(ctx, workers, r.Overload) }()
	next := 0
	begin := time.Now()
	l := flood(ctx, 2*r.rawHash, r.Overload, func() worker {
		made, err := r.loginWorker(next)
		next++
		if err != nil {
			return broken{err}
		}
		return made
	})
	res, err := r.weigh(ctx, "login at 2x the limit", l, before, time.Since(begin))
	beside := <-refreshed
	if err != nil {
		return err
	}
	res.Hash = "argon2id " + r.Hash.String()
	res.limit("hash", r.rawHash)
	r.add(res)
	if len(workers) == 0 {
		return nil
	}
	res = result("refresh beside it", beside)
	res.Connections = len(workers)
	r.add(res)
	return beside.err
}

// broken is a worker that could not be made.
type broken struct{ err error }

func (b broken) step() (bool, error) { return false, b.err }
func (broken) close()                {}

// revokeRounds is how often the time from a revocation to the first refusal is
// taken.
const revokeRounds = 30

// revocations ends sessions at the first node and asks every node about them at
// once. Each answer that still takes the token is a failure of the promise to
// the length of the answer; the time reported is until the last node refuses.
func (r *run) revocations(ctx context.Context) error {
	var clients []*client
	for _, base := range r.Nodes {
		c, err := newClient(base)
		if err != nil {
			return err
		}
		defer c.close()
		clients = append(clients, c)
	}
	l := load{}
	begin := time.Now()
	for i := 0; i < revokeRounds && ctx.Err() == nil; i++ {
		took, err := r.revocation(clients, r.others()[i%len(r.others())])
		l.add(took, err == nil, err)
	}
	l.took = time.Since(begin)
	slices.Sort(l.good)
	res := result("revoke to refused everywhere", l)
	res.Connections = len(clients)
	r.add(res)
	return l.err
}

func (r *run) revocation(clients []*client, p Person) (time.Duration, error) {
	t, err := r.login(clients[0], p)
	if err != nil {
		return 0, err
	}
	bearer := "Authorization: Bearer " + t.access + "\r\n"
	for _, c := range clients { // whatever a node remembers of good tokens, it does now
		if status, err := c.do(c.request(http.MethodGet, "/api/v1/users/me", bearer, nil)); err != nil || status != http.StatusOK {
			return 0, errors.Join(err, unexpected(status, c.body))
		}
	}
	if status, err := clients[0].do(clients[0].request(http.MethodPost, "/api/v1/auth/logout", bearer+siteKey(r.SiteKey), nil)); err != nil || status != http.StatusOK {
		return 0, errors.Join(err, unexpected(status, clients[0].body))
	}
	revoked := time.Now()
	for _, c := range clients {
		for {
			status, err := c.do(c.request(http.MethodGet, "/api/v1/users/me", bearer, nil))
			if err != nil {
				return 0, err
			}
			if status == http.StatusUnauthorized {
				break
			}
			if time.Since(revoked) > 5*time.Second {
				return 0, fmt.Errorf("%s still takes a token revoked 5 s ago", c.host)
			}
		}
	}
	return time.Since(revoked), nil
}
