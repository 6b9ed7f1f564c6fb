package otl

import (
	"slices"
	"strings"
	"time"
)

// EndpointState says whether an endpoint is sent to.
type EndpointState string

// The states of an endpoint.
const (
	EndpointOn       EndpointState = "on"
	EndpointPaused   EndpointState = "paused"   // nothing is sent; deliveries wait
	EndpointDisabled EndpointState = "disabled" // nothing is sent, and nothing is kept for it
)

// Reasons why an endpoint is not on.
const (
	ReasonOwner   = "owner"   // somebody of the site said so
	ReasonFailing = "failing" // every try failed for days
	ReasonGone    = "gone"    // it answered 410
	ReasonBacklog = "backlog" // too much waited for it
)

// Endpoint is a URL where a site is told of events.
type Endpoint struct {
	ID          string
	SiteID      string
	Client      string // whose sessions that end it is told of, by logout tokens; "" for one of the site's own
	URL         string
	Description string
	Events      EventTypes // none: all
	State       EndpointState
	Reason      string // why it is not on, "" while it is

	VerifiedAt   time.Time // when it showed that it is the site's; zero until then
	AskedAt      time.Time // when it was first asked to show that, by itself; zero until then
	OldUntil     time.Time // until then the secret before signs too
	FailingSince time.Time // since then every try failed; zero while it answers
	WarnedAt     time.Time // when its owners were told so
	LeasedBy     string    // the node that sends to it
	LeasedUntil  time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Hears reports whether an endpoint is told of events of a type.
func (e Endpoint) Hears(t EventType) bool {
	return e.State != EndpointDisabled && (len(e.Events) == 0 || slices.Contains(e.Events, t))
}

// Gets reports whether one event is for the endpoint: by its type, or because it is a
// test that goes to this one, or to all that hear of what it plays. A client's gets the ends
// of its own sessions alone.
func (e Endpoint) Gets(ev Event) bool {
	if e.State == EndpointDisabled {
		return false
	}
	if e.Client != "" {
		return ev.Type == EventSessionRevoked && ev.Data[DataClient] == e.Client
	}
	if ev.Type != EventWebhookTest {
		return e.Hears(ev.Type)
	}
	if to := ev.Data[DataEndpoint]; to != "" {
		return e.ID == to
	}
	return e.Hears(EventType(ev.Data[DataAs]))
}

// EventTypes is a set of types sites are told of, in ToldEvents order.
type EventTypes []EventType

// String gives the types separated by blanks: the stored form.
func (ts EventTypes) String() string { return strings.Join(ts.Strings(), " ") }

// Strings gives the types as plain strings, never nil.
func (ts EventTypes) Strings() []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = string(t)
	}
	return out
}

// ParseEventTypes reads names of types in any order. The error names the member.
func ParseEventTypes(member string, names []string) (EventTypes, error) {
	for _, n := range names {
		if !EventType(n).Told() {
			return nil, InvalidField(member, "unknown_value", "must list only "+strings.Join(EventTypes(ToldEvents()).Strings(), ", "))
		}
	}
	return StoredEventTypes(strings.Join(names, " ")), nil
}

// StoredEventTypes reads the form String writes; unknown words are left out.
func StoredEventTypes(s string) EventTypes {
	var out EventTypes
	words := strings.Fields(s)
	for _, t := range ToldEvents() {
		if slices.Contains(words, string(t)) {
			out = append(out, t)
		}
	}
	return out
}

// DeliveryState says what became of a delivery.
type DeliveryState string

// The states of a delivery. All but waiting are final, until somebody has it sent
// again.
const (
	DeliveryWaiting   DeliveryState = "waiting"
	DeliveryDone      DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead"
	DeliveryWithdrawn DeliveryState = "withdrawn" // the person lets the site see nothing of it any more
)

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	EndpointID string
	Seq        int64 // the event's place in the log of the site
	State      DeliveryState
	Tries      int // since it was queued or had to be sent again
	Attempts   int // ever
	Status     int // of the latest answer, 0 for none
	Problem    string
	DueAt      time.Time // of the next try, while it waits
	CreatedAt  time.Time
	SettledAt  time.Time // when it was delivered or given up
}

// Attempt is one request that was made for a delivery.
type Attempt struct {
	Number    int // 1, 2, 3 …
	StartedAt time.Time
	Took      time.Duration // exact to a millisecond
	Timing    Timing        // what that went into
	Status    int           // of the answer, 0 for none
	Problem   string
	Request   map[string][]string // head
	Response  map[string][]string // head, at most 4 KiB of it
	Body      []byte              // of the answer, at most 16 KiB, of a success 1 KiB
}

// Timing is how long the parts of a request took, each exact to a millisecond: looking its name up,
// connecting, the TLS handshake (0 on a connection that was kept), and waiting for the first byte of the answer.
type Timing struct{ Lookup, Connect, Handshake, Wait time.Duration }

// Rest is what is left of a request that took so long: sending it, and reading the answer.
func (t Timing) Rest(took time.Duration) time.Duration {
	return max(took-t.Lookup-t.Connect-t.Handshake-t.Wait, 0)
}

// Tally is how many attempts an endpoint had on one day that took about as long.
type Tally struct {
	EndpointID string
	Day        int64 // since 1970, UTC
	Took       int   // step of time, of those that succeeded; 0 for those that failed
	Good, Bad  int
}

// Replay names what an endpoint is to be told once more.
type Replay struct {
	SiteID     string
	EndpointID string
	Since      time.Time
	Until      time.Time // exclusive
	Failed     bool      // only what was given up
}
