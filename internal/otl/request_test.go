package otl_test

import (
	"net/netip"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

// TestHT09_AHouseholdHas64Bits of IPv6, or one IPv4 address however it is written.
func TestHT09_AHouseholdHas64Bits(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8:0:1:ffff::1%eth0": "2001:db8:0:1::/64",
	} {
		if got := otl.Household(netip.MustParseAddr(ip)); got.String() != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
	if home := otl.Household(netip.Addr{}); home.IsValid() {
		t.Errorf("none: %s", home)
	}
}
