package limit_test

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

func limited(o *node.Options) { o.Limits = true }

// login tries to sign in from an address.
func login(t *testing.T, w *otltest.World, s site.Registered, email, password, from string) otltest.Reply {
	t.Helper()
	return w.Do(t, otltest.Call{
		Path: "/api/v1/auth/login", Key: s.Key, Body: map[string]string{"email": email, "password": password},
		Headers: map[string]string{"X-OTL-Client-IP": from},
	})
}

// refused fails the test unless a reply is a 429 that says when to come back.
func refused(t *testing.T, r otltest.Reply) time.Duration {
	t.Helper()
	r.Want(t, http.StatusTooManyRequests, "rate_limited")
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		t.Fatalf("Retry-After is %q", r.Header.Get("Retry-After"))
	}
	return time.Duration(seconds) * time.Second
}

func TestD15_LoginsPerIdentifier(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
		for range 10 {
			login(t, w, w.Notes, "jane@dev.test", otltest.Password, "").Want(t, http.StatusOK)
		}
		wait := refused(t, login(t, w, w.Notes, " Jane@DEV.test", otltest.Password, ""))
		login(t, w, w.Shop, "jane@dev.test", otltest.Password, "").Want(t, http.StatusOK) // TE-06
		w.Clock.Advance(wait)
		login(t, w, w.Notes, "jane@dev.test", otltest.Password, "").Want(t, http.StatusOK)
		refused(t, login(t, w, w.Notes, "jane@dev.test", otltest.Password, ""))
	}, limited)
}

func TestD15_LoginsPerClientAddress(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i := range 60 {
			from := "2001:db8::" + strconv.FormatInt(int64(i), 16) // one household (HT-09)
			login(t, w, w.Notes, "p"+strconv.Itoa(i)+"@dev.test", "wrong-horse-7", from).Want(t, http.StatusUnauthorized)
		}
		refused(t, login(t, w, w.Notes, "other@dev.test", "wrong-horse-7", "2001:db8::ffff"))
		login(t, w, w.Notes, "other@dev.test", "wrong-horse-7", "2001:db8:0:1::1").Want(t, http.StatusUnauthorized)
	}, limited)
}

func TestD15_RegistrationsPerSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		register := func(s site.Registered, email string) otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/register", Key: s.Key, Body: map[string]string{"email": email, "password": otltest.Password}})
		}
		for i := range 20 {
			register(w.Notes, "p"+strconv.Itoa(i)+"@dev.test").Want(t, http.StatusCreated)
		}
		wait := refused(t, register(w.Notes, "one-more@dev.test"))
		register(w.Shop, "shopper@dev.test").Want(t, http.StatusCreated)
		w.Clock.Advance(wait)
		register(w.Notes, "one-more@dev.test").Want(t, http.StatusCreated)
	}, limited)
}

func TestD15_RefreshesPerSession(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		first, other := w.Login(t, w.Notes, "jane@dev.test").Text("refresh_token"), w.Login(t, w.Notes, "jane@dev.test").Text("refresh_token")
		token := first
		for range 60 {
			token = w.Refresh(t, w.Notes, token).Want(t, http.StatusOK).Text("refresh_token")
		}
		wait := refused(t, w.Refresh(t, w.Notes, token))
		w.Refresh(t, w.Notes, other).Want(t, http.StatusOK)
		w.Clock.Advance(wait)
		w.Refresh(t, w.Notes, token).Want(t, http.StatusOK)
	}, limited)
}

// fail tries wrong passwords, waiting as told, until tries are evaluated no
// more, and gives how many were.
func fail(t *testing.T, w *otltest.World, email string, from func(int) string) int {
	t.Helper()
	evaluated := 0
	for i := 0; i < 1000; i++ {
		s := []site.Registered{w.Notes, w.Shop}[i%2]                           // every door counts alike
		spelling := []string{email, strings.ToUpper(email), " " + email}[i%3]  // and every spelling
		r := login(t, w, s, spelling, "wrong-horse-"+strconv.Itoa(i), from(i)) //
		if r.Status == http.StatusUnauthorized {
			evaluated++
			continue
		}
		wait := refused(t, r)
		if wait >= time.Hour && evaluated >= 100 {
			return evaluated
		}
		w.Clock.Advance(wait)
	}
	t.Fatal("there is no end")
	return 0
}

