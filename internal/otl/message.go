package otl

import "time"

// MessageKind is what a message to a person is about.
type MessageKind string

// The kinds of messages.
const (
	MessageSignIn          MessageKind = "signin"
	MessageFactorCode      MessageKind = "mfa_code" // a code that is a second factor
	MessageReset           MessageKind = "reset_password"
	MessageInvite          MessageKind = "invite" // to whom a site added, to choose a password
	MessagePasswordChanged MessageKind = "password_changed"
	MessagePasswordRemoved MessageKind = "password_removed" // by the first proof of an address or number, to which it goes
	MessageVerify          MessageKind = "verify_email"     // to whoever creates an account
	MessageExisting        MessageKind = "existing_account" // to whoever would and has one
	MessageFactorAdded     MessageKind = "factor_added"
	MessageFactorRemoved   MessageKind = "factor_removed"
	MessageRecoveryUsed    MessageKind = "recovery_used"
	MessageNewDevice       MessageKind = "new_device"     // of a sign-in from a browser or network not seen before
	MessageSessionReused   MessageKind = "session_reused" // what renews or opened a session was presented twice
	MessageSignedOut       MessageKind = "signed_out"     // everywhere, by whoever runs the server
	MessageConfirmChange   MessageKind = "confirm_change" // to a new address or number
	MessageChangeAsked     MessageKind = "change_asked"   // to the address on record
	MessagePhoneRemoved    MessageKind = "phone_removed"  // by the person himself
	MessageLeaving         MessageKind = "leaving"        // to whoever asked for his account to be deleted
	MessageDeleteDone      MessageKind = "delete_done"    // to the address of an account that its person had deleted
	MessageDataExported    MessageKind = "data_exported"  // to whom everything that is kept of him was handed out
	MessageSiteConnected   MessageKind = "site_connected"
	MessageSiteLeft        MessageKind = "site_disconnected" // by the person himself
	MessageWebhookFailing  MessageKind = "webhook_failing"   // to the owners of a site
	MessageWebhookStopped  MessageKind = "webhook_stopped"   // to the owners of a site
	MessageSMSStopped      MessageKind = "sms_stopped"       // to the owners of a site and the operator
	MessageMailStopped     MessageKind = "mail_stopped"      // to the same
	MessageCodesGuessed    MessageKind = "codes_guessed"     // to the operator
	MessageProviderFull    MessageKind = "provider_full"     // to the operator
	MessageTest            MessageKind = "test"              // to whoever the operator names, past the queue
)

// Last reports whether a message holds all that is left of somebody (PR-05): it expires although it is no
// code, and nothing of it is kept once it was sent or given up.
func (k MessageKind) Last() bool { return k == MessageDeleteDone }

// Channel is the way a message takes.
type Channel string

// The channels. What is handed over directly leaves no message.
const (
	ChannelMail   Channel = "email"
	ChannelSMS    Channel = "sms"
	ChannelDirect Channel = "direct"
)

// MessageState is what became of a message.
type MessageState string

// The states of a message. All but waiting are final; void is one to nobody, written so
// that it takes as long as one to somebody (OT-10).
const (
	MessageWaiting MessageState = "waiting"
	MessageSent    MessageState = "sent"
	MessageDead    MessageState = "dead"
	MessageVoid    MessageState = "void"
)

// Message is one message to a person.
type Message struct {
	ID        string
	Kind      MessageKind
	Channel   Channel
	UserID    string
	SiteID    string // whose name and colours it has
	Recipient string // address or number, as it was when the message was queued
	Locale    string
	Data      map[string]string // what its text needs; may hold a one-time secret
	CreatedAt time.Time
	ExpiresAt time.Time // when it is of no use any more; zero: never

	State     MessageState
	Tries     int
	DueAt     time.Time // of the next try, while it waits
	SettledAt time.Time // when it was sent or given up
	Provider  string    // that took it
	Problem   string    // of the latest try that failed
	RefusedBy []Refusal // by providers while others had not
}

// Refusal is that of a provider that will never take a message.
type Refusal struct {
	By   string // what tells it from others, one word
	Said string // why; "" where it was not kept
}

// SMSStop is a range of numbers to which one site sends no more SMS, because hardly any
// of the codes it sent there were entered.
type SMSStop struct {
	SiteID string
	Prefix string // the first digits of the numbers, with "+"
	At     time.Time
}
