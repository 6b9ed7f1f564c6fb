package otl

import "time"

// Once is an act whose caller may ask for it again under the same key, and that
// is not done again then: its answer is kept in the transaction of the act.
type Once struct {
	ID      []byte // names caller and key; a digest
	Asked   []byte // what was asked for; a digest
	Expires time.Time
	// Seal makes what is kept of the result of the act.
	Seal func(result any) ([]byte, error)
}

// ErrOnceUnderWay means that the act is being done at this moment.
var ErrOnceUnderWay = &Error{
	Kind: Conflict, Code: "idempotency_key_in_use", Text: "A request with this Idempotency-Key is under way. Wait, then ask again.", RetryAfter: time.Second,
}
