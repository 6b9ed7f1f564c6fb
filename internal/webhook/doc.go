// Package webhook owns what sites are told of events: their endpoints and the secrets
// of those, what is written of an event for whom, and the signatures on it. It does
// not send; that is the outbox's.
package webhook
