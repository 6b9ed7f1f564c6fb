package pages

import (
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/signin"
)

// switchPage asks whether somebody wants to be signed in as another.
type switchPage struct {
	Path string // where the answer goes
	User string // id of whom it asks about, and the answer is for nobody else
}

// Switch shows the page that asks whether somebody wants to be signed in in the place
// of another, as a site proposes: nobody is without his knowledge (AD-02). Its form goes
// to a path of ours, with the field switch as yes or no, and user as whom it asked about.
// The site may be who reads it, and is told of neither more than a hint (D1).
func (p *Pages) Switch(w http.ResponseWriter, r *http.Request, path string, h signin.Handed) {
	s := p.screen(w, r, signin.Visit{}, nil)
	s.Voice = p.voice(w, r, map[string]string{
		"site": isolate(h.From.Name), "user": isolate(whom(h.Person, true)), "was": isolate(whom(h.Was.User, h.Was.Session.HandedBy != "")),
	}, h.Was.User.Locale)
	s.Title, s.Data = s.Say("switch_heading"), switchPage{path, h.Person.ID}
	leads := ""
	if u, err := url.Parse(h.ReturnTo); err == nil && u.Host != "" {
		leads = u.Scheme + "://" + u.Host
	}
	p.show(w, http.StatusOK, "switch.html", leads, s)
}

// switchPath is where the choice goes between two sessions that a browser holds.
const switchPath = "/account/switch"

// settled asks before a page of the account whether somebody wants to be signed in in the
// place of another, where a script of a site's page proposed it.
func (p accounts) settled(do act) act {
	return func(w http.ResponseWriter, r *http.Request) error {
		h, two, err := signin.Rivals{Flows: p.Flows}.Find(r.Context(), p.jar.Held(r))
		if err != nil {
			return err
		}
		if !two {
			return do(w, r)
		}
		p.Switch(w, r, switchPath, h)
		return nil
	}
}

// switchSent ends the session that the person does not want to be signed in by. He is asked
// again where the page asked him about somebody else than a site proposes by now.
func (p accounts) switchSent(w http.ResponseWriter, r *http.Request) error {
	h, two, err := signin.Rivals{Flows: p.Flows}.Find(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	if two {
		change := r.PostForm.Get("switch") == "yes"
		if change && r.PostForm.Get("user") != h.Person.ID {
			p.Switch(w, r, switchPath, h)
			return nil
		}
		if err := (signin.Rivals{Flows: p.Flows}).Settle(r.Context(), h, change); err != nil {
			return err
		}
		goes := cookie.Across
		if change {
			goes = cookie.Session
		}
		p.jar.Clear(w, goes)
	}
	p.send(w, r, "/account")
	return nil
}
