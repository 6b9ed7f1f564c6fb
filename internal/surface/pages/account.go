package pages

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// accountPage is what somebody sees of himself.
type accountPage struct {
	Hello    string
	Address  string
	Sites    []siteCard
	Sessions []sessionCard
}

// siteCard is a site somebody let in, with what it sees.
type siteCard struct {
	ID, Name, Sees string
	Fields         []fieldChoice
}

// sessionCard is one session.
type sessionCard struct {
	ID, Site, Text string
	This           bool
}

// accounts are the pages on which somebody looks after himself.
type accounts struct{ *Pages }

func (p accounts) routes() {
	p.get("/account", p.account)
	p.post("/account/sites/{id}", p.siteSent)
	p.post("/account/sites/{id}/disconnect", p.siteLeft)
	p.post("/account/sessions/{id}/end", p.sessionEnded)
	p.get("/signout", p.signOut)
	p.post("/signout", p.signOutSent)
}

// maxSessions is how many sessions the page lists.
const maxSessions = 100

func (p accounts) account(w http.ResponseWriter, r *http.Request) error {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	if who.Session.ID == "" {
		return p.home(w, r, "/account")
	}
	name := who.User.Name
	if name == "" {
		name = who.User.Email.Address
	}
	v := signin.Visit{Who: who}
	s := p.screen(w, r, v, map[string]string{"name": isolate(name), "address": isolate(who.User.Email.Address)})
	page := accountPage{Hello: s.Say("hello"), Address: s.Say("signed_in_as")}
	names := map[string]string{who.Site.ID: "OneTimeLogin"}
	sites, err := p.Consents.Sites(r.Context(), who.User.ID)
	if err != nil {
		return err
	}
	for _, c := range sites {
		names[c.Site.ID] = c.Site.Name
		card := siteCard{ID: c.Site.ID, Name: c.Site.Name, Fields: choices(s, who.User, c.Grant.Fields.With(append(c.Grant.Asked, c.Site.Requested...)...), c.Grant.Fields, c.Site.Required)}
		card.Sees = s.With("site", isolate(c.Site.Name)).Say("sees")
		page.Sites = append(page.Sites, card)
	}
	live, err := p.SignIn.List(r.Context(), signin.Scope{UserID: who.User.ID}, "", maxSessions)
	if err != nil {
		return err
	}
	for _, one := range live {
		text := s.With("device", isolate(device(one.UserAgent))).With("date", one.CreatedAt.Format("2006-01-02 15:04 MST")).Say("session_since")
		page.Sessions = append(page.Sessions, sessionCard{ID: one.ID, Site: names[one.SiteID], Text: text, This: one.ID == who.Session.ID})
	}
	s.Title, s.Wide, s.Data = s.Say("account"), true, page
	if r.URL.Query().Get("saved") == "1" {
		s.Good = s.Say("saved")
	}
	p.show(w, http.StatusOK, "account.html", "", s)
	return nil
}

// person gives who sends a form of the account pages; nobody is sent to sign in.
func (p accounts) person(w http.ResponseWriter, r *http.Request) (signin.Visit, bool, error) {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err == nil && who.Session.ID == "" {
		return signin.Visit{}, false, p.home(w, r, "/account")
	}
	return signin.Visit{Who: who}, err == nil, err
}

// siteSent keeps what a site may see from now on.
func (p accounts) siteSent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r)
	if err != nil || !ok {
		return err
	}
	fields, err := chosen(r)
	if err != nil {
		return err
	}
	if err := p.Consents.Limit(r.Context(), v.Who.User.ID, r.PathValue("id"), fields); err != nil {
		return err
	}
	p.send(w, r, "/account?saved=1")
	return nil
}

func (p accounts) siteLeft(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r)
	if err != nil || !ok {
		return err
	}
	if err := p.Accounts.Leave(r.Context(), r.PathValue("id"), v.Who.User.ID); err != nil {
		return err
	}
	p.send(w, r, "/account?saved=1")
	return nil
}

func (p accounts) sessionEnded(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r)
	if err != nil || !ok {
		return err
	}
	if _, err := p.SignIn.Revoke(r.Context(), signin.Scope{UserID: v.Who.User.ID}, r.PathValue("id"), otl.EndLogout); err != nil {
		return err
	}
	p.send(w, r, "/account?saved=1")
	return nil
}

// signOutPage asks, or says that it is done.
type signOutPage struct{ Done bool }

func (p accounts) signOut(w http.ResponseWriter, r *http.Request) error {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	to, err := p.Flows.Leaving(r.Context(), r.URL.Query().Get("f"), p.jar.Get(r, cookie.Flow))
	if err != nil {
		return err
	}
	v := signin.Visit{Who: who}
	if to != "" {
		if who.Session.ID == "" { // nobody is left to be asked
			p.send(w, r, to)
			return nil
		}
		v.ID = r.URL.Query().Get("f")
	}
	s := p.screen(w, r, v, nil)
	page := signOutPage{Done: who.Session.ID == ""}
	if s.Title = s.Say("signout"); page.Done {
		s.Title = s.Say("signed_out")
	}
	s.Data = page
	p.show(w, http.StatusOK, "signout.html", otl.Origin(to), s)
	return nil
}

// signOutSent ends the browser's session, or all of the person's.
func (p accounts) signOutSent(w http.ResponseWriter, r *http.Request) error {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	if who.Session.ID != "" {
		if err := p.Flows.SignOut(r.Context(), who, r.PostForm.Get("where") == "everywhere"); err != nil {
			return err
		}
	}
	to, err := p.Flows.Leaving(r.Context(), r.PostForm.Get("f"), p.jar.Get(r, cookie.Flow))
	if err != nil {
		return err
	}
	if to == "" {
		to = "/signout"
	}
	p.jar.Drop(w)
	p.send(w, r, to)
	return nil
}
