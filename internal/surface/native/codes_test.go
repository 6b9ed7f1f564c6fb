package native_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// code asks for a code by mail and gives it as it arrives.
func code(t *testing.T, w *otltest.World, s site.Registered, email string) string {
	t.Helper()
	w.Letters(t, "")
	w.Inbox.Empty()
	r := call(t, w, s, http.MethodPost, "/auth/otp/send", object{"email": email}).Want(t, http.StatusAccepted)
	if r.JSON["sent"] != true || r.JSON["expires_in"] != 300.0 || len(r.JSON) != 2 {
		t.Errorf("%s", r.Raw)
	}
	for _, l := range w.Letters(t, email) {
		if len(l.Code) == 6 && strings.Contains(l.Text, l.Code) && strings.HasPrefix(l.Subject, l.Code) {
			return l.Code
		}
	}
	t.Fatalf("no code came to %s", email)
	return ""
}

func verify(t *testing.T, w *otltest.World, s site.Registered, email, code string) otltest.Reply {
	t.Helper()
	return call(t, w, s, http.MethodPost, "/auth/otp/verify", object{"email": email, "code": code})
}

// wrong is a code other than the given one.
func wrong(code string) string {
	if code[0] == '9' {
		return "0" + code[1:]
	}
	return string(code[0]+1) + code[1:]
}

func amr(t *testing.T, r otltest.Reply) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(r.Text("access_token"), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ AMR []string }
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(claims.AMR)
}

func TestACodeSignsInOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		c := code(t, w, w.Notes, "jane@dev.test")
		r := verify(t, w, w.Notes, "Jane@dev.test", c[:3]+" "+c[3:]).Want(t, http.StatusOK)
		if amr(t, r) != "[eotp]" || r.Text("user", "email") != "jane@dev.test" {
			t.Errorf("%s %s", amr(t, r), r.Raw)
		}
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		verify(t, w, w.Notes, "jane@dev.test", c).Want(t, http.StatusUnauthorized, "code_invalid")
	})
}

// TestOT02_ACodeExpires at its very millisecond, and a new one does not prolong it.
func TestOT02_ACodeExpires(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		first := code(t, w, w.Notes, "jane@dev.test")
		w.Clock.Advance(5*time.Minute - time.Millisecond)
		verify(t, w, w.Notes, "jane@dev.test", wrong(first)).Want(t, http.StatusUnauthorized)
		w.Clock.Advance(time.Millisecond)
		verify(t, w, w.Notes, "jane@dev.test", first).Want(t, http.StatusUnauthorized, "code_invalid")
		second := code(t, w, w.Notes, "jane@dev.test")
		third := code(t, w, w.Notes, "jane@dev.test") // OT-04: of two the later one counts
		if second != third {
			verify(t, w, w.Notes, "jane@dev.test", second).Want(t, http.StatusUnauthorized)
		}
		w.Clock.Advance(5*time.Minute - time.Millisecond)
		verify(t, w, w.Notes, "jane@dev.test", third).Want(t, http.StatusOK)
	})
}

// TestOT11_ACodeIsOfOneSite: at another one it is worth nothing, nor with another
// person, nor without the request id it was made with.
func TestOT11_ACodeIsOfOneSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		w.Person(t, "joe@dev.test")
		c := code(t, w, w.Notes, "jane@dev.test")
		verify(t, w, w.Shop, "jane@dev.test", c).Want(t, http.StatusUnauthorized, "code_invalid")
		verify(t, w, w.Notes, "joe@dev.test", c).Want(t, http.StatusUnauthorized, "code_invalid")
		call(t, w, w.Notes, http.MethodPost, "/auth/password/reset", object{"token": c, "password": fresh}).Want(t, http.StatusUnauthorized)
		verify(t, w, w.Notes, "jane@dev.test", c).Want(t, http.StatusOK)

		w.Inbox.Empty()
		r := call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": "jane@dev.test", "generate_request_id": true}).Want(t, http.StatusAccepted)
		c = w.Newest(t, "jane@dev.test").Code
		bound := object{"email": "jane@dev.test", "code": c}
		call(t, w, w.Notes, http.MethodPost, "/auth/otp/verify", bound).Want(t, http.StatusUnauthorized, "code_invalid")
		bound["request_id"] = "otl_rq_x"
		call(t, w, w.Notes, http.MethodPost, "/auth/otp/verify", bound).Want(t, http.StatusUnauthorized, "code_invalid")
		bound["request_id"] = r.Text("request_id")
		call(t, w, w.Notes, http.MethodPost, "/auth/otp/verify", bound).Want(t, http.StatusOK)
	})
}

