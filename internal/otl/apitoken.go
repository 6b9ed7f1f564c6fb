package otl

import "time"

// APIToken is a pair of tokens that a client calls the OneLogin wire with: one to
// call, one to exchange for the next pair. Neither is kept.
type APIToken struct {
	ID        string
	ClientID  string
	CreatedAt time.Time
	ExpiresAt time.Time // of the one to call with
	RefreshBy time.Time // of the one to exchange
	RevokedAt time.Time
}
