package native_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// armed is a person with an authenticator app.
type armed struct {
	otl.User
	factor otl.Factor
	seed   secret.Text
}

func arm(t *testing.T, w *otltest.World, email string, sites ...otl.Site) armed {
	t.Helper()
	return arms(t, w, w.Person(t, email, sites...))
}

// arms gives a person an authenticator app.
func arms(t *testing.T, w *otltest.World, u otl.User) armed {
	t.Helper()
	a := armed{User: u, seed: secret.NewTOTPSeed()}
	var err error
	if a.factor, err = w.Setup.Give(t.Context(), a.User, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: a.seed}); err != nil {
		t.Fatal(err)
	}
	return a
}

// code gives the code the app shows, and moves the clock so that the next one is new.
func (a armed) code(w *otltest.World) string {
	w.Clock.Advance(30 * time.Second)
	return secret.TOTP(a.seed, w.Clock.Now())
}

// policy sets when a site asks for a second factor.
func policy(t *testing.T, w *otltest.World, s site.Registered, p otl.MFAPolicy, roles ...string) {
	t.Helper()
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		now, err := tx.Sites.ByID(ctx, s.Site.ID)
		if err != nil {
			return err
		}
		now.MFA, now.MFARoles = p, roles
		_, err = tx.Sites.Update(ctx, now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func loginWith(t *testing.T, w *otltest.World, s site.Registered, email string, more object) otltest.Reply {
	t.Helper()
	body := object{"email": email, "password": otltest.Password}
	for k, v := range more {
		body[k] = v
	}
	return call(t, w, s, http.MethodPost, "/auth/login", body)
}

// step signs in up to the second step and gives its token.
func step(t *testing.T, w *otltest.World, s site.Registered, email string) string {
	t.Helper()
	return loginWith(t, w, s, email, nil).Want(t, http.StatusUnauthorized, "mfa_required").Text("mfa_token")
}

func verifyFactor(t *testing.T, w *otltest.World, s site.Registered, body object) otltest.Reply {
	t.Helper()
	return call(t, w, s, http.MethodPost, "/auth/mfa/verify", body)
}

func TestMF05_APasswordAloneIsNotEnoughForSomebodyWithAFactor(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		due := loginWith(t, w, w.Notes, "jane@dev.test", nil).Want(t, http.StatusUnauthorized, "mfa_required")
		wantMembers(t, "the answer", due.JSON, "detail", "request_id", "code", "docs_url", "mfa_token", "methods", "factors", "expires_in")
		if due.Text("detail") != "mfa_required" || due.JSON["expires_in"] != 300.0 {
			t.Errorf("%s", due.Raw)
		}
		one := due.JSON["factors"].([]any)[0].(object)
		if one["id"] != u.factor.ID || one["kind"] != "totp" || one["default"] != true || one["hint"] != "" {
			t.Errorf("factors %v", one)
		}
		live, err := w.Store.Read.Sessions.Live(t.Context(), u.ID, "", "", w.Clock.Now(), 10)
		if err != nil || len(live) != 0 {
			t.Fatalf("%d sessions before the second step (%v)", len(live), err)
		}
		token := due.Text("mfa_token")
		for range 4 { // the token survives wrong codes
			verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": "000000"}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
		}
		in := verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusOK)
		wantMembers(t, "the login", in.JSON, "access_token", "refresh_token", "token_type", "expires_in", "user")
		if got := amr(t, in); got != "[pwd otp mfa]" {
			t.Errorf("amr %q", got)
		}
		verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
		w.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusOK)
		loginWith(t, w, w.Notes, "jane@dev.test", object{"mfa_code": u.code(w)}).Want(t, http.StatusOK)
		loginWith(t, w, w.Notes, "jane@dev.test", object{"mfa_code": "000000"}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
	})
}

