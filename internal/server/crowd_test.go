package server

import (
	"net/netip"
	"testing"
)

// TestHT06_AHouseholdIsCountedTogether: an IPv4 address however it is written, a /64 of IPv6;
// proxies and sockets count in the total alone.
func TestHT06_AHouseholdIsCountedTogether(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParsePrefix("10.0.0.0/8")
	c := &crowd{Connections: Connections{Total: 9, PerAddress: 2}, proxy: proxy.Contains, open: map[netip.Prefix]int{}}
	var all []func()
	for _, one := range []struct {
		remote string
		full   string
	}{
		{"192.0.2.1:1", ""},
		{"[::ffff:192.0.2.1]:2", ""},
		{"192.0.2.1:3", "address"},
		{"192.0.2.2:1", ""},
		{"[2001:db8:0:1::1]:1", ""},
		{"[2001:db8:0:1:ffff::1%eth0]:1", ""},
		{"[2001:db8:0:1::2]:1", "address"},
		{"[2001:db8:0:2::1]:1", ""},
		{"10.0.0.1:1", ""},
		{"10.0.0.1:2", ""},
		{"10.0.0.1:3", ""},
		{"10.0.0.1:4", "total"}, // nine are there
		{"@", "total"},
	} {
		leave, full := c.enter(direct(one.remote))
		if full != one.full {
			t.Errorf("%s: full is %q", one.remote, full)
		}
		if full == "" {
			all = append(all, leave)
		}
	}
	if c.size() != 9 {
		t.Errorf("%d are open", c.size())
	}
	for range 3 { // a connection may be closed more than once
		all[0]()
	}
	if _, full := c.enter(direct("@")); full != "" || c.size() != 9 {
		t.Error("who left made room for more, or less, than one")
	}
	for _, leave := range all {
		leave()
	}
	if c.size() != 1 || len(c.open) != 1 {
		t.Errorf("%v are open", c.open)
	}
	free := &crowd{proxy: proxy.Contains, open: map[netip.Prefix]int{}}
	for range 100 {
		if _, full := free.enter(direct("192.0.2.1:1")); full != "" {
			t.Fatal("without a bound there is one")
		}
	}
	if len(free.open) != 1 {
		t.Error("counts what nobody asks for")
	}
}

// TestHT06_ACustomersPrefixIsBounded: however many /64 a /48 has, it holds as many connections
// as four of them, and leaves the others what they have.
func TestHT06_ACustomersPrefixIsBounded(t *testing.T) {
	t.Parallel()
	c := &crowd{Connections: Connections{Total: 100, PerAddress: 2}, proxy: func(netip.Addr) bool { return false }, open: map[netip.Prefix]int{}}
	var all []func()
	for _, home := range []string{"1", "2", "3", "4", "5", "6"} {
		for range 2 {
			leave, full := c.enter(direct("[2001:db8:7:" + home + "::1]:1"))
			if refused := home > "4"; full == "prefix" != refused {
				t.Errorf("/64 number %s: full is %q", home, full)
			}
			if full == "" {
				all = append(all, leave)
			}
		}
	}
	if _, full := c.enter(direct("[2001:db8:8:1::1]:1")); full != "" {
		t.Errorf("another customer: full is %q", full)
	}
	for _, leave := range all {
		leave()
	}
	if c.size() != 1 || len(c.open) != 3 {
		t.Errorf("%v are open", c.open)
	}
}
