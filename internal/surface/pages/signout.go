package pages

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// signOutPage asks, or says that it is done.
type signOutPage struct {
	Done bool
	As   string // whom the browser is signed in as
	Here string // that nobody is, "" where more is said
}

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
	s := p.screen(w, r, v, map[string]string{"address": isolate(whom(who.User, who.Session.HandedBy != ""))})
	page := signOutPage{Done: who.Session.ID == "", As: s.Say("signed_in_as"), Here: s.Say("signed_out_here")}
	if s.Title = s.Say("signout"); page.Done {
		s.Title = s.Say("signed_out")
		if p.jar.Noted(w, r) == cookie.DoneAll {
			s.Good, page.Here = s.Say("signed_out_all"), ""
		}
	}
	s.Data = page
	p.show(w, http.StatusOK, "signout.html", otl.Origin(to), s)
	return nil
}

// signOutSent ends the browser's session, or all of the person's, with one that a site's
// script opened beside it. Who signs out everywhere leaves nobody behind to be chosen. Whom a site signed in proves himself to us before all of his end.
func (p accounts) signOutSent(w http.ResponseWriter, r *http.Request) error {
	held, err := p.Flows.All(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	everywhere := r.PostForm.Get("where") == "everywhere"
	if everywhere && len(held) > 0 && held[0].Session.HandedBy != "" {
		return p.prove(w, r, at("/signout", r.PostForm.Get("f")))
	}
	if err := p.Flows.SignOut(r.Context(), held, everywhere); err != nil {
		return err
	}
	to, err := p.Flows.Leaving(r.Context(), r.PostForm.Get("f"), p.jar.Get(r, cookie.Flow))
	if err != nil {
		return err
	}
	if to == "" {
		to = "/signout"
	}
	p.jar.Drop(w)
	if everywhere {
		p.jar.Clear(w, cookie.Former)
		p.jar.Note(w, cookie.DoneAll)
	}
	p.send(w, r, to)
	return nil
}
