package native

import (
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// users are the operations of the group Users.
type users struct{ *Surface }

// ProfileIn are the members of a profile a caller may set. It is exported because
// schemas pass over embedded types that are not.
type ProfileIn struct {
	Name        *string `json:"name,omitempty" maxLength:"200"`
	DisplayName *string `json:"display_name,omitempty" maxLength:"200"`
	Username    *string `json:"username,omitempty" maxLength:"64" doc:"A name to sign in with, one person's in the whole network; \"\" takes it away."`
	Phone       *string `json:"phone,omitempty" maxLength:"16" doc:"E.164, such as +491705550100."`
	Picture     *string `json:"picture,omitempty" maxLength:"2048" doc:"https URL."`
	Locale      *string `json:"locale,omitempty" maxLength:"35" doc:"Language tag, such as en or pt-BR."`
	Preferences *object `json:"preferences,omitempty" doc:"A JSON object of at most 8192 bytes."`
}

func (in *ProfileIn) profile() account.Profile {
	return account.Profile{
		Name: in.Name, DisplayName: in.DisplayName, Username: in.Username, Phone: in.Phone, Picture: in.Picture, Locale: in.Locale,
		Preferences: in.Preferences.text(),
	}
}

// own shows a person to the site of his own token.
func (c *call) own(u otl.User) *userOut {
	c.ledger.Note(c.bearer.Site, u.ID, session.Visible(c.bearer.Standing))
	return own(c.bearer, u)
}

// own gives a person as the site of his own token sees him.
func own(b *signin.Bearer, u otl.User) *userOut {
	g := b.Grant
	if b.Site.FirstParty {
		g.LastLoginAt = u.LastLoginAt
	}
	return newUserOut(session.Visible(b.Standing), g, u)
}

type nothing struct{}

func (s users) me(c *call, _ *nothing) (*userOut, error) {
	return c.own(c.bearer.User), nil
}

// settable gives the fields a token may change: a site's never the username.
func settable(b *signin.Bearer) otl.Fields {
	see := session.Visible(b.Standing)
	if !b.Site.FirstParty {
		see = see.Without(otl.FieldUsername)
	}
	return see
}

type updateMeIn struct {
	ProfileIn
	Version int    `json:"version,omitempty" minimum:"1" doc:"The version the change was made from. Or send it as If-Match."`
	IfMatch string `header:"If-Match" json:"-" doc:"The ETag the change was made from."`
}

func (s users) update(c *call, in *updateMeIn) (*userOut, error) {
	version, err := expected(in.Version, in.IfMatch)
	if err != nil {
		return nil, err
	}
	u, err := s.Accounts.Update(c.ctx, c.bearer.User.ID, version, settable(c.bearer), in.profile())
	if err != nil {
		return nil, err
	}
	return c.own(u), nil
}

func (s users) removePhone(c *call, _ *nothing) (*deletedOut, error) {
	return &deletedOut{true}, s.Members.Changes.RemovePhone(c.ctx, c.bearer.Site, c.bearer.User.ID)
}

// expected gives the version a change was made from: the member of the body or
// If-Match, and the same one if both are sent.
func expected(version int, ifMatch string) (int, error) {
	if ifMatch == "" {
		if version == 0 {
			return 0, otl.InvalidField("version", "required", "is required, here or as If-Match")
		}
		return version, nil
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(ifMatch, `"`), `"`)
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || len(digits) != len(ifMatch)-2 || version != 0 && version != n {
		return 0, otl.InvalidField("If-Match", "bad_etag", "must be the one ETag of the record, and equal to version")
	}
	return n, nil
}
