package node_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look at the database from outside

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

type object = map[string]any

// traveller goes through every surface and remembers each secret he meets.
type traveller struct {
	*testing.T
	w        *otltest.World
	url      string            // of the database
	canaries map[string]string // what must be found nowhere, by what it is
	failures strings.Builder   // bodies of answers that are errors
	bodies   strings.Builder   // what receivers of webhooks got
}

const (
	canaryPassword = "canary-Password-81"
	canaryWrong    = "canary-Wrong-4711"
	canaryPhone    = "+491705559731"
	canaryEmail    = "canary-jane@dev.test"
)

// meet remembers members of an answer that are secrets.
func (x *traveller) meet(r otltest.Reply, surface string, members ...string) otltest.Reply {
	x.Helper()
	for _, m := range members {
		v := r.Text(m)
		if data, ok := r.JSON["data"].([]any); ok && len(data) > 0 && v == "" {
			v, _ = data[0].(object)[m].(string)
		}
		if v == "" {
			x.Fatalf("%s: no %s in %s", surface, m, r.Raw)
		}
		x.canaries[fmt.Sprintf("%s of %s, number %d", m, surface, len(x.canaries))] = v
	}
	return r
}

func (x *traveller) native(path string, body any) otltest.Reply {
	x.Helper()
	return x.w.Do(x.T, otltest.Call{Method: http.MethodPost, Path: "/api/v1" + path, Key: x.w.Notes.Key, Body: body})
}

// letter gives the newest letter with a code or a link and remembers what is secret in it.
func (x *traveller) letter(to string) (code, link string) {
	x.Helper()
	l := x.w.Newest(x.T, to)
	if l.Code != "" {
		x.canaries["a code, number "+fmt.Sprint(len(x.canaries))] = l.Code
	}
	if u, err := url.Parse(l.Link); err == nil && u.Path != "" {
		x.canaries["a link, number "+fmt.Sprint(len(x.canaries))] = u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	}
	return l.Code, l.Link
}

// people registers, signs in in every way, forgets a password and gets another.
func (x *traveller) people() {
	x.meet(x.native("/auth/register", object{"email": canaryEmail, "password": canaryPassword, "name": "Canary Jane", "phone": canaryPhone, "fields": []string{"email", "name"}}).
		Want(x, http.StatusCreated), "register", "access_token", "refresh_token")
	login := x.meet(x.native("/auth/login", object{"email": canaryEmail, "password": canaryPassword}).Want(x, http.StatusOK), "login", "access_token", "refresh_token")
	x.meet(x.native("/auth/refresh", object{"refresh_token": login.Text("refresh_token")}).Want(x, http.StatusOK), "refresh", "access_token", "refresh_token")

	x.native("/auth/otp/send", object{"email": canaryEmail}).Want(x, http.StatusAccepted)
	code, _ := x.letter(canaryEmail)
	x.meet(x.native("/auth/otp/verify", object{"email": canaryEmail, "code": code}).Want(x, http.StatusOK), "a code", "access_token", "refresh_token")

	x.w.Clock.Advance(31 * time.Second)
	x.native("/auth/link/send", object{"email": canaryEmail, "callback_url": "https://notes.test/callback", "state": "s"}).Want(x, http.StatusAccepted)
	_, link := x.letter(canaryEmail)
	pressed := x.w.Do(x.T, otltest.Call{Method: http.MethodPost, Path: strings.TrimPrefix(link, otltest.Issuer)}).Want(x, http.StatusSeeOther)
	back, err := url.Parse(pressed.Header.Get("Location"))
	if err != nil {
		x.Fatal(err)
	}
	x.canaries["the code a link leads back with"] = back.Query().Get("code")
	x.meet(x.native("/auth/link/verify", object{"code": back.Query().Get("code")}).Want(x, http.StatusOK), "a link", "access_token", "refresh_token")

	x.w.Clock.Advance(31 * time.Second)
	x.native("/auth/password/forgot", object{"email": canaryEmail}).Want(x, http.StatusAccepted)
	token := between(x.w.Newest(x.T, canaryEmail).Text, "otl_pr_")
	x.canaries["the token of a forgotten password"], x.canaries["the next password"] = token, canaryPassword+"-next"
	x.native("/auth/password/reset", object{"token": token, "password": canaryPassword + "-next"}).Want(x, http.StatusOK)
}

