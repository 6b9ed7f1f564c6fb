package native

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// sites are the operations of the group Sites.
type sites struct{ *Surface }

type listSitesIn struct {
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"next_cursor of the page before."`
}

type sitesOut struct {
	Data       []SiteOut `json:"data"`
	NextCursor *string   `json:"next_cursor" doc:"null on the last page."`
}

func (s sites) list(c *call, in *listSitesIn) (*sitesOut, error) {
	list := "sites|" + c.bearer.User.ID
	after, limit, err := s.after(paging{in.Limit, in.Cursor}, list)
	if err != nil {
		return nil, err
	}
	if !c.bearer.Site.FirstParty {
		return &sitesOut{Data: []SiteOut{asMember(c)}}, nil // a site learns of no other site (TE-11)
	}
	found, err := s.Sites.List(c.ctx, c.bearer.User.ID, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := &sitesOut{Data: []SiteOut{}}
	for i, one := range found {
		if i == limit {
			out.NextCursor = s.next(true, found[limit-1].ID, list)
			break
		}
		out.Data = append(out.Data, newSiteOut(one))
	}
	return out, nil
}

// asMember gives the site of the caller's token as one of its people sees it.
func asMember(c *call) SiteOut {
	s := c.bearer.Site
	return SiteOut{
		ID: s.ID, Name: s.Name, Slug: s.Slug, Domain: s.Domain, Region: s.Region, Relation: "member", GrantedFields: names(c.bearer.Grant.Fields),
	}
}

type siteIn struct {
	ID string `path:"id" json:"-" doc:"Site id."`
}

func (s sites) get(c *call, in *siteIn) (*SiteOut, error) {
	if !c.bearer.Site.FirstParty {
		if in.ID != c.bearer.Site.ID {
			return nil, otl.NoSuch("site")
		}
		return ptr(asMember(c)), nil
	}
	return owned(s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID))
}

func owned(site otl.Site, err error) (*SiteOut, error) {
	if err != nil {
		return nil, err
	}
	return ptr(newSiteOut(site)), nil
}

type registerSiteIn struct {
	Name            string   `json:"name" minLength:"1" maxLength:"100"`
	Domain          string   `json:"domain" minLength:"1" maxLength:"253" doc:"Host name the site is reached at."`
	CallbackURL     string   `json:"callback_url" minLength:"1" maxLength:"2048" doc:"Where people are sent after a sign-in: https, or http on localhost."`
	Region          string   `json:"region,omitempty" enum:"eu,us"`
	RequestedFields []string `json:"requested_fields,omitempty" maxItems:"16" doc:"Profile fields the site would like to see; email and name if left out."`
	RequiredFields  []string `json:"required_fields,omitempty" maxItems:"16" doc:"Those of them without which nobody is signed in."`
}

// registeredSiteOut is a new site with the key that is shown this once.
type registeredSiteOut struct {
	SiteOut
	SiteKey shown `json:"site_key" doc:"Shown once. Store it in a secret manager."`
}

func (s sites) register(c *call, in *registerSiteIn) (*registeredSiteOut, error) {
	fields, err := otl.ParseFields("requested_fields", in.RequestedFields)
	if err != nil {
		return nil, err
	}
	required, err := otl.ParseFields("required_fields", in.RequiredFields)
	if err != nil {
		return nil, err
	}
	return again(c, newRegisteredSiteOut, func(ctx context.Context) (site.Registered, error) {
		return s.Sites.Register(ctx, site.Registration{
			Owner: c.bearer.User.ID, Name: in.Name, Domain: in.Domain, Callbacks: []string{in.CallbackURL}, Region: in.Region, Requested: fields, Required: required,
			Scopes: otl.Scopes{otl.ScopeAuth, otl.ScopeUsers},
		})
	})
}

func newRegisteredSiteOut(r site.Registered) *registeredSiteOut {
	return &registeredSiteOut{newSiteOut(r.Site), shown{r.Key}}
}
