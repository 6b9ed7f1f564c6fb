package pages

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// passkeys signs people in who do not say who they are.
type passkeys struct{ *Pages }

func (p passkeys) routes() {
	p.get("/signin/passkey", entry(p).signIn) // where a language is chosen on the page of an answer
	p.post("/signin/passkey", p.sent)
}

// sent takes what a browser made of the invitation of the sign-in page. Whatever is
// wrong with it, the page says one thing, and invites anew.
func (p passkeys) sent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	a, err := p.Arrivals.Passkey(r.Context(), v, secret.NewText(r.PostForm.Get("credential")))
	if err == nil {
		return p.arrived(w, r, v, a)
	}
	if !otl.Is(err, factor.ErrProof.Code) && !mendable(err) {
		return err
	}
	if v, gone := p.visit(r); gone == nil { // what it signs from now on
		return p.showSignIn(w, r, v, begins(v), err)
	}
	return err
}
