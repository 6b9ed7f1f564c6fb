package native

import (
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// consents are the operations of a person on what sites see of him (contract 1.10). A
// site knows of itself alone, and no site decides (decision D2).
type consents struct{ *Surface }

func (s consents) routes() {
	route(s.Surface, operation{
		id: "listMySites", method: http.MethodGet, path: "/users/me/sites", tag: tagUsers,
		summary: "List the sites one lets in",
		text:    "With a first-party access token: every site the person lets in, by name, with what it sees. With the access token of a site: that site.",
		access:  byPerson, success: http.StatusOK, answer: mySitesOut{Data: []mySiteOut{sampleMySite()}},
	}, s.list)
	route(s.Surface, operation{
		id: "limitMySite", method: http.MethodPut, path: "/users/me/sites/{id}", tag: tagUsers,
		summary: "Set what a site sees",
		text: "Sets the fields a site sees from now on, of those it asks for and those it saw. Without one of its required_fields the person's sessions there end. " +
			"A site he does not let in is a 404. Needs a first-party access token of a sign-in of the last 15 minutes, with two factors where the person has one.",
		access: byHimself, success: http.StatusOK, errors: []int{403, 404},
		request: map[string]any{"fields": []string{"email"}}, answer: sampleMySite(),
	}, s.limit)
	route(s.Surface, operation{
		id: "leaveMySite", method: http.MethodDelete, path: "/users/me/sites/{id}", tag: tagUsers,
		summary: "Let a site in no more",
		text: "Ends what the person granted the site, his roles and his sessions there. A site he does not let in is a 404. Needs a first-party access token of a " +
			"sign-in of the last 15 minutes, with two factors where the person has one.",
		access: byHimself, success: http.StatusOK, errors: []int{403, 404}, answer: deletedOut{true},
	}, s.leave)
}

// mySiteOut is a site as somebody sees it who lets it in.
type mySiteOut struct {
	SiteID         string     `json:"site_id"`
	Name           string     `json:"name"`
	Fields         []string   `json:"fields" doc:"What the site sees."`
	AskedFields    []string   `json:"asked_fields" doc:"What it asks for."`
	RequiredFields []string   `json:"required_fields" doc:"Those without which it signs nobody in."`
	Roles          []string   `json:"roles"`
	Since          time.Time  `json:"since"`
	LastLoginAt    *time.Time `json:"last_login_at" doc:"At the site; null if never."`
}

type mySitesOut struct {
	Data       []mySiteOut `json:"data"`
	NextCursor *string     `json:"next_cursor" doc:"Always null."`
}

func newMySiteOut(s otl.Site, g otl.Grant) mySiteOut {
	roles := g.Roles
	if roles == nil {
		roles = []string{}
	}
	return mySiteOut{s.ID, s.Name, names(g.Fields), names(s.Requested), names(s.Required), roles, g.CreatedAt, seen(g.LastLoginAt)}
}

func sampleMySite() mySiteOut {
	mail := []string{"email"}
	return mySiteOut{sampleSite, "Acme Notes", mail, []string{"email", "name"}, mail, []string{"editor"}, sampleTime(), ptr(sampleTime())}
}

func (s consents) list(c *call, _ *nothing) (*mySitesOut, error) {
	if !c.bearer.Site.FirstParty {
		return &mySitesOut{Data: []mySiteOut{newMySiteOut(c.bearer.Site, c.bearer.Grant)}}, nil
	}
	found, err := account.Consents{Accounts: s.Accounts}.Sites(c.ctx, c.bearer.User.ID)
	out := &mySitesOut{Data: []mySiteOut{}}
	for _, one := range found {
		out.Data = append(out.Data, newMySiteOut(one.Site, one.Grant))
	}
	return out, err
}

type limitSiteIn struct {
	ID     string   `path:"id" json:"-" doc:"Site id."`
	Fields []string `json:"fields" maxItems:"16" doc:"All the site is to see; none for nothing but who the person is."`
}

func (s consents) limit(c *call, in *limitSiteIn) (*mySiteOut, error) {
	fields, err := otl.ParseFields("fields", in.Fields)
	if err != nil {
		return nil, err
	}
	all := account.Consents{Accounts: s.Accounts}
	if err := all.Limit(c.ctx, c.bearer.User.ID, in.ID, fields); err != nil {
		return nil, err
	}
	found, err := all.Sites(c.ctx, c.bearer.User.ID)
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		if one.Site.ID == in.ID {
			return ptr(newMySiteOut(one.Site, one.Grant)), nil
		}
	}
	return nil, otl.NoSuch("site") // he left it in this moment
}

func (s consents) leave(c *call, in *siteIn) (*deletedOut, error) {
	if !secret.ValidID(in.ID) {
		return nil, otl.NoSuch("site")
	}
	err := account.Consents{Accounts: s.Accounts}.Disconnect(c.ctx, in.ID, c.bearer.User.ID)
	if otl.As(err).Kind == otl.NotFound && err != nil {
		err = otl.NoSuch("site")
	}
	return &deletedOut{true}, err
}
