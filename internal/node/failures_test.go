package node_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

const form = "application/x-www-form-urlencoded"

// failed writes what sign-ins failed and gives the entries of a site, oldest first, "" for
// all sites.
func failed(t *testing.T, w *otltest.World, siteID string) []otl.Event {
	t.Helper()
	if err := w.SignIn.Second.Failures.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := w.Store.Read.Events.List(t.Context(), "", siteID, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(e otl.Event) bool { return e.Type != otl.EventSignInFailed })
	slices.Reverse(all)
	return all
}

// TestAU01_FailedSignInsOfEveryDoor: a proof that is wrong is in the log, of whatever kind
// and at whatever door, with its request, the address, and the person where there is one.
func TestAU01_FailedSignInsOfEveryDoor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if err := w.Installation.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		armed := w.Person(t, "armed@dev.test", w.Notes.Site)
		if _, err := w.Setup.Give(t.Context(), armed, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: secret.NewTOTPSeed()}); err != nil {
			t.Fatal(err)
		}
		made, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "backend", Scopes: otl.AllScopes(), RedirectURIs: []string{"https://notes.test/callback"}})
		if err != nil {
			t.Fatal(err)
		}
		send := func(c otltest.Call) func() otltest.Reply { return func() otltest.Reply { return w.Do(t, c) } }
		native := func(path string, body any) func() otltest.Reply {
			return send(otltest.Call{Path: "/api/v1" + path, Key: w.Notes.Key, Body: body})
		}
		wrong := func(who string) object { return object{"email": who, "password": "wrong-horse-7"} }
		grant := url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ID}, "client_secret": {made.Secret.Reveal()}}
		cis := send(otltest.Call{Path: "/oidc/token", Body: grant.Encode(), Headers: map[string]string{"Content-Type": form}})().Want(t, http.StatusOK).Text("access_token")
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(made.ID+":"+made.Secret.Reveal()))
		token := send(otltest.Call{Path: "/auth/oauth2/v2/token", Body: object{"grant_type": "client_credentials"}, Headers: map[string]string{"Authorization": basic}})().
			Want(t, http.StatusOK).Text("access_token")
		doors := map[string]struct {
			do   func() otltest.Reply
			user string
			by   otl.ActorKind
			why  string
		}{
			"native password": {native("/auth/login", wrong("jane@dev.test")), jane.ID, otl.ActorSiteKey, "wrong_password"},
			"native nobody":   {native("/auth/login", wrong("nobody@dev.test")), "", otl.ActorSiteKey, "nobody"},
			"native code":     {native("/auth/otp/verify", object{"email": "jane@dev.test", "code": "000000"}), jane.ID, otl.ActorSiteKey, "code_invalid"},
			"native link":     {native("/auth/link/verify", object{"code": "otl_lc_wrong"}), "", otl.ActorSiteKey, "link_invalid"},
			"native flow":     {native("/auth/token", object{"code": "otl_fc_wrong", "code_verifier": "x"}), "", otl.ActorSiteKey, "code_invalid"},
			"native factor": {func() otltest.Reply {
				step := native("/auth/login", object{"email": "armed@dev.test", "password": otltest.Password})().Text("mfa_token")
				return native("/auth/mfa/verify", object{"mfa_token": step, "code": "000000"})()
			}, armed.ID, otl.ActorSiteKey, "mfa_code_invalid"},
			"transmit password": {
				send(otltest.Call{Path: "/cis/v1/auth/password/authenticate", Bearer: cis, Body: object{"username": "jane@dev.test", "password": "wrong-horse-7"}}),
				jane.ID, otl.ActorClient, "wrong_password",
			},
			"transmit code": {
				send(otltest.Call{Path: "/cis/v1/auth/otp/authenticate", Bearer: cis, Body: object{"passcode": "000000", "identifier_type": "email", "identifier": "jane@dev.test"}}),
				jane.ID, otl.ActorClient, "code_invalid",
			},
			"onelogin password": {send(otltest.Call{
				Path: "/api/1/login/auth", Headers: map[string]string{"Authorization": "bearer:" + token},
				Body: object{"username_or_email": "jane@dev.test", "password": "wrong-horse-7", "subdomain": w.Notes.Site.Slug},
			}), jane.ID, otl.ActorClient, "wrong_password"},
			"oidc code": {send(otltest.Call{
				Path: "/oidc/token", Headers: map[string]string{"Content-Type": form, "Authorization": basic},
				Body: url.Values{"grant_type": {"authorization_code"}, "code": {"otl_fc_wrong"}, "redirect_uri": {"https://notes.test/callback"}}.Encode(),
			}), "", otl.ActorClient, "code_invalid"},
			"pages password": {func() otltest.Reply {
				b := w.Browser(t)
				return b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": "wrong-horse-7"}).Reply
			}, jane.ID, otl.ActorAnybody, "wrong_password"},
		}
		for name, d := range doors {
			r := d.do()
			all := failed(t, w, "")
			w.Clock.Advance(time.Minute)
			if len(all) == 0 {
				t.Errorf("%s: %d %s, and nothing in the log", name, r.Status, r.Raw)
				continue
			}
			e := all[len(all)-1]
			if e.RequestID != r.Header.Get("X-Request-Id") || e.UserID != d.user || e.By.Kind != d.by || e.From != "127.0.0.1" || e.Data[otl.DataReason] != d.why || e.Data[otl.DataTries] != "1" {
				t.Errorf("%s: %d %.200s: %+v", name, r.Status, r.Raw, e)
			}
		}
		if n := len(failed(t, w, "")); n != len(doors) { // that a second step is asked for is none
			t.Errorf("%d entries of %d failures", n, len(doors))
		}
	})
}