// TestPW11_AHundredFailuresAreTheEnd drives failures over sites, spellings and
// addresses: a hundred are evaluated, and the right password is not either.
func TestPW11_AHundredFailuresAreTheEnd(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		stranger := func(i int) string { return "198.51.100." + strconv.Itoa(i%250) }
		if n := fail(t, w, "jane@dev.test", stranger); n != 100 {
			t.Errorf("%d tries were evaluated", n)
		}
		w.Clock.Advance(10 * time.Hour)
		refused(t, login(t, w, w.Notes, "jane@dev.test", otltest.Password, "203.0.113.1"))
	}, limited)
}

// TestPW09_NobodyIsLimitedAlike: an address that belongs to nobody runs into the
// same pauses at the same tries, so that being limited tells nothing.
func TestPW09_NobodyIsLimitedAlike(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		for i := range 30 {
			jane := login(t, w, w.Notes, "jane@dev.test", "wrong-horse-7", "")
			nobody := login(t, w, w.Notes, "nobody@dev.test", "wrong-horse-7", "")
			if jane.Status != nobody.Status || jane.Text("detail") != nobody.Text("detail") || jane.Header.Get("Retry-After") != nobody.Header.Get("Retry-After") {
				t.Fatalf("try %d: %d %s, and %d %s", i, jane.Status, jane.Raw, nobody.Status, nobody.Raw)
			}
			w.Clock.Advance(7 * time.Second)
		}
	}, limited)
}

// TestPW13_StrangersDoNotLockTheOwnerOut: after every try strangers have, the
// person still signs in from where he is signed in.
func TestPW13_StrangersDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		const home = "203.0.113.7"
		login(t, w, w.Notes, "jane@dev.test", otltest.Password, home).Want(t, http.StatusOK)
		fail(t, w, "jane@dev.test", func(i int) string { return "198.51.100." + strconv.Itoa(i%250) })
		w.Clock.Advance(time.Minute)
		login(t, w, w.Notes, "jane@dev.test", otltest.Password, home).Want(t, http.StatusOK)
		// A site that names the address learns nothing of where she is signed in at another (D1).
		refused(t, login(t, w, w.Shop, "jane@dev.test", otltest.Password, home))
		for i := range 5 {
			login(t, w, w.Notes, "jane@dev.test", "wrong-horse-"+strconv.Itoa(i), home).Want(t, http.StatusUnauthorized)
		}
		refused(t, login(t, w, w.Notes, "jane@dev.test", otltest.Password, home)) // her own failures slow her down
		// A device that she trusts is such a place, too, wherever it is.
		device := func(siteID string) string {
			t.Helper()
			var token secret.Text
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
				token, err = w.Factors.Trust(ctx, tx, jane.ID, siteID, time.Hour)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return token.Reveal()
		}
		by := func(token string) otltest.Reply {
			w.Clock.Advance(time.Minute)
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Shop.Key, Body: map[string]string{"email": "jane@dev.test", "password": otltest.Password, "device_token": token}})
		}
		by(device(w.Shop.Site.ID)).Want(t, http.StatusOK)
		refused(t, by(device(w.Notes.Site.ID)))
		// What failed there is forgotten with all else.
		if err := (account.Locks{Accounts: w.Accounts}).Unlock(t.Context(), jane.ID); err != nil {
			t.Fatal(err)
		}
		login(t, w, w.Notes, "jane@dev.test", otltest.Password, home).Want(t, http.StatusOK)
		login(t, w, w.Shop, "jane@dev.test", otltest.Password, "").Want(t, http.StatusOK)
	}, limited)
}

