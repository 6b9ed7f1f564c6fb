package otl

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Business is the account that owns sites; people are its members.
type Business struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// Site is one registered partner. The first-party site is the installation
// itself: its tokens have the issuer as audience (decision D2).
type Site struct {
	ID           string
	BusinessID   string
	Slug         string // unique, also the subdomain of the OneLogin wire
	Name         string
	Domain       string // host name the site is reached at, "" if not told
	Region       string // "eu", "us" or "": a label, all data lives in one database
	FirstParty   bool
	Requested    Fields // fields the site would like to see
	Required     Fields // those of them without which nobody is signed in there
	CallbackURLs []string
	Origins      []string // whose scripts may call with a person's access token
	Brand        Brand    // read for its owner alone
	MFA          MFAPolicy
	MFARoles     []string // who must have two factors under MFARoles
	TrustDays    int      // for how many days a device can be trusted, 0 for never; at most MaxTrustDays
	Off          Ways     // people do not sign in with
	Version      int
	CreatedAt    time.Time
	UpdatedAt    time.Time
	DeletedAt    time.Time
}

// OffSite is a site that is turned off. Where it is held whoever runs the server did so, and
// its owner cannot turn it on again.
type OffSite struct {
	Site
	Held bool
}

// Lacks gives the fields a site requires that are not among those granted.
func (s Site) Lacks(granted Fields) Fields {
	return slices.DeleteFunc(slices.Clone(s.Required), granted.Has)
}

// Scope is one thing a site key may do.
type Scope string

// The scopes of a site key (contract 5 A5, decision D3).
const (
	ScopeAuth      Scope = "auth"       // sign people in and keep their sessions
	ScopeUsers     Scope = "users"      // read and manage the site's people
	ScopeAdmin     Scope = "admin"      // manage the site itself
	ScopeOTPDirect Scope = "otp:direct" // receive one-time codes in the answer
)

// AllScopes lists every scope there is.
func AllScopes() Scopes { return Scopes{ScopeAuth, ScopeUsers, ScopeAdmin, ScopeOTPDirect} }

// DefaultScopes are those of a key or a client that is made without naming any: it signs people in. Power
// over people or their codes is asked for by name (decisions D3, D23).
func DefaultScopes() Scopes { return Scopes{ScopeAuth} }

// Scopes is a set of scopes.
type Scopes []Scope

// Has reports whether the set holds s.
func (ss Scopes) Has(s Scope) bool { return slices.Contains(ss, s) }

// String gives the scopes separated by blanks: the stored form.
func (ss Scopes) String() string { return strings.Join(ss.Strings(), " ") }

// Strings gives the scopes as they are written, never nil.
func (ss Scopes) Strings() []string {
	words := make([]string, len(ss))
	for i, s := range ss {
		words[i] = string(s)
	}
	return words
}

// ParseScopes reads scope names; the order becomes that of AllScopes. At least
// one is needed.
func ParseScopes(names []string) (Scopes, error) {
	var out Scopes
	for _, s := range AllScopes() {
		if slices.Contains(names, string(s)) {
			out = append(out, s)
		}
	}
	for _, n := range names {
		if !out.Has(Scope(n)) {
			return nil, InvalidField("scopes", "unknown_value", "must list only "+strings.ReplaceAll(AllScopes().String(), " ", ", "))
		}
	}
	if len(out) == 0 {
		return nil, InvalidField("scopes", "required", "needs at least one scope")
	}
	return out, nil
}

// SiteKey is what is kept of a credential `otr_…` of one site; the key itself
// is shown once and never stored (SR-03).
type SiteKey struct {
	ID         string
	SiteID     string
	Name       string
	Prefix     string // first characters after "otr_", for display
	Scopes     Scopes
	CreatedAt  time.Time
	LastUsedAt time.Time // exact to a minute
	ExpiresAt  time.Time // zero: never; set when a roll leaves it an overlap
	MadeUntil  time.Time // what ExpiresAt was when it was made
	RevokedAt  time.Time
}

