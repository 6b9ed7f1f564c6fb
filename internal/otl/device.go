package otl

import "time"

// DeviceGrant is a device without a browser that waits for somebody to let it in with a
// browser elsewhere (RFC 8628).
type DeviceGrant struct {
	ID        string
	SiteID    string
	Client    string // id of the client that runs on it
	Scope     string // what that client asked for, separated by blanks
	IP        string // where it asked from, as far as is known
	UserAgent string
	State     DeviceState
	UserID    string // who let it in
	Holder    string // the browser session he did it with
	Pause     int    // seconds between its questions
	AskedAt   time.Time
	CreatedAt time.Time
	ExpiresAt time.Time
}

// DeviceState is what became of a device that waits.
type DeviceState string

// The states: nobody has decided yet, it was let in or turned away, its tokens were
// fetched.
const (
	DeviceWaiting DeviceState = "waiting"
	DeviceAllowed DeviceState = "allowed"
	DeviceDenied  DeviceState = "denied"
	DeviceUsed    DeviceState = "used"
)