// TestDD07_AClockThatIsSetBackLocksNobodyOut: rates are not used up for as long, and whoever had to wait after
// failures waits as long as he had to, not a moment less.
func TestDD07_AClockThatIsSetBackLocksNobodyOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		w.Person(t, "john@dev.test", w.Notes.Site)
		w.Clock.Advance(96 * time.Hour)
		for _, back := range []time.Duration{35 * time.Minute, 24 * time.Hour} {
			for range 10 {
				login(t, w, w.Notes, "john@dev.test", otltest.Password, "").Want(t, http.StatusOK)
			}
			refused(t, login(t, w, w.Notes, "john@dev.test", otltest.Password, ""))
			for i := range 5 {
				if i == 4 {
					w.Clock.Advance(-back)
				}
				login(t, w, w.Notes, "jane@dev.test", "wrong-horse-7", "").Want(t, http.StatusUnauthorized)
			}
			login(t, w, w.Notes, "john@dev.test", otltest.Password, "").Want(t, http.StatusOK)
			w.Clock.Advance(time.Second)
			login(t, w, w.Notes, "jane@dev.test", "wrong-horse-7", "").Want(t, http.StatusUnauthorized)
			w.Clock.Advance(2 * time.Second)
			login(t, w, w.Notes, "jane@dev.test", "wrong-horse-7", "").Want(t, http.StatusUnauthorized) // 4 s to wait
			w.Clock.Advance(-back)
			if wait := refused(t, login(t, w, w.Notes, "jane@dev.test", otltest.Password, "")); wait != 4*time.Second {
				t.Errorf("set back by %v she waits %v, want 4 s", back, wait)
			}
			w.Clock.Advance(3 * time.Second)
			refused(t, login(t, w, w.Notes, "jane@dev.test", otltest.Password, ""))
			w.Clock.Advance(time.Second)
			login(t, w, w.Notes, "jane@dev.test", otltest.Password, "").Want(t, http.StatusOK)
			w.Clock.Advance(time.Minute)
		}
		// The parts of one rate share what it can reach, and what is read says what is taken.
		use := func(r limit.Rate) limit.Use { return limit.Use{Rate: r, By: []string{jane.ID}} }
		look := func(r limit.Rate) error {
			return w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return w.Limits.Look(ctx, tx, use(r)) })
		}
		for range 3 {
			if err := w.Limits.Take(t.Context(), use(limit.Prompts)); err != nil {
				t.Fatal(err)
			}
		}
		if look(limit.SitePrompts) == nil || w.Limits.Take(t.Context(), use(limit.SitePrompts)) == nil {
			t.Error("a site has more of a rate that is used up")
		}
		w.Clock.Advance(-35 * time.Minute)
		if err := look(limit.SitePrompts); err != nil {
			t.Error(err)
		}
		paid, err := w.Limits.Paid(limit.Refresh, w.Clock.Now().Add(35*time.Minute), w.Clock.Now())
		if want := w.Clock.Now().Add(time.Second); err != nil || !paid.Equal(want) {
			t.Errorf("what is kept in a row: paid to %v, %v, want %v", paid, err, want)
		}
	}, limited)
}

func TestPW11_ASuccessClearsFailures(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		for range 10 {
			for range 4 {
				login(t, w, w.Notes, "jane@dev.test", "wrong-horse-7", "").Want(t, http.StatusUnauthorized)
			}
			login(t, w, w.Notes, "jane@dev.test", otltest.Password, "").Want(t, http.StatusOK)
			w.Clock.Advance(time.Minute)
		}
	}, limited)
}

// TestMN07_ParallelGuessesOverTwoNodes: guesses at once, half of them at each
// node, are evaluated no more often than one after the other.
func TestMN07_ParallelGuessesOverTwoNodes(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres, limited)
	w.Person(t, "jane@dev.test", w.Notes.Site)
	second := w.Again(t)
	var evaluated atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			at := []*otltest.World{w, second}[i%2]
			if login(t, at, w.Notes, "jane@dev.test", "wrong-horse-7", "").Status == http.StatusUnauthorized {
				evaluated.Add(1)
			}
		})
	}
	wg.Wait()
	if evaluated.Load() != 5 {
		t.Errorf("%d guesses were evaluated at once, want 5", evaluated.Load())
	}
}

