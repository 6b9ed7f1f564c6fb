package native

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
)

// hidden is a secret member of a request: it is read and never printed.
type hidden struct{ secret.Text }

// Schema implements huma.SchemaProvider.
func (hidden) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "password"}
}

// shown is a secret member of an answer: the one place it leaves us.
type shown struct{ secret.Text }

// MarshalJSON writes the value itself.
func (s shown) MarshalJSON() ([]byte, error) { return json.Marshal(s.Reveal()) }

// Schema implements huma.SchemaProvider.
func (shown) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

// object is any JSON object, kept as text.
type object string

// UnmarshalJSON keeps the text of the object.
func (o *object) UnmarshalJSON(b []byte) error { *o = object(b); return nil }

// Schema implements huma.SchemaProvider.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

func (o *object) text() *string { return (*string)(o) }

// shownObject is an object in an answer, or null.
type shownObject string

// MarshalJSON writes the object as it is.
func (o shownObject) MarshalJSON() ([]byte, error) { return []byte(o), nil }

// Schema implements huma.SchemaProvider.
func (shownObject) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Nullable: true}
}

// loginOut is the answer to every call that signs somebody in (seed 000 step 5).
type loginOut struct {
	AccessToken  shown     `json:"access_token" doc:"JWT of one session, signed; send it as Authorization: Bearer."`
	RefreshToken shown     `json:"refresh_token" doc:"Opaque; exchange it once for new tokens."`
	TokenType    string    `json:"token_type" enum:"Bearer"`
	ExpiresIn    int       `json:"expires_in" doc:"Seconds until the access token expires."`
	User         loginUser `json:"user"`
	DeviceToken  *shown    `json:"device_token,omitempty" doc:"Where trust_device was asked for: send it with the next login of this device."`
}

type loginUser struct {
	ID    string  `json:"id" doc:"ULID, the same at every site."`
	Email *string `json:"email" doc:"null if not granted to the site."`
	Name  *string `json:"name" doc:"null if not granted to the site."`
}

func newLoginOut(t session.Tokens) *loginOut {
	see := session.Visible(t.Standing)
	return &loginOut{
		AccessToken: shown{t.Access}, RefreshToken: shown{t.Refresh}, TokenType: "Bearer", ExpiresIn: int(t.ExpiresIn.Seconds()),
		User: loginUser{t.User.ID, granted(see, otl.FieldEmail, t.User.Email.Address), granted(see, otl.FieldName, t.User.Name)},
	}
}

func granted[T any](see otl.Fields, f otl.Field, v T) *T {
	if !see.Has(f) {
		return nil
	}
	return &v
}

// userOut is a person as one site may see him (contract 1.5).
type userOut struct {
	ID            string       `json:"id"`
	Email         *string      `json:"email" doc:"null if not granted."`
	EmailVerified *bool        `json:"email_verified" doc:"Whether the address was proven; null if not granted."`
	Name          *string      `json:"name" doc:"null if not granted."`
	DisplayName   *string      `json:"display_name" doc:"null if not granted."`
	Username      *string      `json:"username" doc:"null if not granted."`
	Phone         *string      `json:"phone" doc:"E.164; null if not granted."`
	PhoneVerified *bool        `json:"phone_verified" doc:"null if not granted."`
	Picture       *string      `json:"picture" doc:"https URL; null if not granted."`
	Locale        *string      `json:"locale" doc:"Language tag; null if not granted."`
	Preferences   *shownObject `json:"preferences" doc:"The person's settings; null if not granted."`
	Roles         []string     `json:"roles" doc:"Roles on this site."`
	Version       int          `json:"version" doc:"Send it back with a change; also the ETag."`
	CreatedAt     time.Time    `json:"created_at"`
	UpdatedAt     time.Time    `json:"updated_at"`
	LastLoginAt   *time.Time   `json:"last_login_at" doc:"When the person last signed in at this site; null if never."`
	Disabled      bool         `json:"disabled"`
}

func (u *userOut) version() int { return u.Version }

func newUserOut(see otl.Fields, g otl.Grant, u otl.User) *userOut {
	roles := g.Roles
	if roles == nil {
		roles = []string{}
	}
	return &userOut{
		ID: u.ID, Email: granted(see, otl.FieldEmail, u.Email.Address),
		EmailVerified: granted(see, otl.FieldEmail, !u.EmailVerifiedAt.IsZero()),
		Name:          granted(see, otl.FieldName, u.Name), DisplayName: granted(see, otl.FieldDisplayName, u.DisplayName), Username: granted(see, otl.FieldUsername, u.Username.Name),
		Phone: granted(see, otl.FieldPhone, u.Phone), PhoneVerified: granted(see, otl.FieldPhone, !u.PhoneVerifiedAt.IsZero()),
		Picture: granted(see, otl.FieldPicture, u.Picture), Locale: granted(see, otl.FieldLocale, u.Locale),
		Preferences: granted(see, otl.FieldPreferences, shownObject(u.Preferences)), Roles: roles, Version: u.Version,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, LastLoginAt: seen(g.LastLoginAt), Disabled: !u.DisabledAt.IsZero(),
	}
}

