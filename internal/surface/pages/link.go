package pages

import (
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// linkPage is the page of a one-time link, or of one that no longer works.
type linkPage struct {
	Link string // "" where there is nothing to do
	Body string
}

func (p *Pages) linkPages() {
	p.get("/l/{token}", p.link)
	p.post("/l/{token}", p.confirmLink)
	p.post("/l/{token}/deny", p.denyLink)
}

// link shows what a link would do, and does nothing (OT-14): mail scanners, previews
// and prefetches open links too. Only a client that asked for no page has its link
// used up by being fetched.
func (p *Pages) link(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		return nil
	}
	link := r.PathValue("token")
	o, err := p.Codes.Look(r.Context(), link)
	if err != nil {
		return p.deadLink(w, r, err)
	}
	if o.Confirm == otl.ConfirmNever && r.Header.Get("Sec-Purpose") == "" {
		return p.follow(w, r, link)
	}
	v := p.voice(w, r, map[string]string{"site": isolate(o.SiteName)}, o.Locale)
	p.show(w, http.StatusOK, "link.html", o.Origin, screen{
		Voice: v, Title: v.Say("link_page_heading"), Token: token(p.bind(w, r)), Data: linkPage{Link: link},
	})
	return nil
}

// confirmLink uses the link up. A page of another site cannot: its visitor would be
// signed in as somebody else.
func (p *Pages) confirmLink(w http.ResponseWriter, r *http.Request) error {
	return p.follow(w, r, r.PathValue("token"))
}

func (p *Pages) follow(w http.ResponseWriter, r *http.Request, link string) error {
	to, err := p.Codes.Confirm(r.Context(), link)
	if err != nil {
		return p.deadLink(w, r, err)
	}
	p.leave(w, r, to)
	return nil
}

// leave sends the browser to an address that was checked against those registered.
func (p *Pages) leave(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // G710: see above
}

func (p *Pages) denyLink(w http.ResponseWriter, r *http.Request) error {
	if err := p.Codes.Deny(r.Context(), r.PathValue("token")); err != nil {
		return p.deadLink(w, r, err)
	}
	v := p.voice(w, r, nil)
	p.show(w, http.StatusOK, "link.html", "", screen{Voice: v, Title: v.Say("link_deny"), Data: linkPage{Body: v.Say("link_denied_body")}})
	return nil
}

func (p *Pages) deadLink(w http.ResponseWriter, r *http.Request, err error) error {
	if !errors.Is(err, signin.ErrLink) {
		return err
	}
	v := p.voice(w, r, nil)
	p.show(w, http.StatusGone, "link.html", "", screen{Voice: v, Title: v.Say("link_dead_heading"), Data: linkPage{Body: v.Say("link_dead_body")}})
	return nil
}
