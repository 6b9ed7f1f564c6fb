package node_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// spent is what was used up, replaced or ended, as the call that presents it once more.
type spent struct {
	*doors
	calls map[string]otltest.Call
}

// at gives a call of our own wire by the site.
func (s spent) at(path string, body object) otltest.Call {
	return otltest.Call{Path: "/api/v1" + path, Key: s.w.Notes.Key, Body: body}
}

// once makes a call that comes to something, and that is spent by it.
func (s spent) once(what string, c otltest.Call) otltest.Reply {
	s.Helper()
	r := s.w.Do(s.T, c)
	if !comes(r) {
		s.Fatalf("%s: %d %s", what, r.Status, r.Raw)
	}
	s.calls[what] = c
	return r
}

// comes reports whether an answer gives what was asked for.
func comes(r otltest.Reply) bool {
	return r.Status == http.StatusOK || r.Status == http.StatusSeeOther && !strings.Contains(r.Header.Get("Location"), "error")
}

// all uses up one of everything that is good once, and ends what can be ended.
func (s spent) all() {
	s.Helper()
	p, reset, app, paper := s.person(bare, ""), s.person(bare, ""), s.person(app, ""), s.person(lost, "")
	in := func(p person) otltest.Reply {
		return s.w.Do(s.T, s.at("/auth/login", object{"email": p.Email.Address, "password": otltest.Password}))
	}
	second := s.once("a refresh token that was exchanged", s.at("/auth/refresh", object{"refresh_token": in(p).Text("refresh_token")}))
	s.w.Do(s.T, s.at("/auth/refresh", object{"refresh_token": second.Text("refresh_token")})).Want(s.T, http.StatusOK)
	out := in(p).Want(s.T, http.StatusOK)
	s.once("the access token of a session that ended", otltest.Call{Path: "/api/v1/users/me", Bearer: out.Text("access_token")})
	s.w.Do(s.T, otltest.Call{Method: http.MethodPost, Path: "/api/v1/auth/logout", Key: s.w.Notes.Key, Bearer: out.Text("access_token")}).Want(s.T, http.StatusOK)
	s.calls["its refresh token"] = s.at("/auth/refresh", object{"refresh_token": out.Text("refresh_token")})

	to := p.Email.Address
	s.native("/auth/otp/send", object{"email": to}).Want(s.T, http.StatusAccepted)
	code, _ := s.letter(to)
	s.once("a code", s.at("/auth/otp/verify", object{"email": to, "code": code}))
	s.w.Clock.Advance(time.Minute)
	s.native("/auth/link/send", object{"email": to, "callback_url": callbackURL, "state": "s"}).Want(s.T, http.StatusAccepted)
	_, link := s.letter(to)
	s.once("the code of a link", s.at("/auth/link/verify", object{"code": s.pressed(link)}))
	back := s.agreed(p, s.signs(p, p.b.Get("/authorize"+asked(url.Values{"site": {s.w.Notes.Site.ID}})), false)).Left
	s.once("an authorization code", s.at("/auth/token", object{"code": back.Query().Get("code"), "code_verifier": keyVerifier}))
	handed := firstOf(s.bearer("/api/1/login/auth", s.api, object{"username_or_email": to, "password": otltest.Password, "subdomain": "notes"}))
	s.once("a session token", otltest.Call{
		Method: http.MethodPost, Path: "/session_via_api_token", Body: "session_token=" + handed["session_token"].(string), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})

	s.native("/auth/password/forgot", object{"email": reset.Email.Address}).Want(s.T, http.StatusAccepted)
	s.once("a reset token", s.at("/auth/password/reset", object{"token": between(s.w.Letters(s.T, reset.Email.Address)[0].Text, "otl_pr_"), "password": "staple-battery-8"}))
	s.calls["the password before"] = s.at("/auth/login", object{"email": reset.Email.Address, "password": otltest.Password})

	again := in(paper).Text("mfa_token")
	s.once("a step", s.at("/auth/mfa/verify", object{"mfa_token": in(paper).Text("mfa_token"), "method": "recovery_code", "code": s.shown(paper)}))
	s.calls["a code on paper"] = s.at("/auth/mfa/verify", object{"mfa_token": again, "method": "recovery_code", "code": s.shown(paper)})
	again, shown := in(app).Text("mfa_token"), s.shown(app)
	s.once("a step with an app", s.at("/auth/mfa/verify", object{"mfa_token": in(app).Text("mfa_token"), "code": shown}))
	s.calls["the code of an app"] = s.at("/auth/mfa/verify", object{"mfa_token": again, "code": shown})
}