// TestMF03_ACodeBesideThePasswordLosesNoStep: whoever has the right password can go on, after a wrong code of his
// app, and where he has none.
func TestMF03_ACodeBesideThePasswordLosesNoStep(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		used := u.code(w)
		loginWith(t, w, w.Notes, "jane@dev.test", object{"mfa_code": used}).Want(t, http.StatusOK)
		for code, want := range map[string]string{"000000": "mfa_code_invalid", used: "totp_reused"} {
			due := loginWith(t, w, w.Notes, "jane@dev.test", object{"mfa_code": code}).Want(t, http.StatusUnauthorized, want)
			wantMembers(t, "the answer", due.JSON, "detail", "request_id", "code", "docs_url", "mfa_token", "methods", "factors", "expires_in")
			for range 3 {
				verifyFactor(t, w, w.Notes, object{"mfa_token": due.Text("mfa_token"), "code": "000000"}).Want(t, http.StatusUnauthorized, "mfa_code_invalid")
			}
			verifyFactor(t, w, w.Notes, object{"mfa_token": due.Text("mfa_token"), "code": u.code(w)}).Want(t, http.StatusOK)
		}
		john := w.Person(t, "john@dev.test", w.Notes.Site)
		key := newPasskey(john)
		key.register(t, w, home(t, w, john, otl.MethodPassword))
		due := loginWith(t, w, w.Notes, "john@dev.test", object{"mfa_code": "123456"}).Want(t, http.StatusUnauthorized, "mfa_required")
		verifyFactor(t, w, w.Notes, object{"mfa_token": due.Text("mfa_token"), "code": "123456"}).Want(t, http.StatusNotFound, "mfa_factor_unknown")
	})
}

func TestMF03_FiveWrongCodesEndAStep(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		token := step(t, w, w.Notes, "jane@dev.test")
		var looked atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				r := verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": "000000"})
				if r.Text("code") == "mfa_code_invalid" {
					looked.Add(1)
				}
			})
		}
		wg.Wait()
		if n := looked.Load(); n != 5 {
			t.Errorf("%d codes were looked at", n)
		}
		verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
	})
}

func TestMF03_AStepIsOfOneSiteAndFiveMinutes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		token := step(t, w, w.Notes, "jane@dev.test")
		verifyFactor(t, w, w.Shop, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
		call(t, w, w.Shop, http.MethodPost, "/auth/mfa/challenge", object{"mfa_token": token, "factor_id": u.factor.ID}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
		verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusOK)
		late := step(t, w, w.Notes, "jane@dev.test")
		w.Clock.Advance(5 * time.Minute)
		verifyFactor(t, w, w.Notes, object{"mfa_token": late, "code": u.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
		for _, no := range []string{"", "x", token[:len(token)-1], token + "x", strings.ToUpper(token)} {
			verifyFactor(t, w, w.Notes, object{"mfa_token": no, "code": u.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
		}
	})
}

// TestMF03_TheTokenOfAStepOpensNothingElse calls every operation there is with it, in
// every place a proof can stand.
func TestMF03_TheTokenOfAStepOpensNothingElse(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := arm(t, w, "jane@dev.test", w.Notes.Site)
	token := step(t, w, w.Notes, "jane@dev.test")
	asked := 0
	for name, o := range describe(t).operations() {
		method, path, _ := strings.Cut(name, " ")
		path = strings.NewReplacer("{id}", u.ID, "{user_id}", u.ID, "{key_id}", u.ID, "{name}", "editor", "{role}", "editor").Replace(path)
		var body any
		if o.RequestBody != nil {
			example, _ := o.RequestBody.Content["application/json"].Example.(map[string]any)
			filled := object{}
			for k, v := range example {
				if filled[k] = v; strings.Contains(k, "token") && k != "mfa_token" || k == "code" && !strings.Contains(path, "/mfa/") {
					filled[k] = token
				}
			}
			body = filled
		}
		for _, c := range []otltest.Call{
			{Method: method, Path: path, Body: body, Bearer: token},
			{Method: method, Path: path, Body: body, Key: w.Notes.Key, Bearer: token},
			{Method: method, Path: path, Body: body, Key: secret.NewText(token)},
		} {
			if len(o.Security) == 0 {
				continue
			}
			asked++
			r := w.Do(t, c)
			opens := r.Status < 400 && (r.Text("user", "id") == u.ID || c.Key.Empty() || c.Key.Reveal() == token)
			if opens || r.Status >= 500 {
				t.Errorf("%s with the token of a step: %d %s", name, r.Status, r.Raw)
			}
		}
	}
	if asked < 60 {
		t.Errorf("%d calls only", asked)
	}
	verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusOK)
}

func TestMF04_ForeignFactorsLookLikeNone(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		arm(t, w, "jane@dev.test", w.Notes.Site)
		john := arm(t, w, "john@dev.test", w.Notes.Site)
		token := step(t, w, w.Notes, "jane@dev.test")
		for _, id := range []string{john.factor.ID, secret.NewID(w.Clock.Now())} {
			verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": john.code(w), "factor_id": id}).Want(t, http.StatusNotFound, "mfa_factor_unknown")
			call(t, w, w.Notes, http.MethodPost, "/auth/mfa/challenge", object{"mfa_token": token, "factor_id": id}).Want(t, http.StatusNotFound, "mfa_factor_unknown")
		}
	})
}

