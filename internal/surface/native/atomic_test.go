package native_test

import (
	"context"
	"database/sql"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// change is something that sites are told of. Made ready it can be tried again and again
// until it comes to something; the error says that it did not.
type change func() error

// changes gives a way to bring about every type of event that sites are told of.
func changes(t *testing.T, w *otltest.World) map[otl.EventType]func() change {
	ways, out := acts(t, w), map[otl.EventType]func() change{
		otl.EventUserDeleted: func() change {
			u := w.Person(t, "leaves@dev.test", w.Notes.Site)
			erasures := account.Erasures{Accounts: w.Accounts}
			if _, err := erasures.Ask(t.Context(), u, w.Installation.SiteID); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(account.Grace + time.Hour)
			return func() error { return erasures.Due(t.Context()) }
		},
		otl.EventPaymentDone: func() change {
			if _, err := w.Orders.SetPlan(t.Context(), otl.Plan{Name: "pro", Amount: 4900, Currency: "EUR"}); err != nil {
				t.Fatal(err)
			}
			o, err := w.Orders.Create(t.Context(), w.Notes.Site.ID, "pro")
			if err != nil {
				t.Fatal(err)
			}
			return func() error {
				_, err := w.Orders.Move(t.Context(), o.ID, otl.OrderCompleted)
				return err
			}
		},
	}
	for as, operation := range map[otl.EventType]string{
		otl.EventUserCreated: "createUser", otl.EventUserUpdated: "updateUser", otl.EventSessionCreated: "login", otl.EventSessionRevoked: "revokeSession",
		otl.EventConsentGranted: "limitMySite", otl.EventConsentRevoked: "leaveMySite", otl.EventRoleAssigned: "assignRole", otl.EventRoleRemoved: "unassignRole",
		otl.EventFactorAdded: "newRecoveryCodes", otl.EventFactorRemoved: "deleteFactor",
	} {
		out[as] = func() change {
			a := ways[operation]()
			return func() error {
				r := w.Do(t, a.call)
				if r.Status/100 == 2 {
					return nil
				}
				return &otl.Error{Code: r.Text("code"), Text: string(r.Raw)}
			}
		}
	}
	return out
}

// breakCommits lets everything be written, and fails every transaction that appended an event
// when it is to be committed. It gives what takes that back.
func breakCommits(t *testing.T, w seen) func() {
	t.Helper()
	do := []string{
		`CREATE TABLE torn (id text PRIMARY KEY, other text REFERENCES torn (id) DEFERRABLE INITIALLY DEFERRED)`,
		`CREATE TRIGGER torn_event AFTER INSERT ON events BEGIN INSERT INTO torn VALUES (NEW.id, 'nothing'); END`,
	}
	undo := []string{`DROP TRIGGER torn_event`, `DROP TABLE torn`}
	if w.Engine == otltest.Postgres {
		do = []string{
			`CREATE FUNCTION torn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''torn''; END'`,
			`CREATE CONSTRAINT TRIGGER torn_event AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION torn()`,
		}
		undo = []string{`DROP TRIGGER torn_event ON events`, `DROP FUNCTION torn`}
	}
	exec := func(texts []string) {
		t.Helper()
		db, err := sql.Open(w.driver, w.url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, text := range texts {
			if _, err := db.ExecContext(context.WithoutCancel(t.Context()), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	exec(do)
	return func() { exec(undo) }
}

// TestWH01_AnEventIffItsChange brings about every type of event that sites are told of: once
// while no transaction with an event can be committed, which leaves neither the event nor
// anything of the change, and then for good, which leaves both.
func TestWH01_AnEventIffItsChange(t *testing.T) {
	t.Parallel()
	eachSeen(t, func(t *testing.T, w seen) {
		ways := changes(t, w.World)
		for _, as := range otl.ToldEvents() {
			way, known := ways[as]
			if !known {
				t.Errorf("%s: say in changes how it comes about", as)
				continue
			}
			do := way()
			before, mend := dump(t, w.driver, w.url), breakCommits(t, w)
			err := do()
			mend()
			if after := dump(t, w.driver, w.url); err == nil || after != before {
				t.Errorf("%s that is not committed: %v\n%s", as, err, difference(before, after))
			}
			w.Clock.Advance(time.Second)
			if err := do(); err != nil {
				t.Errorf("%s: %v", as, err)
				continue
			}
			made, changed := false, false
			for line := range strings.Lines(difference(before, dump(t, w.driver, w.url))) {
				event := strings.HasPrefix(line, "+ events ")
				made = made || event && strings.Contains(line, " type="+string(as)+" ")
				changed = changed || !event
			}
			if !made || !changed {
				t.Errorf("%s: the event is there: %v, the change: %v", as, made, changed)
			}
		}
	})
}

// TestWH01_NobodyIsTold of what was not committed: a courier finds nothing, and who pulls neither.
func TestWH01_NobodyIsTold(t *testing.T) {
	t.Parallel()
	eachSeen(t, func(t *testing.T, w seen) {
		h := otltest.NewHook(t)
		endpointOf(t, w.World, h, "role.assigned")
		do := changes(t, w.World)[otl.EventRoleAssigned]()
		w.Deliver(t)
		h.Take()
		mend := breakCommits(t, w)
		if err := do(); err == nil {
			t.Error("it was done")
		}
		mend()
		w.Deliver(t)
		if got := h.Take(); len(got) != 0 {
			t.Errorf("%s", got[0].Body)
		}
		if all := list(call(t, w.World, w.Notes, http.MethodGet, "/events?type=role.assigned", nil)); len(all) != 0 {
			t.Errorf("%v", all)
		}
	})
}
