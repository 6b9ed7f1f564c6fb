package native

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// roles are the operations of the group Roles (contract 1.6).
type roles struct{ *Surface }

type roleOut struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Permissions []string  `json:"permissions" doc:"Words of your own; the server does not read them."`
	Default     bool      `json:"default" doc:"Whether everybody who joins the site gets it."`
	CreatedAt   time.Time `json:"created_at"`
}

func newRoleOut(r otl.Role) *roleOut {
	permissions := r.Permissions
	if permissions == nil {
		permissions = []string{}
	}
	return &roleOut{r.Name, r.Description, permissions, r.Default, r.CreatedAt}
}

type rolesOut struct {
	Data       []*roleOut `json:"data"`
	NextCursor *string    `json:"next_cursor" doc:"Always null: a site has at most 100 roles."`
}

func (s roles) list(c *call, _ *nothing) (*rolesOut, error) {
	found, err := s.Roles.List(c.ctx, c.site.ID)
	if err != nil {
		return nil, err
	}
	out := &rolesOut{Data: []*roleOut{}}
	for _, r := range found {
		out.Data = append(out.Data, newRoleOut(r))
	}
	return out, nil
}

type createRoleIn struct {
	Name        string   `json:"name" minLength:"1" maxLength:"64" doc:"Lower-case letters, digits and _-.:"`
	Description string   `json:"description,omitempty" maxLength:"500"`
	Permissions []string `json:"permissions,omitempty" maxItems:"100"`
	Default     bool     `json:"default,omitempty" doc:"Give it to everybody who joins the site from now on."`
}

func (s roles) create(c *call, in *createRoleIn) (*roleOut, error) {
	return again(c, newRoleOut, func(ctx context.Context) (otl.Role, error) {
		return s.Roles.Create(ctx, otl.Role{SiteID: c.site.ID, Name: in.Name, Description: in.Description, Permissions: in.Permissions, Default: in.Default})
	})
}

type updateRoleIn struct {
	Name        string    `path:"name" json:"-" doc:"Name of the role."`
	Description *string   `json:"description,omitempty" maxLength:"500"`
	Permissions *[]string `json:"permissions,omitempty" maxItems:"100"`
	Default     *bool     `json:"default,omitempty"`
}

func (s roles) update(c *call, in *updateRoleIn) (*roleOut, error) {
	r, err := s.Roles.Update(c.ctx, c.site.ID, in.Name, func(r *otl.Role) {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.Permissions != nil {
			r.Permissions = *in.Permissions
		}
		if in.Default != nil {
			r.Default = *in.Default
		}
	})
	if err != nil {
		return nil, err
	}
	return newRoleOut(r), nil
}

type roleIn struct {
	Name string `path:"name" json:"-" doc:"Name of the role."`
}

func (s roles) remove(c *call, in *roleIn) (*deletedOut, error) {
	return &deletedOut{true}, s.Roles.Delete(c.ctx, c.site.ID, in.Name)
}

type userRolesOut struct {
	UserID string   `json:"user_id"`
	Roles  []string `json:"roles" doc:"What the person is at the site now."`
}

func (s roles) assigned(c *call, userID, role string) (*userRolesOut, error) {
	now, err := s.Members.SetRole(c.ctx, c.site, userID, role, true)
	return &userRolesOut{userID, now}, err
}

type assignIn struct {
	UserID string `json:"user_id" minLength:"1" maxLength:"64"`
	Role   string `json:"role" minLength:"1" maxLength:"64"`
}

func (s roles) assign(c *call, in *assignIn) (*userRolesOut, error) {
	return s.assigned(c, in.UserID, in.Role)
}

type assignToIn struct {
	ID   string `path:"id" json:"-" doc:"User id."`
	Role string `json:"role" minLength:"1" maxLength:"64"`
}

func (s roles) assignTo(c *call, in *assignToIn) (*userRolesOut, error) {
	return s.assigned(c, in.ID, in.Role)
}

type unassignIn struct {
	ID   string `path:"id" json:"-" doc:"User id."`
	Role string `path:"role" json:"-" doc:"Name of the role."`
}

func (s roles) unassign(c *call, in *unassignIn) (*userRolesOut, error) {
	now, err := s.Members.SetRole(c.ctx, c.site, in.ID, in.Role, false)
	if now == nil {
		now = []string{}
	}
	return &userRolesOut{in.ID, now}, err
}
