package site

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// appendEvent writes what happened to a site, with what it changed.
func appendEvent(ctx context.Context, tx *store.Tx, t otl.EventType, siteID string, now time.Time, data map[string]string, changes ...otl.Change) error {
	return tx.Events.Append(ctx, otl.Event{ID: "evt_" + secret.NewID(now), Type: t, SiteID: siteID, Data: data, Changes: changes, CreatedAt: now})
}

// The states of things as the log compares them: what an owner can set, and never a
// secret.

func siteState(s otl.Site) map[string]string {
	return map[string]string{
		"name": s.Name, "domain": s.Domain, "region": s.Region, "callback_urls": strings.Join(s.CallbackURLs, " "),
		"allowed_origins": strings.Join(s.Origins, " "), "requested_fields": s.Requested.String(), "required_fields": s.Required.String(),
		"mfa_policy": string(s.MFA), "mfa_roles": strings.Join(s.MFARoles, " "), "trust_days": strconv.Itoa(s.TrustDays), "branding": s.Brand.String(), "sign_in_ways": s.Off.Others().String(),
	}
}

func keyState(k otl.SiteKey) map[string]string {
	return map[string]string{"name": k.Name, "scopes": k.Scopes.String(), "expires_at": stamp(k.ExpiresAt)}
}

func clientState(c otl.Client) map[string]string {
	return map[string]string{
		"name": c.Name, "scopes": c.Scopes.String(), "redirect_uris": strings.Join(c.RedirectURIs, " "), "post_logout_redirect_uris": strings.Join(c.PostLogout, " "), "resources": strings.Join(c.Resources, " "),
		"link_confirm": string(c.LinkConfirm), "allow_signup": strconv.FormatBool(c.SignUp), "auto_create": strconv.FormatBool(c.AutoCreate), "no_pkce": strconv.FormatBool(c.NoPKCE),
		"auth": string(c.Auth), "jwks_uri": c.JWKSURI, "require_par": strconv.FormatBool(c.RequirePAR), "require_dpop": strconv.FormatBool(c.RequireDPoP), "fapi": strconv.FormatBool(c.FAPI), "device": strconv.FormatBool(c.Device), "signing_alg": string(c.SigningAlg), "subject_type": string(c.SubjectType),
	}
}

func roleState(r otl.Role) map[string]string {
	return map[string]string{"description": r.Description, "permissions": strings.Join(r.Permissions, " "), "default": strconv.FormatBool(r.Default)}
}

func rolesState(roles []string) map[string]string {
	return map[string]string{"roles": strings.Join(roles, " ")}
}

// fieldsOf names what changed, separated by blanks.
func fieldsOf(changes []otl.Change) string {
	var names []string
	for _, c := range changes {
		names = append(names, c.Field)
	}
	return strings.Join(names, " ")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
