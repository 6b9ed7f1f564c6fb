package otl

import (
	"slices"
	"strings"
	"time"
)

// FactorKind is what a second factor is.
type FactorKind string

// The kinds of factors.
const (
	FactorTOTP     FactorKind = "totp"          // an authenticator app (RFC 6238)
	FactorSMS      FactorKind = "sms_otp"       // a code by SMS to a number of its own
	FactorMail     FactorKind = "email_otp"     // a code to the person's address
	FactorKey      FactorKind = "webauthn"      // a passkey or a security key
	FactorRecovery FactorKind = "recovery_code" // ten codes on paper, each good once
)

// Method gives how somebody who uses a factor of this kind proves who he is.
func (k FactorKind) Method() Method {
	switch k {
	case FactorTOTP:
		return MethodTOTP
	case FactorSMS:
		return MethodSMS
	case FactorMail:
		return MethodMailCode
	case FactorKey:
		return MethodKey
	case FactorRecovery:
		return MethodRecovery
	}
	return ""
}

// Sent reports whether a factor of this kind is a code that we send when asked to.
func (k FactorKind) Sent() bool { return k == FactorSMS || k == FactorMail }

// Factor is something a person can prove himself with besides what he signs in with.
type Factor struct {
	ID          string
	UserID      string
	Kind        FactorKind
	Label       string // what the person calls it
	Target      string // number that codes go to; "" for other kinds
	Default     bool   // offered first
	LastStep    int64  // of TOTP: time step of the latest code that was accepted
	CreatedAt   time.Time
	ConfirmBy   time.Time // until when it can be confirmed
	ConfirmedAt time.Time // zero until the person has shown that he has it
	LastUsedAt  time.Time
}

// MaxLabel is the longest name of a factor, in characters.
const MaxLabel = 60

// MFAPolicy says when a site asks for a second factor.
type MFAPolicy string

// The policies of sites.
const (
	MFAOff      MFAPolicy = "off"      // never
	MFAOptional MFAPolicy = "optional" // of people who have one
	MFARequired MFAPolicy = "required" // of everybody
	MFARoles    MFAPolicy = "roles"    // of everybody with one of the site's MFARoles, else as optional
	MFAWished   MFAPolicy = "wished"   // of people who have one, on trusted devices too; of a visit, no site has it
)

// How many days a site lets somebody trust a device.
const (
	DefaultTrustDays = 30
	MaxTrustDays     = 365
)

// TrustTTL gives how long a device that somebody trusts spares him the second step at a
// site; 0 for never.
func (s Site) TrustTTL() time.Duration { return time.Duration(s.TrustDays) * 24 * time.Hour }

// ParseMFAPolicy reads the name of a policy.
func ParseMFAPolicy(s string) (MFAPolicy, error) {
	all := []string{string(MFAOff), string(MFAOptional), string(MFARequired), string(MFARoles)}
	if !slices.Contains(all, s) {
		return "", InvalidField("mfa_policy", "unknown_value", "must be one of "+strings.Join(all, ", "))
	}
	return MFAPolicy(s), nil
}

// Demands reports whether a site asks somebody with these roles for two factors,
// whether he has them or not.
func (s Site) Demands(roles []string) bool {
	switch s.MFA {
	case MFARequired:
		return true
	case MFARoles:
		return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(s.MFARoles, r) })
	}
	return false
}

// Meets reports whether the methods are what a site demands of somebody with these
// roles.
func (ms Methods) Meets(s Site, roles []string) bool {
	return !s.Demands(roles) || ms.Strong()
}

// Strong reports whether the methods are two factors, or the authority of whoever can
// run commands on the server.
func (ms Methods) Strong() bool { return ms.Factors() > 1 || slices.Contains(ms, MethodAdmin) }