// between gives the word of a text that begins with a prefix.
func between(text, prefix string) string {
	i := strings.Index(text, prefix)
	if i < 0 {
		return ""
	}
	rest := text[i:]
	if end := strings.IndexFunc(rest, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", r)
	}); end > 0 {
		rest = rest[:end]
	}
	return rest
}

// secondFactor signs somebody in with an app.
func (x *traveller) secondFactor() {
	u, seed := x.w.Person(x.T, "armed@dev.test", x.w.Notes.Site), secret.NewTOTPSeed()
	if _, err := x.w.Setup.Give(x.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil {
		x.Fatal(err)
	}
	x.canaries["the seed of an app"] = seed.Reveal()
	asked := x.meet(x.native("/auth/login", object{"email": "armed@dev.test", "password": otltest.Password}).Want(x, http.StatusUnauthorized), "the second step", "mfa_token")
	x.w.Clock.Advance(30 * time.Second)
	x.meet(x.native("/auth/mfa/verify", object{"mfa_token": asked.Text("mfa_token"), "code": secret.TOTP(seed, x.w.Clock.Now())}).Want(x, http.StatusOK), "a factor", "access_token", "refresh_token")
}

// owner makes a site with keys and a client.
func (x *traveller) owner() {
	u := x.w.Person(x.T, "owner@dev.test")
	tokens, err := x.w.SignIn.Admin(x.Context(), u.ID, x.w.Installation.SiteID)
	if err != nil {
		x.Fatal(err)
	}
	bearer := tokens.Access.Reveal()
	x.canaries["the owner's token"] = bearer
	do := func(path string, body any) otltest.Reply {
		return x.w.Do(x.T, otltest.Call{Method: http.MethodPost, Path: "/api/v1/sites" + path, Bearer: bearer, Body: body}).Want(x, http.StatusCreated)
	}
	id := x.meet(do("", object{"name": "Acme", "domain": "acme.test", "callback_url": "https://acme.test/cb"}), "a new site", "site_key").Text("id")
	key := do("/"+id+"/keys", object{"name": "second"})
	x.meet(key, "a new key", "site_key")
	x.meet(do("/"+id+"/keys/"+key.Text("id")+"/roll", object{}), "a rolled key", "site_key")
	x.meet(do("/"+id+"/clients", object{"name": "program"}), "a client", "client_secret")
}

// hooks has events delivered: what a receiver gets, and what it answers, is kept.
func (x *traveller) hooks() {
	h := otltest.NewHook(x.T)
	made := x.meet(x.native("/webhooks", object{"url": h.URL}).Want(x, http.StatusCreated), "an endpoint", "secret")
	x.meet(x.native("/webhooks/"+made.Text("id")+"/rotate-secret", object{}).Want(x, http.StatusCreated), "a rotated endpoint", "secret")
	h.Answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("thank you")) })
	x.meet(x.native("/auth/login", object{"email": canaryEmail, "password": canaryPassword + "-next"}).Want(x, http.StatusOK), "a login that is told of", "access_token", "refresh_token")
	x.native("/events/test", object{"type": "user.updated"}).Want(x, http.StatusAccepted)
	x.w.Deliver(x.T)
	told := h.Take()
	if len(told) < 2 {
		x.Fatalf("%d events were delivered", len(told))
	}
	for _, one := range told {
		x.bodies.Write(one.Body)
		head, err := json.Marshal(one.Header)
		if err != nil {
			x.Fatal(err)
		}
		x.bodies.Write(head)
	}
}

