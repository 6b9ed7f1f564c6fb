package otl

import "time"

// Purpose is what a ticket is good for. It opens nothing else.
type Purpose string

// PurposeReset lets somebody choose a new password.
const PurposeReset Purpose = "password_reset"

// Ticket is a one-time secret that was handed to somebody: a reset link, a code.
// The secret itself is kept as a digest only.
type Ticket struct {
	ID        string
	Purpose   Purpose
	UserID    string // "" for one that stands for nobody
	SiteID    string // where it was asked for
	CreatedAt time.Time
	ExpiresAt time.Time
}
