package node_test

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// bits gives how many bits there are at most in the end of a secret, by the letters of its kind.
func bits(letters int, end string) int { return int(float64(len(end)) * math.Log2(float64(letters))) }

// TestSE01_WhatIsHandedOutHasEnoughBits: the random part of each secret, as it is handed out,
// has the bits that it is said to have (ADR 6), and no two are alike.
func TestSE01_WhatIsHandedOutHasEnoughBits(t *testing.T) {
	t.Parallel()
	d := newDoors(t, otltest.New(t, otltest.SQLite))
	d.policy(otl.MFAOptional)
	body := func(s, prefix string, random int) string { // of what is followed by a checksum
		d.Helper()
		if !strings.HasPrefix(s, prefix) || len(s) < len(prefix)+random {
			t.Fatalf("%q is none of %s", s, prefix)
		}
		return s[len(prefix) : len(prefix)+random]
	}
	end := func(s string, n int) string { return s[max(len(s)-n, 0):] }
	seen := map[string]bool{}
	for range 2 {
		d.tokens()
		d.w.Clock.Advance(time.Minute)
		p, q := d.person(lost, ""), d.person(bare, "")
		step := d.native("/auth/login", object{"email": p.Email.Address, "password": otltest.Password})
		done := d.native("/auth/mfa/verify", object{"mfa_token": step.Text("mfa_token"), "method": "recovery_code", "code": d.shown(p), "trust_device": true}).Want(t, http.StatusOK)
		d.w.Clock.Advance(time.Minute)
		state := firstOf(d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"}))
		handed := firstOf(d.bearer("/api/1/login/auth", d.api, object{"username_or_email": q.Email.Address, "password": otltest.Password, "subdomain": "notes"}))
		page := d.signs(q, q.b.Get("/authorize"+asked(url.Values{"site": {d.w.Notes.Site.ID}})), false)
		for name, c := range map[string]struct {
			random        string
			letters, want int
		}{
			"refresh token": {end(done.Text("refresh_token"), 43), 62, 256},
			"cookie":        {end(q.b.Cookies["__Host-otl_session"], 43), 64, 256},
			"mfa_token":     {body(step.Text("mfa_token"), "otl_mt_", 34), 62, 202},
			"device_token":  {body(done.Text("device_token"), "otl_td_", 34), 62, 202},
			"code":          {body(page.Left.Query().Get("code"), "otl_ac_", 34), 62, 202},
			"state_token":   {fmt.Sprint(state["state_token"]), 16, 160},
			"session_token": {fmt.Sprint(handed["session_token"]), 16, 160},
			"recovery code": {p.paper[0].Reveal(), 32, 64},
			"client secret": {end(d.client.Secret.Reveal(), 34), 62, 202},
		} {
			if got := bits(c.letters, c.random); got < c.want || seen[c.random] && name != "client secret" {
				t.Errorf("%s: %d bits in %q, %d are said", name, got, c.random, c.want)
			}
			seen[c.random] = true
		}
	}
}

var varies = regexp.MustCompile(`\{[^}]*\}`)

// TestSE18_NoTokenIsTakenFromAnAddress: every path of every wire answers as if nothing were
// there to a good token or key in its query, and tells nothing; the same is good in its place.
func TestSE18_NoTokenIsTakenFromAnAddress(t *testing.T) {
	t.Parallel()
	d := newDoors(t, otltest.New(t, otltest.SQLite))
	d.tokens()
	d.policy(otl.MFAOff)
	p := d.person(bare, "")
	in := d.native("/auth/login", object{"email": p.Email.Address, "password": otltest.Password}).Want(t, http.StatusOK)
	q := url.Values{}
	for _, name := range []string{"access_token", "token", "bearer", "authorization", "id_token", "jwt", "sid"} {
		q.Set(name, in.Text("access_token"))
	}
	for _, name := range []string{"site_key", "api_key", "key", "x-otl-site-key"} {
		q.Set(name, d.w.Notes.Key.Reveal())
	}
	q.Set("refresh_token", in.Text("refresh_token"))
	q.Set("client_id", d.client.ID)
	q.Set("client_secret", d.client.Secret.Reveal())
	tried := map[string]int{}
	for _, r := range routes(t, d.w) {
		path := varies.ReplaceAllString(r.path, p.ID)
		c := otltest.Call{Method: r.method, Path: path + "?" + q.Encode()}
		if r.method != http.MethodGet && r.body != nil {
			c.Body = r.body
		}
		got := d.w.Do(t, c)
		tried[r.wire]++
		if got.Status >= 500 && got.Status != http.StatusServiceUnavailable || r.path != "/openapi.json" && opens.Match(got.Raw) || strings.Contains(string(got.Raw), p.Email.Address) {
			t.Errorf("%s %s: %d %.400s", r.method, path, got.Status, got.Raw)
		}
	}
	for _, wire := range []string{"native", "onelogin", "transmit", "oidc", "pages"} {
		if tried[wire] < 7 {
			t.Errorf("%s: %d calls", wire, tried[wire])
		}
	}
	me := d.w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: in.Text("access_token")}).Want(t, http.StatusOK)
	if me.Text("email") != p.Email.Address {
		t.Errorf("%s", me.Raw)
	}
	d.native("/auth/refresh", object{"refresh_token": in.Text("refresh_token")}).Want(t, http.StatusOK)
}

