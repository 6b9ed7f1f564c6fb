package account_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// lived gives a person of whom there is something in every table.
func lived(t *testing.T, w *otltest.World) otl.User {
	t.Helper()
	m, err := w.Accounts.Create(t.Context(), account.Creation{
		Email: "canary-jane@dev.test", Password: secret.NewText(otltest.Password), Verified: true, Site: &w.Notes.Site,
		Profile: account.Profile{
			Name: ptr("Canary Jane"), DisplayName: ptr("canary-display"), Username: ptr("canary-user"), Phone: ptr("+491705550123"),
			Picture: ptr("https://dev.test/canary.png"), Locale: ptr("de"), Preferences: ptr(`{"canary":"preference"}`),
		},
		Change: account.MemberChange{ExternalID: ptr("canary-external"), Data: map[string]json.RawMessage{"plan": json.RawMessage(`"canary-plan"`)}, Traits: map[string]string{"plan": "canary-plan"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Setup.Give(t.Context(), m.User, factor.Given{New: factor.New{Kind: otl.FactorSMS, Label: "canary phone", Number: "+491705550124"}}); err != nil {
		t.Fatal(err)
	}
	w.Do(t, otltest.Call{
		Path: "/api/v1/auth/otp/send", Key: w.Notes.Key, Body: map[string]string{"email": "canary-jane@dev.test"},
		Headers: map[string]string{"X-OTL-Client-IP": "203.0.113.77", "X-OTL-Client-User-Agent": "CanaryBrowser/1"},
	}).Want(t, http.StatusAccepted)
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Businesses.AddOwner(ctx, w.Notes.Site.BusinessID, m.User.ID, w.Clock.Now())
	}); err != nil {
		t.Fatal(err)
	}
	w.Do(t, otltest.Call{Path: "/api/v1/users/" + m.User.ID, Key: w.Notes.Key}).Want(t, http.StatusOK)
	return m.User
}

// TestPR04_AnExportHoldsEverything: what is kept of a person is in it, what is secret is
// not, and that he was given it is an entry of the log.
func TestPR04_AnExportHoldsEverything(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := lived(t, w)
		w.Person(t, "other@dev.test", w.Notes.Site)
		c := account.Consents{Accounts: w.Accounts}
		e, err := c.Export(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"canary-jane@dev.test", "Canary Jane", "canary-display", "canary-user", "+491705550123", "canary.png", "preference", "canary-external", "canary-plan",
			"canary phone", "+491705550124", `"role":"owner"`, `"times":1`, "consent.granted", "user.created", `"name":"Notes"`, `"kind":"signin"`,
		} {
			if !strings.Contains(string(raw), want) {
				t.Errorf("no %s in %s", want, raw)
			}
		}
		for _, secret := range []string{"$argon2", otltest.Password, "other@dev.test", w.Newest(t, "canary-jane@dev.test").Code} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s in %s", secret, raw)
			}
		}
		if strings.Contains(string(raw), ":null") == strings.Contains(string(raw), `"sessions":null`) {
			t.Errorf("a list that is empty is null: %s", raw)
		}
		if n := logged(t, w, u.ID, otl.EventUserExported); n != 1 {
			t.Errorf("%d entries of the log", n)
		}
		if _, err := c.Export(t.Context(), "01HKZ3M5Q8J9X2V7C4B6N1D0FG"); !otl.Is(err, "not_found") {
			t.Errorf("of nobody: %v", err)
		}
	})
}