// TestOT06_FiveWrongGuessesKillACode, also when they come at once: then the right
// one is refused too.
func TestOT06_FiveWrongGuessesKillACode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		nodes := []*otltest.World{w}
		if w.Engine == otltest.Postgres {
			nodes = append(nodes, w.Again(t), w.Again(t))
		}
		c := code(t, w, w.Notes, "jane@dev.test")
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				verify(t, nodes[i%len(nodes)], w.Notes, "jane@dev.test", wrong(c)).Want(t, http.StatusUnauthorized, "code_invalid")
			})
		}
		all.Wait()
		u, err := w.Accounts.Find(t.Context(), "jane@dev.test")
		if err != nil {
			t.Fatal(err)
		}
		if ticket, err := w.Store.Read.Tickets.Newest(t.Context(), u.ID, otl.PurposeSignIn, w.Notes.Site.ID, ""); err != nil || ticket.Tries != 5 {
			t.Errorf("%d guesses were looked at, want 5 (%v)", ticket.Tries, err)
		}
		verify(t, w, w.Notes, "jane@dev.test", c).Want(t, http.StatusUnauthorized, "code_invalid")
		c = code(t, w, w.Notes, "jane@dev.test")
		for range 4 {
			verify(t, w, w.Notes, "jane@dev.test", wrong(c)).Want(t, http.StatusUnauthorized)
		}
		verify(t, w, w.Notes, "jane@dev.test", c).Want(t, http.StatusOK)
	})
}

// TestOT05_MN01_ACodeIsUsedOnce by any number of callers at any number of nodes: one conditional
// statement uses it up.
func TestOT05_MN01_ACodeIsUsedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		nodes := []*otltest.World{w}
		if w.Engine == otltest.Postgres {
			nodes = append(nodes, w.Again(t), w.Again(t))
		}
		for range 5 {
			c := code(t, w, w.Notes, "jane@dev.test")
			var won atomic.Int32
			var all sync.WaitGroup
			for i := range 30 {
				all.Go(func() {
					if r := verify(t, nodes[i%len(nodes)], w.Notes, "jane@dev.test", c); r.Status == http.StatusOK {
						won.Add(1)
					} else {
						r.Want(t, http.StatusUnauthorized, "code_invalid")
					}
				})
			}
			if all.Wait(); won.Load() != 1 {
				t.Errorf("%d were let in", won.Load())
			}
		}
	})
}

// TestOT07_AHundredWrongCodesCloseTheMethod for the person at every site, until he
// proves himself in another way; also where request limits are off.
func TestOT07_AHundredWrongCodesCloseTheMethod(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		sites := []site.Registered{w.Notes, w.Shop}
		for i := range 20 {
			at := sites[i%2]
			c := code(t, w, at, "jane@dev.test")
			for range 5 {
				verify(t, w, at, "jane@dev.test", wrong(c)).Want(t, http.StatusUnauthorized)
			}
		}
		c := code(t, w, w.Notes, "jane@dev.test")
		if r := verify(t, w, w.Notes, "jane@dev.test", c).Want(t, http.StatusTooManyRequests, "rate_limited"); r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		w.Login(t, w.Notes, "jane@dev.test")
		verify(t, w, w.Notes, "jane@dev.test", c).Want(t, http.StatusOK)
		for range 26 { // 104 wrong ones, but never many in a row
			c := code(t, w, w.Notes, "jane@dev.test")
			for range 4 {
				verify(t, w, w.Notes, "jane@dev.test", wrong(c)).Want(t, http.StatusUnauthorized)
			}
			verify(t, w, w.Notes, "jane@dev.test", c).Want(t, http.StatusOK)
		}
	})
}

