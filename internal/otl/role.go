package otl

import (
	"slices"
	"strings"
	"time"
)

// Role is what a person can be at one site: a name in its tokens, and what the
// site says the name allows.
type Role struct {
	SiteID      string
	Name        string
	Description string
	Permissions []string // words of the site's own
	Default     bool     // given to everybody who joins the site
	CreatedAt   time.Time
}

// RoleAdmin is the role that lets a person manage the roles of a site with his
// own access token (contract 1.6).
const RoleAdmin = "admin"

// Bounds of roles.
const (
	MaxRoles        = 100 // of a site
	MaxUserRoles    = 20  // of a person at a site
	MaxPermissions  = 100 // of a role
	maxRoleName     = 64
	maxPermission   = 100
	MaxDescription  = 500
	roleNameAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_-.:"
)

// CheckRoleName checks the name of a role: lower-case letters, digits and
// "_-.:", 1 to 64 of them.
func CheckRoleName(field, s string) error {
	if s == "" || len(s) > maxRoleName || strings.Trim(s, roleNameAllowed) != "" {
		return InvalidField(field, "not_a_role_name", "must be 1 to 64 lower-case letters, digits and _-.:")
	}
	return nil
}

// CheckPermissions checks the permissions of a role: words without blanks, each
// once.
func CheckPermissions(all []string) error {
	if len(all) > MaxPermissions {
		return InvalidField("permissions", "too_many", "must be at most 100")
	}
	for i, p := range all {
		if p == "" || len(p) > maxPermission || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return InvalidField("permissions", "bad_characters", "must be words of at most 100 printable ASCII characters")
		}
		if slices.Contains(all[:i], p) {
			return InvalidField("permissions", "repeated", "must name each once")
		}
	}
	return nil
}