// TestExportsAreLimited: five a day.
func TestExportsAreLimited(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.Limits = true })
	u := w.Person(t, "jane@dev.test")
	c := account.Consents{Accounts: w.Accounts}
	for i := range 6 {
		if _, err := c.Export(t.Context(), u.ID); (err == nil) != (i < 5) || err != nil && !otl.Is(err, "rate_limited") {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

// What of a person stands in which column, and where an export has it. A column that is
// not named here fails the test: whoever adds one decides.
const (
	nobody  = "is about no person"
	secrets = "is a secret, or a digest or a key of one"
	counted = "counts or orders what is exported otherwise"
	brief   = "goes within days, and is sealed, hashed or what a person just typed"
)

// exported are the tables that hold something of a person, column by column.
func exported() map[string]map[string]string {
	return map[string]map[string]string{
		"users": {
			"id": "profile.id", "email": "profile.email", "email_key": "profile.email", "email_verified_at": "profile.email_verified_at", "name": "profile.name",
			"display_name": "profile.display_name", "phone": "profile.phone", "phone_verified_at": "profile.phone_verified_at", "picture": "profile.picture",
			"locale": "profile.locale", "preferences": "profile.preferences", "session_version": counted, "password_version": counted, "version": counted,
			"disabled_at": "profile.disabled_at", "created_at": "profile.created_at", "updated_at": "profile.updated_at", "last_login_at": "profile.last_login_at",
			"name_key": "profile.name", "username": "profile.username", "username_key": "profile.username", "created_by": "profile.created_by",
			"held_for": "profile.held_for", "held_channel": "profile.held_for", "held_until": "profile.held_until", "delete_at": "profile.delete_at",
		},
		"passwords":        {"user_id": "profile.id", "hash": secrets, "imported": secrets, "temporary": secrets, "changed_at": "password_set_at"},
		"business_members": {"business_id": "businesses.id", "user_id": "profile.id", "role": "businesses.role", "created_at": counted},
		"grants": {
			"user_id": "profile.id", "site_id": "sites.id", "fields": "sites.fields", "created_at": "sites.since", "updated_at": "sites.updated_at",
			"revoked_at": "consents.until", "roles": "sites.roles", "last_login_at": "sites.last_login_at", "asked": "sites.asked_fields", "suspended_at": "sites.suspended_at",
			"suspended_until": "sites.suspended_until",
		},
		"consents": {"user_id": "profile.id", "site_id": "consents.site_id", "fields": "consents.fields", "since_at": "consents.since", "until_at": "consents.until", "place": counted},
		"readings": {
			"user_id": "profile.id", "site_id": "readings.site_id", "day": "readings.day", "fields": "readings.fields", "times": "readings.times",
			"first_at": "readings.first_at", "last_at": "readings.last_at",
		},
		"records": {"site_id": "sites.id", "user_id": "profile.id", "external_id": "sites.external_id", "data": "sites.data", "pending_at": "sites.pending_at"},
		"traits":  {"site_id": "sites.id", "user_id": "profile.id", "name": "sites.data", "value": "sites.data"},
		"sessions": {
			"id": "sessions.id", "user_id": "profile.id", "site_id": "sessions.site_id", "methods": "sessions.amr", "auth_at": "sessions.proven_at",
			"created_at": "sessions.created_at", "last_seen_at": "sessions.last_seen_at", "refresh_by": counted, "expires_at": "sessions.expires_at",
			"ended_at": "activity", "end_reason": "activity", "ip": "sessions.ip", "user_agent": "sessions.user_agent", "refresh_hash": secrets,
			"refresh_generation": counted, "refresh_previous": secrets, "refresh_nonce": secrets, "refresh_rotated_at": counted, "refresh_paid_to": counted,
			"client": "sessions.client_id", "scope": counted, "claims": counted, "proof_key": secrets, "holder": counted, "handed_by": "sessions.handed_by",
		},
		"factors": {
			"id": counted, "user_id": "profile.id", "kind": "factors.kind", "label": "factors.label", "target": "factors.number", "sealed": secrets, "is_default": counted,
			"last_step": counted, "created_at": "factors.created_at", "confirm_by": counted, "confirmed_at": counted, "last_used_at": "factors.last_used_at",
		},
		"messages": {
			"id": counted, "kind": "messages.kind", "channel": "messages.channel", "user_id": "profile.id", "site_id": "messages.site_id", "recipient": "messages.to",
			"locale": "profile.locale", "data": secrets, "created_at": "messages.created_at", "state": "messages.state", "tries": counted, "due_at": counted,
			"expires_at": counted, "settled_at": counted, "provider": counted, "problem": counted, "refused_by": counted,
		},
		"events": {
			"id": "activity.id", "type": "activity.type", "user_id": "profile.id", "site_id": "activity.site_id", "session_id": "activity.session_id",
			"data": "activity.data", "created_at": "activity.at", "position": counted, "seq": counted, "hash": counted, "actor_kind": counted, "actor_id": counted,
			"via": counted, "address": "activity.ip", "request_id": counted, "changes": counted, "erased": secrets,
		},
	}
}

// silent are the tables of which an export has nothing, and why.
func silent() map[string]string {
	return map[string]string{
		"allowed_origins": nobody, "announced_origins": nobody, "api_tokens": secrets, "attempts": nobody, "brands": nobody, "businesses": nobody,
		"callback_urls": nobody, "chains": nobody, "clients": nobody, "client_origins": nobody, "counters": nobody, "deliveries": nobody, "tallies": nobody, "endpoints": nobody, "installation": nobody,
		"attribute_labels": nobody, "migration_digests": nobody, "goose_db_version": nobody, "password_schemes": nobody, "roles": nobody, "signing_keys": secrets, "site_keys": secrets,
		"sites": nobody, "sms_counts": nobody, "sms_stops": nobody, "resources": nobody, "plans": nobody, "orders": nobody, "seen_tokens": brief, "seen_places": secrets, "erasures": counted, "device_grants": brief,
		"answers": brief, "failures": brief, "flows": brief, "rates": brief, "sends": brief, "tickets": brief, "revocations": counted,
		"numbers": counted, "site_events": counted, "site_people": counted, "nobodies": nobody,
	}
}

// TestPR04_EveryColumnIsDecidedOn: nothing is kept of a person that an export could forget.
func TestPR04_EveryColumnIsDecidedOn(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", otltest.DatabaseURL(t, otltest.SQLite))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known, nothing, seen := exported(), silent(), map[string]bool{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		seen[table] = true
		if columns, personal := known[table]; personal && columns[column] == "" || !personal && nothing[table] == "" {
			t.Errorf("%s.%s: is it in an export? Say so in exported or silent", table, column)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, table := range append(slices.Collect(maps.Keys(known)), slices.Collect(maps.Keys(nothing))...) {
		if !seen[table] {
			t.Errorf("there is no table %s", table)
		}
	}
}