// TestPaceIsSharedByNodes: two nodes give the rate of one; a node of its own
// keeps it in memory.
func TestPaceIsSharedByNodes(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		clock := otltest.NewClock()
		limits := &limit.Limits{Store: st, Now: clock.Now}
		shared := st.Stats().Engine == "postgres"
		nodes := []*limit.Pace{{Limits: limits, Rate: limit.Calls, Shared: shared}, {Limits: limits, Rate: limit.Calls, Shared: shared}}
		if !shared {
			nodes = nodes[:1]
		}
		within := func(by string) (n int) {
			for i := range 1000 {
				if err := nodes[i%len(nodes)].Take(t.Context(), by); err == nil {
					n++
				} else if otl.As(err).Kind != otl.Limited || otl.As(err).RetryAfter < time.Second {
					t.Fatal(err)
				}
			}
			return n
		}
		if n := within("a"); n != 200 {
			t.Errorf("%d calls at once, want 200", n)
		}
		if n := within("b"); n != 200 {
			t.Errorf("another caller has %d", n)
		}
		clock.Advance(time.Second)
		if n := within("a"); n != 200 {
			t.Errorf("%d calls a second later, want 200", n)
		}
		if n := within(""); n != 1000 {
			t.Errorf("%d calls of nobody, want all", n)
		}
	})
}

func TestOffAllowsEverything(t *testing.T) {
	t.Parallel()
	var off *limit.Limits
	ctx := context.Background()
	for range 1000 {
		if err := off.Try(ctx, limit.Unknown("a"), limit.Use{Rate: limit.LoginPerIdentifier, By: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := off.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	if err := (&limit.Pace{Rate: limit.Calls}).Take(ctx, "a"); err != nil {
		t.Fatal(err)
	}
}

func TestHT09_Network(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "::1": "::/64",
	} {
		if got := limit.Network(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s counts as %q, want %q", address, got, want)
		}
	}
	if got := limit.Network(netip.Addr{}); got != "" {
		t.Errorf("no address counts as %q", got)
	}
}

// TestPW11_AddressesThatASiteNamesAreOneAccount: however many it opens sessions from; and what
// fails there shuts nobody out who is signed in at the pages from one of them (PW-13, D1). A new
// password clears it.
func TestPW11_AddressesThatASiteNamesAreOneAccount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		addresses := []string{"203.0.113.7", "203.0.113.8", "203.0.113.9"}
		opens := func() {
			t.Helper()
			who := signin.Identifier{Type: signin.ByID, Value: jane.ID}
			for _, a := range addresses {
				ctx := named(t, w.Notes.Site.ID, a)
				sent, err := w.Codes.Send(ctx, signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: otl.ChannelDirect})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Codes.Verify(ctx, signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: sent.Code}); err != nil {
					t.Fatal(err)
				}
			}
		}
		home, err := w.Flows.Home(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		proves := func() signin.Proved {
			t.Helper()
			p, err := w.SignIn.Prove(from(t, addresses[0]), signin.Attempt{Site: home, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		if _, err := w.SignIn.Second.Open(from(t, addresses[0]), proves()); err != nil {
			t.Fatal(err)
		}
		opens()
		for i := range 5 {
			login(t, w, w.Notes, "jane@dev.test", "wrong-horse-"+strconv.Itoa(i), addresses[i%3]).Want(t, http.StatusUnauthorized)
		}
		for _, a := range addresses {
			refused(t, login(t, w, w.Notes, "jane@dev.test", otltest.Password, a))
		}
		proves()
		if err := w.Accounts.Forgot(from(t, addresses[0]), w.Notes.Site.ID, "jane@dev.test"); err != nil {
			t.Fatal(err)
		}
		_, token, _ := strings.Cut(w.Newest(t, "jane@dev.test").Link, "/reset/")
		if err := w.Accounts.Reset(t.Context(), w.Notes.Site, secret.NewText(token), secret.NewText("staple-battery-8")); err != nil {
			t.Fatal(err)
		}
		opens()
		login(t, w, w.Notes, "jane@dev.test", "staple-battery-8", addresses[2]).Want(t, http.StatusOK)
	}, limited)
}
