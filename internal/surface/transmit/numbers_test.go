package transmit_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// wrote adds somebody of Notes who wrote a number into his profile.
func wrote(t *testing.T, x *tenant, email, number string) otl.User {
	t.Helper()
	m, err := x.Accounts.Create(t.Context(), account.Creation{Email: email, Site: &x.Notes.Site, Profile: account.Profile{Phone: &number}})
	if err != nil {
		t.Fatal(err)
	}
	return m.User
}

// asks are the calls that name somebody by a number (contract 3.3, 3.5, 3.6, 3.8, 3.9).
func asks(x *tenant, number string) []otltest.Call {
	who := func(more object) object {
		more["identifier_type"], more["identifier"] = "phone_number", number
		return more
	}
	out := []otltest.Call{
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "sms"})},
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "email"})},
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "direct"})},
		{Path: "/v1/auth/otp/send", Body: who(object{"channel": "sms", "custom_phone_number": "+491705550111"})},
		{Path: "/v1/auth/otp/authenticate", Body: who(object{"passcode": "123456"})},
		{Path: "/v1/auth/link/email/send", Body: who(object{"redirect_uri": callback})},
		{Path: "/v1/auth/link/email/send", Body: who(object{"redirect_uri": callback, "channel": "direct"})},
		{Path: "/v1/auth/otp/sms", Body: object{"phone_number": number, "redirect_uri": callback, "create_new_user": false}},
		{Path: "/v1/auth/otp/sms/validation", Body: object{"phone_number": number, "passcode": "123456"}},
		{Path: "/v1/users/phone-number/" + number},
		{Path: "/v1/users/phone/" + number},
		{Path: "/v1/users/identifier?identifier_name=phoneNumber&identifier_value=" + url.QueryEscape(number)},
	}
	for i := range out {
		out[i].Bearer = x.bearer
	}
	return out
}

// TestD1_OT10_ANumberThatASiteDoesNotSeeIsNobodys: each call that names somebody by a number gives the same answer, by as many statements
// and transactions, for one of the site's people who does not let it see his number, for somebody elsewhere, and for nobody. It is
// 404, as the contract has it, or 400 where a code is entered; who lets the site see it is known to the calls.
func TestD1_OT10_ANumberThatASiteDoesNotSeeIsNobodys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const hidden, elsewhere, nobodys = "+491705550140", "+491705550141", "+491705550142"
		x.Phone(t, x.jane, hidden, true)
		shopper := x.Person(t, "shopper@dev.test", x.Shop.Site)
		x.Phone(t, shopper, elsewhere, true)
		x.Sees(t, shopper, x.Shop.Site, otl.FieldPhone)
		said := func(i int, number string) string {
			t.Helper()
			before := x.Store.Stats()
			r := x.Do(t, asks(x, number)[i])
			after := x.Store.Stats()
			return fmt.Sprintf("%d %s, %d transactions, %d statements", r.Status, strings.ReplaceAll(string(r.Raw), number, "NUMBER"),
				after.Writes-before.Writes, after.Statements-before.Statements)
		}
		for i, ask := range asks(x, "") {
			said(i, "+491705550143") // the first of its kind finds fewer rows
			want := said(i, nobodys)
			if !strings.HasPrefix(want, "404 ") && !strings.HasPrefix(want, "400 ") {
				t.Errorf("%s %v: nobody is %s", ask.Path, ask.Body, want)
			}
			for _, number := range []string{hidden, elsewhere} {
				if got := said(i, number); got != want {
					t.Errorf("%s %v: of %s\n%s\nof nobody\n%s", ask.Path, ask.Body, number, got, want)
				}
			}
		}
		if l := x.Letters(t, ""); len(l) != 0 {
			t.Errorf("sent: %+v", l)
		}
		x.Sees(t, x.jane, x.Notes.Site, otl.FieldEmail, otl.FieldPhone)
		for i, ask := range asks(x, hidden) {
			if r := x.Do(t, ask); r.Status != http.StatusOK && !strings.Contains(ask.Path, "/authenticate") && !strings.Contains(ask.Path, "/validation") {
				t.Errorf("%d %s, that it sees: %d %s", i, ask.Path, r.Status, r.Raw)
			}
		}
	})
}

