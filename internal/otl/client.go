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
	CreatedAt    time.Time
	RevokedAt    time.Time
}

// Redirects reports whether people may be sent back to a URI: one of those
// registered, byte by byte.
func (c Client) Redirects(uri string) bool { return slices.Contains(c.RedirectURIs, uri) }
