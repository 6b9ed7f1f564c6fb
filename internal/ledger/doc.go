// Package ledger counts what sites are shown of people: which fields, how often, on
// which day. Whoever shows something only notes it here, in memory; it is written in
// batches. It does not decide what may be shown.
package ledger
