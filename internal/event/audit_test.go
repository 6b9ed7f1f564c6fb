package event_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

func audit(t *testing.T, w *otltest.World, siteID string) []otl.SiteEvent {
	t.Helper()
	place(t, w.Events)
	all, _, more, err := w.Events.Audit(t.Context(), siteID, otl.LogFilter{Limit: 1000})
	if err != nil || more {
		t.Fatal(more, err)
	}
	return all
}

func newest(t *testing.T, all []otl.SiteEvent, kind otl.EventType) otl.SiteEvent {
	t.Helper()
	for _, e := range slices.Backward(all) {
		if e.Type == kind {
			return e
		}
	}
	t.Fatalf("no %s among %d entries", kind, len(all))
	return otl.SiteEvent{}
}

// TestAU06_ASiteSeesItsOwn: a site reads who acted at it, and of what comes from
// elsewhere neither who nor where.
func TestAU06_ASiteSeesItsOwn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		w.Do(t, otltest.Call{Path: "/api/v1/roles", Key: w.Notes.Key, Body: map[string]any{"name": "editor"}}).Want(t, http.StatusCreated)
		r := w.Do(t, otltest.Call{Method: http.MethodPatch, Path: "/api/v1/users/" + jane.ID, Key: w.Shop.Key, Body: map[string]any{"name": "Jane Roe", "version": jane.Version}}).Want(t, http.StatusOK)
		notes, shop := audit(t, w, w.Notes.Site.ID), audit(t, w, w.Shop.Site.ID)

		role := newest(t, notes, otl.EventRoleCreated)
		if want := (otl.Actor{Kind: otl.ActorSiteKey, ID: w.Notes.KeyRow.ID}); role.By != want || role.From != "127.0.0.1" || role.RequestID == "" || len(role.Changes) == 0 {
			t.Errorf("%+v", role)
		}
		its := newest(t, shop, otl.EventUserUpdated)
		if its.By.ID != w.Shop.KeyRow.ID || its.RequestID != r.Header.Get("X-Request-Id") || its.Data[otl.DataChanged] != "name" {
			t.Errorf("Shop, which did it: %+v", its)
		}
		other := newest(t, notes, otl.EventUserUpdated)
		if other.By != (otl.Actor{}) || other.From != "" || other.RequestID != "" || other.Data[otl.DataChanged] != "name" {
			t.Errorf("Notes, which hears of it: %+v", other)
		}
		raw, err := json.Marshal(notes)
		if err != nil || strings.Contains(string(raw), w.Shop.KeyRow.ID) || strings.Contains(string(raw), w.Shop.Site.ID) {
			t.Errorf("Notes learns of Shop: %s %v", raw, err)
		}
		if err := w.Accounts.Delete(t.Context(), jane.ID); err != nil {
			t.Fatal(err)
		}
		gone := newest(t, audit(t, w, w.Notes.Site.ID), otl.EventUserDeleted)
		if gone.UserID != jane.ID || gone.Data[otl.DataSites] != "" {
			t.Errorf("%+v", gone)
		}
	})
}

// TestAU06_FieldsThatWereNotGranted are not named.
func TestAU06_FieldsThatWereNotGranted(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		name, locale := "Jane Roe", "de"
		if _, err := w.Accounts.Update(t.Context(), jane.ID, jane.Version, otl.AllFields(), account.Profile{Name: &name, Locale: &locale}); err != nil {
			t.Fatal(err)
		}
		if e := newest(t, audit(t, w, w.Notes.Site.ID), otl.EventUserUpdated); e.Data[otl.DataChanged] != "name" {
			t.Errorf("%+v", e)
		}
	})
}

// TestAU05_ReadingIsAnEntry, and following the log comes to an end all the same.
func TestAU05_ReadingIsAnEntry(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		reader := otl.Actor{Kind: otl.ActorSiteKey, ID: "reader"}
		ctx := otl.WithRequest(t.Context(), &otl.Request{ID: "r", By: reader, SiteID: w.Notes.Site.ID})
		read := func(ctx context.Context, after int64) (last int64) {
			t.Helper()
			place(t, w.Events)
			found, _, _, err := w.Events.Audit(ctx, w.Notes.Site.ID, otl.LogFilter{At: after, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range found {
				after = e.Seq
			}
			return after
		}
		first := read(ctx, 0)
		second := read(ctx, first) // his own reading
		if second != first+1 || read(ctx, second) != second {
			t.Errorf("he reads up to %d, then %d", first, second)
		}
		all := audit(t, w, w.Notes.Site.ID)
		e := newest(t, all, otl.EventAuditRead)
		if e.By != reader || e.Data["from"] != "1" || e.RequestID != "r" {
			t.Errorf("%+v", e)
		}
		if read(ctx, second) != second+1 { // somebody else's reading is news
			t.Error("another's reading is not seen")
		}
	})
}