// Live reports whether the key may be used at the given time.
func (k SiteKey) Live(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// MaxURL is the longest URL accepted anywhere, in bytes.
const MaxURL = 2048

// CheckCallbackURL checks an address people are sent back to after a sign-in:
// absolute, https (plain http only to this machine's loopback, for
// development), no user name, no fragment, no wildcard (seed 000 step 3,
// contract 1.1). The URL is kept as given: it is later compared byte by byte.
func CheckCallbackURL(field, s string) error {
	if len(s) > MaxURL {
		return InvalidField(field, "too_long", "must be at most "+strconv.Itoa(MaxURL)+" bytes")
	}
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || u.Host == "" || u.Opaque != "" || u.Hostname() == "" || !printable(s) {
		return InvalidField(field, "not_a_url", "must be an absolute URL, such as https://example.com/callback")
	}
	switch {
	case u.User != nil:
		return InvalidField(field, "bad_url", "must not contain a user name or password")
	case strings.Contains(s, "#"):
		return InvalidField(field, "bad_url", "must not contain a fragment")
	case strings.Contains(s, "*"):
		return InvalidField(field, "bad_url", "must not contain a wildcard")
	case u.Scheme == "https", u.Scheme == "http" && Loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return InvalidField(field, "not_https", "must use https; plain http is allowed for localhost only")
	}
	return InvalidField(field, "not_https", "must use https")
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r > 0x7e })
}

// Loopback reports whether host names this machine: localhost, a name below
// it, or a loopback address.
func Loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// CheckOrigin checks an origin as browsers send it (RFC 6454 section 7): scheme,
// host and port, nothing after; https, or http on this machine.
func CheckOrigin(field, s string) error {
	if err := CheckCallbackURL(field, s); err != nil {
		return err
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme+"://"+u.Host != s || s != strings.ToLower(s) || u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		return InvalidField(field, "not_an_origin", "must be scheme, host and port in lower case and nothing else, such as https://notes.example.com")
	}
	return nil
}

// Origin gives the origin of an address (RFC 6454 section 4), "" for what is none; of an
// app's own address its scheme with a colon, which is what a policy names it by.
func Origin(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case appScheme(u.Scheme):
		return u.Scheme + ":"
	case u.Host == "":
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// CheckAppURL checks an address that an app on a person's device is reached at: what
// CheckCallbackURL takes, or one of a scheme of its own, which is the name of a domain
// turned around (RFC 8252 section 7.1), such as com.example.app:/callback.
func CheckAppURL(field, s string) error {
	u, err := url.Parse(s)
	if err != nil || !appScheme(u.Scheme) {
		return CheckCallbackURL(field, s)
	}
	switch {
	case len(s) > MaxURL:
		return InvalidField(field, "too_long", "must be at most "+strconv.Itoa(MaxURL)+" bytes")
	case !printable(s) || !strings.HasPrefix(s, u.Scheme+":/"):
		return InvalidField(field, "not_a_url", "must be an absolute URL in lower case, such as com.example.app:/callback")
	case u.User != nil || strings.ContainsAny(s, "#*"):
		return InvalidField(field, "bad_url", "must not contain a user name, a fragment or a wildcard")
	}
	return nil
}

// appScheme reports whether a scheme, in lower case as url.Parse gives it, is one that an
// app calls its own.
func appScheme(scheme string) bool {
	labels := strings.Split(scheme, ".")
	return len(labels) > 1 && !slices.Contains(labels, "")
}

// CheckResource checks an audience that tokens can be asked for: an absolute URI
// without a fragment (RFC 8707 section 2).
func CheckResource(field, s string) error {
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || strings.Contains(s, "#") || !printable(s) || len(s) > MaxURL {
		return InvalidField(field, "not_a_uri", "must be an absolute URI without a fragment, such as https://api.example.com")
	}
	return nil
}

// CheckDomain checks the host name of a site and gives its lower-case ASCII
// form. "localhost" is allowed, with or without a port.
func CheckDomain(s string) (string, error) {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil && Loopback(h) && port != "" {
		host = h
	}
	if Loopback(host) {
		return strings.ToLower(s), nil
	}
	ascii, err := hostName(s)
	if err != nil {
		return "", InvalidField("domain", "not_a_domain", "must be a host name, such as notes.example.com")
	}
	return ascii, nil
}

// CheckRegion checks the region label of a site.
func CheckRegion(s string) error {
	if s != "" && s != "eu" && s != "us" {
		return InvalidField("region", "unknown_value", "must be eu or us")
	}
	return nil
}

func tooLong(field string, limit int) error {
	return InvalidField(field, "too_long", "must be at most "+strconv.Itoa(limit)+" characters")
}
