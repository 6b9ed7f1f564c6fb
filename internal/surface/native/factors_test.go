package native_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// home signs a person in at the installation itself, as its pages do: by password,
// and by the app of somebody who has one.
func home(t *testing.T, w *otltest.World, u otl.User, methods ...otl.Method) string {
	t.Helper()
	return firstParty(t, w, u, methods).Access.Reveal()
}

func enrol(t *testing.T, w *otltest.World, bearer string, body object) otltest.Reply {
	t.Helper()
	return as(t, w, bearer)(http.MethodPost, "/auth/mfa/enroll", body)
}

func confirm(t *testing.T, w *otltest.World, bearer, id, code string) otltest.Reply {
	t.Helper()
	return as(t, w, bearer)(http.MethodPost, "/auth/mfa/confirm", object{"factor_id": id, "code": code})
}

func TestMF08_AnAppIsSetUpUsedAndRemoved(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		bearer := home(t, w, u, otl.MethodPassword)
		begun := enrol(t, w, bearer, object{"kind": "totp", "label": "My phone"}).Want(t, http.StatusOK)
		wantMembers(t, "the answer", begun.JSON, "id", "kind", "label", "secret", "otpauth_url", "expires_at")
		if !strings.Contains(begun.Text("otpauth_url"), begun.Text("secret")) || !strings.HasPrefix(begun.Text("otpauth_url"), "otpauth://totp/id.test:jane@dev.test?") {
			t.Errorf("%s", begun.Raw)
		}
		w.Login(t, w.Notes, "jane@dev.test") // what is not confirmed is no factor
		seed, err := secret.ParseTOTPSeed(begun.Text("secret"))
		if err != nil {
			t.Fatal(err)
		}
		a := armed{User: u, seed: seed}
		confirm(t, w, bearer, begun.Text("id"), "000000").Want(t, http.StatusUnauthorized, "mfa_code_invalid")
		code := a.code(w)
		done := confirm(t, w, bearer, begun.Text("id"), code).Want(t, http.StatusOK)
		if codes := done.JSON["recovery_codes"].([]any); len(codes) != 10 || len(codes[0].(string)) != 15 || done.JSON["session_version"] != 2.0 {
			t.Errorf("%s", done.Raw)
		}
		as(t, w, bearer)(http.MethodGet, "/auth/mfa", nil).Want(t, http.StatusUnauthorized, "session_version_stale")
		if mails := w.Letters(t, "jane@dev.test"); len(mails) != 1 || !strings.Contains(mails[0].Text, "My phone") {
			t.Errorf("told by %+v", mails)
		}
		// The code that confirmed it is used up (MF-01).
		loginWith(t, w, w.Notes, "jane@dev.test", object{"mfa_code": code}).Want(t, http.StatusUnauthorized, "totp_reused")
		loginWith(t, w, w.Notes, "jane@dev.test", object{"mfa_code": a.code(w)}).Want(t, http.StatusOK)

		weak := home(t, w, u, otl.MethodAdmin)
		list := as(t, w, weak)(http.MethodGet, "/auth/mfa", nil).Want(t, http.StatusOK)
		if all := list.Items(t); len(all) != 2 || all[0]["label"] != "My phone" || all[0]["default"] != true || all[0]["last_used_at"] == nil || all[1]["kind"] != "recovery_code" ||
			list.JSON["recovery_codes_left"] != 10.0 || strings.Contains(string(list.Raw), begun.Text("secret")) { // MF-12
			t.Errorf("%s", list.Raw)
		}
		strong := home(t, w, u, otl.MethodPassword, otl.MethodTOTP)
		path := "/auth/mfa/" + begun.Text("id")
		as(t, w, strong)(http.MethodPatch, path, object{"label": "Old phone"}).Want(t, http.StatusOK)
		as(t, w, strong)(http.MethodDelete, path, nil).Want(t, http.StatusOK)
		w.Login(t, w.Notes, "jane@dev.test")
		if own, err := w.Setup.List(t.Context(), u); err != nil || len(own.Factors) != 0 || own.CodesLeft != 0 {
			t.Errorf("left behind: %+v %v", own, err)
		}
		if mails := w.Letters(t, "jane@dev.test"); len(mails) != 2 || !strings.Contains(mails[0].Text, "removed") || !strings.Contains(mails[0].Text, "Old phone") {
			t.Errorf("told by %+v", mails)
		}
	})
}