// TestOT10_SendingTellsNothing: the answer is the same for people who are there,
// are not, or are disabled; only one of them gets a mail.
func TestOT10_SendingTellsNothing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		off := w.Person(t, "off@dev.test")
		if err := w.Accounts.SetDisabled(t.Context(), off.ID, true); err != nil {
			t.Fatal(err)
		}
		var first []byte
		for _, who := range []object{
			{"email": "jane@dev.test"},
			{"email": "nobody@dev.test"},
			{"email": "off@dev.test"},
			{"phone": "+491705550199"},
			{"user_id": off.ID},
			{"user_id": "x\u0001"},
			{"email": "nobody2@dev.test", "channel": "sms"},
		} {
			r := call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", who).Want(t, http.StatusAccepted)
			if first == nil {
				first = r.Raw
			}
			if string(r.Raw) != string(first) {
				t.Errorf("%v: %s, not %s", who, r.Raw, first)
			}
		}
		if letters := w.Letters(t, ""); len(letters) != 1 || letters[0].To != "jane@dev.test" {
			t.Errorf("%+v", letters)
		}
		verify(t, w, w.Notes, "nobody@dev.test", "000000").Want(t, http.StatusUnauthorized, "code_invalid")
		for _, bad := range []object{{}, {"email": "jane@dev.test", "phone": "+491705550100"}, {"phone": "0170"}, {"email": "x"}, {"email": "jane@dev.test", "channel": "pigeon"}} {
			call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", bad).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		}
	})
}

