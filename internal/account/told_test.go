package account_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/store"
)

// proven is Person with an address that was proven.
func proven(t *testing.T, w *otltest.World, email string, sites ...otl.Site) otl.User {
	t.Helper()
	u := w.Person(t, email, sites...)
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found(t, w, u.ID)
}

// heard gives the mails to an address since it was last asked, newest first.
func heard(t *testing.T, w *otltest.World, email string) []outbox.Received {
	t.Helper()
	defer w.Inbox.Empty()
	return w.Letters(t, email)
}

// TestASiteThatIsConnectedIsTold with what it sees, and one that is let go: to a proven address, by the server itself, whatever the
// site looks like. Deciding on more of it is no news, nor what the site does.
func TestASiteThatIsConnectedIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Brands.Put(ctx, w.Shop.Site.ID, otl.Brand{Sender: "Your bank", Footer: "Nothing to worry about"})
		}); err != nil {
			t.Fatal(err)
		}
		c := account.Consents{Accounts: w.Accounts}
		decides := func(u otl.User, fields ...otl.Field) {
			t.Helper()
			if _, err := c.Consent(t.Context(), u.ID, w.Shop.Site, fields); err != nil {
				t.Fatal(err)
			}
		}
		jane, joe := proven(t, w, "jane@dev.test"), w.Person(t, "joe@dev.test")
		decides(jane, otl.FieldEmail, otl.FieldName)
		told := heard(t, w, "jane@dev.test")
		if len(told) != 1 || told[0].Kind != otl.MessageSiteConnected || told[0].Subject != "You connected "+w.Shop.Site.Name ||
			!strings.Contains(told[0].Text, w.Shop.Site.Name+" sees: Email address, Name.") || !strings.Contains(told[0].Text, "This wasn't me:\n"+otltest.Issuer+"/account/secure\n") ||
			told[0].Sender == "Your bank" || strings.Contains(told[0].HTML, "Nothing to worry about") {
			t.Fatalf("%+v", told)
		}
		decides(jane, otl.FieldEmail)
		if told := heard(t, w, ""); len(told) != 0 {
			t.Errorf("of another decision: %+v", told)
		}
		if err := c.Disconnect(t.Context(), w.Shop.Site.ID, jane.ID); err != nil {
			t.Fatal(err)
		}
		if told := heard(t, w, ""); len(told) != 1 || told[0].Kind != otl.MessageSiteLeft || told[0].Subject != "You disconnected "+w.Shop.Site.Name || !strings.Contains(told[0].Text, "Connected sites: "+otltest.Issuer+"/account\n") {
			t.Errorf("let go: %+v", told)
		}
		if err := c.Disconnect(t.Context(), w.Shop.Site.ID, jane.ID); !otl.Is(err, "not_found") {
			t.Errorf("again: %v", err)
		}
		decides(joe, otl.FieldEmail)
		if err := c.Disconnect(t.Context(), w.Shop.Site.ID, joe.ID); err != nil {
			t.Fatal(err)
		}
		decides(jane)
		if told := heard(t, w, ""); len(told) != 1 || strings.Contains(told[0].Text, "sees") {
			t.Errorf("nothing but who she is: %+v", told)
		}
		if err := w.Accounts.Leave(t.Context(), w.Shop.Site.ID, jane.ID); err != nil { // the site puts her out
			t.Fatal(err)
		}
		if told := heard(t, w, ""); len(told) != 0 {
			t.Errorf("an address that nobody has proven, and what the site did: %+v", told)
		}
	})
}

