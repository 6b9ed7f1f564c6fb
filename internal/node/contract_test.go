package node_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// The rows of contract 4.2 that are none of OneLogin's wire, whose own stand with it.

// rs256 checks a token against the keys that are published on Transmit's wire, and gives what
// it says.
func rs256(t *testing.T, w *otltest.World, raw string) (says map[string]any) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Do(t, otltest.Call{Path: "/cis/oidc/jwks"}).Want(t, http.StatusOK).Raw, &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	keys := set.Key(jws.Signatures[0].Header.KeyID)
	if len(keys) != 1 {
		t.Fatalf("no key %q", jws.Signatures[0].Header.KeyID)
	}
	payload, err := jws.Verify(keys[0])
	if err == nil {
		err = json.Unmarshal(payload, &says)
	}
	if err != nil {
		t.Fatal(err)
	}
	return says
}

// TestContract42_10_11_12_Transmit: the token by a form, with a key that is published; amr as a
// list, with mfa once a second factor joined the session; no answer has a status; errors in
// digits for links and in words for codes; 204 at the end; a link to an address in either way.
func TestContract42_10_11_12_Transmit(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		d.tokens()
		rs256(t, w, d.cis)
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		post := func(path string, body object, status int) otltest.Reply {
			t.Helper()
			r := w.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Bearer: d.cis, Body: body})
			if _, there := r.JSON["status"]; there || r.Status != status || r.Status != http.StatusNoContent && r.JSON == nil {
				t.Errorf("%s: %d %s", path, r.Status, r.Raw)
			}
			return r
		}
		in := post("/cis/v1/auth/password/authenticate", object{"username": "jane@dev.test", "password": otltest.Password}, http.StatusOK)
		if amr, list := rs256(t, w, in.Text("id_token"))["amr"].([]any); !list || slices.Contains(amr, any("mfa")) {
			t.Errorf("%v", amr)
		}
		who := object{"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"}
		post("/cis/v1/auth/otp/send", who, http.StatusOK)
		code := ""
		for _, l := range w.Letters(t, "jane@dev.test") {
			code += l.Code
		}
		wrong := post("/v1/auth/otp/authenticate", object{"identifier_type": "email", "identifier": "jane@dev.test", "passcode": string('0'+('9'-code[0])) + code[1:]}, http.StatusBadRequest)
		if symbol := wrong.Text("error_code"); symbol == "" || strings.Trim(symbol, "0123456789") == "" {
			t.Errorf("%s", wrong.Raw)
		}
		second := post("/v1/auth/otp/authenticate", object{"identifier_type": "email", "identifier": "jane@dev.test", "passcode": code, "session_id": in.Text("session_id")}, http.StatusOK)
		if amr, _ := rs256(t, w, second.Text("id_token"))["amr"].([]any); !slices.Contains(amr, any("mfa")) {
			t.Errorf("%v", amr)
		}
		for _, to := range []object{{"email": "jane@dev.test"}, {"identifier": "jane@dev.test", "identifier_type": "email"}} {
			to["redirect_uri"] = callbackURL
			post("/cis/v1/auth/link/email/send", to, http.StatusOK)
		}
		for path, body := range map[string]object{"send": {"redirect_uri": callbackURL}, "authenticate": {"code": "x"}} {
			if r := post("/v1/auth/link/email/"+path, body, http.StatusBadRequest); r.Text("error_code") != "400" {
				t.Errorf("%s", r.Raw)
			}
		}
		if r := post("/v1/auth/session/logout", object{"session_id": in.Text("session_id")}, http.StatusNoContent); len(r.Raw) > 0 {
			t.Errorf("%s", r.Raw)
		}
	})
}

