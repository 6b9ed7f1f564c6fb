package pages

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// owners are the pages on which somebody looks after a site of his own, by the verbs the API
// has for that.
type owners struct{ accounts }

// The pages about a site, by the ends of their paths.
const (
	siteWays      = "ways"
	siteDetails   = "details"
	siteAddresses = "addresses"
	siteLook      = "look"
	siteKeys      = "keys"
	siteClients   = "clients"
	siteHooks     = "webhooks"
	siteOff       = "off"
)

// option is something that can be chosen of a site.
type option struct {
	Value, Text, Hint string
	On                bool // it is chosen
	Absent            bool // it cannot be, as the server is set up
}

// ownedAt gives the path of a page about a site.
func ownedAt(siteID, page string) string { return "/account/sites/" + siteID + "/" + page }

// owner gives who opens or sends a page about a site of his own; any other is as unknown as
// one that never was (TE-01). Who changes something has just proven who he is, by two factors
// (decision D2), and comes back to the page; who opens a page of a form proves it half as long
// before at most.
func (p owners) owner(w http.ResponseWriter, r *http.Request, page string, changes bool) (v signin.Visit, of otl.Site, ok bool, err error) {
	return p.of(w, r, page, changes, p.Sites.Owned)
}

// of is owner for a site that is found otherwise.
func (p owners) of(w http.ResponseWriter, r *http.Request, page string, changes bool,
	find func(ctx context.Context, owner, id string) (otl.Site, error),
) (v signin.Visit, of otl.Site, ok bool, err error) {
	id := r.PathValue("id")
	if !secret.ValidID(id) {
		return v, of, false, errNoPath
	}
	at := ownedAt(id, page)
	if changes {
		v, ok, err = p.proven(w, r, at)
	} else {
		v, ok, err = p.person(w, r, at)
	}
	if err != nil || !ok {
		return v, of, false, err
	}
	if of, err = find(r.Context(), v.Who.User.ID, id); err != nil {
		return v, of, false, err
	}
	if changes && r.Method == http.MethodGet && p.jar.Get(r, cookie.Done).Empty() && p.Now().Sub(v.Who.Session.AuthAt) > signin.Recent/2 { // so that there is time for the form
		return v, of, false, p.own(w, r, otl.Asked{Return: at, MaxAge: int(signin.Recent.Seconds()) / 2, Factors: 2})
	}
	if changes && !v.Who.Session.Methods.Strong() { // he has no second factor yet
		return v, of, false, p.own(w, r, otl.Asked{Return: at, MaxAge: int(signin.Recent.Seconds()), Factors: 2, SetUp: true})
	}
	return v, of, true, nil
}

// about lays out one of the pages about a site, below the way to the others.
func (s *screen) about(of otl.Site, page, heading string) {
	s.portal(s.With("site", isolate(of.Name)).Say(heading))
	s.Of = of.Name
	for _, one := range []choice{
		{siteWays, "own_ways"}, {siteDetails, "own_details"}, {siteAddresses, "own_addresses"}, {siteLook, "own_look"}, {siteKeys, "own_keys"}, {siteClients, "own_clients"}, {siteHooks, "own_hooks"},
	} {
		at := ownedAt(of.ID, one.Value)
		s.Others = append(s.Others, tab{Path: at, Name: s.Say(one.Text), Current: one.Value == page, Exact: s.Here != nil && s.Here.Path == at})
	}
}

// siteForm is a page on which the owner of a site changes what is stored of it; T is what its
// form holds.
type siteForm[T any] struct {
	owners
	page   string
	stored func(otl.Site) T                // what it holds before anybody types
	said   func(*http.Request, otl.Site) T // what was sent; what was not sent stays
	change func(T, otl.Site) site.Change   // what it asks for
	lay    func(http.ResponseWriter, *http.Request, signin.Visit, otl.Site, T, error) error
}

func (f siteForm[T]) look(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := f.owner(w, r, f.page, true)
	if err != nil || !ok {
		return err
	}
	return f.lay(w, r, v, of, f.stored(of), nil)
}

// sent changes the site that its owner read in the version the form carries, and leads back to the
// page, which says what he can mend.
func (f siteForm[T]) sent(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := f.owner(w, r, f.page, true)
	if err != nil || !ok {
		return err
	}
	version, err := strconv.Atoi(r.PostForm.Get("version"))
	if err != nil {
		return otl.InvalidField("version", "not_a_number", "must be the number the page was made with")
	}
	said := f.said(r, of)
	_, err = f.Sites.Update(r.Context(), v.Who.User.ID, of.ID, version, f.change(said, of))
	switch {
	case err == nil:
		done(f.Pages, w, r, cookie.DoneSaved, ownedAt(of.ID, f.page))
		return nil
	case errors.Is(err, otl.ErrVersion):
		said = f.stored(of) // as it was changed meanwhile
	case !mendable(err):
		return err
	}
	return f.lay(w, r, v, of, said, err)
}

// present shows a page about a site, with what is wrong on it or that it was saved.
func (p owners) present(w http.ResponseWriter, r *http.Request, s screen, name string, wrong error) error {
	code := p.wrong(&s, wrong)
	switch {
	case errors.Is(wrong, otl.ErrVersion):
		s.Problem = s.Say("changed_meanwhile")
	case wrong == nil && p.jar.Noted(w, r) == cookie.DoneSaved:
		s.Good = s.Say("saved")
	}
	p.show(w, code, name, "", s)
	return nil
}
