package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/webhook"
)

// full is a person with every field of a profile, as long as each may be.
func full(t *testing.T, w *otltest.World) otl.User {
	t.Helper()
	long := strings.Repeat("<\u2028&", otl.MaxName/3)
	profile := account.Profile{
		Name: ptr(strings.Repeat("ü", otl.MaxName)), DisplayName: ptr(strings.ReplaceAll(long, "\u2028", "字")), Phone: ptr("+491705550100"), Locale: ptr("de"),
		Picture: ptr("https://x.test/" + strings.Repeat("&", otl.MaxPicture-20)), Preferences: ptr(`{"a":"` + strings.Repeat("<", otl.MaxPreferences-9) + `"}`),
	}
	m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	return m.User
}

func ptr[T any](v T) *T { return &v }

// grant lets a site see some fields of a person.
func grant(t *testing.T, w *otltest.World, userID, siteID string, fields otl.Fields) {
	t.Helper()
	g := otl.Grant{UserID: userID, SiteID: siteID, Fields: fields, CreatedAt: w.Clock.Now(), UpdatedAt: w.Clock.Now()}
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Grants.Put(ctx, g) }); err != nil {
		t.Fatal(err)
	}
}

func tell(t *testing.T, w *otltest.World, e otl.SiteEvent) (webhook.Told, bool, []byte) {
	t.Helper()
	told, ok, err := w.Webhooks.Tell(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	body, err := told.Body(6)
	if err != nil {
		t.Fatal(err)
	}
	return told, ok, body
}

// members are what the fields of a profile are called in a body.
func members() map[otl.Field][]string {
	return map[otl.Field][]string{
		otl.FieldEmail: {"email", "email_verified"}, otl.FieldName: {"name"}, otl.FieldDisplayName: {"display_name"}, otl.FieldPhone: {"phone", "phone_verified"},
		otl.FieldPicture: {"picture"}, otl.FieldLocale: {"locale"}, otl.FieldPreferences: {"preferences"},
	}
}

// TestWH13_OnlyGrantedFields goes through every set of fields: what is told of a
// change holds those members and no other, in a body of at most 20 KiB.
func TestWH13_OnlyGrantedFields(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, all := full(t, w), otl.AllFields()
		longest := 0
		for set := range 1 << len(all) {
			var fields otl.Fields
			var changed []string
			want := []string{"id", "updated_at", "version"}
			for i, f := range all {
				if set&(1<<i) != 0 {
					fields = append(fields, f)
					changed = append(changed, string(f))
					want = append(want, members()[f]...)
				}
			}
			grant(t, w, jane.ID, w.Notes.Site.ID, fields)
			e := otl.SiteEvent{SiteID: w.Notes.Site.ID, Event: otl.Event{ID: "evt_1", Type: otl.EventUserUpdated, UserID: jane.ID, Data: map[string]string{otl.DataChanged: all.String()}}}
			told, ok, body := tell(t, w, e)
			if ok != (len(fields) > 0) {
				t.Errorf("%v: told %v", fields, ok)
			}
			var sent struct {
				Data struct {
					User    map[string]any
					Changed []string
				}
			}
			if err := json.Unmarshal(body, &sent); err != nil {
				t.Fatal(err)
			}
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(sent.Data.User)); !slices.Equal(got, want) || !slices.Equal(sent.Data.Changed, changed) {
				t.Errorf("%v: %v changed %v", fields, got, sent.Data.Changed)
			}
			longest = max(longest, len(body))
			if told.Attempt != 0 || !strings.Contains(string(body), `"attempt":6`) {
				t.Errorf("%s", body)
			}
		}
		if longest > webhook.MaxBody || longest < webhook.MaxBody/2 {
			t.Errorf("the longest body has %d bytes", longest)
		}
	})
}