func TestMF05_ASiteThatDemandsTwoFactorsGetsThem(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Person(t, "john@dev.test", w.Notes.Site)
		before := w.Login(t, w.Notes, "jane@dev.test")
		policy(t, w, w.Notes, otl.MFARequired)
		w.Refresh(t, w.Notes, before.Text("refresh_token")).Want(t, http.StatusUnauthorized, "second_factor_demanded")
		loginWith(t, w, w.Notes, "jane@dev.test", nil).Want(t, http.StatusForbidden, "mfa_enrollment_required")
		verify(t, w, w.Notes, "jane@dev.test", code(t, w, w.Notes, "jane@dev.test")).Want(t, http.StatusForbidden, "mfa_enrollment_required")
		call(t, w, w.Notes, http.MethodPost, "/auth/register", object{"email": "new@dev.test", "password": otltest.Password}).
			Want(t, http.StatusForbidden, "mfa_enrollment_required")
		if _, err := w.Store.Read.Users.ByEmail(t.Context(), "new@dev.test"); err == nil {
			t.Error("a registration that was refused left a person behind")
		}
		w.Login(t, w.Shop, "john@dev.test")
	})
}

func TestMF05_ACodeByMailAndThenAnApp(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		w.Proven(t, u.User) // or the first code would take the factor away
		due := verify(t, w, w.Notes, "jane@dev.test", code(t, w, w.Notes, "jane@dev.test")).Want(t, http.StatusUnauthorized, "mfa_required")
		in := verifyFactor(t, w, w.Notes, object{"mfa_token": due.Text("mfa_token"), "code": u.code(w)}).Want(t, http.StatusOK)
		if got := amr(t, in); got != "[eotp otp mfa]" {
			t.Errorf("amr %q", got)
		}
	})
}

func TestMF02_AStepIsNoGoodAfterANewPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		token := step(t, w, w.Notes, "jane@dev.test")
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Passwords.Set(ctx, u.ID, "$2a$10$abcdefghijklmnopqrstuv", false, w.Clock.Now())
		}); err != nil {
			t.Fatal(err)
		}
		verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
		other := arm(t, w, "john@dev.test", w.Notes.Site)
		token = step(t, w, w.Notes, "john@dev.test")
		if err := w.Accounts.SetDisabled(t.Context(), other.ID, true); err != nil { // SE-13
			t.Fatal(err)
		}
		verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": other.code(w)}).Want(t, http.StatusUnauthorized, "mfa_token_invalid")
	})
}

func TestATrustedDeviceNeedsNoSecondStep(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site)
		w.Person(t, "john@dev.test", w.Notes.Site)
		token := step(t, w, w.Notes, "jane@dev.test")
		device := verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w), "trust_device": true}).Want(t, http.StatusOK).Text("device_token")
		in := loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": device}).Want(t, http.StatusOK)
		if got := amr(t, in); got != "[pwd]" {
			t.Errorf("amr %q: a device is no factor", got)
		}
		policy(t, w, w.Notes, otl.MFARequired)
		loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": device}).Want(t, http.StatusUnauthorized, "mfa_required")
		policy(t, w, w.Notes, otl.MFAOptional)
		arm(t, w, "joan@dev.test", w.Notes.Site)
		loginWith(t, w, w.Notes, "joan@dev.test", object{"device_token": device}).Want(t, http.StatusUnauthorized, "mfa_required")
		w.Clock.Advance(30 * 24 * time.Hour)
		loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": device}).Want(t, http.StatusUnauthorized, "mfa_required")
	})
}

// TestMF13_ADeviceIsTrustedWhereItWasSaid (MF-05, D1): a token that one site got is worth
// nothing at another, nor on our own pages.
func TestMF13_ADeviceIsTrustedWhereItWasSaid(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		device := trusted(t, w, u)
		loginWith(t, w, w.Shop, "jane@dev.test", object{"device_token": device}).Want(t, http.StatusUnauthorized, "mfa_required")
		b := w.Browser(t)
		b.Cookies["__Host-otl_device"] = device
		p := b.Submit(b.Get("/account"), "/signin", map[string]string{"identifier": "jane@dev.test", "password": otltest.Password})
		if p.Title != "One more step" {
			t.Errorf("on our own pages: %s", p.Title)
		}
		loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": device}).Want(t, http.StatusOK)
	})
}

