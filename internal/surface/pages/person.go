package pages

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/signin"
)

// person gives who opens or sends a page of an account. It is false where nobody is
// signed in, who is sent to do so and on to a path of ours; for who asked for his account
// to be deleted, who is sent where he can take that back; and for who was signed in by a
// session token, which a site may hold as well: he proves himself to us first (D1, D2).
func (p accounts) person(w http.ResponseWriter, r *http.Request, then string) (signin.Visit, bool, error) {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	switch {
	case err != nil:
		return signin.Visit{}, false, err
	case who.Session.ID == "":
		return signin.Visit{}, false, p.home(w, r, then)
	case !who.User.DeleteAt.IsZero():
		p.send(w, r, "/leaving")
		return signin.Visit{}, false, nil
	case who.Session.HandedBy != "":
		return signin.Visit{}, false, p.prove(w, r, then)
	}
	return signin.Visit{Who: who}, true, nil
}

// proven is person for a page that takes something away, hands something out or changes
// how somebody is reached (H16). It is false, too, for who has not just proven to us who
// he is, by two factors if he has them: he is sent to prove what is missing, and on to a
// path of ours.
func (p accounts) proven(w http.ResponseWriter, r *http.Request, then string) (signin.Visit, bool, error) {
	v, ok, err := p.person(w, r, then)
	if err != nil || !ok {
		return v, false, err
	}
	if ok, err = p.SignIn.Proven(r.Context(), v.Who.Standing); err == nil && !ok {
		err = p.prove(w, r, then)
	}
	return v, ok, err
}