// TestD1_OT10_WhoHidesHisNumberIsCreatedLikeNobody: create_new_user tells a site nothing of a number that it does not see: its visitor is
// added once and gets the code, as where nobody has it, and the answers are the same.
func TestD1_OT10_WhoHidesHisNumberIsCreatedLikeNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t)
		const hidden, nobodys = "+491705550144", "+491705550145"
		x.Phone(t, x.jane, hidden, true)
		people := func() int {
			r := x.Do(t, otltest.Call{Path: "/v1/users/count", Bearer: x.bearer}).Want(t, http.StatusOK)
			return int(r.JSON["result"].(object)["user_count"].(float64))
		}
		var said [2]string
		for i, number := range []string{hidden, nobodys} {
			had := people()
			for range 2 {
				x.Clock.Advance(time.Minute)
				x.Inbox.Empty()
				r := x.post(t, "/v1/auth/otp/sms", object{"phone_number": number, "redirect_uri": callback, "create_new_user": true})
				said[i] += fmt.Sprintf("%d %s%d letters, %d more\n", r.Status, r.Raw, len(x.Letters(t, number)), people()-had)
			}
			to := x.enter(t, "/v1/auth/otp/sms/validation", object{"phone_number": number, "passcode": x.Letters(t, number)[0].Code})
			r := x.Do(t, otltest.Call{Path: "/v1/token", Body: object{"code": to.Query().Get("code"), "client_id": x.client.ID, "client_secret": x.client.Secret.Reveal()}}).Want(t, http.StatusOK)
			if said[i] += fmt.Sprint(r.JSON["is_user_created"]); x.claims(t, r.Text("id_token"))["sub"] == x.jane.ID {
				t.Errorf("%s: it is told who that is", number)
			}
		}
		if said[0] != said[1] || !strings.Contains(said[0], "1 letters, 1 more") {
			t.Errorf("of who hides it\n%s\nof nobody\n%s", said[0], said[1])
		}
		if is, err := x.Accounts.Find(t.Context(), x.jane.ID); err != nil || is.Phone != hidden || is.PhoneVerifiedAt.IsZero() {
			t.Errorf("%+v %v", is, err)
		}
	})
}

// TestOT16_AStrangersProfileHidesNobodysNumber: a number that others wrote into their profiles names who proved it, in each call; what
// two proved, or two wrote, names nobody, and create_new_user adds nobody for it.
func TestOT16_AStrangersProfileHidesNobodysNumber(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t)
		const number = "+491705550146"
		wrote(t, x, "mallory@dev.test", number)
		x.Phone(t, x.jane, number, true)
		x.Sees(t, x.jane, x.Notes.Site, otl.FieldEmail, otl.FieldPhone)
		wrote(t, x, "mallet@dev.test", number)
		for _, ask := range asks(x, number)[9:] {
			if r := x.Do(t, ask).Want(t, http.StatusOK); r.JSON["result"].(object)["user_id"] != x.jane.ID {
				t.Errorf("%s: %s", ask.Path, r.Raw)
			}
		}
		who := object{"identifier_type": "phone_number", "identifier": number}
		for _, channel := range []string{"sms", "direct"} {
			x.Clock.Advance(time.Minute)
			x.Inbox.Empty()
			code := x.post(t, "/v1/auth/otp/send", object{"channel": channel, "identifier_type": "phone_number", "identifier": number}).Want(t, http.StatusOK).Text("code")
			if channel == "sms" {
				code = x.Letters(t, number)[0].Code
			}
			who["passcode"] = code
			if r := x.post(t, "/v1/auth/otp/authenticate", who).Want(t, http.StatusOK); x.claims(t, r.Text("id_token"))["sub"] != x.jane.ID {
				t.Errorf("%s: somebody else", channel)
			}
		}
		x.Clock.Advance(time.Minute)
		browser := object{"phone_number": number, "redirect_uri": callback, "create_new_user": true}
		x.post(t, "/v1/auth/otp/sms", browser).Want(t, http.StatusOK)
		x.enter(t, "/v1/auth/otp/sms/validation", object{"phone_number": number, "passcode": x.Letters(t, number)[0].Code})
		joe := x.Person(t, "joe@dev.test", x.Notes.Site)
		x.Phone(t, joe, number, true)
		x.Sees(t, joe, x.Notes.Site, otl.FieldPhone)
		wrote(t, x, "one@dev.test", "+491705550147")
		wrote(t, x, "two@dev.test", "+491705550147")
		people := func() int {
			r := x.Do(t, otltest.Call{Path: "/v1/users/count", Bearer: x.bearer}).Want(t, http.StatusOK)
			return int(r.JSON["result"].(object)["user_count"].(float64))
		}
		had := people()
		for _, number := range []string{number, "+491705550147"} {
			x.Clock.Advance(time.Minute)
			x.Do(t, asks(x, number)[0]).Want(t, http.StatusNotFound)
			x.Do(t, asks(x, number)[9]).Want(t, http.StatusNotFound)
			browser["phone_number"] = number
			x.post(t, "/v1/auth/otp/sms", browser).Want(t, http.StatusNotFound)
		}
		if got := people(); got != had {
			t.Errorf("%d were added", got-had)
		}
	})
}

