package native

import (
	"context"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
)

// members are the operations on people of a site (contract 1.5).
type members struct{ *Surface }

type listUsersIn struct {
	Email  string `query:"email" json:"-" doc:"Only the person with this address."`
	Q      string `query:"q" json:"-" doc:"Only people whose address begins with this, or whose name holds it."`
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"next_cursor of the page before."`
}

type usersOut struct {
	Data       []*userOut `json:"data"`
	NextCursor *string    `json:"next_cursor" doc:"null on the last page."`
}

func newMemberOut(m account.Member) *userOut { return newUserOut(m.Grant.Fields, m.Grant, m.User) }

// sees shows the site one of its people.
func (c *call) sees(m account.Member) *userOut {
	c.ledger.Note(c.site, m.User.ID, m.Grant.Fields)
	return newMemberOut(m)
}

func (s members) list(c *call, in *listUsersIn) (*usersOut, error) {
	list := "users|" + c.site.ID + "|" + in.Email + "|" + in.Q
	after, limit, err := s.after(paging{in.Limit, in.Cursor}, list)
	if err != nil {
		return nil, err
	}
	found, err := s.Accounts.Members(c.ctx, c.site.ID, in.Email, in.Q, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := &usersOut{Data: []*userOut{}}
	for i, m := range found {
		if i == limit {
			out.NextCursor = s.next(true, found[limit-1].User.ID, list)
			break
		}
		out.Data = append(out.Data, c.sees(m))
	}
	return out, nil
}

type createUserIn struct {
	Email    string `json:"email" maxLength:"254" minLength:"1" doc:"One address; it becomes the person's name in the network."`
	Password hidden `json:"password,omitempty" doc:"8 characters to 1024 bytes; left out, the person cannot sign in by password."`
	ProfileIn
	Fields []string `json:"fields,omitempty" maxItems:"16" doc:"Fields the person grants to this site. Left out: email, name and every field given here."`
}

// judge implements judged.
func (in *createUserIn) judge(s *Surface, c *call) error {
	return account.Registrations{Accounts: s.Accounts}.Faults(account.Registration{Site: c.site, Email: in.Email, Password: in.Password.Text, Profile: in.profile(), Fields: in.Fields})
}

func (s members) create(c *call, in *createUserIn) (*userOut, error) {
	fields, err := otl.ParseFields("fields", in.Fields)
	if err != nil {
		return nil, err
	}
	return again(c, c.sees, func(ctx context.Context) (account.Member, error) {
		return s.Accounts.Create(ctx, account.Creation{Email: in.Email, Password: in.Password.Text, Profile: in.profile(), Site: &c.site, Fields: fields})
	})
}

// member finds the person an operation is about: one of the site's for a site
// key, only himself for an access token.
func (c *call) member(s *Surface, id string) (account.Member, error) {
	if c.bearer == nil {
		return s.Accounts.Member(c.ctx, c.site.ID, id)
	}
	if id != c.bearer.User.ID {
		return account.Member{}, otl.NoSuch("user")
	}
	return account.Member{User: c.bearer.User, Grant: c.bearer.Grant}, nil
}

// shownTo gives a person as the caller may see him.
func (c *call) shownTo(m account.Member) *userOut {
	if c.bearer != nil {
		return c.own(m.User)
	}
	return c.sees(m)
}

type userIn struct {
	ID string `path:"id" json:"-" doc:"User id."`
}

func (s members) get(c *call, in *userIn) (*userOut, error) {
	m, err := c.member(s.Surface, in.ID)
	if err != nil {
		return nil, err
	}
	return c.shownTo(m), nil
}

type updateUserIn struct {
	ID string `path:"id" json:"-" doc:"User id."`
	ProfileIn
	Version int    `json:"version,omitempty" minimum:"1" doc:"The version the change was made from. Or send it as If-Match."`
	IfMatch string `header:"If-Match" json:"-" doc:"The ETag the change was made from."`
}

func (s members) update(c *call, in *updateUserIn) (*userOut, error) {
	m, err := c.member(s.Surface, in.ID)
	if err != nil {
		return nil, err
	}
	version, err := expected(in.Version, in.IfMatch)
	if err != nil {
		return nil, err
	}
	may := m.Grant.Fields.Without(otl.FieldUsername)
	if c.bearer != nil {
		may = settable(c.bearer)
	}
	if m.User, err = s.Accounts.Update(c.ctx, m.User.ID, version, may, in.profile()); err != nil {
		return nil, err
	}
	return c.shownTo(m), nil
}

type deletedOut struct {
	Deleted bool `json:"deleted" doc:"Always true."`
}

// remove lets a person leave the site, or, with a recent first-party token, the
// network (decision D2).
func (s members) remove(c *call, in *userIn) (*deletedOut, error) {
	m, err := c.member(s.Surface, in.ID)
	if err != nil {
		return nil, err
	}
	if c.bearer == nil || !c.bearer.Site.FirstParty {
		if c.bearer != nil {
			return &deletedOut{true}, account.Consents{Accounts: s.Accounts}.Disconnect(c.ctx, c.bearer.Site.ID, m.User.ID)
		}
		return &deletedOut{true}, s.Accounts.Leave(c.ctx, c.site.ID, m.User.ID)
	}
	if err := s.proven(c.ctx, c.bearer); err != nil {
		return nil, err
	}
	return &deletedOut{true}, account.Erasures{Accounts: s.Accounts}.AtOnce(c.ctx, m.User.ID)
}
