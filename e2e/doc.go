// Package e2e drives the built binary from outside: processes, HTTP and the
// database file, never a Go call into the server. Its tests kill servers, race
// refresh tokens, run the documentation's code blocks and build a fresh clone.
//
// Two variables make the rigs longer: OTL_E2E_CYCLES (kills of the crash rig)
// and OTL_E2E_ROUNDS (rounds of the race rig); `make crash` sets both.
package e2e
