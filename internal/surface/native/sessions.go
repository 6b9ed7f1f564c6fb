package native

import (
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// sessions are the operations of the group Sessions.
type sessions struct{ *Surface }

type listSessionsIn struct {
	UserID string `query:"user_id" json:"-" doc:"Whose sessions; with a site key only, and then required."`
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"next_cursor of the page before."`
}

type sessionsOut struct {
	Data       []sessionOut `json:"data"`
	NextCursor *string      `json:"next_cursor" doc:"null on the last page."`
}

func (s sessions) list(c *call, in *listSessionsIn) (*sessionsOut, error) {
	scope, current, err := c.sessionScope(in.UserID)
	if err != nil {
		return nil, err
	}
	if c.bearer == nil {
		if _, err := s.Accounts.Member(c.ctx, scope.SiteID, scope.UserID); err != nil {
			return nil, err
		}
	}
	list := "sessions|" + scope.UserID + "|" + scope.SiteID
	before, limit, err := s.after(paging{in.Limit, in.Cursor}, list)
	if err != nil {
		return nil, err
	}
	found, err := s.SignIn.List(c.ctx, scope, before, limit+1)
	if err != nil {
		return nil, err
	}
	out := &sessionsOut{Data: []sessionOut{}}
	for i, one := range found {
		if i == limit {
			out.NextCursor = s.next(true, found[limit-1].ID, list)
			break
		}
		out.Data = append(out.Data, newSessionOut(one, current))
	}
	return out, nil
}

// sessionScope says whose sessions a caller may see and end: his own at the site
// of his token, all his own with a first-party token, those of one person at the
// site of a key (decision D2).
func (c *call) sessionScope(userID string) (scope signin.Scope, current string, err error) {
	if c.bearer == nil {
		if userID == "" {
			return scope, "", otl.InvalidField("user_id", "required", "is required with a site key")
		}
		return signin.Scope{UserID: userID, SiteID: c.site.ID}, "", nil
	}
	if userID != "" && userID != c.bearer.User.ID {
		return scope, "", otl.InvalidField("user_id", "not_yours", "must be left out with an access token")
	}
	scope.UserID = c.bearer.User.ID
	if !c.bearer.Site.FirstParty {
		scope.SiteID = c.bearer.Site.ID
	}
	return scope, c.bearer.Session.ID, nil
}

type revokeSessionIn struct {
	ID string `path:"id" json:"-" doc:"Session id."`
}

func (s sessions) revoke(c *call, in *revokeSessionIn) (*revokedOut, error) {
	scope, reason := signin.Scope{SiteID: c.site.ID}, otl.EndAdmin
	if c.bearer != nil {
		scope, _, _ = c.sessionScope("")
		reason = otl.EndLogout
	}
	version, err := s.SignIn.Revoke(c.ctx, scope, in.ID, reason)
	if err != nil {
		return nil, err
	}
	return &revokedOut{Revoked: true, SessionVersion: version}, nil
}
