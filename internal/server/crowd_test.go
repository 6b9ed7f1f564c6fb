package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"testing"
)

// hall is a crowd with what it said of each time there was no room.
func hall(c Connections) (*crowd, *[]string) {
	var said []string
	return newCrowd(c, netip.MustParsePrefix("10.0.0.0/8").Contains, func(bound string, _ netip.Addr, refused bool) {
		if refused {
			bound += " refused"
		}
		said = append(said, bound)
	}), &said
}

// TestHT06_AHouseholdIsCountedTogether: an IPv4 address however it is written, a /64 of IPv6;
// proxies and sockets count in the total alone. Whoever works is not disturbed.
func TestHT06_AHouseholdIsCountedTogether(t *testing.T) {
	t.Parallel()
	c, said := hall(Connections{Total: 9, PerAddress: 2})
	var all []*member
	for _, one := range []struct {
		remote string
		ok     bool
	}{
		{"192.0.2.1:1", true},
		{"[::ffff:192.0.2.1]:2", true},
		{"192.0.2.1:3", false},
		{"192.0.2.2:1", true},
		{"[2001:db8:0:1::1]:1", true},
		{"[2001:db8:0:1:ffff::1%eth0]:1", true},
		{"[2001:db8:0:1::2]:1", false},
		{"[2001:db8:0:2::1]:1", true},
		{"10.0.0.1:1", true},
		{"10.0.0.1:2", true},
		{"10.0.0.1:3", true},
		{"10.0.0.1:4", false}, // nine are there
		{"@", false},
	} {
		in, out := c.enter(nil, direct(one.remote))
		if in == out == one.ok || out != nil && out != in {
			t.Errorf("%s: let in is %v", one.remote, in != out)
		}
		if in != out {
			c.moved(in, http.StateActive)
			all = append(all, in)
		}
	}
	if want := []string{"address refused", "address refused", "total refused", "total refused"}; c.size() != 9 || !slices.Equal(*said, want) {
		t.Errorf("%d are open, said %q", c.size(), *said)
	}
	for range 3 { // a connection may be closed more than once
		all[0].leave()
	}
	c.moved(all[0], http.StateIdle) // too late: it is not there to be closed
	if in, out := c.enter(nil, direct("@")); out != nil || c.size() != 9 {
		t.Error("who left made room for more, or less, than one")
	} else {
		in.leave()
	}
	for _, m := range all {
		m.leave()
	}
	if c.size() != 0 || len(c.from) != 0 {
		t.Errorf("%d are open, %v are counted", c.size(), c.from)
	}
	free, _ := hall(Connections{})
	for range 100 {
		if _, out := free.enter(nil, direct("192.0.2.1:1")); out != nil {
			t.Fatal("without a bound there is one")
		}
	}
	if len(free.from) != 0 {
		t.Error("counts what nobody asks for")
	}
}

// TestHT06_TheLongestIdleGoes: of the household that is full, or of all where the total is. Who
// only connected is idle, who works is not.
func TestHT06_TheLongestIdleGoes(t *testing.T) {
	t.Parallel()
	c, said := hall(Connections{Total: 5, PerAddress: 2})
	enter := func(remote string, goes *member) *member {
		t.Helper()
		in, out := c.enter(nil, direct(remote))
		if out != goes {
			t.Errorf("%s: another one went", remote)
		}
		return in
	}
	first := enter("192.0.2.1:1", nil)
	second := enter("192.0.2.1:2", nil)
	third := enter("192.0.2.1:3", first)
	c.moved(second, http.StateActive)
	other := enter("192.0.2.2:1", nil)
	fourth := enter("192.0.2.1:4", third) // the second works
	c.moved(second, http.StateIdle)       // from now on
	enter("192.0.2.3:1", nil)
	enter("192.0.2.4:1", nil)
	enter("192.0.2.5:1", other) // five are there
	enter("192.0.2.5:2", fourth)
	enter("192.0.2.1:5", second).leave()
	if c.size() != 4 || !slices.Equal(*said, []string{"address", "address", "total", "total", "total"}) {
		t.Errorf("%d are open, said %q", c.size(), *said)
	}
}

