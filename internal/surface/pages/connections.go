package pages

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
)

// siteCard is a site somebody let in, with what it sees.
type siteCard struct {
	ID, Name, Sees string
	About          string // since when, when he last signed in there, what it read
	Roles          string // what he is there, "" for nothing
	Note           string // that some of it is needed, "" where none is
	Fields         []fieldChoice
}

// connections are what somebody decides about the sites he let in.
type connections struct{ accounts }

func (p connections) routes() {
	p.post("/account/sites/{id}", p.sent)
	p.get("/account/sites/{id}/disconnect", p.leave)
	p.post("/account/sites/{id}/disconnect", p.left)
}

// cards gives the sites somebody let in.
func (p connections) cards(r *http.Request, s screen, u otl.User) ([]siteCard, error) {
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
		named := s.With("site", isolate(c.Site.Name))
		card := siteCard{ID: c.Site.ID, Name: c.Site.Name, Sees: named.Say("sees")}
		card.Fields = choices(s, u, c.Grant.Fields.With(append(c.Grant.Asked, c.Site.Requested...)...), c.Grant.Fields, c.Site.Required)
		about := []string{s.With("date", s.day(c.Grant.CreatedAt)).Say("connected_since")}
		if !c.Grant.LastLoginAt.IsZero() {
			about = append(about, s.With("date", s.minute(c.Grant.LastLoginAt)).Say("last_sign_in"))
		}
		if last := read(readings, c.Site.ID); !last.IsZero() {
			about = append(about, s.With("date", s.minute(last)).Say("last_read"))
		}
		card.About = strings.Join(about, " · ")
		if len(c.Grant.Roles) > 0 {
			card.Roles = s.With("roles", isolate(listing(s, c.Grant.Roles))).Say("roles")
		}
		if len(c.Site.Required) > 0 {
			card.Note = named.Say("required_note")
		}
		out = append(out, card)
	}
	return out, nil
}

// read gives when a site last read something, the zero time for never.
func read(all []otl.Reading, siteID string) (last time.Time) {
	for _, one := range all {
		if one.SiteID == siteID && one.Last.After(last) {
			last = one.Last
		}
	}
	return last
}

// askPage is a question before something is done that one may not expect.
type askPage struct {
	Body   []string
	Links  []otl.BrandLink // where the site says more
	Action string
	Fields url.Values // sent along
	Press  string
	Back   string // path at which nothing is done
	Gives  bool   // it takes nothing away
}

// provenPress is where somebody comes back who first had to prove who he is.
const provenPress = "/account?proven=1"

// sent keeps what a site may see from now on. Where it goes without what the site requires,
// the person is told first what comes of that.
func (p connections) sent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, provenPress)
	if err != nil || !ok {
		return err
	}
	fields, err := chosen(r)
	if err != nil {
		return err
	}
	c, err := p.Consents.Connected(r.Context(), v.Who.User.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	if len(c.Site.Lacks(fields)) > 0 && r.PostForm.Get("sure") != "yes" {
		s := p.screen(w, r, v, nil)
		named := s.With("site", isolate(c.Site.Name)).With("fields", called(s, c.Site.Lacks(fields)))
		s.Title = named.Say("withdraw_heading")
		s.Data = askPage{
			Body: []string{named.Say("withdraw_body")}, Action: r.URL.Path, Press: s.Say("withdraw_press"), Back: "/account",
			Fields: url.Values{fieldsField: r.PostForm[fieldsField], "sure": {"yes"}},
		}
		p.show(w, http.StatusOK, "ask.html", "", s)
		return nil
	}
	if err := p.Consents.Limit(r.Context(), v.Who.User.ID, c.Site.ID, fields); err != nil {
		return err
	}
	done(p.Pages, w, r, cookie.DoneSaved, "/account")
	return nil
}

// leave asks whether somebody really wants to let a site go, and says what it keeps.
func (p connections) leave(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, r.URL.Path)
	if err != nil || !ok {
		return err
	}
	c, err := p.Consents.Connected(r.Context(), v.Who.User.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	named := s.With("site", isolate(c.Site.Name))
	s.Title = named.Say("disconnect_heading")
	s.Data = askPage{Body: []string{named.Say("disconnect_body"), named.Say("disconnect_keeps")}, Links: brands{p.Pages}.wears(r, c.Site.ID).Links, Action: r.URL.Path, Press: s.Say("disconnect"), Back: "/account"}
	p.show(w, http.StatusOK, "ask.html", "", s)
	return nil
}

// left lets a site go.
func (p connections) left(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, r.URL.Path)
	if err != nil || !ok {
		return err
	}
	if err := p.Consents.Disconnect(r.Context(), r.PathValue("id"), v.Who.User.ID); err != nil {
		return err
	}
	done(p.Pages, w, r, cookie.DoneLeft+r.PathValue("id"), "/account")
	return nil
}

// gone says that a site was let go, which it names to whoever did that: a cookie says no more than which one it was.
func (p connections) gone(r *http.Request, s screen, userID, siteID string) string {
	g, err := p.Consents.Granted(r.Context(), userID, siteID)
	if err == nil && g.RevokedAt.IsZero() {
		return ""
	}
	names, more := p.Consents.Names(r.Context(), []string{siteID})
	if err != nil || more != nil { // it is so all the same
		return s.Say("saved")
	}
	return s.With("site", isolate(names[siteID])).Say("act_consent_revoked")
}
