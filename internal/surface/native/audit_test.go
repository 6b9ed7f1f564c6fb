package native_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
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
	"github.com/onetimelogin/otl/internal/site"
)

// act is a request that changes something, and what the log says of it.
type act struct {
	call  otltest.Call
	types []otl.EventType // each is in the log, with the id of the request
	by    otl.ActorKind
}

// unlogged are operations that are no act the log tells of, and why.
var unlogged = map[string]string{
	"refresh":         "the row of the session says when; sites call it all day",
	"introspect":      "it only looks",
	"sendCode":        "the message is the record",
	"sendLink":        "the message is the record",
	"challengeFactor": "the message is the record",
	"forgotPassword":  "the message is the record",
	"enrolFactor":     "it is no factor until it is confirmed",
	"changeFactor":    "it is what the person calls it",
}

// doer does things at Notes, and at a site of his own.
type doer struct {
	*testing.T
	w         *otltest.World
	own, mine string // token of the owner, id of his site
	n         int
}

func newDoer(t *testing.T, w *otltest.World) *doer {
	own := owner(t, w, "owner@dev.test")
	return &doer{t, w, own, ownSite(t, w, own).Text("id"), 0}
}

func (d *doer) name() string {
	d.n++
	return fmt.Sprintf("name%d", d.n)
}

func (d *doer) jane() otl.User { return d.w.Person(d.T, d.name()+"@dev.test", d.w.Notes.Site) }

func (d *doer) login() (otl.User, otltest.Reply) {
	u := d.jane()
	return u, d.w.Login(d.T, d.w.Notes, u.Email.Address)
}

func (d *doer) role() string {
	r := d.name()
	call(d.T, d.w, d.w.Notes, http.MethodPost, "/roles", object{"name": r}).Want(d.T, http.StatusCreated)
	return r
}

// given is a person with a role.
func (d *doer) given() (otl.User, string) {
	u, r := d.jane(), d.role()
	call(d.T, d.w, d.w.Notes, http.MethodPost, "/roles/assign", object{"user_id": u.ID, "role": r}).Want(d.T, http.StatusOK)
	return u, r
}

// himself gives the first-party token of one of the people of Notes.
func (d *doer) himself() string {
	tokens, err := d.w.SignIn.Admin(d.Context(), d.jane().ID, d.w.Installation.SiteID)
	if err != nil {
		d.Fatal(err)
	}
	return tokens.Access.Reveal()
}

// thing makes a key or a client of the own site.
func (d *doer) thing(kind string) string {
	return as(d.T, d.w, d.own)(http.MethodPost, "/sites/"+d.mine+"/"+kind, object{"name": d.name()}).Want(d.T, http.StatusCreated).Text("id")
}

func (d *doer) key(method, path string, body any, types ...otl.EventType) act {
	return act{otltest.Call{Method: method, Path: "/api/v1" + path, Key: d.w.Notes.Key, Body: body}, types, otl.ActorSiteKey}
}

func (d *doer) person(bearer, method, path string, body any, types ...otl.EventType) act {
	return act{otltest.Call{Method: method, Path: "/api/v1" + path, Bearer: bearer, Body: body}, types, otl.ActorPerson}
}

func (d *doer) owned(method, path string, body any, types ...otl.EventType) act {
	return d.person(d.own, method, "/sites"+path, body, types...)
}

// acts gives a way to do every operation that changes something. Each makes what it
// needs when it is called.
func acts(t *testing.T, w *otltest.World) map[string]func() act {
	d, all := newDoer(t, w), map[string]func() act{}
	for _, some := range []map[string]func() act{d.sessions(), d.people(), d.roles(), d.sites(), d.hooks(), d.factors(), d.proofs()} {
		maps.Copy(all, some)
	}
	return all
}

func (d *doer) sessions() map[string]func() act {
	return map[string]func() act{
		"login": func() act {
			return d.key(http.MethodPost, "/auth/login", object{"email": d.jane().Email.Address, "password": otltest.Password}, otl.EventSessionCreated)
		},
		"register": func() act {
			return d.key(http.MethodPost, "/auth/register", object{"email": d.name() + "@dev.test", "password": otltest.Password},
				otl.EventUserCreated, otl.EventConsentGranted, otl.EventSessionCreated)
		},
		"logout": func() act {
			_, in := d.login()
			a := d.key(http.MethodPost, "/auth/logout", object{}, otl.EventSessionRevoked)
			a.call.Bearer = in.Text("access_token")
			return a
		},
		"changePassword": func() act {
			return d.person(home(d.T, d.w, d.jane(), otl.MethodPassword), http.MethodPost, "/auth/password/change",
				object{"current_password": otltest.Password, "password": "staple-battery-9"}, otl.EventPasswordChanged)
		},
		"revokeSession": func() act {
			u, _ := d.login()
			live := call(d.T, d.w, d.w.Notes, http.MethodGet, "/sessions?user_id="+u.ID, nil).Items(d.T)
			return d.key(http.MethodDelete, "/sessions/"+live[0]["id"].(string), nil, otl.EventSessionRevoked)
		},
	}
}

