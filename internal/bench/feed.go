package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// feed ends sessions at the first node while a site waits at the last one's
// revocation feed; the time reported is from the answer of the logout to the
// answer that names the session.
func (r *run) feed(ctx context.Context) error {
	site, err := newClient(r.Nodes[len(r.Nodes)-1])
	if err != nil {
		return err
	}
	defer site.close()
	person, err := newClient(r.Nodes[0])
	if err != nil {
		return err
	}
	defer person.close()
	l := load{}
	begin := time.Now()
	for i := 0; i < revokeRounds && ctx.Err() == nil; i++ {
		took, err := r.told(site, person, r.others()[i%len(r.others())])
		l.add(took, err == nil, err)
	}
	l.took = time.Since(begin)
	slices.Sort(l.good)
	res := result("revoke to told by the feed", l)
	res.Connections = 2
	r.add(res)
	return l.err
}

func (r *run) told(site, person *client, p Person) (time.Duration, error) {
	t, err := r.login(person, p)
	if err != nil {
		return 0, err
	}
	key := siteKey(r.SiteKey)
	if err := want(site.do(site.request(http.MethodGet, "/api/v1/revocations", key, nil))); err != nil {
		return 0, fmt.Errorf("%w: %.200s", err, site.body)
	}
	cursor := site.text("cursor")
	heard := make(chan error, 1)
	var at time.Time
	go func() {
		// The logout ends a session and raises a version: one answer may tell of either first.
		for {
			err := want(site.do(site.request(http.MethodGet, "/api/v1/revocations?wait=10&cursor="+url.QueryEscape(cursor), key, nil)))
			at = time.Now()
			if err != nil || strings.Contains(string(site.body), `"session_version"`) {
				heard <- err
				return
			}
			cursor = site.text("cursor")
		}
	}()
	err = want(person.do(person.request(http.MethodPost, "/api/v1/auth/logout", "Authorization: Bearer "+t.access+"\r\n"+key, nil)))
	revoked := time.Now()
	if heardErr := <-heard; err == nil {
		err = heardErr
	}
	return max(at.Sub(revoked), 0), err
}

// want turns any answer but 200 into an error.
func want(status int, err error) error {
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("unexpected answer %d", status)
	}
	return err
}