// TestWH13_WhatEachTypeTells, and that it names the person of a site in no other way
// than the site may know him.
func TestWH13_WhatEachTypeTells(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind otl.EventType
		data map[string]string
		want string
	}{
		{otl.EventUserCreated, map[string]string{"source": "register"}, `{"source":"register","user":{"id":"$U","name":"Jane Doe","updated_at":"$T","version":1}}`},
		{otl.EventUserUpdated, map[string]string{"changed": "name email_verified"}, `{"changed":["name"],"user":{"id":"$U","name":"Jane Doe","updated_at":"$T","version":1},"version":1}`},
		{otl.EventUserDeleted, map[string]string{"sites": "a b"}, `{"user_id":"$U"}`},
		{
			otl.EventSessionCreated,
			map[string]string{"amr": "pwd sms", "ip": "192.0.2.7", "user_agent": "<Mozilla>"},
			`{"session":{"amr":["pwd","sms","mfa"],"created_at":"$T","id":"session","ip":"192.0.2.7","site_id":"$S","user_agent":"<Mozilla>"},"user_id":"$U"}`,
		},
		{otl.EventSessionRevoked, map[string]string{"reason": "logout", "session_version": "7"}, `{"reason":"logout","session":{"id":"session"},"session_version":7,"user_id":"$U"}`},
		{otl.EventConsentGranted, map[string]string{"fields": "email name"}, `{"fields":["email","name"],"user_id":"$U"}`},
		{otl.EventConsentRevoked, nil, `{"user_id":"$U"}`},
		{otl.EventRoleAssigned, map[string]string{"role": "editor"}, `{"assigned_by":"key","role":"editor","user_id":"$U"}`},
		{otl.EventRoleRemoved, map[string]string{"role": "editor"}, `{"removed_by":"key","role":"editor","user_id":"$U"}`},
		{otl.EventFactorAdded, map[string]string{"factor": "f", "kind": "totp"}, `{"factor":{"id":"f","kind":"totp"},"user_id":"$U"}`},
		{otl.EventFactorRemoved, map[string]string{"factor": "f", "kind": "totp"}, `{"factor":{"id":"f","kind":"totp"},"user_id":"$U"}`},
		{otl.EventPaymentDone, map[string]string{"order": "o", "plan": "pro", "amount": "4900", "currency": "EUR"}, `{"order":{"amount":4900,"currency":"EUR","id":"o","plan":"pro"}}`},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			w := otltest.New(t, otltest.SQLite)
			jane := w.Person(t, "jane@dev.test")
			grant(t, w, jane.ID, w.Notes.Site.ID, otl.Fields{otl.FieldName})
			e := otl.SiteEvent{SiteID: w.Notes.Site.ID, Seq: 4, UserSeq: 2, Event: otl.Event{
				ID: "evt_1", Type: c.kind, UserID: jane.ID, SiteID: w.Notes.Site.ID, SessionID: "session", Data: c.data, CreatedAt: w.Clock.Now(), By: otl.Actor{Kind: otl.ActorSiteKey, ID: "key"},
			}}
			now, err := json.Marshal(w.Clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("$U", jane.ID, "$S", w.Notes.Site.ID, `"$T"`, string(now)).Replace(c.want)
			want = fmt.Sprintf(`{"id":"evt_1","type":"%s","created_at":%s,"site_id":"%s","sequence":4,"user_sequence":2,"attempt":6,"data":%s}`, c.kind, now, w.Notes.Site.ID, want)
			if _, ok, body := tell(t, w, e); !ok || string(body) != want {
				t.Errorf("%v %s\nwant %s", ok, body, want)
			}
			if err := w.Accounts.Leave(t.Context(), w.Notes.Site.ID, jane.ID); err != nil {
				t.Fatal(err)
			}
			_, ok, body := tell(t, w, e)
			withheld := c.kind == otl.EventUserUpdated || c.kind == otl.EventSessionCreated
			if ok == withheld || strings.Contains(string(body), "Jane") || strings.Contains(string(body), "192.0.2.7") {
				t.Errorf("after he left: %v %s", ok, body)
			}
		})
	}
}

// TestPR06_WhatIsNotToldWasNotShown: a change that the site may not see is no reading.
func TestPR06_WhatIsNotToldWasNotShown(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	jane := w.Person(t, "jane@dev.test")
	grant(t, w, jane.ID, w.Notes.Site.ID, otl.Fields{otl.FieldName})
	e := otl.SiteEvent{SiteID: w.Notes.Site.ID, Event: otl.Event{ID: "evt_1", Type: otl.EventUserUpdated, UserID: jane.ID, CreatedAt: w.Clock.Now()}}
	for _, step := range []struct {
		changed string
		want    int
	}{{"phone", 0}, {"name", 1}} {
		e.Data = map[string]string{otl.DataChanged: step.changed}
		told, ok, _ := tell(t, w, e)
		if ok {
			w.Webhooks.Shown(told)
		}
		seen, err := w.Ledger.Of(t.Context(), jane.ID)
		if err != nil || ok != (step.want > 0) || len(seen) != step.want {
			t.Errorf("%s changed: told %t, seen %+v %v", step.changed, ok, seen, err)
		}
	}
}

