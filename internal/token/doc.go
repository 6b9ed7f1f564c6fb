// Package token makes and reads the two tokens of a session: the access token,
// a signed JWT that anybody can verify, and the refresh token, an opaque string
// that only this installation can. It keeps the ring of signing keys and serves
// their public halves as a JWK set.
//
// Keys are handed in; storing and rotating them is the business of package
// installation. Whether a session still counts is not decided here either: a
// token that verifies proves that it was issued, no more.
package token