func (d *doer) people() map[string]func() act {
	profile := func(method string) func() act {
		return func() act {
			u := d.jane()
			return d.key(method, "/users/"+u.ID, object{"name": "Jane Roe", "version": u.Version}, otl.EventUserUpdated)
		}
	}
	me := func(method string) func() act {
		return func() act {
			u, in := d.login()
			return d.person(in.Text("access_token"), method, "/users/me", object{"name": "Jane Roe", "version": u.Version}, otl.EventUserUpdated)
		}
	}
	return map[string]func() act{
		"updateMe": me(http.MethodPatch), "replaceMe": me(http.MethodPut), "updateUser": profile(http.MethodPatch), "replaceUser": profile(http.MethodPut),
		"createUser": func() act {
			return d.key(http.MethodPost, "/users", object{"email": d.name() + "@dev.test"}, otl.EventUserCreated)
		},
		"removeMyPhone": func() act {
			u := d.reached()
			tokens, err := d.w.SignIn.Admin(d.Context(), u.ID, d.w.Installation.SiteID)
			if err != nil {
				d.Fatal(err)
			}
			return d.person(tokens.Access.Reveal(), http.MethodDelete, "/users/me/phone", nil, otl.EventUserUpdated)
		},
		"limitMySite": func() act {
			return d.person(d.himself(), http.MethodPut, "/users/me/sites/"+d.w.Notes.Site.ID, object{"fields": []string{"email"}}, otl.EventConsentGranted)
		},
		"leaveMySite": func() act {
			return d.person(d.himself(), http.MethodDelete, "/users/me/sites/"+d.w.Notes.Site.ID, nil, otl.EventConsentRevoked)
		},
		"deleteUser": func() act { return d.key(http.MethodDelete, "/users/"+d.jane().ID, nil, otl.EventConsentRevoked) },
	}
}

func (d *doer) roles() map[string]func() act {
	return map[string]func() act{
		"createRole": func() act { return d.key(http.MethodPost, "/roles", object{"name": d.name()}, otl.EventRoleCreated) },
		"updateRole": func() act {
			return d.key(http.MethodPatch, "/roles/"+d.role(), object{"default": false, "description": "x"}, otl.EventRoleUpdated)
		},
		"deleteRole": func() act {
			_, r := d.given()
			return d.key(http.MethodDelete, "/roles/"+r, nil, otl.EventRoleDeleted, otl.EventRoleRemoved)
		},
		"assignRole": func() act {
			return d.key(http.MethodPost, "/roles/assign", object{"user_id": d.jane().ID, "role": d.role()}, otl.EventRoleAssigned)
		},
		"assignRoleTo": func() act {
			return d.key(http.MethodPost, "/users/"+d.jane().ID+"/roles", object{"role": d.role()}, otl.EventRoleAssigned)
		},
		"unassignRole": func() act {
			u, r := d.given()
			return d.key(http.MethodDelete, "/users/"+u.ID+"/roles/"+r, nil, otl.EventRoleRemoved)
		},
	}
}

