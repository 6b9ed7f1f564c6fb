// Package event owns the log of what happened: the place of each event in it, the
// chain of hashes that shows whether any was changed, and which sites hear of it.
// It does not say when something happened to happen; the rules append their events
// themselves, with the change.
package event
