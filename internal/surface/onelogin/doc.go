// Package onelogin speaks the wire of OneLogin's login API (seed 001, contract
// section 2), so that clients written for it work unchanged. It translates: what a
// token, a sign-in or a person is, is decided below.
package onelogin