// TestOT19_SendingIsLimited by whom it goes to, whatever he is called.
func TestOT19_SendingIsLimited(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for _, who := range []string{"jane@dev.test", "nobody@dev.test"} {
			send := func() otltest.Reply {
				return call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": who})
			}
			sent := 0
			for range 24 * 60 * 2 {
				if r := send(); r.Status == http.StatusAccepted {
					sent++
				} else if r.Want(t, http.StatusTooManyRequests, "rate_limited"); r.Header.Get("Retry-After") == "" {
					t.Fatal("no Retry-After")
				}
				if sent == 10 {
					break
				}
				w.Clock.Advance(30 * time.Second)
			}
			if sent != 10 {
				t.Errorf("%d were sent in a day", sent)
			}
			w.Clock.Advance(30 * time.Minute)
			send().Want(t, http.StatusTooManyRequests)
			w.Clock.Advance(24 * time.Hour)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT22_TheDirectChannel needs its scope, is noted with the key, proves no
// address, and hands over no code of people who own sites.
func TestOT22_TheDirectChannel(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		direct := object{"user_id": jane.ID, "channel": "direct"}
		key, err := w.Sites.CreateKey(t.Context(), w.Notes.Site.ID, site.NewKey{Name: "auth only", Scopes: otl.Scopes{otl.ScopeAuth}})
		if err != nil {
			t.Fatal(err)
		}
		call(t, w, site.Registered{Site: w.Notes.Site, Key: key.Key}, http.MethodPost, "/auth/otp/send", direct).Want(t, http.StatusForbidden, "scope_missing")
		c := call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", direct).Want(t, http.StatusAccepted).Text("code")
		if len(c) != 6 || len(w.Letters(t, "")) != 0 {
			t.Errorf("%q, and %d letters", c, len(w.Letters(t, "")))
		}
		noted := false
		for _, e := range events(t, w) {
			noted = noted || e.Type == otl.EventCodeHandedOver && e.UserID == jane.ID && e.Data["site_key"] == w.Notes.KeyRow.ID
		}
		if !noted {
			t.Error("nothing tells who was given the code")
		}
		r := call(t, w, w.Notes, http.MethodPost, "/auth/otp/verify", object{"user_id": jane.ID, "code": c}).Want(t, http.StatusOK)
		if amr(t, r) != "[otp]" {
			t.Errorf("amr %s", amr(t, r))
		}
		if u, err := w.Accounts.Find(t.Context(), "jane@dev.test"); err != nil || !u.EmailVerifiedAt.IsZero() {
			t.Errorf("verified at %v (%v)", u.EmailVerifiedAt, err)
		}
		call(t, w, w.Notes, http.MethodPost, "/auth/login", object{"email": "jane@dev.test", "password": otltest.Password}).Want(t, http.StatusOK)

		// Whoever has not joined the site: a code that is nobody's, as for nobody at all.
		stranger := w.Person(t, "stranger@dev.test", w.Shop.Site)
		for _, who := range []string{"stranger@dev.test", "nobody@dev.test"} {
			c := call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": who, "channel": "direct"}).Want(t, http.StatusAccepted).Text("code")
			verify(t, w, w.Notes, who, c).Want(t, http.StatusUnauthorized, "code_invalid")
		}
		if _, err := w.Accounts.Member(t.Context(), w.Notes.Site.ID, stranger.ID); !otl.Is(err, "not_found") {
			t.Errorf("D1: the site made itself one of hers: %v", err)
		}

		owner(t, w, "boss@dev.test")
		verify(t, w, w.Notes, "boss@dev.test", code(t, w, w.Notes, "boss@dev.test")).Want(t, http.StatusOK) // joins
		boss := owner2(t, w, "boss@dev.test")
		ownSite(t, w, boss)
		call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": "boss@dev.test", "channel": "direct"}).Want(t, http.StatusForbidden, "direct_refused")

		// Nor whoever may manage the roles of the site: a key without that scope would get it.
		call(t, w, w.Notes, http.MethodPost, "/roles", object{"name": otl.RoleAdmin}).Want(t, http.StatusCreated)
		call(t, w, w.Notes, http.MethodPost, "/roles/assign", object{"user_id": jane.ID, "role": otl.RoleAdmin}).Want(t, http.StatusOK)
		call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": "jane@dev.test", "channel": "direct"}).Want(t, http.StatusForbidden, "direct_refused")
	})
}

// TestOT16_TheFirstProofOfAnAddressUprootsWhatWasPlanted: a password and a session
// of somebody who never proved the address are gone; of one who did they stay.
func TestOT16_TheFirstProofOfAnAddressUprootsWhatWasPlanted(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		planted := call(t, w, w.Shop, http.MethodPost, "/auth/register", object{"email": "victim@dev.test", "password": otltest.Password}).Want(t, http.StatusCreated)
		token := forgotten(t, w, "victim@dev.test") // a reset that the thief cannot read, but asked for
		c := code(t, w, w.Notes, "victim@dev.test")
		r := verify(t, w, w.Notes, "victim@dev.test", c).Want(t, http.StatusOK)
		me := w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		if me.JSON["email_verified"] != true {
			t.Errorf("%s", me.Raw)
		}
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: planted.Text("access_token")}).Want(t, http.StatusUnauthorized)
		w.Refresh(t, w.Shop, planted.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		call(t, w, w.Shop, http.MethodPost, "/auth/login", object{"email": "victim@dev.test", "password": otltest.Password}).Want(t, http.StatusUnauthorized, "invalid_credentials")
		call(t, w, w.Shop, http.MethodPost, "/auth/password/reset", object{"token": token, "password": fresh}).Want(t, http.StatusUnauthorized)

		// The address is proven now: what is set from here on is his.
		token = forgotten(t, w, "victim@dev.test")
		call(t, w, w.Shop, http.MethodPost, "/auth/password/reset", object{"token": token, "password": fresh}).Want(t, http.StatusOK)
		verify(t, w, w.Notes, "victim@dev.test", code(t, w, w.Notes, "victim@dev.test")).Want(t, http.StatusOK)
		call(t, w, w.Shop, http.MethodPost, "/auth/login", object{"email": "victim@dev.test", "password": fresh}).Want(t, http.StatusOK)
	})
}

