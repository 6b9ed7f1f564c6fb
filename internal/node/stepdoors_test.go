package node_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// proof gives a right code of her app, which is used up by nothing but a door that takes it.
func (x *pending) proof() string {
	x.w.Clock.Advance(30 * time.Second)
	return secret.TOTP(x.who.seed, x.w.Clock.Now())
}

// TestMF03_AStepEndsAtItsOwnDoorAlone calls the operations where steps go on with the tokens of all wires
// and a right code of the factor beside them: each is taken at its own door, from its own place there, and
// nowhere else.
func TestMF03_AStepEndsAtItsOwnDoorAlone(t *testing.T) {
	t.Parallel()
	d := newDoors(t, otltest.New(t, otltest.SQLite))
	d.policy(otl.MFAOptional)
	calls, found := 0, map[string]int{}
	for _, r := range routes(t, d.w) {
		if !ends(r.path) {
			continue
		}
		found[r.wire]++
		for i := range 3 {
			for n := 0; ; n++ {
				d.tokens()
				d.w.Clock.Advance(time.Minute) // or somebody signs in too often
				x := owe(d)
				one := trial{routed: r, owed: x.owed[i], proof: x.proof()}
				one.own = one.name == r.wire
				all := x.trials(one)
				if n >= len(all) {
					break
				}
				calls++
				if got := x.tried(one, all[n]); strings.Contains(got.Header.Get("Set-Cookie"), "otl_session=") && !strings.Contains(got.Header.Get("Set-Cookie"), "otl_session=;") {
					t.Errorf("%s %s by %v: %v", r.method, r.path, all[n].Headers, got.Header)
				}
			}
		}
	}
	if !maps.Equal(found, map[string]int{"native": 4, "onelogin": 2, "pages": 3}) || calls < 300 {
		t.Errorf("%v, %d calls", found, calls)
	}
}

// TestMF03_EachDoorTakesWhatIsItsOwn: the same calls with the token in its place are what ends a step, or
// the test above would prove nothing.
func TestMF03_EachDoorTakesWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d, taken := newDoors(t, w), map[string]int{}
		d.policy(otl.MFAOptional)
		for _, r := range routes(t, w) {
			if !ends(r.path) || r.method != http.MethodPost || strings.HasSuffix(r.path, "/challenge") || r.path == "/mfa/send" {
				continue
			}
			for i := range 3 {
				d.tokens()
				w.Clock.Advance(time.Minute)
				x := owe(d)
				one := trial{routed: r, owed: x.owed[i], proof: x.proof()}
				for _, c := range x.trials(one) {
					w.Do(t, c)
				}
				if x.opened() != 0 {
					taken[r.path+" "+one.name]++
				}
			}
		}
		want := map[string]int{"/api/v1/auth/mfa/verify native": 1, "/api/auth/mfa/verify native": 1, "/api/1/login/verify_factor onelogin": 1, "/api/1/verify_factor onelogin": 1, "/mfa pages": 1}
		if !maps.Equal(taken, want) {
			t.Errorf("%v", taken)
		}
	})
}

// TestMF03_AVisitThatOwesAFactorIsLetInByNoOtherPage opens every page, and sends every form, in the browser
// and the visit in which somebody owes a second factor: no session begins.
func TestMF03_AVisitThatOwesAFactorIsLetInByNoOtherPage(t *testing.T) {
	t.Parallel()
	d, seen := newDoors(t, otltest.New(t, otltest.SQLite)), 0
	d.policy(otl.MFAOptional)
	for _, r := range routes(t, d.w) {
		if r.wire != "pages" && r.wire != "oidc" || r.path == "/signin/listen" || slices.Contains([]string{"/mfa", "/mfa/send"}, r.path) && r.method == http.MethodPost {
			continue
		}
		d.tokens()
		d.w.Clock.Advance(time.Minute)
		x := owe(d)
		seen++
		f := url.Values{
			"f": {x.visit}, "token": {x.formToken()}, "factor": {x.factor}, "decision": {"allow"}, "way": {"code"}, "where": {"here"}, "identifier": {x.who.Email.Address},
			"redirect_uri": {callbackURL}, "client_id": {d.client.ID}, "response_type": {"code"}, "scope": {"openid"}, "prompt": {"none"}, "site": {d.w.Notes.Site.ID},
		}
		path := varies.ReplaceAllString(r.path, x.owed[2].value)
		switch r.method {
		case http.MethodGet:
			x.who.b.Get(path + "?" + f.Encode())
		case http.MethodPost:
			x.who.b.Send(path, f)
		}
		if x.opened() != 0 || x.who.b.Cookies["__Host-otl_session"] != "" {
			t.Errorf("%s %s opened something", r.method, r.path)
		}
	}
	if seen < 120 {
		t.Errorf("%d were tried", seen)
	}
}
