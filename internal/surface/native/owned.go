package native

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// ownedSites are the operations of the owner of a site on it and its keys (contract
// 1.6). Each asks the rules for a site of the caller's; any other is a 404.
type ownedSites struct{ *Surface }

type updateSiteIn struct {
	ID              string    `path:"id" json:"-" doc:"Site id."`
	Name            *string   `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Domain          *string   `json:"domain,omitempty" maxLength:"253" doc:"Host name the site is reached at; empty for none."`
	Region          *string   `json:"region,omitempty" enum:"eu,us," doc:"Empty for none."`
	CallbackURLs    *[]string `json:"callback_urls,omitempty" maxItems:"50" doc:"All of them: those left out are removed."`
	AllowedOrigins  *[]string `json:"allowed_origins,omitempty" maxItems:"50" doc:"All of them: scheme, host and port of pages whose scripts call with a person's access token."`
	RequestedFields *[]string `json:"requested_fields,omitempty" maxItems:"16"`
	RequiredFields  *[]string `json:"required_fields,omitempty" maxItems:"16" doc:"Those of requested_fields without which nobody is signed in."`
	MFAPolicy       *string   `json:"mfa_policy,omitempty" enum:"off,optional,required,roles" doc:"When the site asks for a second factor: never, of people who have one, of everybody, or of everybody with one of mfa_roles."`
	MFARoles        *[]string `json:"mfa_roles,omitempty" maxItems:"100" doc:"Who must have a second factor under the policy roles: names of roles that the site has."`
	TrustDays       *int      `json:"trust_days,omitempty" minimum:"0" maximum:"365" doc:"For how many days a device that somebody trusts spares him the second step; 0 for never. Fewer days hold at once for devices that are trusted already."`
	SignInWays      *[]string `json:"sign_in_ways,omitempty" maxItems:"5" doc:"All that people sign in to the site with, at least one of password, email_code, link, sms_code and passkey; the others are refused."`
	Branding        *Branding `json:"branding,omitempty" doc:"The whole of it; {} for none."`
	Version         int       `json:"version,omitempty" minimum:"1" doc:"The version the change was made from. Or send it as If-Match."`
	IfMatch         string    `header:"If-Match" json:"-" doc:"The ETag the change was made from."`
}

func (s ownedSites) update(c *call, in *updateSiteIn) (*SiteOut, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	version, err := expected(in.Version, in.IfMatch)
	if err != nil {
		return nil, err
	}
	changed, err := s.Sites.Update(c.ctx, c.bearer.User.ID, in.ID, version, site.Change{
		Name: in.Name, Domain: in.Domain, Region: in.Region, Callbacks: in.CallbackURLs, Origins: in.AllowedOrigins, Requested: in.RequestedFields, Required: in.RequiredFields,
		MFA: in.MFAPolicy, MFARoles: in.MFARoles, TrustDays: in.TrustDays, Ways: in.SignInWays, Brand: in.Branding.brand(),
	})
	out, err := owned(changed, err)
	if err == nil && in.SignInWays != nil {
		out.Warning = signin.Ways{Codes: s.Codes}.Shut(changed)
	}
	return out, err
}

type deletedSiteOut struct {
	Deleted      bool      `json:"deleted" doc:"Always true."`
	RestoreUntil time.Time `json:"restore_until" doc:"Until then the owner can restore the site; afterwards it is gone."`
}

func (s ownedSites) remove(c *call, in *siteIn) (*deletedSiteOut, error) {
	until, err := s.Sites.Delete(c.ctx, c.bearer.User.ID, in.ID)
	if err != nil {
		return nil, err
	}
	return &deletedSiteOut{true, until}, nil
}

func (s ownedSites) restore(c *call, in *siteIn) (*SiteOut, error) {
	return owned(s.Sites.Restore(c.ctx, c.bearer.User.ID, in.ID))
}

// SiteKeyOut is a site key without the key itself. It is exported because schemas
// pass over embedded types that are not.
type SiteKeyOut struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix" doc:"The first characters after otr_, to tell keys apart."`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"Exact to a minute; null if never."`
	ExpiresAt  *time.Time `json:"expires_at" doc:"null for a key without an end."`
}

func newSiteKeyOut(k otl.SiteKey) SiteKeyOut {
	return SiteKeyOut{k.ID, k.Name, k.Prefix, k.Scopes.Strings(), k.CreatedAt, seen(k.LastUsedAt), seen(k.ExpiresAt)}
}

type siteKeysOut struct {
	Data       []SiteKeyOut `json:"data"`
	NextCursor *string      `json:"next_cursor" doc:"Always null: a site has at most 50 keys."`
}

func (s ownedSites) keys(c *call, in *siteIn) (*siteKeysOut, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	found, err := s.Sites.Keys(c.ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &siteKeysOut{Data: []SiteKeyOut{}}
	for _, k := range found {
		out.Data = append(out.Data, newSiteKeyOut(k))
	}
	return out, nil
}

type createSiteKeyIn struct {
	ID        string   `path:"id" json:"-" doc:"Site id."`
	Name      string   `json:"name" minLength:"1" maxLength:"100" doc:"What the key is for."`
	Scopes    []string `json:"scopes,omitempty" maxItems:"8" doc:"auth, users, admin, otp:direct; auth if left out."`
	ExpiresAt string   `json:"expires_at,omitempty" maxLength:"40" doc:"When it ends, RFC 3339; never if left out."`
}

// newSiteKeyShown is a new key, with the key itself.
type newSiteKeyShown struct {
	SiteKeyOut
	SiteKey shown `json:"site_key" doc:"Shown once. Store it in a secret manager."`
}

func newMadeKeyOut(m site.MadeKey) *newSiteKeyShown {
	return &newSiteKeyShown{newSiteKeyOut(m.SiteKey), shown{m.Key}}
}

func (s ownedSites) createKey(c *call, in *createSiteKeyIn) (*newSiteKeyShown, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	key := site.NewKey{Name: in.Name}
	var err error
	if in.Scopes != nil {
		if key.Scopes, err = otl.ParseScopes(in.Scopes); err != nil {
			return nil, err
		}
	}
	if in.ExpiresAt != "" {
		key.ExpiresAt, err = time.Parse(time.RFC3339, in.ExpiresAt)
		if err != nil || !key.ExpiresAt.After(s.Now()) {
			return nil, otl.InvalidField("expires_at", "not_in_the_future", "must be a time in the future, such as 2030-01-02T03:04:05Z")
		}
	}
	return again(c, newMadeKeyOut, func(ctx context.Context) (site.MadeKey, error) { return s.Sites.CreateKey(ctx, in.ID, key) })
}

type siteKeyIn struct {
	ID    string `path:"id" json:"-" doc:"Site id."`
	KeyID string `path:"key_id" json:"-" doc:"Key id."`
}

type rollSiteKeyIn struct {
	ID      string `path:"id" json:"-" doc:"Site id."`
	KeyID   string `path:"key_id" json:"-" doc:"Key id."`
	Overlap *int   `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old key still works; a day if left out."`
}

func (s ownedSites) rollKey(c *call, in *rollSiteKeyIn) (*newSiteKeyShown, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	overlap := 24 * time.Hour
	if in.Overlap != nil {
		overlap = time.Duration(*in.Overlap) * time.Second
	}
	return again(c, newMadeKeyOut, func(ctx context.Context) (site.MadeKey, error) {
		return s.Sites.RollKey(ctx, in.ID, in.KeyID, overlap)
	})
}

func (s ownedSites) revokeKey(c *call, in *siteKeyIn) (*deletedOut, error) {
	if _, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID); err != nil {
		return nil, err
	}
	return &deletedOut{true}, s.Sites.RevokeKey(c.ctx, in.ID, in.KeyID)
}