// TestUserCreated_IsToldEverywhere: with no more than an id where the person is none
// of the site's (contract 1.7).
func TestUserCreated_IsToldEverywhere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		notes, _ := w.Hook(t, w.Notes)
		shop, _ := w.Hook(t, w.Shop)
		deaf, _ := w.Hook(t, w.Shop, "session.created")
		r := w.Do(t, otltest.Call{Path: "/api/v1/auth/register", Key: w.Notes.Key, Body: map[string]string{"email": "jane@dev.test", "password": otltest.Password, "name": "Jane"}}).Want(t, http.StatusCreated)
		w.Deliver(t)
		here, there := notes.Take(), shop.Take()
		slices.SortFunc(here, func(a, b otltest.Heard) int { return int(a.JSON["sequence"].(float64) - b.JSON["sequence"].(float64)) })
		if len(here) != 3 || here[0].Text("type") != "user.created" || here[0].Text("data", "user", "email") != "jane@dev.test" || here[0].Text("data", "source") != "register" {
			t.Errorf("Notes is told %d things", len(here))
		}
		for i, one := range here { // WH-14
			if one.JSON["user_sequence"] != float64(i+1) {
				t.Errorf("%s", one.Body)
			}
		}
		if len(there) != 1 || len(deaf.Take()) != 0 {
			t.Fatalf("Shop is told %d things", len(there))
		}
		data, err := json.Marshal(there[0].JSON["data"])
		if want := `{"user":{"id":"` + r.Text("user", "id") + `"}}`; err != nil || string(data) != want || there[0].JSON["user_sequence"] != nil {
			t.Errorf("Shop is told %s, want %s", there[0].Body, want)
		}
	})
}

// TestUserCreated_IsReadByWhoPulls: a site that reads /events hears of strangers as one with an
// endpoint does, until it has not read for 30 days.
func TestUserCreated_IsReadByWhoPulls(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		register := func(email string) {
			t.Helper()
			w.Do(t, otltest.Call{Path: "/api/v1/auth/register", Key: w.Notes.Key, Body: map[string]string{"email": email, "password": otltest.Password}}).Want(t, http.StatusCreated)
			w.Deliver(t)
		}
		hears := func(cursor string) ([]map[string]any, string) {
			t.Helper()
			r := w.Do(t, otltest.Call{Path: "/api/v1/events" + cursor, Key: w.Shop.Key})
			return r.Items(t), "?cursor=" + r.Text("cursor")
		}
		register("before@dev.test")
		got, cursor := hears("")
		if len(got) != 0 {
			t.Errorf("before it asked for the first time: %v", got)
		}
		register("during@dev.test")
		if got, cursor = hears(cursor); len(got) != 1 || got[0]["type"] != "user.created" || len(got[0]["data"].(map[string]any)["user"].(map[string]any)) != 1 {
			t.Errorf("it hears %v", got)
		}
		w.Clock.Advance(31 * 24 * time.Hour)
		register("after@dev.test")
		if got, _ = hears(cursor); len(got) != 0 {
			t.Errorf("after it had not asked for a month: %v", got)
		}
	})
}

