package otl

import (
	"slices"
	"time"
)

// Client is a program of a site that proves itself with an id and a secret (RFC
// 6749 section 2). The secret is shown once and kept as a digest.
type Client struct {
	ID           string
	SiteID       string
	Name         string
	Scopes       Scopes
	RedirectURIs []string
	Resources    []string // audiences it may ask tokens for, besides the usual one
	LinkConfirm  Confirm
	SignUp       bool // it may have people created whom nobody knows
	NoPKCE       bool // it may do without PKCE (decision D13)
	CreatedAt    time.Time
	RevokedAt    time.Time
}

// Confirm says whether the page of a one-time link asks for a press (decision D4).
type Confirm string

// Auto continues by itself in the browser that asked for the link; always never
// does; never has no page at all, for programs that only follow redirects, and lets
// whoever fetches the link use it up: a scanner of mails too.
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

// Redirects reports whether people may be sent back to a URI: one of those
// registered, byte by byte.
func (c Client) Redirects(uri string) bool { return slices.Contains(c.RedirectURIs, uri) }