// TestMF08_OnlyWithAFactorAreFactorsChanged: a session of one factor changes nothing
// once there is a second one.
func TestMF08_OnlyWithAFactorAreFactorsChanged(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := arm(t, w, "jane@dev.test", w.Notes.Site)
	strong := as(t, w, home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP))
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "/auth/mfa/enroll", object{"kind": "totp"}},
		{http.MethodPost, "/auth/mfa/recovery-codes", nil},
		{http.MethodDelete, "/auth/mfa/" + u.factor.ID, nil},
	} {
		w.Clock.Advance(16 * time.Minute)
		strong(c.method, c.path, c.body).Want(t, http.StatusUnauthorized) // no longer fresh
		site := w.Do(t, otltest.Call{Method: c.method, Path: "/api/v1" + c.path, Body: c.body, Bearer: loginWith(t, w, w.Notes, "jane@dev.test", object{"mfa_code": u.code(w)}).Text("access_token")})
		site.Want(t, http.StatusForbidden) // a partner site's token, whatever it has proven (D1, D2)
		strong = as(t, w, home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP))
	}
	b, err := w.SignIn.Authenticate(t.Context(), secret.NewText(home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP)))
	if err != nil {
		t.Fatal(err)
	}
	b.Session.Methods = otl.Methods{otl.MethodPassword}
	if _, err := w.Setup.Enrol(t.Context(), b.Standing, factor.New{Kind: otl.FactorTOTP}); !otl.Is(err, "mfa_proof_required") {
		t.Errorf("enrol with one factor: %v", err)
	}
	if _, err := w.Setup.Remove(t.Context(), b.Standing, u.factor.ID); !otl.Is(err, "mfa_proof_required") {
		t.Errorf("remove with one factor: %v", err)
	}
	if _, _, err := w.Setup.NewCodes(t.Context(), b.Standing); !otl.Is(err, "mfa_proof_required") {
		t.Errorf("new codes with one factor: %v", err)
	}
}

func TestMF08_ATelephoneIsSetUpAndUsed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const number = "+491705550142"
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		bearer := home(t, w, u, otl.MethodPassword)
		enrol(t, w, bearer, object{"kind": "sms_otp"}).Want(t, http.StatusUnprocessableEntity)
		enrol(t, w, bearer, object{"kind": "sms_otp", "phone": "+15555550100"}).Want(t, http.StatusForbidden, "sms_not_allowed")
		enrol(t, w, bearer, object{"kind": "email_otp"}).Want(t, http.StatusUnprocessableEntity) // nobody has proven the address
		begun := enrol(t, w, bearer, object{"kind": "sms_otp", "phone": number}).Want(t, http.StatusOK)
		wantMembers(t, "the answer", begun.JSON, "id", "kind", "label", "expires_at")
		confirm(t, w, bearer, begun.Text("id"), w.Newest(t, number).Code).Want(t, http.StatusOK)

		due := loginWith(t, w, w.Notes, "jane@dev.test", nil).Want(t, http.StatusUnauthorized, "mfa_required")
		token := due.Text("mfa_token")
		asked := call(t, w, w.Notes, http.MethodPost, "/auth/mfa/challenge", object{"mfa_token": token, "factor_id": begun.Text("id")}).Want(t, http.StatusOK)
		if asked.JSON["sent"] != true || asked.Text("factor", "hint") != "•••• 42" || asked.JSON["expires_in"] != 300.0 {
			t.Errorf("%s", asked.Raw)
		}
		first := w.Newest(t, number).Code
		other := step(t, w, w.Notes, "jane@dev.test")
		call(t, w, w.Notes, http.MethodPost, "/auth/mfa/challenge", object{"mfa_token": other, "factor_id": begun.Text("id")}).Want(t, http.StatusOK)
		second := w.Newest(t, number).Code
		// OT-11: a code is of the step it was sent for.
		verifyFactor(t, w, w.Notes, object{"mfa_token": other, "code": first, "method": "sms_otp"}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
		in := verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": first, "method": "sms_otp"}).Want(t, http.StatusOK)
		if got := amr(t, in); got != "[pwd sms mfa]" {
			t.Errorf("amr %s", got)
		}
		verifyFactor(t, w, w.Notes, object{"mfa_token": other, "code": second, "factor_id": begun.Text("id")}).Want(t, http.StatusOK)
	})
}

