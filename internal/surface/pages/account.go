package pages

import (
	"net/http"
	"strconv"
	"strings"
	"time"

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
	About          string // since when, when he last signed in there, what it read
	Note           string // that some of it is needed, "" where none is
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
	p.get("/account", p.settled(p.account))
	p.post(switchPath, p.switchSent)
	p.post("/account/sites/{id}", p.siteSent)
	p.post("/account/sites/{id}/disconnect", p.siteLeft)
	p.post("/account/sessions/{id}/end", p.sessionEnded)
	p.get("/account/profile", p.profile)
	p.post("/account/profile", p.profileSent)
	p.get("/account/email", p.address("email"))
	p.post("/account/email", p.addressSent("email"))
	p.get("/account/phone", p.address("phone"))
	p.post("/account/phone", p.addressSent("phone"))
	p.get("/account/activity", p.activity)
	p.get("/account/ledger", p.ledger)
	p.get("/signout", p.signOut)
	p.post("/signout", p.signOutSent)
}

// maxSessions is how many sessions the page lists.
const maxSessions = 100

// minute writes a time so that everybody can read it, in its own direction.
func minute(t time.Time) string { return isolate(t.UTC().Format("2006-01-02 15:04 MST")) }

// greeting gives the voice data of who a page greets.
func greeting(u otl.User) map[string]string {
	name := u.Name
	if name == "" {
		name = u.Email.Address
	}
	return map[string]string{"name": isolate(name), "address": isolate(u.Email.Address)}
}

// handed greets whom a site signed in with a session token, and shows nothing: the site may
// hold the session as well. It reports false for everybody else, and for who goes on.
func (p accounts) handed(w http.ResponseWriter, r *http.Request) (bool, error) {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil || who.Session.HandedBy == "" || r.URL.Query().Get("own") == "1" {
		return false, err
	}
	s := p.screen(w, r, signin.Visit{Who: who}, greeting(who.User))
	s.Title = s.Say("account")
	p.show(w, http.StatusOK, "handed.html", "", s)
	return true, nil
}

func (p accounts) account(w http.ResponseWriter, r *http.Request) error {
	if done, err := p.handed(w, r); done || err != nil {
		return err
	}
	v, ok, err := p.person(w, r, "/account")
	if err != nil || !ok {
		return err
	}
	who := v.Who
	s := p.screen(w, r, v, greeting(who.User))
	page := accountPage{Hello: s.Say("hello"), Address: s.Say("signed_in_as")}
	names := map[string]string{who.Site.ID: "OneTimeLogin"}
	if page.Sites, err = p.cards(r, s, who.User, names); err != nil {
		return err
	}
	live, err := p.SignIn.List(r.Context(), signin.Scope{UserID: who.User.ID}, "", maxSessions)
	if err != nil {
		return err
	}
	for _, one := range live {
		text := s.With("device", isolate(agent(s, one.UserAgent))).With("date", minute(one.CreatedAt)).Say("session_since")
		page.Sessions = append(page.Sessions, sessionCard{ID: one.ID, Site: names[one.SiteID], Text: text, This: one.ID == who.Session.ID})
	}
	s.Title, s.Wide, s.Data = s.Say("account"), true, page
	if r.URL.Query().Get("saved") == "1" {
		s.Good = s.Say("saved")
	}
	p.show(w, http.StatusOK, "account.html", "", s)
	return nil
}

// agent names a browser, or says that it was none: sites sign people in by calls of
// their own.
func agent(s screen, userAgent string) string {
	if named := device(userAgent); named != "?" {
		return named
	}
	return s.Say("by_site")
}

// cards gives the sites somebody let in, and their names by id.
func (p accounts) cards(r *http.Request, s screen, u otl.User, names map[string]string) ([]siteCard, error) {
	sites, err := p.Consents.Sites(r.Context(), u.ID)
	if err != nil {
		return nil, err
	}
	readings, err := p.Consents.Readings(r.Context(), u.ID)
	if err != nil {
		return nil, err
	}
	var out []siteCard
	for _, c := range sites {
		names[c.Site.ID] = c.Site.Name
		named := s.With("site", isolate(c.Site.Name))
		card := siteCard{ID: c.Site.ID, Name: c.Site.Name, Sees: named.Say("sees")}
		card.Fields = choices(s, u, c.Grant.Fields.With(append(c.Grant.Asked, c.Site.Requested...)...), c.Grant.Fields, c.Site.Required)
		about := []string{s.With("date", minute(c.Grant.CreatedAt)).Say("connected_since")}
		if !c.Grant.LastLoginAt.IsZero() {
			about = append(about, s.With("date", minute(c.Grant.LastLoginAt)).Say("last_sign_in"))
		}
		if times, last := read(readings, c.Site.ID); times > 0 {
			about = append(about, s.With("date", minute(last)).With("n", strconv.FormatInt(times, 10)).Say("reads"))
		}
		card.About = strings.Join(about, " · ")
		if len(c.Site.Required) > 0 {
			card.Note = named.Say("required_note")
		}
		out = append(out, card)
	}
	return out, nil
}

// read gives how often a site read something, and when it last did.
func read(all []otl.Reading, siteID string) (times int64, last time.Time) {
	for _, one := range all {
		if one.SiteID == siteID {
			if times += one.Times; one.Last.After(last) {
				last = one.Last
			}
		}
	}
	return times, last
}

// siteSent keeps what a site may see from now on.
func (p accounts) siteSent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, "/account")
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
	v, ok, err := p.proven(w, r, "/account")
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
	v, ok, err := p.proven(w, r, "/account")
	if err != nil || !ok {
		return err
	}
	if _, err := p.SignIn.Revoke(r.Context(), signin.Scope{UserID: v.Who.User.ID}, r.PathValue("id"), otl.EndLogout); err != nil {
		return err
	}
	p.send(w, r, "/account?saved=1")
	return nil
}
