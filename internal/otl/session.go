package otl

import (
	"slices"
	"strings"
	"time"
)

// Session is one person signed in to one site, from the sign-in to its end.
type Session struct {
	ID         string
	UserID     string
	SiteID     string
	Methods    Methods   // how the person proved who he is ("amr")
	AuthAt     time.Time // when he proved it
	CreatedAt  time.Time
	LastSeenAt time.Time // the sign-in or the latest refresh
	RefreshBy  time.Time // the refresh token expires here unless exchanged before
	ExpiresAt  time.Time // absolute end, whatever is refreshed
	EndedAt    time.Time
	EndReason  EndReason
	IP         string
	UserAgent  string
	Refresh    Rotation
	Client     string // id of the client it was opened for, which alone can refresh it; "" for none
	Scope      string // what that client asked for, separated by blanks
	Holder     string // id of the browser session its client opened it from, "" for none
	ProofKey   string // thumbprint of the key its refresh token is bound to (RFC 9449), "" for none
	Claims     string // claims it asked for by name, as "id_token.NAME" and "userinfo.NAME", separated by blanks
	HandedBy   string // id of the site whose session token opened it; "" where the person proved himself to us
}

// Live reports whether the session can still be used or refreshed.
func (s Session) Live(now time.Time) bool {
	return s.EndedAt.IsZero() && now.Before(s.ExpiresAt) && now.Before(s.RefreshBy)
}

// Rotation is the state of a session's refresh token: digests only.
type Rotation struct {
	Digest     []byte // of the one token that can be exchanged
	Generation int    // counts the exchanges, 0 at the sign-in
	Previous   []byte // digest of its immediate predecessor
	Nonce      []byte // what the current token was derived with
	RotatedAt  time.Time
	PaidTo     time.Time // up to which moment the exchanges have used their rate
}

// Revocation is an entry of the feed that sites follow which verify tokens by
// themselves: a session ended, or a person's older tokens are void, or both.
type Revocation struct {
	Seq            int64
	UserID         string
	SiteID         string // of the session
	SessionID      string // "" where none of the reader's ended
	SessionVersion int    // tokens with a lower one are void; 0 where it was not raised
	At             time.Time
}

// Method is one way a person proved who he is: a value of "amr".
type Method string

// The methods (contract 1.2). MethodAdmin marks what is done with the
// authority of somebody with access to the server's own command line, or of a site over
// people of its own (decision D1).
const (
	MethodPassword Method = "pwd"
	MethodMailCode Method = "eotp" // a code by mail
	MethodMailLink Method = "eml"  // a link by mail
	MethodSMS      Method = "sms"  // a code by SMS
	MethodDirect   Method = "otp"  // a code the site was handed (decision D14)
	MethodTOTP     Method = "totp" // a code of an authenticator app; "otp" in amr
	MethodKey      Method = "webauthn"
	MethodVerified Method = "uv"       // the key has verified who holds it, by a finger, a face or a PIN
	MethodRecovery Method = "recovery" // a recovery code
	MethodAdmin    Method = "admin"
)

// Methods lists methods in the order they were used.
type Methods []Method

// String gives the methods separated by blanks: the stored form.
func (ms Methods) String() string { return strings.Join(ms.Strings(), " ") }

// Strings gives the methods as plain strings, never nil.
func (ms Methods) Strings() []string {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = string(m)
	}
	return out
}

// With gives the methods with one more, once.
func (ms Methods) With(m Method) Methods {
	if slices.Contains(ms, m) {
		return ms
	}
	return append(slices.Clone(ms), m)
}

// kind of proof: two of one kind are no two factors (MF-06). It is "" for what
// counts as none: a code that somebody was handed, a session that an operator
// opened.
func (m Method) kind() string {
	switch m {
	case MethodPassword:
		return "knowledge"
	case MethodMailCode, MethodMailLink:
		return "mail"
	case MethodSMS:
		return "telephone"
	case MethodTOTP:
		return "app"
	case MethodKey:
		return "key"
	case MethodVerified:
		return "holder"
	case MethodRecovery:
		return "paper"
	}
	return ""
}

// Factors reports how many different kinds of proof the methods are.
func (ms Methods) Factors() int {
	seen := map[string]bool{}
	for _, m := range ms {
		if k := m.kind(); k != "" {
			seen[k] = true
		}
	}
	return len(seen)
}

// Adds reports whether a method is proof of another kind than all of these.
func (ms Methods) Adds(m Method) bool { return ms.With(m).Factors() > ms.Factors() }

// AMR gives the methods as the claim of that name: with "mfa" once they are two
// factors (RFC 8176, which calls every kind of one-time password "otp").
func (ms Methods) AMR() []string {
	var out []string
	for _, m := range ms {
		if m == MethodTOTP {
			m = "otp"
		}
		if !slices.Contains(out, string(m)) {
			out = append(out, string(m))
		}
	}
	if ms.Factors() > 1 {
		out = append(out, "mfa")
	}
	return out
}

// StoredMethods reads the form String writes.
func StoredMethods(s string) Methods {
	var out Methods
	for _, w := range strings.Fields(s) {
		if !slices.Contains(out, Method(w)) {
			out = append(out, Method(w))
		}
	}
	return out
}

// EndReason says why a session ended (contract 1.7, session.revoked).
type EndReason string

// The reasons.
const (
	EndLogout           EndReason = "logout"
	EndSSOLogout        EndReason = "sso_logout" // of the browser it was opened from
	EndAdmin            EndReason = "admin"
	EndPasswordChange   EndReason = "password_change"
	EndRefreshReuse     EndReason = "refresh_reuse"
	EndUserDisabled     EndReason = "user_disabled"
	EndConsentWithdrawn EndReason = "consent_withdrawn"
	EndUserDeleted      EndReason = "user_deleted"
	EndSuperseded       EndReason = "superseded" // a newer one took its place, or there were too many
	EndUnproven         EndReason = "first_proof_of_address"
	EndCodeReuse        EndReason = "code_reuse" // the code that opened it was presented again
	EndSuspended        EndReason = "suspended"  // by the site, from the site
	EndAddressRestored  EndReason = "address_restored"
	EndFactorUndone     EndReason = "factor_undone" // by mail: somebody else may have set it up
)

// RaisesVersion reports whether ending a session for this reason raises the
// person's session version, which voids every access token he holds. Making
// room for a newer session is no security event and must not sign anybody out
// elsewhere.
func (r EndReason) RaisesVersion() bool { return r != EndSuperseded }

// Grant is a person's permission for one site to see some fields.
type Grant struct {
	UserID    string
	SiteID    string
	Fields    Fields
	Asked     Fields // what the site asked for when the person last decided, granted or not
	CreatedAt time.Time
	UpdatedAt time.Time
	RevokedAt time.Time

	Roles       []string  // of the person at the site, by name
	LastLoginAt time.Time // at the site
	SuspendedAt time.Time // when the site barred him; zero: it did not
	// SuspendedUntil is when he is let in again by itself; zero: never.
	SuspendedUntil time.Time
}

// Live reports whether the person still lets the site in, and the site him.
func (g Grant) Live() bool {
	return g.SiteID != "" && g.RevokedAt.IsZero() && g.SuspendedAt.IsZero()
}