// TestAU08_RetentionLeavesAChain: what is old goes, what is left verifies, and so
// does what comes.
func TestAU08_RetentionLeavesAChain(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			l := newTampered(t, e, 500) // one a second
			l.Now, l.Keep = func() time.Time { return start.Add(time.Hour) }, time.Hour-300*time.Second
			for range 2 { // the second time there is nothing
				if err := l.Prune(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			place(t, l.Log)
			for siteID, want := range map[string]int64{"": 203, "site": 201} { // two steps are entries themselves
				r, err := l.Verify(t.Context(), siteID)
				if err != nil || len(r.Faults) != 0 || r.First != 300 || r.Head.Length-r.First+1 != want {
					t.Errorf("%q: %+v %v", siteID, r, err)
				}
			}
			if _, known, err := l.At(t.Context(), 299); err != nil || !known {
				t.Error("the place the log begins behind is not known", err)
			}
			if _, known, _ := l.At(t.Context(), 298); known {
				t.Error("an entry that is gone is known")
			}
			l.exec(t, `UPDATE events SET data = '{}' WHERE seq = 300`)
			if found := l.faults(t, ""); len(found) != 1 || found[0].Seq != 300 {
				t.Errorf("%+v", found)
			}
			l.Keep = 0
			if err := l.Prune(t.Context()); err != nil || len(l.faults(t, "site")) != 1 {
				t.Error("0 is not for ever", err)
			}
		})
	}
}

// TestPW09_ASiteReadsNothingOfALinkToWhoIsNotItsOwn: anybody's address can be sent a link in its name, and scanners of mails open it. That would
// tell it who has an account, who he is elsewhere, and where he is. Of its own people it reads that; the installation of everybody.
func TestPW09_ASiteReadsNothingOfALinkToWhoIsNotItsOwn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, sam := w.Person(t, "jane@dev.test", w.Notes.Site), w.Person(t, "sam@dev.test", w.Shop.Site)
		for _, email := range []string{"jane@dev.test", "sam@dev.test", "nobody@dev.test"} {
			w.Do(t, otltest.Call{
				Path: "/api/v1/auth/link/send", Key: w.Notes.Key, Body: map[string]string{"email": email, "callback_url": w.Notes.Site.CallbackURLs[0]},
			}).Want(t, http.StatusAccepted)
			if email == "nobody@dev.test" {
				continue
			}
			_, token, _ := strings.Cut(w.Newest(t, email).Link, "/l/")
			if _, err := w.Codes.Look(t.Context(), token, ""); err != nil {
				t.Fatal(err)
			}
			if err := w.Codes.Deny(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		home, err := w.Store.Read.Sites.ByID(t.Context(), w.Installation.SiteID)
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Minute)
		if _, err := w.Codes.SendLink(t.Context(), signin.LinkRequest{CodeRequest: signin.CodeRequest{Site: home, Who: signin.Identifier{Type: signin.ByEmail, Value: "sam@dev.test"}, Channel: otl.ChannelMail}}); err != nil {
			t.Fatal(err)
		}
		_, token, _ := strings.Cut(w.Newest(t, "sam@dev.test").Link, "/l/")
		if _, err := w.Codes.Look(t.Context(), token, ""); err != nil {
			t.Fatal(err)
		}
		reads := func(siteID, userID string) (n int) {
			for _, e := range audit(t, w, siteID) {
				if e.UserID == userID && (e.Type == otl.EventLinkOpened || e.Type == otl.EventLinkDenied) {
					n++
				}
			}
			return n
		}
		if n := reads(home.ID, sam.ID); n != 1 {
			t.Errorf("at the installation's own pages: %d entries", n)
		}
		for userID, want := range map[string]int{jane.ID: 2, sam.ID: 0} {
			n := reads(w.Notes.Site.ID, userID)
			all, err := w.Store.Read.Events.List(t.Context(), userID, w.Notes.Site.ID, "", 10)
			kept := slices.DeleteFunc(all, func(e otl.Event) bool { return e.Type != otl.EventLinkOpened && e.Type != otl.EventLinkDenied })
			if err != nil || n != want || len(kept) != 2 {
				t.Errorf("%s: the site reads %d, want %d; the installation has %d, %v", userID, n, want, len(kept), err)
			}
		}
	})
}

// TestPW09_ASiteReadsOfNoNewPasswordOfWhoIsNotItsOwn: anybody can be sent the mail of a forgotten one in its name.
func TestPW09_ASiteReadsOfNoNewPasswordOfWhoIsNotItsOwn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for email, want := range map[string]bool{w.Person(t, "jane@dev.test", w.Notes.Site).Email.Key: true, w.Person(t, "sam@dev.test", w.Shop.Site).Email.Key: false} {
			if err := w.Accounts.Forgot(t.Context(), w.Notes.Site.ID, email); err != nil {
				t.Fatal(err)
			}
			_, token, _ := strings.Cut(w.Newest(t, email).Link, "/reset/")
			if err := w.Accounts.Reset(t.Context(), w.Notes.Site, secret.NewText(token), secret.NewText("staple-battery-9")); err != nil {
				t.Fatal(err)
			}
			u, err := w.Store.Read.Users.ByEmail(t.Context(), email)
			if err != nil {
				t.Fatal(err)
			}
			reads := slices.ContainsFunc(audit(t, w, w.Notes.Site.ID), func(e otl.SiteEvent) bool { return e.UserID == u.ID && e.Type != otl.EventUserCreated })
			if reads != want {
				t.Errorf("%s: the site reads of it: %v", email, reads)
			}
		}
	})
}