// TestMF08_WhatIsPreferredIsOfferedFirst: whichever factor a person says it of comes first in the next answer that asks for a second
// step, and it alone is the default.
func TestMF08_WhatIsPreferredIsOfferedFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		phone, err := w.Setup.Give(t.Context(), u.User, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550142"}})
		if err != nil {
			t.Fatal(err)
		}
		offers := func() (out []string) {
			t.Helper()
			due := loginWith(t, w, w.Notes, "jane@dev.test", nil).Want(t, http.StatusUnauthorized, "mfa_required")
			for _, one := range due.JSON["factors"].([]any) {
				out = append(out, fmt.Sprintf("%v %v", one.(object)["id"], one.(object)["default"]))
			}
			return out
		}
		prefer := func(id string, yes bool) {
			t.Helper()
			strong := as(t, w, home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP))
			if r := strong(http.MethodPatch, "/auth/mfa/"+id, object{"default": yes}).Want(t, http.StatusOK); r.JSON["default"] != true {
				t.Errorf("%s", r.Raw)
			}
		}
		app, sms := []string{u.factor.ID + " true", phone.ID + " false"}, []string{phone.ID + " true", u.factor.ID + " false"}
		if got := offers(); !slices.Equal(got, app) {
			t.Errorf("the first one is the default: %v", got)
		}
		prefer(phone.ID, true)
		if got := offers(); !slices.Equal(got, sms) {
			t.Errorf("the telephone was preferred: %v", got)
		}
		prefer(phone.ID, false) // takes nothing back: one of them is always the first
		if got := offers(); !slices.Equal(got, sms) {
			t.Errorf("nothing was preferred: %v", got)
		}
		prefer(u.factor.ID, true)
		if got := offers(); !slices.Equal(got, app) {
			t.Errorf("the app was preferred again: %v", got)
		}
	})
}

func TestMF07_RecoveryCodesAreGoodOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		strong := home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP)
		made := as(t, w, strong)(http.MethodPost, "/auth/mfa/recovery-codes", nil).Want(t, http.StatusOK)
		codes := made.JSON["recovery_codes"].([]any)
		seen := map[any]bool{}
		for _, c := range codes {
			seen[c] = true
		}
		if len(seen) != 10 {
			t.Fatalf("%s", made.Raw)
		}
		use := func(token, code string) otltest.Reply {
			return verifyFactor(t, w, w.Notes, object{"mfa_token": token, "method": "recovery_code", "code": code})
		}
		var in atomic.Int32
		var wg sync.WaitGroup
		for range 8 { // one code, many steps at once
			token := step(t, w, w.Notes, "jane@dev.test")
			wg.Go(func() {
				if use(token, codes[0].(string)).Status == http.StatusOK {
					in.Add(1)
				}
			})
		}
		wg.Wait()
		if n := in.Load(); n != 1 {
			t.Errorf("one recovery code let %d in", n)
		}
		if mails := w.Letters(t, "jane@dev.test"); !slices.ContainsFunc(mails, func(l outbox.Received) bool { return strings.Contains(l.Text, "Codes left: 9") }) {
			t.Errorf("told by %+v", mails)
		}
		typed := strings.ToUpper(strings.ReplaceAll(codes[1].(string), "-", " "))
		use(step(t, w, w.Notes, "jane@dev.test"), typed).Want(t, http.StatusOK)
		fresh := as(t, w, home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP))(http.MethodPost, "/auth/mfa/recovery-codes", nil).Want(t, http.StatusOK)
		use(step(t, w, w.Notes, "jane@dev.test"), codes[2].(string)).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
		for _, c := range fresh.JSON["recovery_codes"].([]any) {
			use(step(t, w, w.Notes, "jane@dev.test"), c.(string)).Want(t, http.StatusOK)
		}
		if own, err := w.Setup.List(t.Context(), u.User); err != nil || len(own.Factors) != 1 || own.CodesLeft != 0 {
			t.Errorf("after the last code: %+v %v", own, err)
		}
	})
}