// TestAU01_TheFactorThatFailed is in the log, also where the call names it by its id alone.
func TestAU01_TheFactorThatFailed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		phone, err := w.Setup.Give(t.Context(), jane, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550142"}})
		if err != nil {
			t.Fatal(err)
		}
		made, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "backend", Scopes: otl.AllScopes()})
		if err != nil {
			t.Fatal(err)
		}
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(made.ID+":"+made.Secret.Reveal()))
		token := w.Do(t, otltest.Call{Path: "/auth/oauth2/v2/token", Body: object{"grant_type": "client_credentials"}, Headers: map[string]string{"Authorization": basic}}).
			Want(t, http.StatusOK).Text("access_token")
		native := func(path string, body any) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1" + path, Key: w.Notes.Key, Body: body})
		}
		wire := func(path string, body any) otltest.Reply {
			return w.Do(t, otltest.Call{Path: path, Headers: map[string]string{"Authorization": "bearer:" + token}, Body: body})
		}
		for name, do := range map[string]func() otltest.Reply{
			"native": func() otltest.Reply {
				step := native("/auth/login", object{"email": "jane@dev.test", "password": otltest.Password}).Text("mfa_token")
				return native("/auth/mfa/verify", object{"mfa_token": step, "factor_id": phone.ID, "code": "000000"})
			},
			"onelogin": func() otltest.Reply {
				begun := wire("/api/1/login/auth", object{"username_or_email": "jane@dev.test", "password": otltest.Password, "subdomain": w.Notes.Site.Slug}).
					Want(t, http.StatusOK).JSON["data"].([]any)[0].(object)
				device := begun["devices"].([]any)[0].(object)["device_id"]
				return wire("/api/1/verify_factor", object{"device_id": device, "state_token": begun["state_token"], "otp_token": "000000"})
			},
		} {
			r := do().Want(t, http.StatusUnauthorized)
			all := failed(t, w, "")
			w.Clock.Advance(time.Minute)
			if e := all[len(all)-1]; e.RequestID != r.Header.Get("X-Request-Id") || e.UserID != jane.ID || e.Data[otl.DataMethods] != string(otl.MethodSMS) {
				t.Errorf("%s: %+v", name, e)
			}
		}
	})
}

