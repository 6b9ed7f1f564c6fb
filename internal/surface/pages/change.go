package pages

import (
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// changePage asks whether an address or number is to be changed, or a change undone.
type changePage struct {
	Link  string // "" where there is nothing to press
	Press string
	Body  []string
	Renew bool // a new password may be wanted
}

// changes are the pages behind the links of changes.
type changes struct{ *Pages }

func (p changes) routes() {
	p.get("/c/{token}", p.change)
	p.post("/c/{token}", p.confirmChange)
}

// change shows what the link of a change would do, and does nothing: mail scanners
// open links too (OT-14).
func (p changes) change(w http.ResponseWriter, r *http.Request) error {
	link := r.PathValue("token")
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	if who.Session.HandedBy != "" { // the site may hold it, too
		who.User.ID = ""
	}
	c, err := p.Changes.Look(r.Context(), link, who.User.ID)
	if err != nil {
		return p.deadChange(w, r, err)
	}
	v := p.voice(w, r, changed(c), c.Locale)
	title, page := v.Say("change_page_heading"), changePage{Link: link, Press: v.Say("confirm_change_link")}
	if c.Was != "" {
		page.Body = append(page.Body, v.Say("change_was"))
	}
	page.Body = append(page.Body, v.Say("change_leave"))
	if c.Undo {
		title, page.Press, page.Body = v.Say("undo_page_heading"), v.Say("change_asked_link"), []string{v.Say("undo_page_body"), v.Say("undo_since")}
	}
	switch {
	case c.Gone != "":
		page.Body[0] = v.Say("undo_number")
	case c.Undo && c.To == "": // of no address: a second factor
		page.Body = []string{v.Say("factor_added_heading"), v.Say("undo_factors")}
	}
	p.show(w, http.StatusOK, "change.html", "", screen{Voice: v, Title: title, Token: token(p.bind(w, r)), Data: page})
	return nil
}

// changed gives what the voice needs to say what is changed.
func changed(c account.AskedChange) map[string]string {
	return map[string]string{message.DataTo: isolate(c.To), "was": isolate(c.Was), "number": isolate(c.Gone)}
}

// confirmChange does it.
func (p changes) confirmChange(w http.ResponseWriter, r *http.Request) error {
	link := r.PathValue("token")
	c, err := p.Changes.Look(r.Context(), link, "")
	if err == nil {
		err = p.Changes.Follow(r.Context(), link)
	}
	if err != nil {
		return p.deadChange(w, r, err)
	}
	v := p.voice(w, r, changed(c), c.Locale)
	v.Here = placed("/") // the link is used up
	body := v.Say("change_done_body")
	if c.Undo {
		body = v.Say("undo_done_body")
	}
	p.show(w, http.StatusOK, "change.html", "", screen{Voice: v, Title: v.Say("change_done_heading"), Data: changePage{Body: []string{body}, Renew: c.Undo}})
	return nil
}

// deadChange says that a link no longer works, and of one that did what it was there for that this
// holds.
func (p changes) deadChange(w http.ResponseWriter, r *http.Request, err error) error {
	if !errors.Is(err, account.ErrChange) && !errors.Is(err, otl.ErrEmailTaken) {
		return err
	}
	title, body := "link_used_heading", "change_done_body"
	c, err := p.Changes.Stands(r.Context(), r.PathValue("token"))
	if errors.Is(err, account.ErrChange) {
		title, body = "link_dead_heading", "change_dead_body"
	} else if err != nil {
		return err
	}
	v := p.voice(w, r, changed(c), c.Locale)
	p.show(w, http.StatusGone, "change.html", "", screen{Voice: v, Title: v.Say(title), Data: changePage{Body: []string{v.Say(body)}}})
	return nil
}
