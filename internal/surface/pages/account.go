package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// accountPage is what somebody sees of himself first.
type accountPage struct {
	Hello   string
	Address string
	Checks  []check
	Done    []sentence // what happened lately
	Sites   []siteCard
	Runs    []ownSite // sites of his own
}

// ownSite is a site that somebody owns, and where he looks after it.
type ownSite struct {
	Name, Settings, Hooks string
	Off                   string // where it is turned on again, "" for one that is on
}

// runs gives the sites somebody owns, those that are off behind those that are on.
func (p accounts) runs(r *http.Request, u otl.User) (own []ownSite, err error) {
	all, err := p.Pages.Sites.List(r.Context(), u.ID, "", shownOwn)
	for _, s := range all {
		own = append(own, ownSite{Name: s.Name, Settings: ownedAt(s.ID, siteWays), Hooks: hooksAt(s.ID)})
	}
	if err != nil {
		return nil, err
	}
	off, err := site.Off{Sites: p.Pages.Sites}.List(r.Context(), u.ID)
	for _, s := range off {
		own = append(own, ownSite{Name: s.Name, Off: ownedAt(s.ID, siteOff)})
	}
	return own, err
}

// check is one thing that keeps an account safe, or is to be done for that.
type check struct {
	Text string
	Path string // where it is done, "" where it is
	Do   string // what is done there
}

// accounts are the pages on which somebody looks after himself.
type accounts struct{ *Pages }

func (p accounts) routes() {
	p.get("/account", p.settled(p.account))
	p.post(switchPath, p.switchSent)
	p.get("/account/profile", p.profile)
	p.post("/account/profile", p.profileSent)
	p.get("/account/email", p.address("email"))
	p.post("/account/email", p.addressSent("email"))
	p.get("/account/phone", p.address("phone"))
	p.post("/account/phone", p.addressSent("phone"))
	p.post(phoneRemoval, p.phoneRemoved)
	p.get("/account/activity", p.activity)
	p.get("/account/ledger", p.ledger)
	p.get("/signout", p.signOut)
	p.post("/signout", p.signOutSent)
}

// whom gives what a page calls whom a browser is signed in as: by his address, username or
// name. Where a site may hold the session as well it is a hint by which he knows himself: the
// site reads nothing here that he did not grant (D1).
func whom(u otl.User, handed bool) string {
	name := cmp.Or(u.Email.Address, u.Username.Name, u.Name)
	if handed {
		return otl.Masked(name)
	}
	return name
}

// greeting gives what the voice needs to greet somebody.
func greeting(u otl.User) map[string]string {
	name := u.Name
	if name == "" {
		name = u.Email.Address
	}
	return map[string]string{"name": isolate(name), "address": isolate(u.Email.Address)}
}

// handed answers whom a site signed in with a session token, and shows a hint of who he is and
// nothing else: the site may hold the session as well. It reports false for everybody else, and for who goes on.
func (p accounts) handed(w http.ResponseWriter, r *http.Request) (bool, error) {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil || who.Session.HandedBy == "" || r.URL.Query().Get("own") == "1" {
		return false, err
	}
	s := p.screen(w, r, signin.Visit{Who: who}, map[string]string{"address": isolate(whom(who.User, true))})
	s.Title = s.Say("account")
	p.show(w, http.StatusOK, "handed.html", "", s)
	return true, nil
}

// shownLately is how many entries of the log the first page has.
const shownLately = 5

// shownOwn is how many of the sites somebody owns the first page has.
const shownOwn = 50

func (p accounts) account(w http.ResponseWriter, r *http.Request) error {
	if done, err := p.handed(w, r); done || err != nil {
		return err
	}
	v, ok, err := p.person(w, r, "/account")
	if err != nil || !ok {
		return err
	}
	s := p.screen(w, r, v, greeting(v.Who.User))
	page := accountPage{Hello: s.Say("hello"), Address: s.Say("signed_in_as")}
	if page.Checks, err = p.checks(r, s, v.Who.User); err != nil {
		return err
	}
	if page.Done, _, err = p.told(r, s, v.Who, "", shownLately); err != nil {
		return err
	}
	page.Sites, err = connections{p}.cards(r, s, v.Who.User)
	if err != nil {
		return err
	}
	if page.Runs, err = p.runs(r, v.Who.User); err != nil {
		return err
	}
	s.portal(s.Say("account"))
	s.Data = page
	s.Good = p.note(w, r, s, v)
	p.show(w, http.StatusOK, "account.html", "", s)
	return nil
}

// note says what a page was opened for after something was done. What was changed no
// address says: anybody could have somebody open it.
func (p accounts) note(w http.ResponseWriter, r *http.Request, s screen, v signin.Visit) string {
	q := r.URL.Query()
	switch done := p.jar.Noted(w, r); {
	case done == cookie.DonePassword:
		return s.Say("saved") + " " + s.Say("others_ended")
	case done == cookie.DoneAlone:
		return s.Say("others_ended")
	case done == cookie.DoneSaved:
		return s.Say("saved")
	case strings.HasPrefix(done, cookie.DoneLeft):
		return connections{p}.gone(r, s, v.Who.User.ID, strings.TrimPrefix(done, cookie.DoneLeft))
	case q.Get("proven") == "1":
		return s.Say("proven_press")
	case q.Get("kept") == "1":
		return s.Say("leaving_kept")
	}
	return ""
}

// fewCodes is how many recovery codes are so few that there should be new ones.
const fewCodes = 3

// checks gives what keeps an account safe: a passkey, a second step, codes for the day it
// is lost.
func (p accounts) checks(r *http.Request, s screen, u otl.User) ([]check, error) {
	has, err := p.Factors.List(r.Context(), u)
	if err != nil {
		return nil, err
	}
	one := func(good bool, yes, no, do string) check {
		if good {
			return check{Text: yes}
		}
		return check{no, security, s.Say(do)}
	}
	out := []check{
		one(slices.ContainsFunc(has.Factors, func(o factor.Offer) bool { return o.Kind == otl.FactorKey }), s.Say("check_key"), s.Say("check_key_not"), "add_key"),
		one(len(has.Factors) > 0, s.Say("check_second"), s.Say("no_factors"), "add_way"),
	}
	if len(has.Factors) > 0 {
		left := s.With("left", strconv.Itoa(has.CodesLeft)).Say("codes_left")
		out = append(out, one(has.CodesLeft > fewCodes, left, left, "codes_new"))
	}
	return out, nil
}

// agent names a browser. A site's session has none where the site signs people in by calls
// of its own; that of our own pages then says nothing.
func agent(s screen, userAgent string, own bool) string {
	switch named := browserOf(s, userAgent); {
	case named != "":
		return named
	case own:
		return s.Say("unknown_browser")
	}
	return s.Say("by_site")
}
