package limit_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestTE04_AskingWhoIsKnownHasItsRate: a site that adds people, changes their addresses
// or their usernames learns by a 409 who is known in the network: 300 times an hour, and
// not once more by asking all at once. Adding people whom nobody knows costs nothing.
func TestTE04_AskingWhoIsKnownHasItsRate(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "known@dev.test", w.Shop.Site)
		ask := func(email, from string) otltest.Reply {
			w.Clock.Advance(10 * time.Millisecond) // below the pace of requests
			return w.Do(t, otltest.Call{
				Path: "/api/v1/users", Key: w.Notes.Key, Body: map[string]string{"email": email}, Headers: map[string]string{"X-OTL-Client-IP": from},
			})
		}
		for i := range 330 {
			ask("new"+strconv.Itoa(i)+"@dev.test", "").Want(t, http.StatusCreated)
		}
		began := w.Clock.Now()
		var known int
		for range 310 {
			if ask("known@dev.test", "").Status == http.StatusConflict {
				known++
			}
		}
		if spent := w.Clock.Now().Sub(began); known != 300+int(spent/(12*time.Second)) {
			t.Errorf("%d answers in %s", known, spent)
		}
		refused(t, ask("known@dev.test", ""))
		refused(t, ask("nobody@dev.test", "")) // or the 429 would tell
		w.Clock.Advance(time.Hour)
		for range 60 {
			ask("known@dev.test", "2001:db8::1").Want(t, http.StatusConflict, "email_taken")
		}
		refused(t, ask("known@dev.test", "2001:db8::2"))
		ask("known@dev.test", "2001:db8:1::1").Want(t, http.StatusConflict, "email_taken")
	}, limited)
}

// TestTE04_ChangesOfAddressesAreAskedAtTheSameRate, and so are registrations.
func TestTE04_ChangesOfAddressesAreAskedAtTheSameRate(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		known := w.Person(t, "known@dev.test", w.Shop.Site).Email.Address
		m := w.Do(t, otltest.Call{Path: "/api/v1/users", Key: w.Notes.Key, Body: map[string]string{"email": "own@dev.test"}}).Want(t, http.StatusCreated)
		for range 60 {
			w.Clock.Advance(4 * time.Second) // below the rate of registrations
			w.Do(t, otltest.Call{
				Path: "/api/v1/auth/register", Key: w.Notes.Key, Headers: map[string]string{"X-OTL-Client-IP": "203.0.113.7"},
				Body: map[string]string{"email": "known@dev.test", "password": otltest.Password},
			}).Want(t, http.StatusConflict, "email_taken")
		}
		for i := range 300 { // the rest of the site's: some came back meanwhile
			_, err := w.Members.Change(t.Context(), w.Notes.Site, m.Text("id"), account.MemberChange{Email: &known})
			if err != nil && otl.As(err).Kind == otl.Limited {
				if i < 240 {
					t.Errorf("after %d", i)
				}
				return
			}
			if !errors.Is(err, otl.ErrEmailTaken) {
				t.Fatal(err)
			}
		}
		t.Error("no end")
	}, limited)
}
