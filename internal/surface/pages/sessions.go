package pages

import (
	"net/http"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// sessionsPage is where somebody is signed in.
type sessionsPage struct {
	Sessions []sessionCard
	Older    string // query of the next page, "" on the last one
}

// sessionCard is one session.
type sessionCard struct {
	ID, Site, Text, About string
	This                  bool
}

// attendances are the pages on which somebody sees where he is signed in, ends that, and
// is led through what to do when it was not he.
type attendances struct{ accounts }

// Where they are.
const (
	attended  = "/account/sessions"
	securedAt = "/account/secure"
)

func (p attendances) routes() {
	p.get(attended, p.list)
	p.post(attended+"/others", p.othersEnded)
	p.post(attended+"/{id}/end", p.ended)
	p.get(securedAt, p.secure)
}

// shownSessions is how many sessions a page has.
const shownSessions = 50

func (p attendances) list(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, attended)
	if err != nil || !ok {
		return err
	}
	before := r.URL.Query().Get("before")
	if before != "" && !secret.ValidID(before) {
		return errNoPath
	}
	live, err := p.SignIn.List(r.Context(), signin.Scope{UserID: v.Who.User.ID}, before, shownSessions+1)
	if err != nil {
		return err
	}
	var page sessionsPage
	if len(live) > shownSessions {
		live = live[:shownSessions]
		page.Older = "?before=" + live[shownSessions-1].ID
	}
	live = slices.DeleteFunc(live, func(s otl.Session) bool { return s.ID == v.Who.Session.ID })
	if before == "" {
		live = slices.Insert(live, 0, v.Who.Session)
	}
	var ids []string
	for _, one := range live {
		ids = append(ids, one.SiteID, one.HandedBy)
	}
	names, err := p.Consents.Names(r.Context(), ids)
	if err != nil {
		return err
	}
	names[v.Who.Site.ID] = "OneTimeLogin"
	s := p.screen(w, r, v, nil)
	for _, one := range live {
		page.Sessions = append(page.Sessions, attendance(s, one, names, v.Who))
	}
	s.portal(s.Say("sessions"))
	s.Data, s.Good = page, p.note(w, r, s, v)
	p.show(w, http.StatusOK, "sessions.html", "", s)
	return nil
}

// attendance says of a session where it is, since when, how it was opened, and by whom
// where that was a site, which may hold it.
func attendance(s screen, one otl.Session, names map[string]string, here session.Browser) sessionCard {
	c := sessionCard{ID: one.ID, Site: names[one.SiteID], This: one.ID == here.Session.ID}
	own := one.SiteID == here.Site.ID && one.HandedBy == ""
	c.Text = s.With("device", isolate(agent(s, one.UserAgent, own))).With("date", s.day(one.CreatedAt)).Say("session_since")
	var about []string
	if one.HandedBy != "" {
		about = append(about, s.With("site", isolate(names[one.HandedBy])).Say("session_handed"))
	}
	about = append(about, s.With("date", s.minute(one.LastSeenAt)).Say("last_active"))
	if ways := ways(s, one.Methods); ways != "" {
		about = append(about, ways)
	}
	if one.IP != "" {
		about = append(about, isolate("IP "+one.IP))
	}
	c.About = strings.Join(about, " · ")
	return c
}

// ended ends one session.
func (p attendances) ended(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, attended+"?proven=1")
	if err != nil || !ok {
		return err
	}
	if _, err := p.SignIn.Revoke(r.Context(), signin.Scope{UserID: v.Who.User.ID}, r.PathValue("id"), otl.EndLogout); err != nil {
		return err
	}
	done(p.Pages, w, r, cookie.DoneSaved, attended)
	return nil
}

// othersEnded ends every session but the one of this browser, and leads back to the page
// it was pressed on.
func (p attendances) othersEnded(w http.ResponseWriter, r *http.Request) error {
	back := attended
	if r.PostForm.Get("secure") == "1" {
		back = securedAt
	}
	v, ok, err := p.proven(w, r, back+"?proven=1")
	if err != nil || !ok {
		return err
	}
	if err := p.SignIn.Alone(r.Context(), v.Who.Standing); err != nil {
		return err
	}
	done(p.Pages, w, r, cookie.DoneAlone, back)
	return nil
}

// secure leads somebody through what to do when somebody else was in his account: a new
// password, without which the other comes back in, out with him everywhere, and a look at what
// he may have left.
func (p attendances) secure(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, securedAt)
	if err != nil || !ok {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.portal(s.Say("secure_heading"))
	s.Good = p.note(w, r, s, v)
	p.show(w, http.StatusOK, "secure.html", "", s)
	return nil
}
