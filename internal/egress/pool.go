package egress

import (
	"net/http"
	"sync"
)

// maxPools is how many owners have connections that are kept, those who called latest; ownIdle is
// how many such connections one of them has.
const (
	maxPools = 128
	ownIdle  = 32
)

// pools are the connections that are kept, apart for each of those on whose behalf requests are
// made: how long one takes tells none of them whether another has called the same host (TE-11).
type pools struct {
	make func(owner string) *http.Client

	mu   sync.Mutex
	of   map[string]*pool
	turn int // counts requests
}

// pool is connections of one owner.
type pool struct {
	http *http.Client
	used int // the turn of the latest request
}

// get gives the connections of an owner.
func (p *pools) get(owner string) *http.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of[owner]
	if one == nil {
		if len(p.of) >= maxPools {
			p.forget()
		}
		one = &pool{http: p.make(owner)}
		p.of[owner] = one
	}
	p.turn++
	one.used = p.turn
	return one.http
}

// forget lets go of the connections of whoever has called nobody for longest. What is under way
// ends as it would have.
func (p *pools) forget() {
	oldest := ""
	for name, one := range p.of {
		if last, is := p.of[oldest]; !is || one.used < last.used {
			oldest = name
		}
	}
	p.of[oldest].http.CloseIdleConnections()
	delete(p.of, oldest)
}

// close lets go of connections that are kept.
func (p *pools) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.of {
		one.http.CloseIdleConnections()
	}
}