// trusted has Notes trust a device, and gives its token.
func trusted(t *testing.T, w *otltest.World, u armed) string {
	t.Helper()
	token := step(t, w, w.Notes, u.Email.Address)
	return verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w), "trust_device": true}).Want(t, http.StatusOK).Text("device_token")
}

// TestMF13_DevicesAreForgottenWithThePassword, and where somebody signs out everywhere.
func TestMF13_DevicesAreForgottenWithThePassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		device := trusted(t, w, u)
		with := func(password string) otltest.Reply {
			return loginWith(t, w, w.Notes, "jane@dev.test", object{"device_token": device, "password": password})
		}
		in := func(s site.Registered) string {
			return loginWith(t, w, s, "jane@dev.test", object{"mfa_code": u.code(w)}).Want(t, http.StatusOK).Text("access_token")
		}
		everywhere := func(s site.Registered) {
			w.Do(t, otltest.Call{Path: "/api/v1/auth/logout", Key: s.Key, Bearer: in(s), Body: object{"everywhere": true}}).Want(t, http.StatusOK)
		}
		everywhere(w.Shop)
		with(otltest.Password).Want(t, http.StatusOK)
		everywhere(w.Notes)
		with(otltest.Password).Want(t, http.StatusUnauthorized, "mfa_required")

		device = trusted(t, w, u)
		if _, err := w.SignIn.RevokeAll(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		with(otltest.Password).Want(t, http.StatusUnauthorized, "mfa_required")

		device = trusted(t, w, u)
		b := store.Standing{User: u.User, Site: w.Notes.Site}
		if _, err := w.Accounts.Change(t.Context(), account.Change{Bearer: b, Current: secret.NewText(otltest.Password), New: secret.NewText("staple-battery-9")}); err != nil {
			t.Fatal(err)
		}
		with("staple-battery-9").Want(t, http.StatusUnauthorized, "mfa_required")

		w.Proven(t, u.User) // else the reset proves it, and factors go
		token := loginWith(t, w, w.Notes, "jane@dev.test", object{"password": "staple-battery-9"}).Text("mfa_token")
		device = verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w), "trust_device": true}).Want(t, http.StatusOK).Text("device_token")
		with("staple-battery-9").Want(t, http.StatusOK)
		reset(t, w, forgot(t, w, "jane@dev.test"), fresh).Want(t, http.StatusOK)
		with(fresh).Want(t, http.StatusUnauthorized, "mfa_required")
	})
}

func TestOT08_StepsShareOneBudgetOfWrongCodes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := arm(t, w, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		looked := 0
		for i := range 30 {
			at := []site.Registered{w.Notes, w.Shop}[i%2]
			token := step(t, w, at, "jane@dev.test") // each begins with the right password, which clears nothing here
			for range 5 {
				if verifyFactor(t, w, at, object{"mfa_token": token, "code": "000000"}).Text("code") == "mfa_code_invalid" {
					looked++
				}
			}
			w.Clock.Advance(time.Minute)
		}
		if looked != 100 {
			t.Errorf("%d wrong codes were looked at", looked)
		}
		token := step(t, w, w.Notes, "jane@dev.test")
		verifyFactor(t, w, w.Notes, object{"mfa_token": token, "code": u.code(w)}).Want(t, http.StatusTooManyRequests)
	}, func(o *node.Options) { o.Limits = true })
}

// firstParty opens a session at the installation itself by the given methods, as its
// pages do.
func firstParty(t *testing.T, w *otltest.World, u otl.User, methods otl.Methods) session.Tokens {
	t.Helper()
	var opened session.Opened
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		st := store.Standing{}
		var err error
		if st.Site, err = tx.Sites.ByID(ctx, w.Installation.SiteID); err != nil {
			return err
		}
		if st.User, err = tx.Users.ByID(ctx, u.ID); err != nil {
			return err
		}
		pass, offers, err := w.Factors.Admit(ctx, tx, st, methods, nil)
		if err != nil || len(offers) > 0 {
			t.Fatalf("not let in: %v %v", offers, err)
		}
		refresh, err := w.SignIn.Sessions.Open(ctx, tx, &st, pass, &otl.Request{})
		opened = session.Opened{Standing: st, Refresh: refresh}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	tokens, err := w.SignIn.Sessions.Tokens(opened)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}
