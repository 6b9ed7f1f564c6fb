package account_test

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// TestTheLedgerSaysWhatWasGrantedWhen: each decision with its beginning and its end.
func TestTheLedgerSaysWhatWasGrantedWhen(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		s := w.Register(t, site.Registration{Name: "Acme", Callbacks: []string{"https://acme.test/cb"}, Requested: otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone}}).Site
		u := w.Person(t, "jane@dev.test")
		consents := account.Consents{Accounts: w.Accounts}
		mail, both := otl.Fields{otl.FieldEmail}, otl.Fields{otl.FieldEmail, otl.FieldPhone}
		var at []time.Time
		next := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, w.Clock.Now())
			w.Clock.Advance(time.Hour)
		}
		_, err := consents.Consent(t.Context(), u.ID, s, both)
		next(err)
		next(consents.Limit(t.Context(), u.ID, s.ID, mail))
		next(consents.Limit(t.Context(), u.ID, s.ID, mail)) // which changes nothing
		next(w.Accounts.Leave(t.Context(), s.ID, u.ID))
		_, err = consents.Consent(t.Context(), u.ID, s, mail)
		next(err)
		want := []otl.Consent{
			{SiteID: s.ID, Fields: mail, Since: at[4]},
			{SiteID: s.ID, Fields: mail, Since: at[1], Until: at[3]},
			{SiteID: s.ID, Fields: both, Since: at[0], Until: at[1]},
		}
		if got, err := w.Store.Read.Ledger.Consents(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v %v\nwant %+v", got, err, want)
		}
		if err := w.Accounts.Delete(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Store.Read.Ledger.Consents(t.Context(), u.ID); err != nil || len(got) != 0 {
			t.Errorf("of somebody who is gone: %+v %v", got, err)
		}
	})
}

// strict registers a site that requires the telephone number.
func strict(t *testing.T, w *otltest.World) site.Registered {
	t.Helper()
	return w.Register(t, site.Registration{
		Name: "Strict", Callbacks: []string{"https://strict.test/cb"}, Requested: otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone}, Required: otl.Fields{otl.FieldPhone},
	})
}

// TestASiteRequiresFields: nobody is signed in there without what it requires, whatever
// the door; withdrawing it ends the sessions there and nowhere else.
func TestASiteRequiresFields(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		s := strict(t, w)
		u := w.Person(t, "jane@dev.test")
		consents := account.Consents{Accounts: w.Accounts}
		login := func() otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: s.Key, Body: map[string]string{"email": "jane@dev.test", "password": otltest.Password}})
		}
		refused := login().Want(t, http.StatusForbidden, "consent_required")
		if d := refused.Text("detail"); len(d) < 6 || d[:6] != "phone:" {
			t.Errorf("which field? %s", refused.Raw)
		}
		if g, err := w.Store.Read.Grants.Of(t.Context(), u.ID, s.Site.ID); err == nil {
			t.Errorf("a refused sign-in granted %+v", g)
		}
		register := func(change map[string]any) otltest.Reply {
			body := map[string]any{"email": "new@dev.test", "password": otltest.Password}
			for k, v := range change {
				body[k] = v
			}
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/register", Key: s.Key, Body: body})
		}
		register(nil).Want(t, http.StatusForbidden, "consent_required")
		register(map[string]any{"phone": "+491705550100"}).Want(t, http.StatusCreated)
		if _, err := consents.Consent(t.Context(), u.ID, s.Site, otl.MinimalFields()); faults(err) != "fields required" {
			t.Errorf("consent without it: %v", err)
		}
		if _, err := consents.Consent(t.Context(), u.ID, s.Site, s.Site.Requested); err != nil {
			t.Fatal(err)
		}
		in, elsewhere := login().Want(t, http.StatusOK), w.Login(t, w.Notes, "jane@dev.test")
		if err := consents.Limit(t.Context(), u.ID, s.Site.ID, otl.Fields{otl.FieldEmail, otl.FieldPhone}); err != nil {
			t.Fatal(err)
		}
		w.Refresh(t, s, in.Text("refresh_token")).Want(t, http.StatusOK) // the name is not required
		in = login().Want(t, http.StatusOK)
		if err := consents.Limit(t.Context(), u.ID, s.Site.ID, otl.Fields{otl.FieldEmail}); err != nil {
			t.Fatal(err)
		}
		w.Refresh(t, s, in.Text("refresh_token")).Want(t, http.StatusUnauthorized, "session_revoked")
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: in.Text("access_token")}).Want(t, http.StatusUnauthorized)
		w.Refresh(t, w.Notes, elsewhere.Text("refresh_token")).Want(t, http.StatusOK)
		login().Want(t, http.StatusForbidden, "consent_required")
	})
}

