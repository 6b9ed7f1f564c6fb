package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// holder adds somebody of Notes with a number that he proved and lets it see.
func holder(t *testing.T, w *otltest.World, email, number string) otl.User {
	t.Helper()
	u := w.Person(t, email, w.Notes.Site)
	w.Phone(t, u, number, true)
	w.Sees(t, u, w.Notes.Site, otl.FieldEmail, otl.FieldName, otl.FieldPhone)
	return u
}

// TestOT16_AStrangersProfileHidesNobodysNumber: somebody writes a number that is not his into his profile. Who proved it gets the
// codes that are sent to it, and signs in by them. A number that two proved, or two wrote and nobody proved, signs in nobody.
func TestOT16_AStrangersProfileHidesNobodysNumber(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const number = "+491705550160"
		jane := holder(t, w, "jane@dev.test", number)
		send := func(number string) []string {
			w.Clock.Advance(time.Minute)
			w.Inbox.Empty()
			call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"phone": number}).Want(t, http.StatusAccepted)
			var codes []string
			for _, l := range w.Letters(t, number) {
				codes = append(codes, l.Code)
			}
			return codes
		}
		strangers := func(number string, names ...string) {
			for _, name := range names {
				call(t, w, w.Notes, http.MethodPost, "/auth/register", object{"email": name + "@dev.test", "password": otltest.Password, "phone": number}).Want(t, http.StatusCreated)
			}
		}
		strangers(number, "mallory", "mallet")
		codes := send(number)
		if len(codes) != 1 {
			t.Fatalf("%d codes for who proved the number", len(codes))
		}
		r := call(t, w, w.Notes, http.MethodPost, "/auth/otp/verify", object{"phone": number, "code": codes[0]}).Want(t, http.StatusOK)
		if got := r.JSON["user"].(object)["id"]; got != jane.ID {
			t.Errorf("signed in as %v, not %s", got, jane.ID)
		}
		holder(t, w, "joe@dev.test", number)
		if got := send(number); len(got) != 0 {
			t.Errorf("two proved it, and one got %v", got)
		}
		strangers("+491705550161", "one", "two")
		if got := send("+491705550161"); len(got) != 0 {
			t.Errorf("two wrote it, and one got %v", got)
		}
	})
}

// TestD1_ANumberThatASiteDoesNotSeeNamesNobody: not by a code that is sent, nor by one that is handed over, which would tell the site
// whose number it is. His id and his address name him as before, and the number does once he lets the site see it.
func TestD1_ANumberThatASiteDoesNotSeeNamesNobody(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const number = "+491705550162"
		for _, proven := range []bool{true, false} {
			name := fmt.Sprintf("jane%v@dev.test", proven)
			u, his := w.Person(t, name, w.Notes.Site), strings.Replace(number, "162", map[bool]string{true: "163", false: "164"}[proven], 1)
			w.Phone(t, u, his, proven)
			named := func(channel string) (string, int) {
				w.Clock.Advance(time.Minute)
				w.Inbox.Empty()
				r := call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"phone": his, "channel": channel}).Want(t, http.StatusAccepted)
				code := r.Text("code")
				if l := w.Letters(t, his); len(l) > 0 {
					code = l[0].Code
				}
				if code == "" {
					return "", 0
				}
				r = call(t, w, w.Notes, http.MethodPost, "/auth/otp/verify", object{"phone": his, "code": code})
				return r.Text("code"), r.Status
			}
			if code, status := named("direct"); status != http.StatusUnauthorized || code != "code_invalid" {
				t.Errorf("%s, handed over: %d %s", name, status, code)
			}
			if code, status := named("sms"); status != 0 {
				t.Errorf("%s, sent: %d %s", name, status, code)
			}
			w.Clock.Advance(time.Minute)
			w.Inbox.Empty()
			call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"user_id": u.ID, "channel": "sms"}).Want(t, http.StatusAccepted)
			if n := len(w.Letters(t, his)); n != 1 {
				t.Errorf("%s: %d SMS by his id", name, n)
			}
			w.Sees(t, u, w.Notes.Site, otl.FieldPhone)
			if _, status := named("direct"); status != http.StatusOK {
				t.Errorf("%s, seen and handed over: %d", name, status)
			}
			if _, status := named("sms"); (status == http.StatusOK) != proven { // else it opens nothing (OT-16)
				t.Errorf("%s, seen and sent: %d", name, status)
			}
		}
	})
}

// TestD1_OT10_ANumberIsNotTiedToAnAddress: a site that sends to an address and then to a number is told to wait where both are
// somebody's that lets it see the number, and by nothing whose the number is where he does not.
func TestD1_OT10_ANumberIsNotTiedToAnAddress(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Phone(t, u, "+491705550165", true)
		second := func(number string) int {
			w.Clock.Advance(time.Hour)
			call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"user_id": u.ID}).Want(t, http.StatusAccepted)
			return call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"phone": number}).Status
		}
		if his, nobodys := second("+491705550165"), second("+491705550166"); his != http.StatusAccepted || nobodys != http.StatusAccepted {
			t.Errorf("his number %d, nobody's %d", his, nobodys)
		}
		w.Sees(t, u, w.Notes.Site, otl.FieldPhone)
		if got := second("+491705550165"); got != http.StatusTooManyRequests {
			t.Errorf("one that it sees: %d", got)
		}
	}, func(o *node.Options) { o.Limits = true })
}
