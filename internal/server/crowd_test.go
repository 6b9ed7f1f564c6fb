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
	c := &crowd{Connections: Connections{Total: 9, PerAddress: 2}, proxy: proxy.Contains, from: map[netip.Prefix]int{}}
	var all []func()
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
		leave, ok := c.enter(direct(one.remote))
		if ok != one.ok {
			t.Errorf("%s: let in is %v", one.remote, ok)
		}
		if ok {
			all = append(all, leave)
		}
	}
	if c.size() != 9 || c.refused.Load() != 4 {
		t.Errorf("%d are open, %d were refused", c.size(), c.refused.Load())
	}
	for range 3 { // a connection may be closed more than once
		all[0]()
	}
	if _, ok := c.enter(direct("@")); !ok || c.size() != 9 {
		t.Error("who left made room for more, or less, than one")
	}
	for _, leave := range all {
		leave()
	}
	if c.size() != 1 || len(c.from) != 0 {
		t.Errorf("%d are open, %v are counted", c.size(), c.from)
	}
	free := &crowd{proxy: proxy.Contains, from: map[netip.Prefix]int{}}
	for range 100 {
		if _, ok := free.enter(direct("192.0.2.1:1")); !ok {
			t.Fatal("without a bound there is one")
		}
	}
	if len(free.from) != 0 {
		t.Error("counts what nobody asks for")
	}
}