func forgotten(t *testing.T, w *otltest.World, email string) string {
	t.Helper()
	w.Letters(t, "")
	w.Inbox.Empty()
	call(t, w, w.Shop, http.MethodPost, "/auth/password/forgot", object{"email": email}).Want(t, http.StatusAccepted)
	_, token, ok := strings.Cut(w.Newest(t, email).Link, "/reset/")
	if !ok {
		t.Fatal("no link in the mail")
	}
	return token
}

func TestACodeBySMS(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		const number = "+491705550100"
		for _, name := range []string{"jane", "twin"} {
			call(t, w, w.Shop, http.MethodPost, "/users", object{"email": name + "@dev.test", "phone": number}).Want(t, http.StatusCreated)
		}
		call(t, w, w.Notes, http.MethodPost, "/users", object{"email": "solo@dev.test", "phone": number}).Want(t, http.StatusCreated)
		send := func(s site.Registered) []string {
			w.Inbox.Empty()
			call(t, w, s, http.MethodPost, "/auth/otp/send", object{"phone": number}).Want(t, http.StatusAccepted)
			var codes []string
			for _, l := range w.Letters(t, number) {
				if l.Channel == otl.ChannelSMS && strings.HasSuffix(l.Text, "\n\n@id.test #"+l.Code) {
					codes = append(codes, l.Code)
				}
			}
			return codes
		}
		if got := send(w.Shop); len(got) != 0 {
			t.Errorf("two people have the number, and one got a code")
		}
		codes := send(w.Notes)
		if len(codes) != 1 {
			t.Fatalf("%v", codes)
		}
		r := call(t, w, w.Notes, http.MethodPost, "/auth/otp/verify", object{"phone": number, "code": codes[0]}).Want(t, http.StatusOK)
		u, err := w.Accounts.Find(t.Context(), "solo@dev.test")
		if err != nil || u.PhoneVerifiedAt.IsZero() || !u.EmailVerifiedAt.IsZero() || amr(t, r) != "[sms]" {
			t.Errorf("%+v %s %v", u, amr(t, r), err)
		}
	})
}

// events gives what is in the log of events.
func events(t *testing.T, w *otltest.World) []otl.Event {
	t.Helper()
	all, err := w.Store.Read.Events.List(t.Context(), "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestALinkSignsIn(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		send := func(body object) otltest.Reply {
			w.Letters(t, "")
			w.Inbox.Empty()
			return call(t, w, w.Notes, http.MethodPost, "/auth/link/send", body)
		}
		good := object{"email": "jane@dev.test", "callback_url": "https://notes.test/callback", "state": "s1"}
		if r := send(good).Want(t, http.StatusAccepted); r.JSON["expires_in"] != 900.0 {
			t.Errorf("%s", r.Raw)
		}
		path := strings.TrimPrefix(w.Newest(t, "jane@dev.test").Link, otltest.Issuer)
		to, err := url.Parse(w.Do(t, otltest.Call{Method: http.MethodPost, Path: path}).Want(t, http.StatusSeeOther).Header.Get("Location"))
		if err != nil || to.Query().Get("state") != "s1" {
			t.Fatalf("%v %v", to, err)
		}
		redeem := object{"code": to.Query().Get("code")}
		call(t, w, w.Shop, http.MethodPost, "/auth/link/verify", redeem).Want(t, http.StatusUnauthorized, "link_invalid")
		r := call(t, w, w.Notes, http.MethodPost, "/auth/link/verify", redeem).Want(t, http.StatusOK)
		if amr(t, r) != "[eml]" {
			t.Errorf("%s", amr(t, r))
		}
		call(t, w, w.Notes, http.MethodPost, "/auth/link/verify", redeem).Want(t, http.StatusUnauthorized, "link_invalid")
		nobody := send(object{"email": "nobody@dev.test", "callback_url": "https://notes.test/callback"}).Want(t, http.StatusAccepted)
		if somebody := send(object{"email": "jane@dev.test", "callback_url": "https://notes.test/callback"}); string(nobody.Raw) != string(somebody.Raw) {
			t.Errorf("OT-10: %s, and %s", nobody.Raw, somebody.Raw)
		}
		send(object{"email": "jane@dev.test", "callback_url": "https://notes.test/callback?x=1"}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		send(object{"email": "jane@dev.test", "callback_url": "https://shop.test/callback"}).Want(t, http.StatusUnprocessableEntity, "validation_failed")
	})
}

