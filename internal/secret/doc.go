// Package secret owns everything that must not be guessed or read: random
// tokens and their digests, ids, sealing at rest under the master key, and
// password hashing with its bounded pool.
//
// Keys are handed in and results are handed back; nothing here stores anything
// or knows a wire. The primitives come from the standard library,
// golang.org/x/crypto and, for argon2d alone, github.com/go-crypt/x.
package secret