func (d *doer) sites() map[string]func() act {
	change := func(method string) func() act {
		return func() act {
			s, err := d.w.Sites.Get(d.Context(), d.mine)
			if err != nil {
				d.Fatal(err)
			}
			return d.owned(method, "/"+d.mine, object{"name": d.name(), "version": s.Version}, otl.EventSiteUpdated)
		}
	}
	return map[string]func() act{
		"updateSite": change(http.MethodPatch), "replaceSite": change(http.MethodPut),
		"registerSite": func() act {
			return d.owned(http.MethodPost, "", object{"name": "Acme", "domain": "acme.test", "callback_url": "https://acme.test/cb"}, otl.EventSiteCreated, otl.EventSiteKeyCreated)
		},
		"deleteSite": func() act {
			return d.owned(http.MethodDelete, "/"+ownSite(d.T, d.w, d.own).Text("id"), nil, otl.EventSiteDeleted)
		},
		"restoreSite": func() act {
			id := ownSite(d.T, d.w, d.own).Text("id")
			as(d.T, d.w, d.own)(http.MethodDelete, "/sites/"+id, nil).Want(d.T, http.StatusOK)
			return d.owned(http.MethodPost, "/"+id+"/restore", nil, otl.EventSiteRestored)
		},
		"createSiteKey": func() act {
			return d.owned(http.MethodPost, "/"+d.mine+"/keys", object{"name": "k"}, otl.EventSiteKeyCreated)
		},
		"rollSiteKey": func() act {
			return d.owned(http.MethodPost, "/"+d.mine+"/keys/"+d.thing("keys")+"/roll", object{}, otl.EventSiteKeyCreated, otl.EventSiteKeyRolled)
		},
		"revokeSiteKey": func() act {
			return d.owned(http.MethodDelete, "/"+d.mine+"/keys/"+d.thing("keys"), nil, otl.EventSiteKeyRevoked)
		},
		"createClient": func() act {
			return d.owned(http.MethodPost, "/"+d.mine+"/clients", object{"name": "c"}, otl.EventClientCreated)
		},
		"updateClient": func() act {
			return d.owned(http.MethodPatch, "/"+d.mine+"/clients/"+d.thing("clients"), object{"name": "other"}, otl.EventClientUpdated)
		},
		"revokeClient": func() act {
			return d.owned(http.MethodDelete, "/"+d.mine+"/clients/"+d.thing("clients"), nil, otl.EventClientRevoked)
		},
	}
}

// factors are the acts of a person on what he proves himself with.
func (d *doer) factors() map[string]func() act {
	strong := func(u otl.User) string { return home(d.T, d.w, u, otl.MethodPassword, otl.MethodTOTP) }
	return map[string]func() act{
		"confirmFactor": func() act {
			u := d.jane()
			bearer := home(d.T, d.w, u, otl.MethodPassword)
			begun := enrol(d.T, d.w, bearer, object{"kind": "totp", "label": "My phone"}).Want(d.T, http.StatusOK)
			seed, err := secret.ParseTOTPSeed(begun.Text("secret"))
			if err != nil {
				d.Fatal(err)
			}
			return d.person(bearer, http.MethodPost, "/auth/mfa/confirm", object{"factor_id": begun.Text("id"), "code": armed{User: u, seed: seed}.code(d.w)}, otl.EventFactorAdded)
		},
		"newRecoveryCodes": func() act {
			return d.person(strong(arm(d.T, d.w, d.name()+"@dev.test", d.w.Notes.Site).User), http.MethodPost, "/auth/mfa/recovery-codes", nil, otl.EventFactorAdded)
		},
		"deleteFactor": func() act {
			a := arm(d.T, d.w, d.name()+"@dev.test", d.w.Notes.Site)
			return d.person(strong(a.User), http.MethodDelete, "/auth/mfa/"+a.factor.ID, nil, otl.EventFactorRemoved)
		},
	}
}

// hooks are the acts on webhooks.
func (d *doer) hooks() map[string]func() act {
	made := func() string {
		return "/webhooks/" + call(d.T, d.w, d.w.Notes, http.MethodPost, "/webhooks", object{"url": "https://notes.test/hook"}).Want(d.T, http.StatusCreated).Text("id")
	}
	do := func(method, path string, body any, kind otl.EventType) func() act {
		return func() act {
			hook := made()
			d.w.Clock.Advance(time.Second)
			event := call(d.T, d.w, d.w.Notes, http.MethodPost, hook+"/test", object{}).Want(d.T, http.StatusAccepted).Text("event_id")
			for { // until its delivery waits
				if n, err := d.w.Events.Place(d.Context()); err != nil || n == 0 {
					break
				}
			}
			return d.key(method, strings.NewReplacer("{hook}", hook, "{event}", event).Replace(path), body, kind)
		}
	}
	again := object{"since": "2026-01-01T00:00:00Z", "which": "all"}
	return map[string]func() act{
		"createWebhook": do(http.MethodPost, "/webhooks", object{"url": "https://notes.test/other"}, otl.EventEndpointCreated),
		"updateWebhook": do(http.MethodPatch, "{hook}", object{"state": "paused"}, otl.EventEndpointUpdated),
		"verifyWebhook": func() act {
			h := otltest.NewHook(d.T)
			h.Echo()
			id := call(d.T, d.w, d.w.Notes, http.MethodPost, "/webhooks", object{"url": h.URL}).Want(d.T, http.StatusCreated).Text("id")
			return d.key(http.MethodPost, "/webhooks/"+id+"/verify", nil, otl.EventEndpointProven)
		},
		"rotateWebhookSecret": do(http.MethodPost, "{hook}/rotate-secret", object{}, otl.EventEndpointRotated),
		"deleteWebhook":       do(http.MethodDelete, "{hook}", nil, otl.EventEndpointDeleted),
		"testWebhook":         do(http.MethodPost, "{hook}/test", object{}, otl.EventWebhookTest),
		"triggerEvent":        do(http.MethodPost, "/events/test", object{"type": "user.updated"}, otl.EventWebhookTest),
		"resendDelivery":      do(http.MethodPost, "{hook}/deliveries/{event}/resend", nil, otl.EventReplayed),
		"replayEvent":         do(http.MethodPost, "/webhooks/events/{event}/replay", nil, otl.EventReplayed),
		"replayWebhook":       do(http.MethodPost, "{hook}/replay", again, otl.EventReplayed),
	}
}

