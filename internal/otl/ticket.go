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

// MessageKind is what a message to a person is about.
type MessageKind string

// The kinds of messages.
const (
	MessageReset           MessageKind = "reset_password"
	MessagePasswordChanged MessageKind = "password_changed"
)

// Channel is the way a message takes.
type Channel string

// ChannelMail is e-mail.
const ChannelMail Channel = "mail"

// Message is one message to a person.
type Message struct {
	ID        string
	Kind      MessageKind
	Channel   Channel
	UserID    string
	SiteID    string // whose name and colours it has
	Recipient string // address, as stored with the person when it was queued
	Locale    string
	Data      map[string]string // what its text needs; may hold a one-time secret
	CreatedAt time.Time
}
