package pages

import (
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/signin"
)

// Switch shows the page that asks whether somebody wants to be signed in in the place
// of another, as a site proposes: nobody is without his knowledge (AD-02). Its form goes
// to a path of ours, with the field switch as yes or no.
func (p *Pages) Switch(w http.ResponseWriter, r *http.Request, path string, h signin.Handed) {
	v := p.voice(w, r, map[string]string{
		"site": isolate(h.From.Name), "user": isolate(h.Person.Email.Address), "was": isolate(h.Was.User.Email.Address),
	}, h.Was.User.Locale)
	leads := ""
	if u, err := url.Parse(h.ReturnTo); err == nil && u.Host != "" {
		leads = u.Scheme + "://" + u.Host
	}
	p.show(w, http.StatusOK, "switch.html", leads, screen{Voice: v, Title: v.Say("switch_heading"), Data: path})
}
