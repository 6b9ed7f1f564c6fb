package pages

import (
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// nudges offer a passkey to who signed in without one, on a device that can keep it (H15).
type nudges struct{ *Pages }

// rest is how long nobody is offered one again.
const rest = 30 * 24 * time.Hour

func (p nudges) routes() {
	p.get("/passkey/offer", p.offer)
	p.post("/passkey/offer", p.answered)
}

// able reports whether the device can keep a passkey, as the script of the sign-in page says
// of it, and none was offered lately.
func (p nudges) able(r *http.Request) bool {
	kept := p.jar.Get(r, cookie.Offer).Reveal()
	return kept == cookie.OfferAble || kept == "" && r.PostForm.Get("keys") == "1"
}

// note keeps that for when the visit is over.
func (p nudges) note(w http.ResponseWriter, r *http.Request) {
	if p.able(r) {
		p.jar.Set(w, cookie.Offer, secret.NewText(cookie.OfferAble), 0)
	}
}

// due reports whether a visit that is over stops at the offer, where the browser was then
// sent: once, and not again for a while.
func (p nudges) due(w http.ResponseWriter, r *http.Request, v signin.Visit) (bool, error) {
	if !p.able(r) {
		return false, nil
	}
	offers, err := p.SetUps.Offers(r.Context(), v)
	if err != nil || !offers {
		return false, err
	}
	p.jar.Set(w, cookie.Offer, secret.NewText(cookie.OfferLater), rest)
	p.send(w, r, at("/passkey/offer", v.ID))
	return true, nil
}

func (p nudges) offer(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := visiting(p).due(w, r, signin.StepDone)
	if err != nil || !ok {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.Title = s.Say("offer_heading")
	p.show(w, http.StatusOK, "offer.html", otl.Origin(v.Asked.Redirect), s)
	return nil
}

// answered sets a passkey up, or goes on without.
func (p nudges) answered(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	wants := r.PostForm.Get("decision") == "create"
	if v, err = p.SetUps.Want(r.Context(), v, wants); err != nil {
		return err
	}
	step, err := p.Flows.Next(r.Context(), v)
	if err == nil && wants && step == signin.StepSetUp {
		return setups(p).enrol(w, r, v, factor.New{Kind: otl.FactorKey})
	}
	if err == nil {
		err = visiting(p).lead(w, r, v, step)
	}
	return err
}
