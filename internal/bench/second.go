package bench

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// stepper signs one person after the other in by a password and a code of his
// authenticator app: one operation is both calls. A code is good once, so nobody
// signs in twice within one step of 30 seconds while there are others.
type stepper struct {
	*client
	header string
	people []Person
	next   *atomic.Int64 // shared by all connections
	now    func() time.Time
}

func (w stepper) step() (bool, error) {
	p := w.people[int(w.next.Add(1)-1)%len(w.people)]
	status, err := w.do(w.request(http.MethodPost, "/api/v1/auth/login", w.header, p.body()))
	if err == nil && status == http.StatusServiceUnavailable {
		return false, nil
	}
	if err != nil || status != http.StatusUnauthorized || w.text("mfa_token") == "" {
		return false, orUnexpected(err, status, w.body)
	}
	proof := marshal(map[string]string{"mfa_token": w.text("mfa_token"), "code": secret.TOTP(p.Seed, w.now())})
	status, err = w.do(w.request(http.MethodPost, "/api/v1/auth/mfa/verify", w.header, proof))
	if err != nil || status != http.StatusOK {
		return false, orUnexpected(err, status, w.body)
	}
	return true, nil
}

// stepping is the part of a run that signs people in by two factors.
type stepping struct{ *run }

// parts are the people for whole sign-ins, and as many as half of them for second steps alone:
// a code is good once.
func (r stepping) parts() (whole, alone []Person) {
	n := (len(r.Second)*2 + 2) / 3
	return r.Second[:n], r.Second[n:]
}

func (r stepping) clock() func() time.Time {
	if r.Now == nil {
		return time.Now
	}
	return r.Now
}

// logins measures full sign-ins of people who have a second factor.
func (r stepping) logins(ctx context.Context) error {
	people, _ := r.parts()
	if len(people) == 0 {
		return nil
	}
	var next atomic.Int64
	return r.hashed(ctx, "login with a second factor", func(c *client) worker {
		return stepper{c, siteKey(r.SiteKey), people, &next, r.clock()}
	})
}

// hashed measures sign-ins against the hash each of them costs, each connection with a worker
// of its own.
func (r stepping) hashed(ctx context.Context, name string, as func(*client) worker) error {
	res, err := r.hashing(ctx, name, func() (workers []worker, err error) {
		for range min(loginConnections, len(r.Second)) {
			c, err := newClient(r.Nodes[0])
			if err != nil {
				return nil, err
			}
			workers = append(workers, as(c))
		}
		return workers, nil
	})
	if err == nil {
		r.add(res)
	}
	return err
}
