package otl

import (
	"slices"
	"time"
)

// EventType names something that happened to a person, a session or a site.
type EventType string

// The events recorded today; webhooks and the audit log read the same list
// (seed 000, "Webhook events").
const (
	EventUserCreated     EventType = "user.created"
	EventSignUpKnown     EventType = "signup.known" // somebody asked for an account with the address of one
	EventUserUpdated     EventType = "user.updated"
	EventUserDisabled    EventType = "user.disabled"
	EventUserUnlocked    EventType = "user.unlocked" // what failed in a row was forgotten
	EventUserEnabled     EventType = "user.enabled"
	EventPasswordChanged EventType = "user.password_changed"
	EventSessionCreated  EventType = "session.created"
	EventSessionRevoked  EventType = "session.revoked"
	EventAllSignedOut    EventType = "everybody.signed_out" // by whoever runs the server; each session has an entry besides
	EventSignInFailed    EventType = "signin.failed"        // once or often
	EventAccessRefused   EventType = "access.refused"       // to a program, once or often
	EventSiteCreated     EventType = "site.created"
	EventSiteUpdated     EventType = "site.updated"
	EventSiteDeleted     EventType = "site.deleted"
	EventSiteRestored    EventType = "site.restored"
	EventSitePurged      EventType = "site.purged" // for good
	EventSiteKeyCreated  EventType = "site_key.created"
	EventSiteKeyRolled   EventType = "site_key.rolled"
	EventSiteKeyRevoked  EventType = "site_key.revoked"
	EventClientCreated   EventType = "client.created"
	EventClientUpdated   EventType = "client.updated"
	EventClientRevoked   EventType = "client.revoked"
	EventRoleCreated     EventType = "role.created"
	EventRoleUpdated     EventType = "role.updated"
	EventRoleDeleted     EventType = "role.deleted"
	EventRoleAssigned    EventType = "role.assigned"
	EventRoleRemoved     EventType = "role.removed"
	EventPaymentDone     EventType = "payment.completed"
	EventPlanUpdated     EventType = "plan.updated" // or made
	EventOrderCreated    EventType = "order.created"
	EventOrderFailed     EventType = "order.failed"
	EventOrderRefunded   EventType = "order.refunded"
	EventEndpointCreated EventType = "endpoint.created"
	EventEndpointUpdated EventType = "endpoint.updated"
	EventEndpointDeleted EventType = "endpoint.deleted"
	EventEndpointRotated EventType = "endpoint.secret_rotated"
	EventEndpointProven  EventType = "endpoint.verified"
	EventChallenge       EventType = "webhook.challenge" // stands in no log: an endpoint is to answer it
	EventReplayed        EventType = "endpoint.replayed" // events are sent again because somebody asked
	EventEndpointStopped EventType = "endpoint.stopped"  // by itself: it failed for days, or answered 410
	EventWebhookTest     EventType = "webhook.test"      // because somebody asked: to one endpoint, or to all
	EventFactorAdded     EventType = "factor.added"
	EventFactorRemoved   EventType = "factor.removed"
	EventDeviceTrusted   EventType = "factor.device_trusted"
	EventDeviceForgotten EventType = "factor.device_forgotten" // is trusted no more, or several are
	EventConsentGranted  EventType = "consent.granted"
	EventConsentRevoked  EventType = "consent.revoked"
	EventUserDeleted     EventType = "user.deleted"
	EventCodeHandedOver  EventType = "code.handed_over" // to a site, by the channel direct
	EventUserInvited     EventType = "user.invited"     // to choose a password
	EventResetSent       EventType = "user.reset_sent"  // a link to choose a new password, by whoever runs the server
	EventLinkOpened      EventType = "link.opened"
	EventLinkDenied      EventType = "link.denied"
	EventPasswordRemoved EventType = "user.password_removed"
	EventRecoveryUsed    EventType = "factor.recovery_used"
	EventFactorCloned    EventType = "factor.clone_suspected" // a key signed with a counter that goes back
	EventFactorVerified  EventType = "factor.verified"        // for a site, outside any sign-in
	EventStandInGiven    EventType = "factor.stand_in_given"  // to a site, for a person of its own
	EventSessionElevated EventType = "session.elevated"
	EventKeyRotated      EventType = "signing_key.rotated"
	EventKeyRevoked      EventType = "signing_key.revoked" // all that it signed is void
	EventMasterReplaced  EventType = "master_key.replaced" // everything is sealed under the new one
	EventMessageRetried  EventType = "message.retried"
	EventProviderFull    EventType = "message.capped" // a provider was handed as many messages as its cap allows
	EventSMSStopped      EventType = "sms.stopped"    // to a range of numbers, by a site
	EventCodesGuessed    EventType = "codes.guessed"  // more wrong codes of all sites than anybody mistypes
	EventMailStopped     EventType = "mail.stopped"   // more of a site were asked for than it sends
	EventSMSResumed      EventType = "sms.resumed"
	EventMemberSuspended EventType = "member.suspended" // by the site, from the site
	EventMemberRestored  EventType = "member.restored"
	EventRecordUpdated   EventType = "record.updated"    // what a site keeps of one of its people for itself
	EventChangeAsked     EventType = "user.change_asked" // of an address or number, which waits to be proven
	EventChangeUndone    EventType = "user.change_undone"
	EventUserExported    EventType = "user.exported"           // he was given everything that is kept of him
	EventDeletionAsked   EventType = "user.deletion_asked"     // by himself; it is done after a grace
	EventDeletionBack    EventType = "user.deletion_withdrawn" // within the grace
	EventAuditRead       EventType = "audit.read"
	EventAuditExported   EventType = "audit.exported"
	EventAuditPruned     EventType = "audit.pruned"
	EventAddressesGone   EventType = "audit.addresses_removed" // from entries that are older than they are kept
)

