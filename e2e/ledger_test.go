package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// The ledger stands outside the server: it holds what the server acknowledged
// with a 2xx that was read to its end, and for each actor the one request whose
// answer never came.

// person is what the ledger knows of somebody who was registered.
type person struct {
	email, id, name string
	version         int // of the profile
	sessionVersion  int
	sessions        []*chain
	proven          bool // has signed in after a restart
}

// chain is a session and the latest tokens of it that the client received.
type chain struct {
	id              string
	refresh, access string // empty where the answer that held them was lost
	generation      int    // exchanges acknowledged
	stamped         int    // session version in the access token
	ended           bool
	checked         bool // its end was checked after a restart
}

// kind is what a write does.
type kind string

const (
	register kind = "register"
	signIn   kind = "login"
	exchange kind = "refresh"
	patch    kind = "patch"
	revoke   kind = "revoke" // by the site
	logout   kind = "logout" // by the person's refresh token
)

// attempt is one write: under way, or cut off by a kill and then either applied
// or not, never half.
type attempt struct {
	kind kind
	who  *person
	on   *chain
	name string // the new value of a patch
	sent time.Time
}

// ends tells of a write that ends the session.
func (at *attempt) ends(c *chain) bool {
	return at != nil && at.on == c && (at.kind == revoke || at.kind == logout)
}

// actor is one client in a loop. Nobody else writes to his people, so what he
// knows of them is exact but for the one write that was cut off.
type actor struct {
	rig      *crashRig
	c        *client
	random   *rand.Rand
	number   int
	made     int // names given so far
	newcomer bool
	people   []*person
	open     *attempt // the write cut off by the last kill
}

// Bounds that keep one cycle short.
const (
	recentPeople = 3
	mostSessions = 6
)

// recent gives the people the actor still works on.
func (a *actor) recent() []*person { return a.people[max(0, len(a.people)-recentPeople):] }

// live gives the sessions of a person that can be exchanged.
func (p *person) live() []*chain {
	var out []*chain
	for _, c := range p.sessions {
		if !c.ended && c.refresh != "" {
			out = append(out, c)
		}
	}
	return out
}

// errGone ends an actor's loop.
var errGone = errors.New("the server is gone")

// load writes until the server is killed.
func (a *actor) load() {
	for {
		if a.try(a.choose()) != nil {
			return
		}
	}
}

// choose picks the next write. Two of the actors register and sign in often,
// which costs a password hash; the others do what a network does all day.
func (a *actor) choose() attempt {
	if len(a.people) == 0 {
		return a.newPerson()
	}
	p := a.recent()[a.random.IntN(len(a.recent()))]
	live := p.live()
	if len(live) == 0 {
		return attempt{kind: signIn, who: p}
	}
	c := live[a.random.IntN(len(live))]
	costly := 2
	if a.newcomer {
		costly = 30
	}
	switch roll := a.random.IntN(100); {
	case a.newcomer && roll < costly:
		return a.newPerson()
	case roll < 2*costly && len(live) < mostSessions:
		return attempt{kind: signIn, who: p}
	case roll < 2*costly || roll < 2*costly+2 && len(live) > 1:
		return attempt{kind: []kind{revoke, logout}[a.random.IntN(2)], who: p, on: c}
	case roll < 2*costly+38 && c.stamped == p.sessionVersion:
		a.made++
		return attempt{kind: patch, who: p, on: c, name: fmt.Sprintf("Jane %d", a.made)}
	}
	return attempt{kind: exchange, who: p, on: c}
}

func (a *actor) newPerson() attempt {
	a.made++
	p := &person{email: fmt.Sprintf("jane.%d.%d@dev.test", a.number, a.made), name: fmt.Sprintf("Jane %d", a.made)}
	return attempt{kind: register, who: p}
}

// busyTries is how often a write is sent again that the server had no room for: a machine that runs
// other tests, too, may have none for some seconds.
const busyTries = 20