// TestPW13_ARecoveryCodeOpensWhatGuessesHaveClosed: who guesses at somebody's app keeps
// him out for as long as he does not find his paper.
func TestPW13_ARecoveryCodeOpensWhatGuessesHaveClosed(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Limits = true })
	u := arm(t, w, "jane@dev.test", w.Notes.Site)
	codes := as(t, w, home(t, w, u.User, otl.MethodPassword, otl.MethodTOTP))(http.MethodPost, "/auth/mfa/recovery-codes", nil).JSON["recovery_codes"].([]any)
	for range 20 {
		token := step(t, w, w.Notes, "jane@dev.test")
		for range 5 {
			verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": "000000"}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
		}
		w.Clock.Advance(time.Minute)
	}
	verifyFactor(t, w, w.Notes, object{"mfa_token": step(t, w, w.Notes, "jane@dev.test"), "code": u.code(w)}).Want(t, http.StatusTooManyRequests)
	verifyFactor(t, w, w.Notes, object{"mfa_token": step(t, w, w.Notes, "jane@dev.test"), "method": "recovery_code", "code": codes[0].(string)}).Want(t, http.StatusOK)
	verifyFactor(t, w, w.Notes, object{"mfa_token": step(t, w, w.Notes, "jane@dev.test"), "code": u.code(w)}).Want(t, http.StatusOK)
}

func TestMF09_ASessionIsRaised(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		policy(t, w, w.Notes, otl.MFAOff)
		in := loginWith(t, w, w.Notes, "jane@dev.test", nil).Want(t, http.StatusOK)
		up := func(bearer string, body object) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/verify", Key: w.Notes.Key, Bearer: bearer, Body: body})
		}
		up(in.Text("access_token"), object{"code": "000000"}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
		w.Clock.Advance(10 * time.Minute)
		raised := up(in.Text("access_token"), object{"code": u.code(w)}).Want(t, http.StatusOK)
		if got := amr(t, raised); got != "[pwd otp mfa]" {
			t.Errorf("amr %s", got)
		}
		seen := call(t, w, w.Notes, http.MethodPost, "/auth/introspect", object{"token": raised.Text("access_token")})
		if at := int64(seen.JSON["auth_time"].(float64)); at != w.Clock.Now().Unix() {
			t.Errorf("auth_time %d at %d", at, w.Clock.Now().Unix())
		}
		for range 2 { // an answer that was lost can be asked for again (SE-11)
			if again := w.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusOK); again.Text("refresh_token") != raised.Text("refresh_token") || amr(t, again) != "[pwd otp mfa]" {
				t.Errorf("the token of before: %s", again.Raw)
			}
		}
		w.Refresh(t, w.Notes, raised.Text("refresh_token")).Want(t, http.StatusOK)
		up(raised.Text("access_token"), object{"code": u.code(w)}).Want(t, http.StatusOK) // again, for a later auth_time
		w.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/verify", Key: w.Shop.Key, Bearer: raised.Text("access_token"), Body: object{"code": u.code(w)}}).
			Want(t, http.StatusUnauthorized, "token_invalid")
		w.Do(t, otltest.Call{Path: "/api/v1/auth/mfa/verify", Bearer: raised.Text("access_token"), Body: object{"code": u.code(w)}}).
			Want(t, http.StatusUnauthorized, "site_key_missing")
		up("", object{"code": u.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
		w.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusUnauthorized, "refresh_reused")
	})
}