// TestWhatASiteMayRequire: only what it asks for.
func TestWhatASiteMayRequire(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	_, err := w.Sites.Register(t.Context(), site.Registration{Name: "Acme", Required: otl.Fields{otl.FieldPhone}})
	if faults(err) != "required_fields not_requested" {
		t.Errorf("%v", err)
	}
	phone, mail := []string{"phone"}, []string{"email"}
	if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{Required: &phone}); faults(err) != "required_fields not_requested" {
		t.Errorf("%v", err)
	}
	both := []string{"email", "phone"}
	if s, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{Required: &phone, Requested: &both}); err != nil || s.Required.String() != "phone" {
		t.Errorf("%v %v", s.Required, err)
	}
	if _, err := w.Sites.Set(t.Context(), w.Notes.Site.ID, site.Change{Requested: &mail}); faults(err) != "required_fields not_requested" {
		t.Errorf("what is required is no longer asked for: %v", err)
	}
}

// TestPR06_WithdrawalReachesTheNextAnswer: token, answers by both keys, introspection
// and webhook carry a field no more once it was withdrawn; what was read is in the
// ledger, and nothing else.
func TestPR06_WithdrawalReachesTheNextAnswer(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		in := w.Login(t, w.Notes, "jane@dev.test")
		hook, _ := w.Hook(t, w.Notes, "user.updated")
		answers := func(tokens otltest.Reply) map[string]string {
			out := map[string]string{"sign-in": tokens.Text("user", "name")}
			me := w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: tokens.Text("access_token")}).Want(t, http.StatusOK)
			out["users/me"] = me.Text("name")
			out["by key"] = w.Do(t, otltest.Call{Path: "/api/v1/users/" + u.ID, Key: w.Notes.Key}).Want(t, http.StatusOK).Text("name")
			list := w.Do(t, otltest.Call{Path: "/api/v1/users", Key: w.Notes.Key}).Items(t)
			out["list"], _ = list[0]["name"].(string)
			a, err := w.Installation.Ring.Verify(tokens.Text("access_token"), otltest.Issuer, w.Clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			out["token"] = a.Name
			return out
		}
		for door, name := range answers(in) {
			if name != "Jane Doe" {
				t.Errorf("%s says %q before", door, name)
			}
		}
		readings := func() (n int64) {
			all, err := w.Ledger.Of(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				if r.SiteID == w.Notes.Site.ID && r.Fields.Has(otl.FieldName) {
					n += r.Times
				}
			}
			return n
		}
		if n := readings(); n != 4 { // sign-in, users/me, by key, list
			t.Errorf("read %d times", n)
		}
		if err := (account.Consents{Accounts: w.Accounts}).Limit(t.Context(), u.ID, w.Notes.Site.ID, otl.Fields{otl.FieldEmail}); err != nil {
			t.Fatal(err)
		}
		for door, name := range answers(w.Refresh(t, w.Notes, in.Text("refresh_token")).Want(t, http.StatusOK)) {
			if name != "" {
				t.Errorf("%s says %q afterwards", door, name)
			}
		}
		if _, err := w.Accounts.Update(t.Context(), u.ID, 1, otl.AllFields(), account.Profile{Name: ptr("Jane Roe")}); err != nil {
			t.Fatal(err)
		}
		w.Deliver(t)
		if got := hook.Take(); len(got) != 0 {
			t.Errorf("the webhook says %s", got[0].Body)
		}
		if n := readings(); n != 4 {
			t.Errorf("read %d times afterwards", n)
		}
		if n := logged(t, w, u.ID, otl.EventConsentGranted); n != 1 {
			t.Errorf("%d entries of the log", n)
		}
	})
}

// TestAForeignPasswordLeavesNoGrant: a wrong password at a site with requirements says
// nothing of them.
func TestAForeignPasswordLeavesNoGrant(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	s := strict(t, w)
	w.Person(t, "jane@dev.test")
	for _, email := range []string{"jane@dev.test", "nobody@dev.test"} {
		w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: s.Key, Body: map[string]string{"email": email, "password": secret.NewCode(9)}}).Want(t, http.StatusUnauthorized, "invalid_credentials")
	}
}

// TestAU07_ActivityIsOfTheLast90DaysWhateverClocksSaid: what a clock that was set back by a year wrote down stands where it happened,
// and hides nothing that happened before; what is longer ago is not shown.
func TestAU07_ActivityIsOfTheLast90DaysWhateverClocksSaid(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		consents := account.Consents{Accounts: &account.Accounts{Store: st, Now: func() time.Time { return now }}}
		ids := map[string]string{}
		for _, days := range []int{200, 91, 89, 80, 365, 364, 363, 362, 3, 361, 1} { // ago, in the order in which they happened
			at := now.AddDate(0, 0, -days)
			e := otl.Event{ID: "evt_" + secret.NewID(at), Type: otl.EventUserUpdated, UserID: "jane", CreatedAt: at}
			ids[e.ID] = strconv.Itoa(days)
			if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) }); err != nil {
				t.Fatal(err)
			}
		}
		for limit := 1; limit <= 12; limit++ {
			got, before := "", ""
			for more := true; more; {
				found, again, err := consents.Activity(t.Context(), "jane", before, limit)
				if err != nil || again && len(found) != limit {
					t.Fatalf("%d of %d, %v", len(found), limit, err)
				}
				for _, e := range found {
					got, before = got+" "+ids[e.ID], e.ID
				}
				more = again
			}
			if want := " 1 361 3 362 363 364 365 80 89"; got != want {
				t.Errorf("by %d:%s, want%s", limit, got, want)
			}
		}
	})
}
