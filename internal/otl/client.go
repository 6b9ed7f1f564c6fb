package otl

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Client is a program of a site (RFC 6749 section 2). Where it proves itself with a
// secret, that is shown once and kept as a digest.
type Client struct {
	ID           string
	SiteID       string
	Name         string
	Scopes       Scopes
	RedirectURIs []string
	PostLogout   []string // where people may be sent after signing out, besides the redirect URIs
	Resources    []string // audiences it may ask tokens for, besides the usual one
	LinkConfirm  Confirm
	SignUp       bool // it may have people created whom nobody knows
	AutoCreate   bool // a link it sends to an address of none of the site's people is a sign-up, where it may have people created
	NoPKCE       bool // it may do without PKCE (decision D13)
	Auth         ClientAuth
	JWKS         string // its public keys, a JWK set; "" where JWKSURI says where they are, or it has none
	JWKSURI      string
	RequirePAR   bool       // it sends its requests ahead (RFC 9126)
	Device       bool       // it may let people in on devices without a browser (RFC 8628)
	SigningAlg   SigningAlg // of the tokens it gets
	SubjectType  SubjectType
	RequireDPoP  bool // its access tokens are bound to a key of its own (RFC 9449)
	FAPI         bool // it is held to FAPI 2.0's security profile, of which RequirePAR and RequireDPoP are part
	CreatedAt    time.Time
	RevokedAt    time.Time
}

// Empowered reports whether a client may have scopes beyond auth: it proves itself, and knows people by the ids that
// the calls of the others are about.
func (c Client) Empowered() bool { return c.Auth != AuthNone && c.SubjectType != SubjectPairwise }

// TakesNewcomers reports whether the links that a client sends add people to its site.
func (c Client) TakesNewcomers() bool { return c.SignUp && c.AutoCreate }

// Confirm says whether the page of a one-time link asks for a press (decision D4).
type Confirm string

// Auto continues by itself in the browser that asked for the link; always never
// does; never has no page, for programs that only follow redirects: whoever fetches the link
// is sent on with a code, and the first code that is redeemed uses the link up. A link that proves
// an address, or adds somebody to the site, has a page even then.
const (
	ConfirmAuto   Confirm = "auto"
	ConfirmAlways Confirm = "always"
	ConfirmNever  Confirm = "never"
)

// ParseConfirm reads one of them; "" is auto.
func ParseConfirm(s string) (Confirm, error) {
	switch c := Confirm(s); c {
	case "":
		return ConfirmAuto, nil
	case ConfirmAuto, ConfirmAlways, ConfirmNever:
		return c, nil
	}
	return "", InvalidField("link_confirm", "unknown_value", "must be auto, always or never")
}

// ClientAuth says how a client proves itself.
type ClientAuth string

// The ways: a secret, a key it signs with (private_key_jwt), or not at all, for programs
// that people hold in their hands and that can keep no secret.
const (
	AuthSecret ClientAuth = "secret"
	AuthKey    ClientAuth = "private_key_jwt"
	AuthNone   ClientAuth = "none"
)

// ParseClientAuth reads one of them; "" is a secret.
func ParseClientAuth(s string) (ClientAuth, error) {
	switch a := ClientAuth(s); a {
	case "":
		return AuthSecret, nil
	case AuthSecret, AuthKey, AuthNone:
		return a, nil
	}
	return "", InvalidField("auth", "unknown_value", "must be secret, private_key_jwt or none")
}

// SigningAlg says how the tokens are signed that a client gets (RFC 7518 section 3.1).
type SigningAlg string

// The algorithms. Every library reads RS256; ES256 costs the server a thirtieth.
const (
	RS256 SigningAlg = "RS256"
	ES256 SigningAlg = "ES256"
)

// ParseSigningAlg reads one of them; "" is RS256.
func ParseSigningAlg(s string) (SigningAlg, error) {
	switch a := SigningAlg(s); a {
	case "":
		return RS256, nil
	case RS256, ES256:
		return a, nil
	}
	return "", InvalidField("signing_alg", "unknown_value", "must be RS256 or ES256")
}

// SubjectType says by which ids a client knows people (OpenID Connect Core section 8).
type SubjectType string

// Public ids are the same at every site; pairwise ones are made for the clients of one site,
// and lead nobody to what another site knows.
const (
	SubjectPublic   SubjectType = "public"
	SubjectPairwise SubjectType = "pairwise"
)

// ParseSubjectType reads one of them; "" is public.
func ParseSubjectType(s string) (SubjectType, error) {
	switch t := SubjectType(s); t {
	case "":
		return SubjectPublic, nil
	case SubjectPublic, SubjectPairwise:
		return t, nil
	}
	return "", InvalidField("subject_type", "unknown_value", "must be public or pairwise")
}

// Redirects reports whether people may be sent back to a URI: one of those registered,
// byte by byte. A program on a person's own machine listens at whatever port is free
// there, so that of a loopback address does not count where the client is public (RFC
// 8252 section 7.3).
func (c Client) Redirects(uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	plain, ok := withoutPort(uri)
	return ok && c.Auth == AuthNone && slices.ContainsFunc(c.RedirectURIs, func(one string) bool {
		registered, loops := withoutPort(one)
		return loops && registered == plain
	})
}

// Lands reports whether people who signed out may be sent to a URI: one of those
// registered for that, byte by byte, or a redirect URI.
func (c Client) Lands(uri string) bool { return slices.Contains(c.PostLogout, uri) || c.Redirects(uri) }

// withoutPort gives an http URI at a loopback address without its port, and false for
// any other URI.
func withoutPort(uri string) (string, bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		if digits, ported := strings.CutPrefix(rest, ":"); ported {
			rest = strings.TrimLeft(digits, "0123456789")
			if n, err := strconv.ParseUint(digits[:len(digits)-len(rest)], 10, 16); err != nil || n == 0 {
				return "", false
			}
		}
		return host + rest, strings.HasPrefix(rest, "/")
	}
	return "", false
}