// TestOT07_AYearOfGuessing lets a bot guess at one person's codes as fast as he is
// allowed to for a year: no more than a hundred guesses are ever looked at, so that
// it gets in with a probability of 100 in 1,000,000.
func TestOT07_AYearOfGuessing(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test")
		guesses, closed := 0, false
		for day := range 365 {
			for i := range 10 { // as many codes as are sent in a day
				if closed && i > 0 {
					break // one a day shows that it stays so
				}
				call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": "jane@dev.test"}).Want(t, http.StatusAccepted)
				code := w.Newest(t, "jane@dev.test").Code
				for range 5 {
					switch r := verify(t, w, w.Notes, "jane@dev.test", wrong(code)); r.Status {
					case http.StatusUnauthorized:
						guesses++
						if closed {
							t.Fatalf("open again on day %d", day)
						}
					default:
						r.Want(t, http.StatusTooManyRequests)
						closed = true
					}
				}
				w.Clock.Advance(145 * time.Minute)
			}
			if closed {
				w.Clock.Advance(22 * time.Hour)
			}
		}
		if guesses != 100 {
			t.Errorf("%d guesses were looked at in a year, want 100", guesses)
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT20_SMSAreSentWhereTheOperatorSays: to no other country, to few neighbours of a
// number and no more than so many a day; and what is refused tells nothing of people.
func TestOT20_SMSAreSentWhereTheOperatorSays(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		sms := func(body object) otltest.Reply {
			return call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", body)
		}
		call(t, w, w.Notes, http.MethodPost, "/users", object{"email": "abroad@dev.test", "phone": "+33612345678"}).Want(t, http.StatusCreated)
		sms(object{"phone": "+33612345678"}).Want(t, http.StatusForbidden, "sms_not_allowed")
		sms(object{"phone": "+33612345679"}).Want(t, http.StatusForbidden, "sms_not_allowed") // nobody's
		sms(object{"email": "abroad@dev.test", "channel": "sms"}).Want(t, http.StatusAccepted)
		sent := 0
		for i := range 60 {
			if r := sms(object{"phone": fmt.Sprintf("+4917055501%02d", i)}); r.Status == http.StatusAccepted {
				sent++
			} else {
				r.Want(t, http.StatusTooManyRequests, "rate_limited")
			}
		}
		if sent != 20 {
			t.Errorf("%d of 60 neighbours were sent to, want 20", sent)
		}
		if len(w.Letters(t, "")) != 0 {
			t.Errorf("something was sent: %+v", w.Letters(t, ""))
		}
		for i := range 5 { // people, and nobody used up any of theirs
			phone := fmt.Sprintf("+49171%02d55010", i)
			call(t, w, w.Notes, http.MethodPost, "/users", object{"email": fmt.Sprintf("p%d@dev.test", i), "phone": phone}).Want(t, http.StatusCreated)
			sms(object{"phone": phone}).Want(t, http.StatusAccepted)
		}
		if n := len(w.Letters(t, "")); n != 3 {
			t.Errorf("%d SMS were sent in a day, want 3", n)
		}
	}, func(o *node.Options) { o.Limits, o.SMSDailyCap = true, 3 })
}