// TestContract39_ANumberThatAMemberHas is taken: POST /v1/users answers 409, as of an address, where one of the site's people has
// it, proven or not, or several. Of people who hide it from the site, or whom other sites know, the call tells nothing: it does as
// much as for a number that nobody has.
func TestContract39_ANumberThatAMemberHas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const proven, written, several, hidden, elsewhere = "+491705550150", "+491705550151", "+491705550152", "+491705550153", "+491705550154"
		seen := func(email, number string, fields ...otl.Field) {
			t.Helper()
			u := x.Person(t, email, x.Notes.Site)
			x.Phone(t, u, number, true)
			x.Sees(t, u, x.Notes.Site, fields...)
		}
		seen("proven@dev.test", proven, otl.FieldPhone)
		wrote(t, x, "written@dev.test", written)
		seen("one@dev.test", several, otl.FieldPhone)
		seen("two@dev.test", several, otl.FieldPhone)
		seen("hidden@dev.test", hidden, otl.FieldEmail)
		shopper := x.Person(t, "shopper@dev.test", x.Shop.Site)
		x.Phone(t, shopper, elsewhere, true)
		x.Sees(t, shopper, x.Shop.Site, otl.FieldPhone)
		for _, number := range []string{proven, written, several} {
			for _, body := range []object{{"phone_number": number}, {"phone_number": number, "email": "new@dev.test"}} {
				failed(t, x.post(t, "/cis/v1/users", body), http.StatusConflict, `{"message":"A user with this identifier exists already","error_code":409,"ts_error_code":"identifier_already_in_use"}`)
			}
		}
		var said []string
		for i, number := range []string{"+491705550155", "+491705550156", hidden, elsewhere} {
			before := x.Store.Stats()
			r := x.post(t, "/v1/users", object{"phone_number": number}).Want(t, http.StatusCreated)
			after := x.Store.Stats()
			if i > 0 { // the first of its kind finds fewer rows
				said = append(said, fmt.Sprintf("%d %v, %d transactions, %d statements", r.Status, len(r.JSON["result"].(object)), after.Writes-before.Writes, after.Statements-before.Statements))
			}
			failed(t, x.post(t, "/v1/users", object{"phone_number": number}), http.StatusConflict, `{"message":"A user with this identifier exists already","error_code":409,"ts_error_code":"identifier_already_in_use"}`)
		}
		if said[0] != said[1] || said[0] != said[2] {
			t.Errorf("of nobody, of who hides it, of another site's:\n%s", strings.Join(said, "\n"))
		}
	})
}

// TestContract39_OfManyWithOneNumberOneIsAdded: at once, by POST /v1/users and by create_new_user.
func TestContract39_OfManyWithOneNumberOneIsAdded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.welcoming(t)
		var all sync.WaitGroup
		var made, taken, sent atomic.Int32
		for i := range 12 {
			number := fmt.Sprintf("+49170555016%d", i%3)
			all.Go(func() {
				if i%4 == 3 {
					if r := x.post(t, "/v1/auth/otp/sms", object{"phone_number": number, "redirect_uri": callback, "create_new_user": true}); r.Status == http.StatusOK {
						sent.Add(1)
					}
					return
				}
				switch r := x.post(t, "/v1/users", object{"phone_number": number, "username": fmt.Sprintf("joe%d", i)}); r.Status {
				case http.StatusCreated:
					made.Add(1)
				case http.StatusConflict:
					taken.Add(1)
				default:
					t.Errorf("%d %s", r.Status, r.Raw)
				}
			})
		}
		all.Wait()
		for i := range 3 {
			x.Do(t, otltest.Call{Path: fmt.Sprintf("/v1/users/phone-number/+49170555016%d", i), Bearer: x.bearer}).Want(t, http.StatusOK)
		}
		if sent.Load() != 3 || made.Load()+taken.Load() != 9 || made.Load() > 3 {
			t.Errorf("%d made, %d refused, %d sent", made.Load(), taken.Load(), sent.Load())
		}
	})
}
