package egress

import "net/netip"

// Permits is permits, for tests of addresses this machine does not have.
func Permits(p Policy, a netip.Addr, own ...netip.Addr) bool { return p.permits(a, own) }

// OwnAddresses is ownAddresses.
func OwnAddresses() ([]netip.Addr, error) { return ownAddresses() }

// MaxPools is maxPools.
const MaxPools = maxPools
