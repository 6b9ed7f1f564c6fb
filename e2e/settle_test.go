package e2e

import (
	"net/http"
	"time"
)

// settle holds a restarted server against the ledger over HTTP, first finding
// out what became of the write that was cut off.
func (a *actor) settle(people []*person) {
	open := a.open
	a.open = nil
	if open != nil && open.kind == register && !a.settleRegister(open.who) {
		return
	}
	for _, p := range people {
		mine := open
		if open != nil && open.who != p {
			mine = nil
		}
		a.check(p, mine)
	}
}

// settleRegister finds out whether a registration that was cut off took effect:
// then the person can sign in, otherwise the address is free.
func (a *actor) settleRegister(p *person) bool {
	r, err := a.c.login(p.email, password)
	if err != nil {
		a.rig.t.Errorf("login of %s after a restart: %v", p.email, err)
		return false
	}
	if r.status == http.StatusUnauthorized {
		return a.try(attempt{kind: register, who: p}) == nil
	}
	p.version, p.sessionVersion, p.proven = 1, 1, true
	if r.status != http.StatusOK {
		a.rig.lose("login of %s, whose registration was cut off: %s", p.email, r)
		return false
	}
	if err := p.open(r); err != nil {
		a.rig.lose("login of %s, whose registration was cut off: %v", p.email, err)
		return false
	}
	a.people = append(a.people, p)
	a.check(p, &attempt{kind: register, who: p})
	return true
}

// check holds one person against the ledger. Open is the write of his that was
// cut off, nil if there is none.
func (a *actor) check(p *person, open *attempt) {
	if !a.checkList(p, open) {
		return
	}
	a.checkAccess(p)
	for _, c := range p.live() {
		if open != nil && open.kind == exchange && open.on == c {
			a.settleExchange(p, c, open)
		} else if a.try(attempt{kind: exchange, who: p, on: c}) != nil {
			return // a session the person was signed out of; try has said so
		}
	}
	a.checkProfile(p, open)
	for _, c := range p.sessions {
		if c.ended && !c.checked {
			a.checkEnded(p, c)
		}
	}
	if !p.proven {
		p.proven = a.try(attempt{kind: signIn, who: p}) == nil
	}
}

// checkList compares the live sessions. A session nobody knows is one whose
// login was cut off after its commit: there may be one, and it is ended here,
// because its tokens reached nobody.
func (a *actor) checkList(p *person, open *attempt) bool {
	ids, r, err := a.c.sessions(p.id)
	if err != nil || r.status != http.StatusOK {
		a.rig.lose("the sessions of %s cannot be read after a restart: %s %v", p.email, r, err)
		return false
	}
	for _, c := range p.sessions {
		live := ids[c.id]
		delete(ids, c.id)
		switch {
		case live && c.ended:
			a.rig.lose("session %s of %s was ended and is live again", c.id, p.email)
		case !live && !c.ended && open.ends(c):
			c.ended = true
			p.sessionVersion++
		case !live && !c.ended:
			a.rig.lose("session %s of %s is gone", c.id, p.email)
			c.ended = true
		}
	}
	if unknown := len(ids); unknown > 1 || unknown == 1 && (open == nil || open.kind != signIn && open.kind != register) {
		a.rig.t.Errorf("%s has %d sessions that nobody opened", p.email, unknown)
	}
	for id := range ids {
		c := &chain{id: id}
		p.sessions = append(p.sessions, c)
		if a.try(attempt{kind: revoke, who: p, on: c}) != nil {
			return false
		}
		c.checked = true // there is no token to check it with
	}
	return true
}

// checkAccess uses an access token from before the kill: the signing key is the
// same, and whether the token still counts is what the session version says.
func (a *actor) checkAccess(p *person) {
	for _, c := range p.live() {
		r, err := a.c.do(http.MethodGet, "/api/v1/users/me", c.access, nil)
		stale := c.stamped != p.sessionVersion
		switch {
		case err != nil:
			a.rig.t.Errorf("access token of %s after a restart: %v", p.email, err)
		case stale && (r.status != http.StatusUnauthorized || r.code() != "session_version_stale"):
			a.rig.lose("an access token of %s from before a revocation: %s", p.email, r)
		case !stale && r.status != http.StatusOK:
			a.rig.lose("a good access token of %s after a restart: %s", p.email, r)
		}
	}
}

// grace is how long the server gives a lost answer again, less what the rig
// itself needs to ask.
const grace = 9 * time.Second

// settleExchange does what a client does whose answer was lost: it sends the
// token it has again, and must get through. It does so twice, because a second
// lost answer is no other case: the successor is the same.
func (a *actor) settleExchange(p *person, c *chain, open *attempt) {
	old := c.refresh
	r, err := a.c.refresh(old)
	if waited := time.Since(open.sent); err == nil && r.code() == "refresh_reused" && waited > grace {
		a.rig.late.Add(1) // a machine so slow that the grace was over
		c.ended, c.checked = true, true
		p.sessionVersion++
		return
	}
	if err != nil || r.status != http.StatusOK {
		a.rig.lose("%s was signed out of session %s: the retry of an exchange got %s %v", p.email, c.id, r, err)
		return
	}
	if err := a.enter(*open, r); err != nil {
		a.rig.lose("the retry of an exchange by %s: %v in %s", p.email, err, r)
		return
	}
	a.rig.acknowledged.Add(1)
	r, err = a.c.refresh(old)
	var l login
	if r.into(&l); err != nil || l.Refresh != c.refresh {
		a.rig.lose("the second retry of an exchange by %s in session %s got another successor: %s %v", p.email, c.id, r, err)
	}
}

// checkProfile compares the profile: the acknowledged one, or the one whose
// patch was cut off, value and version together.
func (a *actor) checkProfile(p *person, open *attempt) {
	live := p.live()
	if len(live) == 0 {
		return
	}
	r, err := a.c.do(http.MethodGet, "/api/v1/users/me", live[0].access, nil)
	if err != nil || r.status != http.StatusOK {
		a.rig.lose("the profile of %s cannot be read after a restart: %s %v", p.email, r, err)
		return
	}
	if open != nil && open.kind == patch {
		applied := *p
		applied.name, applied.version = open.name, p.version+1
		if applied.matches(r) == nil {
			p.name, p.version = applied.name, applied.version
			return
		}
	}
	if err := p.matches(r); err != nil {
		a.rig.lose("profile of %s: %v in %s", p.email, err, r)
	}
}

// checkEnded uses both tokens of a session whose end was acknowledged.
func (a *actor) checkEnded(p *person, c *chain) {
	c.checked = true
	if r, err := a.c.refresh(c.refresh); err != nil || r.status != http.StatusUnauthorized || r.code() != "session_revoked" {
		a.rig.lose("the refresh token of the ended session %s of %s: %s %v", c.id, p.email, r, err)
	}
	if r, err := a.c.do(http.MethodGet, "/api/v1/users/me", c.access, nil); err != nil || r.status != http.StatusUnauthorized {
		a.rig.lose("the access token of the ended session %s of %s: %s %v", c.id, p.email, r, err)
	}
}
