package pages

import (
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// answerPage is the page whose form takes an answer to a site.
type answerPage struct {
	To   string
	Form url.Values
}

// Leave sends a browser on with an answer: by a redirect, or by a page with a form that
// posts it. The form goes by itself where scripts run, else by its button, and nowhere
// but to that site (OAuth 2.0 Form Post Response Mode). The page is kept nowhere.
func (p *Pages) Leave(w http.ResponseWriter, r *http.Request, site otl.Site, a signin.Answer) {
	if a.Form == nil {
		p.send(w, r, a.To)
		return
	}
	s := screen{Voice: p.voice(w, r, map[string]string{"site": isolate(site.Name)}), Site: site.Name, Data: answerPage{a.To, a.Form}}
	s.Title, s.Here = s.Say("go_back"), nil
	p.show(w, http.StatusOK, "answer.html", otl.Origin(a.To), s)
}