// TestHT06_OfManyOneThatIsIdleGoes: of more than are looked at, by whichever order.
func TestHT06_OfManyOneThatIsIdleGoes(t *testing.T) {
	t.Parallel()
	const many = 10 * looked
	c, said := hall(Connections{Total: many})
	var idle []*member
	for i := range many {
		m, _ := c.enter(nil, direct("192.0.2.1:1"))
		if i%2 == 0 {
			c.moved(m, http.StateActive)
		} else {
			idle = append(idle, m)
		}
	}
	for range 100 {
		in, out := c.enter(nil, direct("192.0.2.2:1"))
		if in == out || out.idle.Load() == 0 {
			t.Fatal("half of them are idle, and one that works had to go")
		}
		c.moved(in, http.StateActive)
	}
	if c.size() != many || len(*said) != 100 {
		t.Errorf("%d are open, said %d times", c.size(), len(*said))
	}
	gone := 0
	for _, m := range idle {
		if m.of == nil {
			gone++
		}
	}
	if gone != 100 {
		t.Errorf("%d of those that were idle went", gone)
	}
}

// TestHT06_ACustomersPrefixIsBounded: however many /64 a /48 has, it holds as many connections
// as four of them.
func TestHT06_ACustomersPrefixIsBounded(t *testing.T) {
	t.Parallel()
	c, said := hall(Connections{Total: 100, PerAddress: 2})
	for _, home := range []string{"1", "2", "3", "4", "5", "6"} {
		for range 2 {
			in, out := c.enter(nil, direct("[2001:db8:7:"+home+"::1]:1"))
			if refused := home > "4"; in == out != refused {
				t.Errorf("/64 number %s: refused is %v", home, in == out)
			}
			c.moved(in, http.StateActive)
		}
	}
	if _, out := c.enter(nil, direct("[2001:db8:8:1::1]:1")); out != nil {
		t.Error("another customer is refused")
	}
	if c.size() != 9 || len(*said) != 4 || (*said)[0] != "prefix refused" {
		t.Errorf("%d are open, said %q", c.size(), *said)
	}
}

// TestHT06_WhoGoesIsNotServed: a request that came while its connection was chosen to go is not
// begun, and whose request came first stays.
func TestHT06_WhoGoesIsNotServed(t *testing.T) {
	t.Parallel()
	c, _ := hall(Connections{Total: 1})
	served := 0
	h := staying(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	ask := func(m *member) (cut any) {
		defer func() { cut = recover() }()
		h.ServeHTTP(nil, httptest.NewRequestWithContext(c.known(t.Context(), m), http.MethodGet, "/", nil))
		return nil
	}
	first, _ := c.enter(nil, direct("192.0.2.1:1"))
	second, out := c.enter(nil, direct("192.0.2.1:2"))
	c.moved(first, http.StateActive)                                                   // its request was read in this moment
	if cut := ask(first); out != first || cut != http.ErrAbortHandler || served != 0 { //nolint:errorlint // it is a value to compare with
		t.Errorf("of a connection that goes a request was begun: %v", cut)
	}
	c.moved(first, http.StateIdle)
	if ask(first); served != 0 {
		t.Error("it came back")
	}
	c.moved(second, http.StateActive)
	if _, out := c.enter(nil, direct("192.0.2.1:3")); ask(second) != nil || served != 1 || out == second {
		t.Error("whose request came first went")
	}
}

// TestHT06_ARequestIsServedOrItsConnectionGoes: never both, however close they come.
func TestHT06_ARequestIsServedOrItsConnectionGoes(t *testing.T) {
	t.Parallel()
	c, _ := hall(Connections{Total: 1})
	for range 2000 {
		m, _ := c.enter(nil, direct("192.0.2.1:1"))
		served := make(chan bool)
		go func() { served <- m.turn(0) }()
		next, out := c.enter(nil, direct("192.0.2.1:2"))
		if is := <-served; is == (out == m) {
			t.Fatalf("served is %v, gone is %v", is, out == m)
		}
		m.leave()
		next.leave()
	}
}

// TestHT06_WhoSendsNoBodyIsIdle: since his request began, however often a little comes; a body
// that comes whole is a request like any other.
func TestHT06_WhoSendsNoBodyIsIdle(t *testing.T) {
	t.Parallel()
	c, _ := hall(Connections{Total: 2})
	in, _ := c.enter(nil, direct("192.0.2.1:1"))
	c.moved(in, http.StateActive)
	far, near := net.Pipe()
	since := c.turns.Load() + 1
	got := make(chan error)
	h := staying(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if in.idle.Load() != 0 {
			t.Error("whoever computes is idle")
		}
		_, err := io.ReadAll(r.Body)
		got <- err
	}))
	r := httptest.NewRequestWithContext(c.known(t.Context(), in), http.MethodPost, "/", near)
	go h.ServeHTTP(nil, r)
	for range 3 {
		for in.idle.Load() != since {
			runtime.Gosched()
		}
		if _, err := far.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
	}
	later, _ := c.enter(nil, direct("192.0.2.2:1"))
	for in.idle.Load() != since {
		runtime.Gosched()
	}
	if _, out := c.enter(nil, direct("192.0.2.3:1")); out != in {
		t.Errorf("whoever sends no body stays, and later is idle since %d", later.idle.Load())
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err == nil {
		t.Error("a body whose connection goes is whole")
	}
}

