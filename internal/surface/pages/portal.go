package pages

import (
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/session"
)

// portal shows a browser who it is signed in as, and sends one that is not to the
// sign-in page.
func (p *Pages) portal(w http.ResponseWriter, r *http.Request) error {
	b, err := p.Codes.Sessions.Browser(r.Context(), p.jar.Held(r))
	if errors.Is(err, session.ErrNoBrowserSession) {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	v := p.voice(w, r, map[string]string{"name": isolate(b.User.Name), "address": isolate(b.User.Email.Address)}, b.User.Locale)
	p.show(w, http.StatusOK, "portal.html", "", screen{Voice: v, Title: v.Say("account"), Data: b.User.Name})
	return nil
}