// seen gives a moment, nil for never.
func seen(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// sessionOut is one session (contract 1.6).
type sessionOut struct {
	ID         string    `json:"id"`
	UserID     string    `json:"user_id"`
	SiteID     string    `json:"site_id"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at" doc:"The sign-in or the latest refresh."`
	ExpiresAt  time.Time `json:"expires_at" doc:"When it ends unless refreshed before."`
	IP         string    `json:"ip" doc:"The person's address as the site told it, or empty."`
	UserAgent  string    `json:"user_agent"`
	AMR        []string  `json:"amr" doc:"How the person proved who he is."`
	Current    bool      `json:"current" doc:"Whether it is the session of the access token that asks."`
}

func newSessionOut(s otl.Session, current string) sessionOut {
	return sessionOut{
		ID: s.ID, UserID: s.UserID, SiteID: s.SiteID, CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, ExpiresAt: s.RefreshBy,
		IP: s.IP, UserAgent: s.UserAgent, AMR: s.Methods.Strings(), Current: s.ID == current,
	}
}

// revokedOut is the answer to a logout or a revocation.
type revokedOut struct {
	Revoked        bool `json:"revoked" doc:"Always true."`
	SessionVersion int  `json:"session_version" doc:"The person's new session version; access tokens with a lower one are void."`
}

// SiteOut is one site (contract 1.6). What only its owner may know is left out
// for others. It is exported because schemas pass over embedded types that are not.
type SiteOut struct {
	ID              string     `json:"id"`
	Name            string     `json:"name"`
	Slug            string     `json:"slug" doc:"Unique short name; also the subdomain of the OneLogin-compatible API."`
	Domain          string     `json:"domain"`
	Region          string     `json:"region" doc:"eu, us or empty."`
	Relation        string     `json:"relation" enum:"owner,member" doc:"What the person is to the site."`
	GrantedFields   []string   `json:"granted_fields,omitempty" doc:"What the person lets the site see; for members."`
	CallbackURLs    []string   `json:"callback_urls,omitempty" doc:"For owners."`
	AllowedOrigins  []string   `json:"allowed_origins,omitempty" doc:"Whose scripts may call with a person's access token; for owners."`
	RequestedFields []string   `json:"requested_fields,omitempty" doc:"For owners."`
	RequiredFields  []string   `json:"required_fields,omitempty" doc:"Those without which nobody is signed in; for owners."`
	MFAPolicy       string     `json:"mfa_policy,omitempty" enum:"off,optional,required,roles" doc:"When the site asks for a second factor; for owners."`
	MFARoles        []string   `json:"mfa_roles,omitempty" doc:"Who must have one under the policy roles; for owners."`
	TrustDays       *int       `json:"trust_days,omitempty" doc:"For how many days a device can be trusted, 0 for never; for owners."`
	SignInWays      []string   `json:"sign_in_ways,omitempty" doc:"What people sign in to the site with: password, email_code, link, sms_code, passkey; for owners."`
	Warning         string     `json:"warning,omitempty" doc:"Why nobody can sign in to the site with the sign_in_ways that were just set."`
	Branding        *Branding  `json:"branding,omitempty" doc:"How the site's mails look; for owners."`
	Version         *int       `json:"version,omitempty" doc:"For owners."`
	CreatedAt       *time.Time `json:"created_at,omitempty" doc:"For owners."`
}

func (s SiteOut) version() int {
	if s.Version == nil { // of somebody who does not change it
		return 0
	}
	return *s.Version
}

// Branding is how the mails of a site look. It is exported because schemas pass over
// types that are not.
type Branding struct {
	Color    string         `json:"color,omitempty" maxLength:"7" doc:"Of buttons, such as #1f4fd8."`
	Logo     string         `json:"logo,omitempty" maxLength:"20000" doc:"A PNG or JPEG as a data URL."`
	Sender   string         `json:"sender,omitempty" maxLength:"60" doc:"The name mails come from; the site's if left out."`
	Footer   string         `json:"footer,omitempty" maxLength:"300" doc:"A line below everything."`
	Links    []BrandingLink `json:"links,omitempty" maxItems:"5"`
	HideCode bool           `json:"hide_code,omitempty" doc:"Keep the code to sign in with out of the subject, which telephones show while they are locked."`
}

// BrandingLink is a link below a mail.
type BrandingLink struct {
	Text string `json:"text" maxLength:"60"`
	URL  string `json:"url" maxLength:"2048" doc:"https."`
}

func newBranding(b otl.Brand) *Branding {
	if b.Plain() {
		return nil
	}
	out := &Branding{Color: b.Color, Logo: b.Logo, Sender: b.Sender, Footer: b.Footer, HideCode: b.HideCode}
	for _, l := range b.Links {
		out.Links = append(out.Links, BrandingLink{l.Text, l.URL})
	}
	return out
}

// brand gives the brand of a body, nil where there is none in it.
func (b *Branding) brand() *otl.Brand {
	if b == nil {
		return nil
	}
	out := &otl.Brand{Color: b.Color, Logo: b.Logo, Sender: b.Sender, Footer: b.Footer, HideCode: b.HideCode}
	for _, l := range b.Links {
		out.Links = append(out.Links, otl.BrandLink{Text: l.Text, URL: l.URL})
	}
	return out
}

func newSiteOut(s otl.Site) SiteOut {
	return SiteOut{
		ID: s.ID, Name: s.Name, Slug: s.Slug, Domain: s.Domain, Region: s.Region, Relation: "owner",
		CallbackURLs: s.CallbackURLs, AllowedOrigins: s.Origins, RequestedFields: names(s.Requested), RequiredFields: names(s.Required), MFAPolicy: string(s.MFA), MFARoles: s.MFARoles, TrustDays: &s.TrustDays, SignInWays: s.Off.Others().Strings(), Branding: newBranding(s.Brand), Version: &s.Version, CreatedAt: &s.CreatedAt,
	}
}

func names(fs otl.Fields) []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = string(f)
	}
	return out
}