// TestContract42_13_BothForms of a path answer alike, and every error has a text and the id of
// the request; those of a panic are held by TestHT11.
func TestContract42_13_BothForms(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		for what, c := range map[string]struct {
			otltest.Call
			status int
		}{
			"unknown": {otltest.Call{Path: "/nothing"}, http.StatusNotFound},
			"method":  {otltest.Call{Method: http.MethodDelete, Path: "/auth/login"}, http.StatusMethodNotAllowed},
			"large":   {otltest.Call{Path: "/auth/login", Key: w.Notes.Key, Body: `{"email":"` + strings.Repeat("x", 20<<10) + `"}`}, http.StatusRequestEntityTooLarge},
			"type":    {otltest.Call{Path: "/auth/login", Key: w.Notes.Key, Body: `{}`, Headers: map[string]string{"Content-Type": "text/plain"}}, http.StatusUnsupportedMediaType},
			"broken":  {otltest.Call{Path: "/auth/login", Key: w.Notes.Key, Body: `{`}, http.StatusBadRequest},
			"missing": {otltest.Call{Path: "/auth/login", Key: w.Notes.Key, Body: `{}`}, http.StatusUnprocessableEntity},
			"wrong":   {otltest.Call{Path: "/auth/login", Key: w.Notes.Key, Body: object{"email": "jane@dev.test", "password": "wrong-horse-7"}}, http.StatusUnauthorized},
			"no key":  {otltest.Call{Path: "/auth/login", Body: object{"email": "jane@dev.test", "password": otltest.Password}}, http.StatusUnauthorized},
		} {
			var texts []string
			for _, form := range []string{"/api/v1", "/api"} {
				one := c.Call
				one.Path = form + c.Path
				r := w.Do(t, one)
				id := r.Text("request_id")
				if _, err := uuid.Parse(id); err != nil || r.Status != c.status || r.Text("detail") == "" || r.Header.Get("X-Request-Id") != id {
					t.Errorf("%s: %d %s", what, r.Status, r.Raw)
				}
				texts = append(texts, strings.ReplaceAll(string(r.Raw), id, ""))
			}
			if texts[0] != texts[1] {
				t.Errorf("%s: %s, and without the version %s", what, texts[0], texts[1])
			}
		}
	})
}

// TestContract42_14_WhatIsOver: a refresh token that was used, an access token of a session that
// was deleted, and the ids of others.
func TestContract42_14_WhatIsOver(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Person(t, "john@dev.test", w.Notes.Site)
		get := func(bearer, path string) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1" + path, Bearer: bearer})
		}
		first := w.Login(t, w.Notes, "jane@dev.test")
		w.Refresh(t, w.Notes, first.Text("refresh_token")).Want(t, http.StatusOK)
		w.Clock.Advance(time.Minute)
		w.Refresh(t, w.Notes, first.Text("refresh_token")).Want(t, http.StatusUnauthorized)

		first = w.Login(t, w.Notes, "jane@dev.test")
		id, _ := get(first.Text("access_token"), "/sessions").Items(t)[0]["id"].(string)
		w.Clock.Advance(time.Second)
		second, john := w.Login(t, w.Notes, "jane@dev.test"), w.Login(t, w.Notes, "john@dev.test")
		end := func(r otltest.Reply, id string) otltest.Reply {
			return w.Do(t, otltest.Call{Method: http.MethodDelete, Path: "/api/v1/sessions/" + id, Bearer: r.Text("access_token")})
		}
		for _, none := range []string{id, "01HKZ3M5Q8J9X2V7C4B6N1D0FG"} {
			end(john, none).Want(t, http.StatusNotFound)
		}
		get(first.Text("access_token"), "/users/me").Want(t, http.StatusOK)
		end(second, id).Want(t, http.StatusOK)
		get(first.Text("access_token"), "/users/me").Want(t, http.StatusUnauthorized)
	})
}

// TestContract42_15_Webhooks: the signature is that of the bytes that came, six times at most,
// each with the same id.
func TestContract42_15_Webhooks(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		h, made := w.Hook(t, w.Notes, "session.created")
		h.Status(http.StatusInternalServerError)
		w.Login(t, w.Notes, "jane@dev.test")
		for range 8 {
			w.Deliver(t)
			w.Clock.Advance(3 * time.Hour)
		}
		all := h.Heard()
		if len(all) != 6 {
			t.Errorf("%d attempts", len(all))
		}
		for _, one := range all {
			mac := hmac.New(sha256.New, []byte(made.Secret.Reveal()))
			mac.Write(one.Body)
			if one.Header.Get("X-OTL-Signature") != hex.EncodeToString(mac.Sum(nil)) || one.Text("id") == "" || one.Text("id") != all[0].Text("id") {
				t.Errorf("%s %v", one.Body, one.Header)
			}
		}
	})
}
