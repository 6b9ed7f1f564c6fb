package otl

import "time"

// EventType names something that happened to a person, a session or a site.
type EventType string

// The events recorded today; webhooks and the audit log read the same list
// (seed 000, "Webhook events").
const (
	EventUserCreated     EventType = "user.created"
	EventUserUpdated     EventType = "user.updated"
	EventUserDisabled    EventType = "user.disabled"
	EventUserEnabled     EventType = "user.enabled"
	EventPasswordChanged EventType = "user.password_changed"
	EventSessionCreated  EventType = "session.created"
	EventSessionRevoked  EventType = "session.revoked"
	EventSiteCreated     EventType = "site.created"
	EventSiteUpdated     EventType = "site.updated"
	EventSiteDeleted     EventType = "site.deleted"
	EventSiteRestored    EventType = "site.restored"
	EventSiteKeyCreated  EventType = "site_key.created"
	EventSiteKeyRevoked  EventType = "site_key.revoked"
	EventClientCreated   EventType = "client.created"
	EventClientRevoked   EventType = "client.revoked"
	EventRoleAssigned    EventType = "role.assigned"
	EventRoleRemoved     EventType = "role.removed"
	EventConsentRevoked  EventType = "consent.revoked"
	EventUserDeleted     EventType = "user.deleted"
	EventCodeHandedOver  EventType = "code.handed_over" // to a site, by the channel direct
	EventLinkOpened      EventType = "link.opened"
	EventLinkDenied      EventType = "link.denied"
	EventPasswordRemoved EventType = "user.password_removed"
	EventKeyRotated      EventType = "signing_key.rotated"
)

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
}
