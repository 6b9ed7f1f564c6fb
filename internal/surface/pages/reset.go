package pages

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// forgotPage asks whose password is to be chosen anew, or says that a mail is on its way. It
// says the same, and offers to send again, whether or not one is (OT-10): there may be nobody,
// or another message may have gone there within the time that lies between two.
type forgotPage struct {
	Email  string
	Fixed  bool // it is a hint of somebody who was chosen, and nothing to write in
	Sent   string
	Again  string // why none may come
	Resend string // when another can be asked for
	Left   int    // seconds until then
}

// resets are the pages on which somebody who has forgotten his password chooses another (H10, H11).
type resets struct{ *Pages }

func (p resets) routes() {
	p.get("/forgot", p.forgot)
	p.post("/forgot", p.forgotSent)
	p.get("/reset/{token}", p.reset)
	p.post("/reset/{token}", p.resetSent)
}

func (p resets) forgot(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("f") == "" { // whoever is signed in, too, may want another
		f, _, err := p.visited(w, r, otl.Asked{Return: "/account"})
		if err == nil {
			p.send(w, r, at("/forgot", f.ID))
		}
		return err
	}
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	page := forgotPage{Email: shown(v), Fixed: v.Progress.Masked}
	if r.URL.Query().Get("as") == asNew {
		page = forgotPage{}
	}
	if page.Email == "" && v.Known() && v.Who.Session.HandedBy == "" {
		page.Email = v.Who.User.Email.Address
	}
	s := p.screen(w, r, v, nil)
	s.Title, s.Data = s.Say("forgot_heading"), page
	p.show(w, p.wrong(&s, mails(p.Pages)), "forgot.html", "", s)
	return nil
}

func (p resets) forgotSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	page := forgotPage{Email: strings.TrimSpace(r.PostForm.Get("email"))}
	page.Fixed = v.Progress.Masked && page.Email == shown(v)
	err = account.Resets{Accounts: p.Accounts}.Quietly(r.Context(), v.Site.ID, meant(v, page.Email), v.ID)
	if err != nil && !mendable(err) {
		return err
	}
	s := p.screen(w, r, v, map[string]string{"address": isolate(page.Email), "minutes": signin.Minutes(account.ResetTTL)})
	s.Title = s.Say("forgot_heading")
	if err == nil {
		pause := account.ResetPause()
		s.Title = s.Say("check_mail")
		page.Sent, page.Again, s.Here = s.Say("forgot_sent"), s.With("wait", s.Voice.Wait(pause)).Say("forgot_again"), nil
		page.Left = int(pause.Seconds())
		page.Resend = s.With("seconds", strconv.Itoa(page.Left)).Say("resend_from")
	}
	s.Data = page
	p.show(w, p.wrong(&s, err), "forgot.html", "", s)
	return nil
}

// resetPage lets somebody with a reset token choose a password.
type resetPage struct {
	Link  string // the token; "" where it is worth nothing, or was used
	Email string // for password managers
	As    string // whose password it is, in words
	Body  string // why the link is worth nothing
	Dead  bool   // another has to be asked for
	Doubt bool   // somebody else may have used it
	Other string // where he goes on, if that is another browser
}

func (p resets) reset(w http.ResponseWriter, r *http.Request) error {
	return p.showReset(w, r, r.PathValue("token"), nil)
}

func (p resets) showReset(w http.ResponseWriter, r *http.Request, link string, wrong error) error {
	of, err := p.Accounts.ResetFor(r.Context(), secret.Digest(link))
	if otl.Is(err, account.ErrResetToken.Code) || otl.Is(wrong, account.ErrResetToken.Code) {
		return p.deadReset(w, r, link)
	}
	if err != nil {
		return err
	}
	at, err := p.Flows.Partner(r.Context(), of.SiteID)
	if err != nil && !errors.Is(err, signin.ErrSite) {
		return err
	}
	s := p.screen(w, r, signin.Visit{Site: at}, map[string]string{"address": isolate(of.Email.Address)})
	s.Title, s.Data = s.Say("reset_heading"), resetPage{Link: link, Email: of.Email.Address, As: s.Say("for_account")}
	p.show(w, p.wrong(&s, wrong), "reset.html", "", s)
	return nil
}

// deadReset says why the link of a reset mail no longer works, as far as that is known, and leads to another.
func (p resets) deadReset(w http.ResponseWriter, r *http.Request, link string) error {
	why, when, err := signin.Deaths{Codes: p.Codes}.Why(r.Context(), otl.PurposeReset, link)
	if err != nil {
		return err
	}
	s, page := screen{Voice: p.voice(w, r, nil)}, resetPage{Dead: true, Doubt: why == signin.DeadUsed}
	said := s.With("date", s.minute(when))
	switch why {
	case signin.DeadUsed:
		s.Title, page.Body = s.Say("link_used_heading"), said.Say("reset_used")
	case signin.DeadExpired:
		s.Title, page.Body = s.Say("link_expired_heading"), said.Say("reset_expired")
	default:
		s.Title, page.Body = s.Say("link_dead_heading"), s.Say("reset_dead")
	}
	s.Data, s.Here = page, itself(p.Mux, r)
	p.show(w, http.StatusGone, "reset.html", "", s)
	return nil
}

func (p resets) resetSent(w http.ResponseWriter, r *http.Request) error {
	link := r.PathValue("token")
	site, err := p.Flows.Home(r.Context())
	if err != nil {
		return err
	}
	of, err := p.Accounts.ResetFor(r.Context(), secret.Digest(link))
	if err == nil {
		err = p.Accounts.Reset(r.Context(), site, secret.NewText(link), secret.NewText(r.PostForm.Get("password")))
	}
	if err != nil {
		if !mendable(err) && !otl.Is(err, account.ErrResetToken.Code) {
			return err
		}
		return p.showReset(w, r, link, err)
	}
	p.jar.Drop(w) // every session has ended, this browser's too
	v, left := p.resumed(w, r, of)
	s, page := p.screen(w, r, v, nil), resetPage{}
	if left.ID != v.Site.ID {
		page.Other = s.With("site", isolate(left.Name)).Say("reset_elsewhere")
	}
	if s.Here = placed("/"); s.Flow != "" { // the link is used up
		s.Here = placed(at("/signin", s.Flow))
	}
	s.Title, s.Good, s.Onward, s.Data = s.Say("change_done_heading"), s.Say("reset_done"), s.Site != "", page
	p.show(w, http.StatusOK, "reset.html", "", s)
	return nil
}

// resumed gives the visit in which somebody who chose a new password goes on, and the site of the one that
// he left for it. Both are of no site where there is none, or none can be begun: the password is chosen all the same.
func (p resets) resumed(w http.ResponseWriter, r *http.Request, of account.Reset) (signin.Visit, otl.Site) {
	v, left, err := signin.Restarts{Flows: p.Flows}.Resume(r.Context(), of.Flow, p.bind(w, r), of.Email.Address, otl.Asked{Return: "/account"})
	if err == nil {
		return v, left
	}
	if !otl.Is(err, signin.ErrFlow.Code) {
		otl.RequestOf(r.Context()).Err = err
	}
	return signin.Visit{}, otl.Site{}
}
