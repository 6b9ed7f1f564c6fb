package otl

import (
	"slices"
	"strings"
)

// Way is what people sign in to a site with, before any second factor.
type Way string

// The ways. What a site is handed (ScopeOTPDirect) is none: it proves nothing but that the
// site has it.
const (
	WayPassword Way = "password"
	WayCode     Way = "email_code" // a code by mail
	WayLink     Way = "link"       // a link by mail
	WaySMS      Way = "sms_code"   // a code by SMS
	WayPasskey  Way = "passkey"
)

// AllWays lists every way there is.
func AllWays() Ways { return Ways{WayPassword, WayCode, WayLink, WaySMS, WayPasskey} }

// Ways is a set of ways.
type Ways []Way

// Has reports whether the set holds w.
func (ws Ways) Has(w Way) bool { return slices.Contains(ws, w) }

// String gives the ways separated by blanks: the stored form.
func (ws Ways) String() string { return strings.Join(ws.Strings(), " ") }

// Strings gives the ways as plain strings, never nil.
func (ws Ways) Strings() []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = string(w)
	}
	return out
}

// Others gives all ways that are not in the set, in the order of AllWays.
func (ws Ways) Others() Ways { return slices.DeleteFunc(AllWays(), ws.Has) }

// ParseWays reads the names of ways; the order becomes that of AllWays. At least one is
// needed, or nobody could sign in. The error is about field.
func ParseWays(field string, names []string) (Ways, error) {
	named := StoredWays(strings.Join(names, " "))
	for _, n := range names {
		if !named.Has(Way(n)) {
			return nil, InvalidField(field, "unknown_value", "must list only "+strings.ReplaceAll(AllWays().String(), " ", ", "))
		}
	}
	if len(named) == 0 {
		return nil, InvalidField(field, "required", "needs at least one way")
	}
	return named, nil
}

// StoredWays reads the stored form.
func StoredWays(s string) Ways {
	words := strings.Fields(s)
	return slices.DeleteFunc(AllWays(), func(w Way) bool { return !slices.Contains(words, string(w)) })
}

// Way gives the way that a method is as the first proof of somebody, "" for none.
func (m Method) Way() Way {
	switch m {
	case MethodPassword:
		return WayPassword
	case MethodMailCode:
		return WayCode
	case MethodMailLink:
		return WayLink
	case MethodSMS:
		return WaySMS
	case MethodKey:
		return WayPasskey
	}
	return ""
}

// Way gives the way that the first of the methods is, "" for none.
func (ms Methods) Way() Way {
	if len(ms) == 0 {
		return ""
	}
	return ms[0].Way()
}

// Offers reports whether people sign in to a site in a way, which holds for "".
func (s Site) Offers(w Way) bool { return !s.Off.Has(w) }

// Opens is ErrWay where people do not sign in to a site in a way.
func (s Site) Opens(w Way) error {
	if s.Offers(w) {
		return nil
	}
	return ErrWay
}

// ErrWay is the answer to whoever signs in to a site in a way that its owner has switched
// off (contract 3.5).
var ErrWay = &Error{Kind: Forbidden, Code: "way_off", Text: "People do not sign in to this site in this way: its owner has switched it off."}