// proofs are the acts that need something out of a message or an app.
func (d *doer) proofs() map[string]func() act {
	send := func(path string, body object) {
		d.Helper()
		d.w.Letters(d.T, "")
		d.w.Inbox.Empty()
		call(d.T, d.w, d.w.Notes, http.MethodPost, path, body).Want(d.T, http.StatusAccepted)
	}
	return map[string]func() act{
		"verifyCode": func() act {
			to := d.jane().Email.Address
			send("/auth/otp/send", object{"email": to})
			return d.key(http.MethodPost, "/auth/otp/verify", object{"email": to, "code": d.w.Newest(d.T, to).Code}, otl.EventSessionCreated)
		},
		"verifyLink": func() act {
			to := d.jane().Email.Address
			send("/auth/link/send", object{"email": to, "callback_url": "https://notes.test/callback", "state": "s"})
			path := strings.TrimPrefix(d.w.Newest(d.T, to).Link, otltest.Issuer)
			back, err := url.Parse(d.w.Do(d.T, otltest.Call{Method: http.MethodPost, Path: path}).Want(d.T, http.StatusSeeOther).Header.Get("Location"))
			if err != nil {
				d.Fatal(err)
			}
			return d.key(http.MethodPost, "/auth/link/verify", object{"code": back.Query().Get("code")}, otl.EventSessionCreated)
		},
		"exchangeCode": func() act {
			const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
			sum := sha256.Sum256([]byte(verifier))
			b := d.w.Browser(d.T)
			p := b.Get("/authorize?" + url.Values{
				"site": {d.w.Notes.Site.ID}, "redirect_uri": {d.w.Notes.Site.CallbackURLs[0]}, "state": {"s"},
				"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
			}.Encode())
			back := b.Submit(p, "/signin", map[string]string{"identifier": d.jane().Email.Address, "password": otltest.Password}).Left
			return d.key(http.MethodPost, "/auth/token", object{"code": back.Query().Get("code"), "code_verifier": verifier}, otl.EventSessionCreated)
		},
		"resetPassword": func() act {
			send("/auth/password/forgot", object{"email": d.jane().Email.Address})
			all := mailed(d.T, d.w)
			return d.key(http.MethodPost, "/auth/password/reset", object{"token": all[len(all)-1].Data["token"], "password": "staple-battery-9"}, otl.EventPasswordChanged)
		},
		"verifyFactor": func() act {
			armed := arm(d.T, d.w, d.name()+"@dev.test", d.w.Notes.Site)
			return d.key(http.MethodPost, "/auth/mfa/verify", object{"mfa_token": step(d.T, d.w, d.w.Notes, armed.Email.Address), "code": armed.code(d.w), "trust_device": true}, otl.EventSessionCreated, otl.EventDeviceTrusted)
		},
		"forgetTrustedDevice": func() act {
			armed := arm(d.T, d.w, d.name()+"@dev.test", d.w.Notes.Site)
			trusted(d.T, d.w, armed)
			strong := home(d.T, d.w, armed.User, otl.MethodPassword, otl.MethodTOTP)
			id, _ := d.w.Do(d.T, otltest.Call{Path: "/api/v1/auth/mfa/devices", Bearer: strong}).Items(d.T)[0]["id"].(string)
			return d.person(strong, http.MethodDelete, "/auth/mfa/devices/"+id, nil, otl.EventDeviceForgotten)
		},
	}
}

