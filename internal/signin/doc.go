// Package signin owns everything that ends in a session, keeps one or gives one
// up: a password, a code or a link, a passkey, a second factor, a visit to the
// hosted pages, a session token, a device, a refresh token, a logout, and the
// check of an access token that every call of ours begins with.
//
// A behaviour lives here once, whatever wire it is asked on. Status codes,
// envelopes and headers are the business of the surfaces.
package signin