// TestSE14_SessionsAreSeenAndEnded: a person sees and ends his own at a site, the site those of
// its people, an operator all of one; any other id is as unknown as one that never was.
func TestSE14_SessionsAreSeenAndEnded(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		d.policy(otl.MFAOff)
		p, other := d.person(bare, ""), d.person(bare, "")
		in := func(p person) otltest.Reply {
			return d.native("/auth/login", object{"email": p.Email.Address, "password": otltest.Password}).Want(t, http.StatusOK)
		}
		in(p)
		last, foreign := in(p), in(other)
		list := func(c otltest.Call) (ids []string) {
			for _, one := range w.Do(t, c).Items(t) {
				ids = append(ids, fmt.Sprint(one["id"]))
			}
			return ids
		}
		end := func(c otltest.Call, id string) otltest.Reply {
			c.Method, c.Path = http.MethodDelete, "/api/v1/sessions/"+id
			return w.Do(t, c)
		}
		own, key := otltest.Call{Path: "/api/v1/sessions", Bearer: last.Text("access_token")}, otltest.Call{Path: "/api/v1/sessions?user_id=" + other.ID, Key: w.Notes.Key}
		mine, hers := list(own), list(key)
		if len(mine) != 2 || len(hers) != 1 || slices.Contains(mine, hers[0]) {
			t.Fatalf("%v %v", mine, hers)
		}
		for _, id := range []string{hers[0], secret.NewID(w.Clock.Now()), p.ID} {
			if r := end(own, id); r.Status != http.StatusNotFound {
				t.Errorf("%s: %d %s", id, r.Status, r.Raw)
			}
		}
		end(otltest.Call{Key: w.Shop.Key}, hers[0]).Want(t, http.StatusNotFound)
		end(own, mine[1]).Want(t, http.StatusOK)
		if live := d.sessions(p, ""); len(live) != 1 || live[0].ID != mine[0] {
			t.Errorf("%v", live)
		}
		end(key, hers[0]).Want(t, http.StatusOK)
		d.native("/auth/refresh", object{"refresh_token": foreign.Text("refresh_token")}).Want(t, http.StatusUnauthorized)
		in(other)
		if _, err := w.SignIn.RevokeAll(t.Context(), other.ID); err != nil || len(d.sessions(other, "")) != 0 {
			t.Errorf("%v %v", err, d.sessions(other, ""))
		}
		if mails := w.Letters(t, other.Email.Address); len(mails) != 1 || mails[0].Subject != "You were signed out everywhere" {
			t.Errorf("told by %+v", mails)
		}
	})
}

