package bench

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

const (
	// endpointsPerSite is how many endpoints a site may have.
	endpointsPerSite = 20
	// hundredRate is how many events a second happen, each for one endpoint.
	hundredRate = 300
)

// addressed is an endpoint of a site, with a request that has an event sent there alone.
type addressed struct {
	key  secret.Text
	path string
	test []byte
}

// rounds has an event sent to one endpoint after the other; those of several workers take
// turns.
type rounds struct {
	*client
	to      []addressed
	next    *atomic.Int64
	healthy *atomic.Int64 // events for endpoints that answer
}

func (w rounds) step() (bool, error) {
	i := int(w.next.Add(1)-1) % len(w.to)
	status, err := w.do(w.to[i].test)
	if err != nil || status != http.StatusAccepted {
		return false, orUnexpected(err, status, w.body)
	}
	if i > 0 {
		w.healthy.Add(1)
	}
	return true, nil
}

// hundred times deliveries to a hundred endpoints of several sites, to all but the first,
// while the first answers and while it hangs (WH-07).
func (r telling) hundred(ctx context.Context) error {
	if r.Receiver == nil || len(r.Sites) == 0 {
		return nil
	}
	c, err := newClient(r.Nodes[0])
	if err != nil {
		return err
	}
	defer c.close()
	var to []addressed
	for _, key := range r.Sites {
		for range endpointsPerSite {
			one, err := r.endpoint(c, key)
			if err != nil {
				return err
			}
			to = append(to, one)
		}
	}
	name := fmt.Sprintf("event to one of %d endpoints", len(to)-1)
	if err := r.deliverTo(ctx, to, name); err != nil {
		return err
	}
	hangs := map[string]string{"url": strings.TrimSuffix(r.Receiver.URL, "/") + hanging}
	if err := r.with(to[0].key).call(c, http.MethodPatch, to[0].path, hangs, http.StatusOK); err != nil {
		return err
	}
	if err := r.deliverTo(ctx, to, "the same while one more hangs"); err != nil {
		return err
	}
	for _, one := range to {
		if err := r.with(one.key).call(c, http.MethodDelete, one.path, nil, http.StatusOK); err != nil {
			return err
		}
	}
	return nil
}

// with is the same load with the key of another site.
func (r telling) with(key secret.Text) telling {
	other := *r.run
	other.SiteKey = key
	return telling{&other}
}

func (r telling) endpoint(c *client, key secret.Text) (addressed, error) {
	if err := r.with(key).call(c, http.MethodPost, "/api/v1/webhooks", map[string]string{"url": r.Receiver.URL}, http.StatusCreated); err != nil {
		return addressed{}, err
	}
	path := "/api/v1/webhooks/" + c.text("id")
	return addressed{key, path, c.request(http.MethodPost, path+"/test", siteKey(key), []byte("{}"))}, nil
}

func (r telling) deliverTo(ctx context.Context, to []addressed, name string) error {
	before, err := r.used(ctx)
	if err != nil {
		return err
	}
	next, healthy, begin := &atomic.Int64{}, &atomic.Int64{}, time.Now()
	var failed error
	l := flood(ctx, hundredRate, r.Duration, func() worker {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			failed = err
		}
		return rounds{c, to, next, healthy}
	})
	if failed != nil || l.err != nil {
		return fmt.Errorf("have events sent: %w", orFirst(failed, l.err))
	}
	took := time.Since(begin)
	late, err := r.Receiver.await(int(healthy.Load()))
	if err != nil {
		return err
	}
	res, err := r.weigh(ctx, name, load{took: took, good: late}, before, took)
	res.Connections = len(to)
	r.add(res)
	return err
}

func orFirst(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