func TestASitesOwnerSaysWhenItAsksForAFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		do := as(t, w, bearer)
		made := ownSite(t, w, bearer)
		path := "/sites/" + made.Text("id")
		if made.Text("mfa_policy") != "optional" {
			t.Errorf("%s", made.Raw)
		}
		do(http.MethodPatch, path, object{"version": 1, "mfa_policy": "roles"}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		do(http.MethodPatch, path, object{"version": 1, "mfa_policy": "sometimes"}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		do(http.MethodPatch, path, object{"version": 1, "mfa_policy": "roles", "mfa_roles": []string{"Editor"}}).Want(t, http.StatusUnprocessableEntity)
		unknown := do(http.MethodPatch, path, object{"version": 1, "mfa_policy": "roles", "mfa_roles": []string{"editor"}}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		if unknown.Text("detail") != "mfa_roles.0: must be a role of the site" { // it would ask nobody
			t.Errorf("%s", unknown.Raw)
		}
		long := do(http.MethodPatch, path, object{"version": 1, "trust_days": 366}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		if long.Text("detail") != "trust_days: must be an integer of 0 to 365" {
			t.Errorf("%s", long.Raw)
		}
		for _, role := range []string{"editor", "admin"} {
			if _, err := (&site.Roles{Store: w.Store, Now: w.Clock.Now}).Create(t.Context(), otl.Role{SiteID: made.Text("id"), Name: role}); err != nil {
				t.Fatal(err)
			}
		}
		set := do(http.MethodPatch, path, object{"version": 1, "mfa_policy": "roles", "mfa_roles": []string{"editor", "admin", "admin"}}).Want(t, http.StatusOK)
		if set.Text("mfa_policy") != "roles" || len(set.JSON["mfa_roles"].([]any)) != 2 {
			t.Errorf("%s", set.Raw)
		}
		if again := do(http.MethodGet, path, nil); again.Text("mfa_policy") != "roles" {
			t.Errorf("%s", again.Raw)
		}
	})
}

// TestD2_OwnersActWithTwoFactors: the token of one factor, first-party and fresh as it
// is, registers and changes no site.
func TestD2_OwnersActWithTwoFactors(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "owner@dev.test")
		one, two := as(t, w, home(t, w, u, otl.MethodPassword)), as(t, w, home(t, w, u, otl.MethodPassword, otl.MethodTOTP))
		site := object{"name": "Acme", "domain": "acme.test", "callback_url": "https://acme.test/cb"}
		refused := one(http.MethodPost, "/sites", site).Want(t, http.StatusUnauthorized, "mfa_proof_required")
		if !strings.Contains(refused.Header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
			t.Errorf("%v", refused.Header)
		}
		id := two(http.MethodPost, "/sites", site).Want(t, http.StatusCreated).Text("id")
		for name, o := range describe(t).operations() {
			method, path, _ := strings.Cut(name, " ")
			if !strings.HasPrefix(path, "/api/v1/sites/{id}") || method == http.MethodGet && path == "/api/v1/sites/{id}" {
				continue
			}
			var body any
			if o.RequestBody != nil {
				body = o.RequestBody.Content["application/json"].Example
			}
			path = strings.NewReplacer("/api/v1", "", "{id}", id).Replace(path)
			one(method, path, body).Want(t, http.StatusUnauthorized, "mfa_proof_required")
		}
		two(http.MethodDelete, "/sites/"+id, nil).Want(t, http.StatusOK)
	})
}
