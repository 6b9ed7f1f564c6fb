package pages

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// linkPage is the page of a one-time link, or of one that no longer works.
type linkPage struct {
	Lang, Dir              string
	Heading, Body          string
	Token, Confirm, Refuse string // Token is "" where there is nothing to do
}

// link shows what a link would do, and does nothing (OT-14): mail scanners, previews
// and prefetches open links too. Only a client that asked for no page has its link
// used up by being fetched.
func (p *Pages) link(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		return
	}
	token := r.PathValue("token")
	o, err := p.codes.Look(r.Context(), token)
	if err != nil {
		p.deadLink(w, r, err)
		return
	}
	if o.Confirm == otl.ConfirmNever && r.Header.Get("Sec-Purpose") == "" {
		p.follow(w, r, token)
		return
	}
	v := message.Speak(map[string]string{"site": o.SiteName}, o.Locale, r.Header.Get("Accept-Language"))
	// A browser holds the address the form's answer leads to against form-action too.
	w.Header().Set("Content-Security-Policy", strings.Replace(policy, "form-action 'self'", "form-action 'self' "+o.Origin, 1))
	p.showLink(w, http.StatusOK, linkPage{
		Lang: v.Lang, Dir: v.Dir(), Heading: v.Say("link_page_heading"), Token: token, Confirm: v.Say("signin_link"), Refuse: v.Say("link_deny"),
	})
}

// confirmLink uses the link up. A page of another site cannot: its visitor would be
// signed in as somebody else.
func (p *Pages) confirmLink(w http.ResponseWriter, r *http.Request) {
	if err := p.origin.Check(r); err != nil {
		p.fail(w, r, &otl.Error{Kind: otl.Forbidden, Code: "cross_site", Text: "Another site may not call this."})
		return
	}
	p.follow(w, r, r.PathValue("token"))
}

func (p *Pages) follow(w http.ResponseWriter, r *http.Request, token string) {
	to, err := p.codes.Confirm(r.Context(), token)
	if err != nil {
		p.deadLink(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // G710: an address that was checked against those registered
}

func (p *Pages) denyLink(w http.ResponseWriter, r *http.Request) {
	if err := p.origin.Check(r); err != nil {
		p.fail(w, r, &otl.Error{Kind: otl.Forbidden, Code: "cross_site", Text: "Another site may not call this."})
		return
	}
	if err := p.codes.Deny(r.Context(), r.PathValue("token")); err != nil {
		p.deadLink(w, r, err)
		return
	}
	v := message.Speak(nil, r.Header.Get("Accept-Language"))
	p.showLink(w, http.StatusOK, linkPage{Lang: v.Lang, Dir: v.Dir(), Heading: v.Say("link_deny"), Body: v.Say("link_denied_body")})
}

func (p *Pages) deadLink(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, signin.ErrLink) {
		p.fail(w, r, err)
		return
	}
	v := message.Speak(nil, r.Header.Get("Accept-Language"))
	p.showLink(w, http.StatusGone, linkPage{Lang: v.Lang, Dir: v.Dir(), Heading: v.Say("link_dead_heading"), Body: v.Say("link_dead_body")})
}

func (p *Pages) showLink(w http.ResponseWriter, status int, data linkPage) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, "link.html", data); err != nil {
		panic(err) // a template of ours; the server answers 500
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