// clients speak the wires of the others.
func (x *traveller) clients() {
	made, err := x.w.Clients.Create(x.Context(), x.w.Notes.Site.ID, site.NewClient{Name: "backend", Scopes: otl.AllScopes(), RedirectURIs: []string{"https://notes.test/callback"}})
	if err != nil {
		x.Fatal(err)
	}
	x.canaries["the secret of a client"] = made.Secret.Reveal()
	x.w.Person(x.T, "jim@dev.test", x.w.Notes.Site)

	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ID}, "client_secret": {made.Secret.Reveal()}}
	token := x.meet(x.w.Do(x.T, otltest.Call{Method: http.MethodPost, Path: "/oidc/token", Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).
		Want(x, http.StatusOK), "Transmit's token", "access_token").Text("access_token")
	cis := func(path string, body any) otltest.Reply {
		return x.w.Do(x.T, otltest.Call{Method: http.MethodPost, Path: "/cis/v1/auth/" + path, Bearer: token, Body: body}).Want(x, http.StatusOK)
	}
	x.meet(cis("password/authenticate", object{"username": "jim@dev.test", "password": otltest.Password}), "Transmit's password", "access_token", "refresh_token", "id_token")
	direct := x.meet(cis("otp/send", object{"channel": "direct", "identifier_type": "email", "identifier": "jim@dev.test"}), "Transmit's direct channel", "code").Text("code")
	x.meet(cis("otp/authenticate", object{"passcode": direct, "identifier_type": "email", "identifier": "jim@dev.test"}), "Transmit's code", "access_token", "refresh_token", "id_token")

	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(made.ID+":"+made.Secret.Reveal()))
	post := func(path, authorization string, body any) otltest.Reply {
		return x.w.Do(x.T, otltest.Call{Method: http.MethodPost, Path: path, Body: body, Headers: map[string]string{"Authorization": authorization}}).Want(x, http.StatusOK)
	}
	pair := x.meet(post("/auth/oauth2/v2/token", basic, object{"grant_type": "client_credentials"}), "OneLogin's token", "access_token", "refresh_token")
	session := x.meet(post("/api/1/login/auth", "bearer:"+pair.Text("access_token"), object{"username_or_email": "jim@dev.test", "password": otltest.Password, "subdomain": x.w.Notes.Site.Slug}),
		"OneLogin's sign-in", "session_token")
	data, _ := session.JSON["data"].([]any)
	in := x.w.Do(x.T, otltest.Call{
		Method: http.MethodPost, Path: "/session_via_api_token", Body: url.Values{"session_token": {data[0].(object)["session_token"].(string)}}.Encode(),
		Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
	for _, c := range in.Header.Values("Set-Cookie") {
		if v := between(c, "otl_bs_"); v != "" {
			x.canaries["the cookie of a browser"] = v
		}
	}
	if x.canaries["the cookie of a browser"] == "" {
		x.Errorf("no cookie: %d %v", in.Status, in.Header)
	}
}

// mistakes are made with secrets in wrong places.
func (x *traveller) mistakes() {
	for _, c := range []otltest.Call{
		{Path: "/api/v1/auth/login", Key: x.w.Notes.Key, Body: object{"email": canaryEmail, "password": canaryWrong}},
		{Path: "/api/v1/users/me?access_token=" + canaryWrong},
		{Path: "/api/v1/users/me", Bearer: canaryWrong},
		{Path: "/oidc/token", Body: object{"client_secret": canaryWrong}},
		{Path: "/api/1/login/auth", Body: object{"password": canaryWrong}, Headers: map[string]string{"Authorization": "bearer:" + canaryWrong}},
		{Path: "/l/" + canaryWrong},
		{Path: "/nothing/here", Headers: map[string]string{"Cookie": "__Host-otl_bs=" + canaryWrong}},
		{Path: "/session_via_api_token", Body: object{"session_token": canaryWrong}},
	} {
		r := x.w.Do(x.T, c)
		x.failures.Write(r.Raw)
	}
	x.canaries["a wrong secret"] = canaryWrong
}

// places gives everything that is kept or written, by what it is.
func (x *traveller) places() map[string]string {
	for {
		if n, err := x.w.Events.Place(x.Context()); err != nil {
			x.Fatal(err)
		} else if n == 0 {
			break
		}
	}
	out := map[string]string{"an answer that is an error": x.failures.String(), "the server's log": x.w.Log.String(), "a webhook": x.bodies.String()}
	events, err := x.w.Store.Read.Events.After(x.Context(), 0, 10_000)
	if err != nil || len(events) < 20 {
		x.Fatal(len(events), err)
	}
	audit, _, _, err := x.w.Events.Audit(x.Context(), x.w.Notes.Site.ID, otl.LogFilter{Limit: 10_000})
	if err != nil {
		x.Fatal(err)
	}
	for what, all := range map[string]any{"the log of events": events, "the log of the site": audit} {
		raw, err := json.Marshal(all)
		if err != nil {
			x.Fatal(err)
		}
		out[what] = string(raw)
	}
	if x.w.Engine == otltest.Postgres {
		out["the database"] = postgresText(x.T, x.url)
		return out
	}
	files, err := filepath.Glob(x.url + "*")
	if err != nil || len(files) < 2 {
		x.Fatal(files, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			x.Fatal(err)
		}
		out["the file "+filepath.Base(f)] = string(raw)
	}
	return out
}

// postgresText gives every row of every table; bytes are in hex.
func postgresText(t *testing.T, url string) string {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	read := func(text string) (out []string) {
		t.Helper()
		rows, err := db.QueryContext(context.WithoutCancel(t.Context()), text)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var all []string
	for _, table := range read(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`) {
		all = append(all, read(`SELECT t::text FROM `+table+` t`)...)
	}
	return strings.Join(all, "\n")
}

// TestPR01_OT03_OT23_NoSecretLeaves goes through all surfaces with secrets that can be
// recognised and looks for each, as it is and in hex, in everything that is written:
// the server's log, answers that are errors, the log of events, what a site reads of
// it, and every byte of the database. Who somebody is stands in his own row only.
func TestPR01_OT03_OT23_NoSecretLeaves(t *testing.T) {
	t.Parallel()
	master := secret.NewMaster()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			x := &traveller{T: t, canaries: map[string]string{"the password": canaryPassword, "the master key": master.Encode().Reveal()}}
			x.w = otltest.New(t, e, func(o *node.Options) {
				o.Master, o.CodeLength, x.url = func(bool) (secret.Master, error) { return master, nil }, 10, o.Store.URL
			})
			if err := x.w.Installation.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			x.canaries["the site key"] = x.w.Notes.Key.Reveal()
			x.people()
			x.secondFactor()
			x.owner()
			x.hooks()
			x.clients()
			x.mistakes()
			if len(x.canaries) < 40 {
				t.Errorf("only %d secrets were met", len(x.canaries))
			}
			for place, text := range x.places() {
				for what, value := range x.canaries {
					if value == "" || strings.Contains(text, value) || strings.Contains(text, hex.EncodeToString([]byte(value))) {
						t.Errorf("%s is in %s", what, place)
					}
				}
				if strings.HasPrefix(place, "the database") || strings.HasPrefix(place, "the file") || place == "a webhook" {
					continue
				}
				for _, personal := range []string{canaryEmail, canaryPhone, "Canary Jane"} {
					if strings.Contains(text, personal) {
						t.Errorf("%s is in %s", personal, place)
					}
				}
			}
			if !slices.Contains(strings.Fields(strings.ReplaceAll(x.w.Log.String(), `"`, " ")), "/api/v1/auth/login") {
				t.Error("the server's log is empty")
			}
		})
	}
}
