// Package installation owns what belongs to the server itself and to no site:
// the proof that the right master key is at hand, the first-party site whose
// tokens administer, and the life of the signing keys from publication through
// signing and verifying to deletion.
//
// It loads the keys into the ring of package token and keeps it up to date while
// other nodes and commands change the store.
package installation