// breakLog makes every event that is appended fail, and gives what takes that back.
func breakLog(t *testing.T, w seen) func() {
	t.Helper()
	do, undo := `CREATE TRIGGER broken BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'broken'); END`, `DROP TRIGGER broken`
	if w.Engine == otltest.Postgres {
		do, undo = `ALTER TABLE events ADD CONSTRAINT broken CHECK (false) NOT VALID`, `ALTER TABLE events DROP CONSTRAINT broken`
	}
	exec := func(text string) {
		t.Helper()
		db, err := sql.Open(w.driver, w.url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), text); err != nil {
			t.Fatal(err)
		}
	}
	exec(do)
	return func() { exec(undo) }
}

// TestAU01_AU02_EveryActIsInTheLog does everything that changes something while the
// log cannot be written: each fails, and nothing is different but counted tries. Then
// it does it with a log that can: the entries of each act carry the id of its request,
// who did it and from where. An operation that is in neither list fails.
func TestAU01_AU02_EveryActIsInTheLog(t *testing.T) {
	t.Parallel()
	d := describe(t)
	eachSeen(t, func(t *testing.T, w seen) {
		ways := acts(t, w.World)
		for name, o := range d.operations() {
			if _, known := ways[o.OperationID]; !known && unlogged[o.OperationID] == "" && !strings.HasPrefix(name, "GET ") {
				t.Errorf("%s changes something: say in acts what the log tells of it, or in unlogged why it does not", o.OperationID)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(ways)) {
			a := ways[id]()
			before, mend := counted(dump(t, w.driver, w.url)), breakLog(t, w)
			refused := w.Do(t, a.call)
			mend()
			if after := counted(dump(t, w.driver, w.url)); refused.Status != http.StatusInternalServerError || after != before {
				t.Errorf("%s without a log: %d %s\n%s", id, refused.Status, refused.Raw, difference(before, after))
			}
			w.Clock.Advance(time.Second)
			if id == "verifyFactor" || id == "confirmFactor" {
				a = ways[id]() // a code of an app is used by the first try
			}
			done := w.Do(t, a.call)
			if done.Status/100 != 2 {
				t.Errorf("%s: %d %s", id, done.Status, done.Raw)
				continue
			}
			inLog(t, w.World, id, a, done.Header.Get("X-Request-Id"))
		}
	})
}

// counted leaves out of a dump what counts tries, which are counted whatever comes
// of them.
func counted(dump string) string {
	var out []string
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, "tickets ") && !strings.HasPrefix(line, "factors ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func inLog(t *testing.T, w *otltest.World, id string, a act, request string) {
	t.Helper()
	all, err := w.Store.Read.Events.List(t.Context(), "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	found := map[otl.EventType]bool{}
	for _, e := range all {
		if e.RequestID != request {
			continue
		}
		found[e.Type] = true
		if e.By.Kind != a.by || e.By.ID == "" || e.From != "127.0.0.1" || e.Via == "" {
			t.Errorf("%s: %s by %s through %q from %q", id, e.Type, e.By, e.Via, e.From)
		}
		if strings.Contains(string(e.Type), "site") && e.Type != otl.EventSiteDeleted && e.Type != otl.EventSiteRestored && e.Type != otl.EventSiteKeyRevoked && len(e.Changes) == 0 {
			t.Errorf("%s: %s does not say what changed", id, e.Type)
		}
	}
	for _, want := range a.types {
		if !found[want] {
			t.Errorf("%s: %s is not in the log of its request, which has %v", id, want, found)
		}
	}
}

// TestAU04_NothingSteersTheReader: what people type stands in the log as data.
func TestAU04_NothingSteersTheReader(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, evil := range []string{`"}],"by":{"kind":"system"}`, "a\u2028b", `\u0000`, "<script>alert(1)</script>", "%0d%0aaudit.read", "${jndi:ldap://x}", "🙂", `'; DROP TABLE events; --`} {
			done, err := w.Sites.Register(t.Context(), site.Registration{Name: evil})
			if err != nil {
				continue // it is no name
			}
			all, err := w.Store.Read.Events.List(t.Context(), "", done.Site.ID, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if e.Type == otl.EventSiteCreated && (e.Data["name"] != evil || e.By.Kind != otl.ActorSystem) {
					t.Errorf("%d: %+v", i, e)
				}
			}
		}
		for _, control := range []string{"a\nb", "a\x1b[2Jb", "a\rb", "a\x00b", "a\u202eb"} {
			if _, err := w.Sites.Register(t.Context(), site.Registration{Name: control}); err == nil {
				t.Errorf("%q is a name", control)
			}
		}
	})
}
