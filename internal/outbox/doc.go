// Package outbox owns the way of messages out of the house: it takes those that
// are due from the store, hands them to providers, and keeps what became of each.
// It carries and never decides: what is written, and to whom, was settled when
// the message was queued.
package outbox