// TestMN06_NothingLivesAgainAfterARestart of all nodes: what was used up, replaced or ended before
// is refused, and what was not is good.
func TestMN06_NothingLivesAgainAfterARestart(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		s := spent{newDoors(t, w), map[string]otltest.Call{}}
		s.policy(otl.MFAOptional)
		s.tokens()
		alive := s.native("/auth/login", object{"email": s.person(bare, "").Email.Address, "password": otltest.Password}).Want(t, http.StatusOK)
		s.all()
		if w.Engine == otltest.Postgres { // of SQLite Again closes the one there is
			if err := w.Node.Close(); err != nil {
				t.Fatal(err)
			}
		}
		later := w.Again(t)
		for what, c := range s.calls {
			if r := later.Do(t, c); comes(r) || r.Status >= http.StatusInternalServerError {
				t.Errorf("%s: %d %s", what, r.Status, r.Raw)
			}
		}
		later.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: alive.Text("access_token")}).Want(t, http.StatusOK)
		later.Refresh(t, later.Notes, alive.Text("refresh_token")).Want(t, http.StatusOK)
	})
}

// TestMN08_ClocksMayDiffer: what one node hands out another one takes whose clock is ten seconds
// behind or ahead, and it is over at both.
func TestMN08_ClocksMayDiffer(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres)
	nodes := []*otltest.World{w}
	for _, by := range []time.Duration{-5 * time.Second, 5 * time.Second} {
		nodes = append(nodes, w.Again(t, func(o *node.Options) { o.Now = func() time.Time { return w.Clock.Now().Add(by) } }))
	}
	jane := newDoors(t, w).person(bare, "").Email.Address
	for i, from := range nodes {
		for j, to := range nodes {
			w.Clock.Advance(time.Minute)
			in := from.Login(t, w.Notes, jane)
			me := otltest.Call{Path: "/api/v1/users/me", Bearer: in.Text("access_token")}
			if r := to.Do(t, me); r.Status != http.StatusOK {
				t.Errorf("%d → %d: access token: %d %s", i, j, r.Status, r.Raw)
			}
			next := to.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusOK)
			from.Refresh(t, w.Notes, next.Text("refresh_token")).Want(t, http.StatusOK)
			code := func(n *otltest.World, path string, body object) otltest.Reply {
				return n.Do(t, otltest.Call{Path: "/api/v1" + path, Key: w.Notes.Key, Body: body})
			}
			code(from, "/auth/otp/send", object{"email": jane}).Want(t, http.StatusAccepted)
			w.Clock.Advance(10 * time.Second) // until the node that delivers finds it due
			sent := w.Newest(t, jane).Code
			proof := object{"email": jane, "code": sent}
			code(to, "/auth/otp/verify", proof).Want(t, http.StatusOK)
			code(from, "/auth/otp/verify", proof).Want(t, http.StatusUnauthorized)
			to.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/v1/auth/logout", Key: w.Notes.Key, Bearer: in.Text("access_token")}).Want(t, http.StatusOK)
			if r := from.Do(t, me); r.Status != http.StatusUnauthorized {
				t.Errorf("%d → %d: after it was ended: %d %s", i, j, r.Status, r.Raw)
			}
		}
	}
}