// try sends one write and enters it into the ledger when it is acknowledged. An
// answer other than success is a finding: nothing here may be refused.
func (a *actor) try(at attempt) error {
	at.sent = time.Now()
	a.open = &at
	r, err := a.send(at)
	for tries := 0; err == nil && r.status == http.StatusServiceUnavailable && tries < busyTries; tries++ {
		r, err = a.send(at)
	}
	if err != nil {
		if !a.rig.killed.Load() {
			a.rig.t.Errorf("%s of %s: the connection broke while the server was alive: %v", at.kind, at.who.email, err)
		}
		return errGone
	}
	a.open = nil
	if r.status/100 != 2 {
		a.rig.lose("%s of %s was refused: %s", at.kind, at.who.email, r)
		return errGone
	}
	if err := a.enter(at, r); err != nil {
		a.rig.lose("%s of %s: %v in %s", at.kind, at.who.email, err, r)
		return errGone
	}
	a.rig.acknowledged.Add(1)
	return nil
}

func (a *actor) send(at attempt) (reply, error) {
	switch at.kind {
	case register:
		return a.c.register(at.who.email, password, at.who.name)
	case signIn:
		return a.c.login(at.who.email, password)
	case exchange:
		return a.c.refresh(at.on.refresh)
	case patch:
		return a.c.do(http.MethodPatch, "/api/v1/users/me", at.on.access, map[string]any{"name": at.name, "version": at.who.version})
	case revoke:
		return a.c.revoke(at.on.id)
	case logout:
		return a.c.do(http.MethodPost, "/api/v1/auth/logout", "", map[string]string{"refresh_token": at.on.refresh})
	}
	panic("unknown kind " + at.kind)
}

// enter writes an acknowledged write into the ledger. The error is an answer
// that contradicts what was acknowledged before.
func (a *actor) enter(at attempt, r reply) error {
	p, c := at.who, at.on
	switch at.kind {
	case register:
		p.version, p.sessionVersion = 1, 1
		if err := p.open(r); err != nil {
			return err
		}
		a.people = append(a.people, p)
	case signIn:
		return p.open(r)
	case exchange:
		c.generation++
		return c.take(p, r)
	case patch:
		p.name, p.version = at.name, p.version+1
		return p.matches(r)
	case revoke, logout:
		c.ended = true
		p.sessionVersion++
		var out struct {
			Version int `json:"session_version"`
		}
		if r.into(&out); out.Version != p.sessionVersion {
			return fmt.Errorf("session version %d, not %d,", out.Version, p.sessionVersion)
		}
	}
	return nil
}

// open enters a new session.
func (p *person) open(r reply) error {
	var l login
	r.into(&l)
	said, err := read(l.Access)
	if err != nil {
		return err
	}
	if p.id == "" {
		p.id = l.User.ID
	}
	c := &chain{id: said.Session}
	p.sessions = append(p.sessions, c)
	return c.take(p, r)
}

// take enters the tokens of an answer, which must be of this session and of the
// person's current session version.
func (c *chain) take(p *person, r reply) error {
	var l login
	r.into(&l)
	said, err := read(l.Access)
	if err != nil {
		return err
	}
	c.refresh, c.access, c.stamped = l.Refresh, l.Access, said.Version
	if said.Session != c.id || said.Subject != p.id || said.Version != p.sessionVersion {
		return fmt.Errorf("session %s of %s at version %d, not %s of %s at %d,", said.Session, said.Subject, said.Version, c.id, p.id, p.sessionVersion)
	}
	return nil
}

// matches compares a profile with the ledger.
func (p *person) matches(r reply) error {
	var u struct {
		Name    string `json:"name"`
		Version int    `json:"version"`
	}
	if r.into(&u); u.Name != p.name || u.Version != p.version {
		return fmt.Errorf("name %q at version %d, not %q at %d,", u.Name, u.Version, p.name, p.version)
	}
	return nil
}