// TestHT06_WhereAllBodiesAreWaitedForNobodyWorks: over HTTP/2, where a connection has many requests at
// once, it works while one of them does, and one that was taken back counts for nothing.
func TestHT06_WhereAllBodiesAreWaitedForNobodyWorks(t *testing.T) {
	t.Parallel()
	c, _ := hall(Connections{Total: 1})
	in, _ := c.enter(nil, direct("192.0.2.1:1"))
	c.moved(in, http.StateActive)
	type stream struct {
		body          net.Conn
		working, done chan struct{}
	}
	open := func() stream {
		far, near := net.Pipe()
		s, began := stream{far, make(chan struct{}), make(chan struct{})}, make(chan struct{})
		h := staying(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(began)
			_, _ = io.ReadAll(r.Body)
			<-s.working
		}))
		r := httptest.NewRequestWithContext(c.known(t.Context(), in), http.MethodPost, "/", near)
		r.ProtoMajor = 2
		go func() {
			defer close(s.done)
			h.ServeHTTP(nil, r)
		}()
		<-began
		for in.idle.Load() == 0 { // it waits in a moment
			runtime.Gosched()
		}
		return s
	}
	first, second := open(), open()
	first.body.Close()
	for in.idle.Load() != 0 { // its body is there in a moment
		runtime.Gosched()
	}
	if in, out := c.enter(nil, direct("192.0.2.1:2")); in != out {
		t.Error("one request works, and its connection had to go")
	}
	close(first.working)
	<-first.done
	if in.idle.Load() == 0 {
		t.Error("the only request left waits, and its connection works")
	}
	c.moved(in, http.StateIdle) // the client took it back
	second.body.Close()
	close(second.working)
	<-second.done
	if in.idle.Load() == 0 {
		t.Error("a connection without requests works")
	}
	c.moved(in, http.StateActive)
	third := open()
	if _, out := c.enter(nil, direct("192.0.2.1:3")); out != in {
		t.Error("whoever sends no body stays")
	}
	third.body.Close()
	close(third.working)
	<-third.done
	if in.idle.Load() != going {
		t.Error("it came back")
	}
}

// TestHT06_TheLogSaysWhoHasTheMost: of all, not who came last.
func TestHT06_TheLogSaysWhoHasTheMost(t *testing.T) {
	t.Parallel()
	c, _ := hall(Connections{Total: 9, PerAddress: 5})
	if c.largest().IsValid() {
		t.Error("nobody has the most")
	}
	for _, remote := range []string{"192.0.2.1:1", "[2001:db8:0:1::1]:1", "[2001:db8:0:1::2]:1", "[2001:db8:0:2::1]:1", "10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"} {
		c.enter(nil, direct(remote))
	}
	if got := c.largest(); got != netip.MustParseAddr("2001:db8:0:1::") {
		t.Error(got)
	}
}
