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
	at     int
}

func (w *coder) person() Person {
	w.at++
	return w.people[w.at%len(w.people)]
}

func (w *coder) step() (bool, error) {
	p := w.person()
	send := marshal(map[string]string{"email": p.Email, "channel": "direct"})
	status, err := w.do(w.request(http.MethodPost, "/api/v1/auth/otp/send", w.header, send))
	if err != nil || status != http.StatusAccepted {
		return false, orUnexpected(err, status, w.body)
	}
	return w.verify(p, w.text("code"))
}

func (w *coder) verify(p Person, code string) (bool, error) {
	status, err := w.do(w.request(http.MethodPost, "/api/v1/auth/otp/verify", w.header, marshal(map[string]string{"email": p.Email, "code": code})))
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

// coding is the part of a run that signs people in with one-time codes.
type coding struct{ *run }

// coders makes at most n workers, each with people of its own, so that nobody's code is
// replaced by another.
func (r coding) coders(n int, as func(coder) worker) ([]worker, error) {
	all := r.others()
	n = min(n, len(all))
	var workers []worker
	for i := range n {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			return nil, err
		}
		w := coder{client: c, header: siteKey(r.SiteKey)}
		for j := i; j < len(all); j += n {
			w.people = append(w.people, all[j])
		}
		workers = append(workers, as(w))
	}
	return workers, nil
}

// codes signs people in with one-time codes that are handed over.
func (r coding) codes(ctx context.Context) error {
	if !r.handsOver(r.others()[0]) {
		return nil // the site key of a server that is running may not be given codes
	}
	workers, err := r.coders(r.Connections, func(c coder) worker { return &c })
	return r.simple(ctx, "otp send and verify", workers, err)
}

func (r coding) handsOver(p Person) bool {
	c, err := newClient(r.Nodes[0])
	if err != nil {
		return false
	}
	defer c.close()
	w := &coder{client: c, header: siteKey(r.SiteKey), people: []Person{p}}
	ok, _ := w.step()
	return ok
}
