package otl

import "time"

// Purpose is what a ticket is good for. It opens nothing else.
type Purpose string

// The purposes of tickets.
const (
	PurposeReset    Purpose = "password_reset" // lets somebody choose a new password
	PurposeSignIn   Purpose = "signin"         // signs somebody in at one site
	PurposeLinkCode Purpose = "link_code"      // what an opened link gave a site
	PurposeFlow     Purpose = "flow_code"      // what a visit to the hosted pages gave a site
	PurposeStep     Purpose = "second_step"    // lets somebody who proved himself once do so again
	PurposeFactor   Purpose = "factor"         // proves that somebody has a factor; in the slot of what it is for
	PurposeRecovery Purpose = "recovery"       // stands in for a factor that is lost
	PurposeDevice   Purpose = "trusted_device" // lets a device in without a second step
	PurposeHandover Purpose = "session_token"  // lets a browser in that a site vouches for

	PurposeVerification Purpose = "verification" // shows a site that somebody has a factor; opens nothing
	PurposeStandIn      Purpose = "stand_in"     // shows the same in the place of a factor, for a site's own person

	PurposeEmailChange Purpose = "email_change" // proves a new address, which then replaces the one before
	PurposePhoneChange Purpose = "phone_change" // does the same for a number
	PurposeUndo        Purpose = "change_undo"  // refuses such a change, or takes it back
	PurposeFactorUndo  Purpose = "factor_undo"  // takes a first second factor back
)

// UndoTTL is how long what changes how a person is reached, or that he has second factors, can be
// taken back by whoever reads the mails to his address (OT-17, MF-08).
const UndoTTL = 96 * time.Hour

// ChangeTTL is how long a change of an address or number waits to be proven, and HoldTTL how long what
// a site put in force opens that site alone: as long as it can be taken back at least (ADR 20).
const (
	ChangeTTL = 24 * time.Hour
	HoldTTL   = UndoTTL - ChangeTTL
)

// UndoPrefix begins the token in the link that takes a change back.
const UndoPrefix = "otl_un_"

// Members of the data of tickets that change an address or a number, or take that back.
const (
	ChangedFrom = "was"      // the address or number before; an address as it was typed
	ChangedTo   = "to"       // the new one, "" for none
	ChangedSeen = "verified" // when the one before was proven, in milliseconds; "" if never
)

// Ticket is a one-time secret that was handed to somebody: a link, a code, or
// both, of which one can be used. The secrets are kept as digests only.
type Ticket struct {
	ID        string
	Purpose   Purpose
	UserID    string // "" for one that stands for nobody
	Newcomer  bool   // with nobody: it is for whoever holds the address it was mailed to, who is looked for when it is used
	SiteID    string // where it was asked for
	Slot      string // a ticket takes the place of the one in its slot; its own id where there may be many
	Channel   Channel
	Tries     int               // guesses at its code so far
	Data      map[string]string // what goes with it; no secrets
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time

	CodeUntil    time.Time // when its code ends, where that is before ExpiresAt; zero otherwise
	CrossedUntil time.Time // until when the secret it takes the place of can be used in its stead, where both are for the same; zero for not at all
}