// TestPW09_TheLogDoesNotTellWhoHasAnAccount: a site reads the same of somebody it does not
// know, who is disabled, has no password, or does not exist; of its own people it reads who
// was tried.
func TestPW09_TheLogDoesNotTellWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		member := w.Person(t, "member@dev.test", w.Notes.Site)
		w.Person(t, "stranger@dev.test")
		disabled := w.Person(t, "disabled@dev.test")
		if err := w.Accounts.SetDisabled(t.Context(), disabled.ID, true); err != nil {
			t.Fatal(err)
		}
		names := []string{"nobody@dev.test", "stranger@dev.test", "disabled@dev.test", "member@dev.test"}
		for range 2 { // what is put together is so whoever there is
			for _, name := range names {
				w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: object{"email": name, "password": "wrong-horse-7"}}).Want(t, http.StatusUnauthorized)
			}
		}
		if all := failed(t, w, w.Notes.Site.ID); len(all) != len(names) || !slices.ContainsFunc(all, func(e otl.Event) bool { return e.Data[otl.DataReason] == "user_disabled" && e.UserID == disabled.ID }) {
			t.Errorf("the installation reads %+v", all)
		}
		w.Deliver(t)
		shown, _, _, err := w.Events.Audit(t.Context(), w.Notes.Site.ID, otl.LogFilter{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		shown = slices.DeleteFunc(shown, func(e otl.SiteEvent) bool { return e.Type != otl.EventSignInFailed })
		if len(shown) != len(names) {
			t.Fatalf("the site reads %d entries", len(shown))
		}
		whose := map[string]int{}
		for _, e := range shown {
			whose[e.UserID]++
			if fmt.Sprint(e.Data) != fmt.Sprint(shown[0].Data) || e.Data[otl.DataReason] != "invalid_credentials" || e.Data[otl.DataTries] != "2" || e.By != shown[0].By {
				t.Errorf("%+v", e)
			}
		}
		if whose[""] != 3 || whose[member.ID] != 1 {
			t.Errorf("the site reads of %v", whose)
		}
	})
}

// TestAU01_AStormOfFailuresIsAFewEntries: what fills no log is still counted to the last
// one, and is written once the storm has passed.
func TestAU01_AStormOfFailuresIsAFewEntries(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const storm = 600
		try := func(n int) {
			t.Helper()
			ctx := otl.WithRequest(t.Context(), &otl.Request{ID: "r", SiteID: w.Notes.Site.ID, Peer: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})})
			_, err := w.SignIn.Prove(ctx, signin.Attempt{Site: w.Notes.Site, Email: fmt.Sprintf("p%d@dev.test", n), Password: secret.NewText("wrong-horse-7")})
			if otl.As(err).Kind != otl.Unauthenticated {
				t.Fatal(err)
			}
		}
		count := func(all []otl.Event) (n int) {
			for _, e := range all {
				tries, err := strconv.Atoi(e.Data[otl.DataTries])
				if err != nil {
					t.Fatal(err)
				}
				n += tries
			}
			return n
		}
		before := w.Store.Stats().Writes
		for n := range storm {
			try(n)
		}
		if now := w.Store.Stats().Writes; now != before {
			t.Errorf("%d writes for %d failures", now-before, storm)
		}
		first := failed(t, w, "")
		for n := range storm {
			try(n)
		}
		if now := len(failed(t, w, "")); now != len(first) || now > 61 {
			t.Errorf("%d entries, %d after the same again", len(first), now)
		}
		w.Clock.Advance(time.Minute)
		if all := failed(t, w, ""); count(all) != 2*storm || len(all) != 2*len(first) {
			t.Errorf("%d failures in %d entries", count(all), len(all))
		}
		for range 2 { // and then there is room for others
			w.Clock.Advance(time.Minute)
			failed(t, w, "")
		}
		try(storm)
		all := failed(t, w, "")
		if last := all[len(all)-1]; last.From == "" || last.RequestID != "r" || count(all) != 2*storm+1 {
			t.Errorf("after the storm: %+v", last)
		}
		try(storm) // of what is not written yet nothing is lost when the node stops
		if err := w.SignIn.Second.Failures.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := failed(t, w, ""); count(all) != 2*storm+2 || w.SignIn.Second.Failures.Total.Load() != 2*storm+2 {
			t.Errorf("%d failures, %d counted", count(all), w.SignIn.Second.Failures.Total.Load())
		}
	})
}