// ToldEvents lists the types sites are told of, by webhook or when they ask; the
// others stay inside.
func ToldEvents() []EventType {
	return []EventType{
		EventUserCreated, EventUserUpdated, EventUserDeleted, EventSessionCreated, EventSessionRevoked, EventConsentGranted, EventConsentRevoked,
		EventRoleAssigned, EventRoleRemoved, EventFactorAdded, EventFactorRemoved, EventPaymentDone,
	}
}

// Told reports whether sites are told of events of this type.
func (t EventType) Told() bool { return slices.Contains(ToldEvents(), t) }

// Event is one entry of the log, written in the same transaction as the change
// it tells of. Data holds facts as text, never a secret.
type Event struct {
	ID        string // "evt_" and a ULID: sorts by time
	Type      EventType
	UserID    string // "" where no person is concerned
	SiteID    string // "" where no site is concerned
	SessionID string
	Data      map[string]string
	CreatedAt time.Time

	// Who did it, with the key or token of which site, from which address of the
	// network and in which request; Append takes them from the context. All but the
	// first are "" for commands and jobs.
	By        Actor
	Via       string
	From      string
	RequestID string
	Changes   []Change // what an administrative act changed, without secrets

	Seq  int64  // its place in the log of the installation, 0 until it has one
	Hash []byte // of this entry and, through the one before it, of all before
	// Erased is the hash of what the entry said before it lost what identifies a person,
	// because he was deleted or it is old; empty for any other.
	Erased []byte
}

// Shown gives the type a site is told an event is of, and whether somebody had it played:
// a test is of the type it plays.
func (e Event) Shown() (t EventType, played bool) {
	if e.Type != EventWebhookTest {
		return e.Type, false
	}
	if as := EventType(e.Data[DataAs]); as != "" {
		return as, true
	}
	return e.Type, true
}

// Members of an event's data that others than its writer read.
const (
	DataChanged        = "changed"         // fields, and what was proven of them, separated by blanks
	DataSource         = "source"          // how a person came: register, bulk, jit, scim, admin
	DataSites          = "sites"           // ids of the sites a deleted person was a member of, separated by blanks
	DataFields         = "fields"          // granted, separated by blanks
	DataReason         = "reason"          // why a session ended
	DataSessionVersion = "session_version" // afterwards, 0 where it was not raised
	DataClient         = "client"          // whose session ended
	DataMethods        = "amr"             // separated by blanks
	DataAnswer         = "answer"          // code of the error that a sign-in which failed was answered with
	DataTries          = "tries"           // how many failures an entry stands for
	DataSince          = "since"           // when the first of them was, RFC 3339
	DataOperation      = "operation"       // method and pattern of what was called
	DataIP             = "ip"
	DataUserAgent      = "user_agent"
	DataDevices        = "devices" // how many are trusted no more, where they are several
	DataPeople         = "people"  // how many were signed out
	DataSessions       = "sessions"
	DataRole           = "role"
	DataBy             = "by"       // who did it: a site key or a person by id, or in words
	DataFactor         = "factor"   // id
	DataKind           = "kind"     // of a factor
	DataEndpoint       = "endpoint" // the one a test goes to; empty for all
	DataAs             = "as"       // the type a test plays; empty for none
	DataSet            = "set"      // members of a test's sample data, by path, as a JSON object
	DataOrder          = "order"    // id of an order
	DataPlan           = "plan"
	DataAmount         = "amount" // in the smallest unit of its currency
	DataCurrency       = "currency"
)

// SiteEvent is an event in the log of a site.
type SiteEvent struct {
	Event
	SiteID  string // whose log it is
	Seq     int64  // its place there: 1, 2, 3 … without a gap
	UserSeq int64  // the how manieth event about this person the site is told of; 0 for none
	Told    bool   // whether the site is told of it, or only finds it in its log
	Hash    []byte // of this entry and, through the one before it, of all before
}

// LogFilter says which entries of a site's log are wanted, and from where on.
type LogFilter struct {
	Type   EventType // "" for all
	UserID string    // "" for everybody
	Since  time.Time // zero for ever
	Newest bool      // the newest first, else the oldest
	At     int64     // behind this place, or before it where the newest come first; 0 for all
	Limit  int
}

// Plain reports whether a filter lets everything pass, oldest first.
func (f LogFilter) Plain() bool {
	return f.Type == "" && f.UserID == "" && f.Since.IsZero() && !f.Newest
}

// Head is the end of a log.
type Head struct {
	Length int64
	Hash   []byte // of the newest entry, empty where there is none
}

// Span is where a log begins and ends.
type Span struct {
	Pruned Head  // what retention took from its beginning
	Faded  int64 // up to where no entry has an address any more; of the installation's alone
	Head   Head
}
