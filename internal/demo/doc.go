// Package demo is the two partner sites of `otl dev`: small, real programs that
// sign people in at the server and hear of changes by signed webhook. They know the
// server from outside only, by the API every partner has, and are an example of how
// to use it: PKCE and a state at the sign-in, the signature of a webhook checked over
// the raw bytes, tokens kept where no browser sees them.
package demo