// TestAConnectionIsToldThreeTimesADay, however often somebody comes and goes, and that of another site all the same.
func TestAConnectionIsToldThreeTimesADay(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, c := proven(t, w, "jane@dev.test"), account.Consents{Accounts: w.Accounts}
		for range 7 {
			if _, err := c.Consent(t.Context(), jane.ID, w.Shop.Site, nil); err != nil {
				t.Fatal(err)
			}
			if err := c.Disconnect(t.Context(), w.Shop.Site.ID, jane.ID); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(heard(t, w, "jane@dev.test")); n != 6 {
			t.Errorf("%d mails", n)
		}
		if _, err := c.Consent(t.Context(), jane.ID, w.Notes.Site, nil); err != nil {
			t.Fatal(err)
		}
		if n := len(heard(t, w, "jane@dev.test")); n != 1 {
			t.Errorf("%d mails of another site", n)
		}
		w.Clock.Advance(24 * time.Hour)
		if _, err := c.Consent(t.Context(), jane.ID, w.Shop.Site, nil); err != nil {
			t.Fatal(err)
		}
		if n := len(heard(t, w, "jane@dev.test")); n != 1 {
			t.Errorf("%d mails on the next day", n)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestWhatIsHandedOutIsTold to the person, not where the operator has it; it leaves no trace where it failed.
func TestWhatIsHandedOutIsTold(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, joe, c := proven(t, w, "jane@dev.test"), w.Person(t, "joe@dev.test"), account.Consents{Accounts: w.Accounts}
		ctx := otl.WithRequest(t.Context(), &otl.Request{UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", Client: netip.MustParseAddr("203.0.113.7")})
		if e, err := c.HandOut(ctx, jane.ID); err != nil || e.Profile.Email != "jane@dev.test" {
			t.Fatalf("%+v %v", e, err)
		}
		told := heard(t, w, "")
		if len(told) != 1 || told[0].Kind != otl.MessageDataExported || told[0].Subject != "Your data was downloaded" || !strings.Contains(told[0].Text, "Firefox, Linux, 203.0.113.7") ||
			!strings.Contains(told[0].Text, "\n"+otltest.Issuer+"/account/secure\n") {
			t.Errorf("%+v", told)
		}
		if _, err := c.HandOut(ctx, joe.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Export(ctx, jane.ID); err != nil {
			t.Fatal(err)
		}
		if told := heard(t, w, ""); len(told) != 0 {
			t.Errorf("%+v", told)
		}
		if n := logged(t, w, jane.ID, otl.EventUserExported); n != 2 {
			t.Errorf("%d entries of the log", n)
		}
	})
}

// TestPR05_TheLastMailIsAllThatIsLeft of somebody who had his account deleted, after the grace or at once, and nothing is once it was sent.
// Whom somebody else deletes hears nothing, nor does an address that nobody has proven.
func TestPR05_TheLastMailIsAllThatIsLeft(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		e := account.Erasures{Accounts: w.Accounts}
		leave(t, w, proven(t, w, "jane@dev.test", w.Notes.Site))
		leave(t, w, w.Person(t, "joe@dev.test"))
		heard(t, w, "")
		w.Clock.Advance(account.Grace)
		if err := e.Due(t.Context()); err != nil {
			t.Fatal(err)
		}
		ann := proven(t, w, "ann@dev.test", w.Notes.Site)
		himself, err := w.SignIn.Admin(t.Context(), ann.ID, w.Installation.SiteID)
		if err != nil {
			t.Fatal(err)
		}
		w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/users/" + ann.ID, Bearer: himself.Access.Reveal()}).Want(t, http.StatusOK)
		if err := w.Accounts.Delete(t.Context(), proven(t, w, "ben@dev.test").ID); err != nil {
			t.Fatal(err)
		}
		if err := e.AtOnce(t.Context(), ann.ID); !otl.Is(err, "not_found") {
			t.Errorf("somebody who is gone: %v", err)
		}
		waiting, err := w.Store.Read.Messages.List(t.Context(), "", "", 100)
		if err != nil || len(waiting) != 2 || waiting[0].UserID != "" || waiting[0].Kind != otl.MessageDeleteDone {
			t.Errorf("%+v %v", waiting, err)
		}
		told := heard(t, w, "")
		if len(told) != 2 || told[0].To == told[1].To || told[0].Subject != "Your account was deleted" || told[0].Link != "" {
			t.Errorf("%+v", told)
		}
		if left, err := w.Store.Read.Messages.List(t.Context(), "", "", 100); err != nil || len(left) != 0 {
			t.Errorf("left: %+v %v", left, err)
		}
	})
}