// TestProfileSync: a change made through one site reaches every other site the person
// authorised, with exactly the fields granted there (issue "Events", item 6).
func TestProfileSync(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test")
		grant(t, w, jane.ID, w.Notes.Site.ID, otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldLocale})
		grant(t, w, jane.ID, w.Shop.Site.ID, otl.Fields{otl.FieldName})
		w.Deliver(t)
		notes, _ := w.Hook(t, w.Notes)
		shop, _ := w.Hook(t, w.Shop)
		path := "/api/v1/users/" + jane.ID
		w.Do(t, otltest.Call{Method: http.MethodPatch, Path: path, Key: w.Notes.Key, Body: map[string]any{"name": "Jane Roe", "locale": "de", "version": 1}}).Want(t, http.StatusOK)
		w.Deliver(t)
		here, there := notes.Take(), shop.Take()
		if len(here) != 1 || here[0].Text("data", "user", "locale") != "de" || here[0].Text("data", "user", "email") != "jane@dev.test" {
			t.Errorf("Notes is told %d things", len(here))
		}
		if len(there) != 1 || there[0].Text("data", "user", "name") != "Jane Roe" || strings.Contains(string(there[0].Body), "locale") || strings.Contains(string(there[0].Body), "jane@") {
			t.Errorf("Shop is told %d things", len(there))
		}
		w.Do(t, otltest.Call{Method: http.MethodPatch, Path: path, Key: w.Notes.Key, Body: map[string]any{"locale": "fr", "version": 2}}).Want(t, http.StatusOK)
		w.Deliver(t)
		if len(notes.Take()) != 1 || len(shop.Take()) != 0 {
			t.Error("Shop is told of a field it may not see")
		}
	})
}

// TestWH14_NumbersHaveNoGap: whatever happens to whom at which site, the numbers of
// the events about one person at one site are 1, 2, 3 …
func TestWH14_NumbersHaveNoGap(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		sites := []string{w.Notes.Site.ID, w.Shop.Site.ID}
		types := []otl.EventType{otl.EventSessionCreated, otl.EventRoleAssigned, otl.EventUserUpdated, otl.EventUserCreated, otl.EventLinkOpened, otl.EventSiteUpdated}
		var people []string
		for i := range 3 {
			people = append(people, w.Person(t, fmt.Sprint(i, "@dev.test"), w.Notes.Site, w.Shop.Site).ID)
		}
		_, _ = w.Hook(t, w.Shop)
		random := rand.New(rand.NewPCG(7, 7))
		for range 120 {
			e := otl.Event{ID: "evt_" + secret.NewID(w.Clock.Now()), Type: types[random.IntN(len(types))], UserID: people[random.IntN(3)], SiteID: sites[random.IntN(2)], CreatedAt: w.Clock.Now(), Data: map[string]string{otl.DataChanged: "name"}}
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) }); err != nil {
				t.Fatal(err)
			}
		}
		w.Deliver(t)
		for _, site := range sites {
			last, after := map[string]int64{}, int64(0)
			past, _, more, err := w.Webhooks.Events(t.Context(), site, otl.LogFilter{At: after, Limit: 1000})
			if err != nil || more {
				t.Fatal(err, more)
			}
			for _, p := range past {
				user, _ := p.Data["user_id"].(string)
				if of, ok := p.Data["user"].(map[string]any); ok {
					user, _ = of["id"].(string)
				}
				if p.UserSeq == 0 && p.Type == otl.EventUserCreated {
					continue
				}
				if last[user]++; p.UserSeq != last[user] || p.Seq <= after {
					t.Fatalf("%s: %+v is not number %d", site, p.Told, last[user])
				}
				after = p.Seq
			}
			if len(last) != 3 {
				t.Errorf("%s heard of %d people", site, len(last))
			}
		}
	})
}

// TestFiltersAreReadAsWritten for every set of names.
func TestFiltersAreReadAsWritten(t *testing.T) {
	t.Parallel()
	all := otl.ToldEvents()
	for set := range 1 << len(all) {
		var names []string
		for i := len(all) - 1; i >= 0; i-- {
			if set&(1<<i) != 0 {
				names = append(names, string(all[i]))
			}
		}
		types, err := otl.ParseEventTypes("events", names)
		if err != nil || !slices.Equal(types, otl.StoredEventTypes(types.String())) || len(types) != len(names) {
			t.Fatalf("%v: %v %v", names, types, err)
		}
		for i, known := range all {
			e := otl.Endpoint{State: otl.EndpointOn, Events: types}
			if e.Hears(known) != (set == 0 || set&(1<<i) != 0) {
				t.Fatalf("%v hears %s: %v", names, known, e.Hears(known))
			}
		}
	}
	if (otl.Endpoint{State: otl.EndpointDisabled}).Hears(otl.EventUserUpdated) {
		t.Error("a disabled endpoint hears")
	}
}
