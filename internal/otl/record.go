package otl

import "time"

// Record is what a site keeps of one of its people for itself; nobody else sees it,
// and it goes when he leaves the site.
type Record struct {
	ExternalID string    // what the site calls him; unique among its people, "" for nothing
	Data       string    // a JSON object as text, "" for none
	PendingAt  time.Time // when the site said that it waits for him to sign in; zero: it does not
}

// Bounds of a record.
const (
	MaxExternalID = 255      // code points
	MaxRecord     = 16 << 10 // bytes of JSON
)
