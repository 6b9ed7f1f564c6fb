package otl

import "time"

// Standing is how the installation, or a part of it, is doing, as anybody may know it
// (contract 1.10).
type Standing string

// The standings there are, the better one first.
const (
	StandingOK       Standing = "ok"
	StandingDegraded Standing = "degraded" // it works, late
	StandingDown     Standing = "down"
)

// Parts of the installation whose standing is told.
const (
	PartDatabase = "database"
	PartKeys     = "signing_keys"
	PartMessages = "messages"
	PartWebhooks = "webhooks"
	PartClock    = "clock"
)

// Health is the standing of every part at a time. It says nothing of sites, people or the
// program (OS-09).
type Health struct {
	At    time.Time
	Parts []Part // in the order they are shown in
}

// Part is the standing of one part.
type Part struct {
	Name     string
	Standing Standing
}

// Standing gives that of the whole: down where the database or the keys are, because then
// nobody signs in, and degraded where anything else is not ok.
func (h Health) Standing() Standing {
	whole := StandingOK
	for _, p := range h.Parts {
		switch {
		case p.Standing == StandingDown && (p.Name == PartDatabase || p.Name == PartKeys):
			return StandingDown
		case p.Standing != StandingOK:
			whole = StandingDegraded
		}
	}
	return whole
}