// TestMN01_OneWinnerOnThreeNodes: of many who present one artefact at three nodes at once
// exactly one gets something: a session token, a state token with the right code, a recovery
// code in several sign-ins, a refresh token of the API.
func TestMN01_OneWinnerOnThreeNodes(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres)
	d := newDoors(t, w)
	nodes := []*otltest.World{w, w.Again(t), w.Again(t)}
	const many = 18
	race := func(what string, call func(i int) (otltest.Call, func(otltest.Reply) bool)) {
		t.Helper()
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range many {
			c, wins := call(i)
			wg.Go(func() {
				if r := nodes[i%len(nodes)].Do(t, c); wins(r) {
					won.Add(1)
				} else if r.Status >= 500 {
					t.Errorf("%s: %d %s", what, r.Status, r.Raw)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d of %d won", what, won.Load(), many)
		}
	}
	formed := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for range 3 {
		w.Clock.Advance(time.Minute)
		d.tokens()
		plain, armed := d.person(bare, ""), d.person(lost, "")
		login := func(p person) object {
			return firstOf(d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"}).Want(t, http.StatusOK))
		}
		token := fmt.Sprint(login(plain)["session_token"])
		race("session token", func(int) (otltest.Call, func(otltest.Reply) bool) {
			return otltest.Call{Method: http.MethodPost, Path: "/session_via_api_token", Body: "session_token=" + token, Headers: formed},
				func(r otltest.Reply) bool {
					return r.Status == http.StatusSeeOther && !strings.Contains(r.Header.Get("Location"), "error")
				}
		})
		state := login(armed)
		devices := state["devices"].([]any)
		i := slices.IndexFunc(devices, func(one any) bool { return one.(object)["device_type"] == "Google Authenticator" })
		w.Clock.Advance(30 * time.Second)
		proof := object{"device_id": devices[i].(object)["device_id"], "state_token": state["state_token"], "otp_token": secret.TOTP(armed.seed, w.Clock.Now())}
		race("state token", func(int) (otltest.Call, func(otltest.Reply) bool) {
			return otltest.Call{Path: "/api/1/verify_factor", Bearer: d.api, Body: proof}, func(r otltest.Reply) bool { return firstOf(r)["session_token"] != nil }
		})
		steps := make([]string, 3)
		for i := range steps {
			steps[i] = d.native("/auth/login", object{"email": armed.Email.Address, "password": otltest.Password}).Want(t, http.StatusUnauthorized, "mfa_required").Text("mfa_token")
		}
		race("recovery code", func(i int) (otltest.Call, func(otltest.Reply) bool) {
			return otltest.Call{Path: "/api/v1/auth/mfa/verify", Key: w.Notes.Key, Body: object{"mfa_token": steps[i%3], "method": "recovery_code", "code": armed.paper[0].Reveal()}},
				func(r otltest.Reply) bool { return r.Status == http.StatusOK }
		})
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {d.client.ID}, "client_secret": {d.client.Secret.Reveal()}}
		pair := w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/auth/oauth2/v2/token", Body: form.Encode(), Headers: formed}).Want(t, http.StatusOK)
		form = url.Values{"grant_type": {"refresh_token"}, "access_token": {pair.Text("access_token")}, "refresh_token": {pair.Text("refresh_token")}}
		race("refresh token of the API", func(int) (otltest.Call, func(otltest.Reply) bool) {
			return otltest.Call{Method: http.MethodPost, Path: "/auth/oauth2/v2/token", Body: form.Encode(), Headers: formed}, func(r otltest.Reply) bool { return r.Status == http.StatusOK }
		})
	}
}

// TestMF01_OneCodeInAHundredSteps: one code of an app, sent in a hundred steps of its person at once over OneLogin's
// wire, to three nodes where an engine has several, gives one session token.
func TestMF01_OneCodeInAHundredSteps(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d, nodes := newDoors(t, w), []*otltest.World{w}
		d.tokens()
		d.policy(otl.MFAOptional)
		if w.Engine == otltest.Postgres {
			nodes = append(nodes, w.Again(t), w.Again(t))
		}
		p, begin := d.person(app, ""), make(chan struct{})
		proofs := make([]object, 100)
		for i := range proofs {
			state := firstOf(d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"}).Want(t, http.StatusOK))
			proofs[i] = object{"device_id": state["devices"].([]any)[0].(object)["device_id"], "state_token": state["state_token"]}
		}
		code := d.shown(p)
		var wg sync.WaitGroup
		var won atomic.Int32
		for i, proof := range proofs {
			proof["otp_token"] = code
			wg.Go(func() {
				<-begin
				r := nodes[i%len(nodes)].Do(t, otltest.Call{Path: "/api/1/verify_factor", Bearer: d.api, Body: proof})
				switch {
				case r.Status == http.StatusOK && firstOf(r)["session_token"] != nil:
					won.Add(1)
				case r.Status != http.StatusUnauthorized || r.Text("status", "message") != "Failed authentication with this factor":
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		close(begin)
		wg.Wait()
		kept, err := w.Store.Read.Tickets.Count(t.Context(), p.ID, otl.PurposeHandover, w.Clock.Now())
		if err != nil || won.Load() != 1 || kept != 1 {
			t.Errorf("one code gave %d session tokens, %d are kept, %v", won.Load(), kept, err)
		}
	})
}
