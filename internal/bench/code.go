package bench

import (
	"context"
	"net/http"
)

// coder has a code made for one person after the other and signs him in with it: one
// operation is both calls. The code is handed over, so that no mail stands between.
type coder struct {
	*client
	header string
	people []Person
	next   int
}

func (w *coder) step() (bool, error) {
	p := w.people[w.next%len(w.people)]
	w.next++
	send := marshal(map[string]string{"email": p.Email, "channel": "direct"})
	status, err := w.do(w.request(http.MethodPost, "/api/v1/auth/otp/send", w.header, send))
	if err != nil || status != http.StatusAccepted {
		return false, orUnexpected(err, status, w.body)
	}
	verify := marshal(map[string]string{"email": p.Email, "code": w.text("code")})
	status, err = w.do(w.request(http.MethodPost, "/api/v1/auth/otp/verify", w.header, verify))
	if err != nil || status != http.StatusOK {
		return false, orUnexpected(err, status, w.body)
	}
	return true, nil
}

func orUnexpected(err error, status int, body []byte) error {
	if err == nil {
		err = unexpected(status, body)
	}
	return err
}

// codes signs people in with one-time codes. Each connection has people of its own,
// so that nobody's code is replaced by another.
func (r *run) codes(ctx context.Context) error {
	all := r.others()
	n := min(r.Connections, len(all))
	if !canHandOver(r, all[0]) {
		return nil // the site key of a server that is running may not be given codes
	}
	var workers []worker
	for i := range n {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			return err
		}
		w := &coder{client: c, header: siteKey(r.SiteKey)}
		for j := i; j < len(all); j += n {
			w.people = append(w.people, all[j])
		}
		workers = append(workers, w)
	}
	return r.simple(ctx, "otp send and verify", workers, nil)
}

func canHandOver(r *run, p Person) bool {
	c, err := newClient(r.Nodes[0])
	if err != nil {
		return false
	}
	defer c.close()
	w := &coder{client: c, header: siteKey(r.SiteKey), people: []Person{p}}
	ok, _ := w.step()
	return ok
}
