package pages

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// secondPage is the page of a second step.
type secondPage struct {
	Factor  factor.Offer
	As      string // whose step it is, by a hint; "" where he has neither address nor username
	Body    string
	Sent    bool // a code was sent, so that the field is shown
	Sends   bool // its code has to be sent
	Others  []factor.Offer
	Lost    string // id of what stands in for the others, "" where there is none to be offered
	Drift   bool   // its codes fail, as those of a clock that is off do
	Numeric bool
	Key     bool   // it is a passkey or security key
	Texted  bool   // its code comes by SMS
	Trusts  string // the words of the box to trust the device by, "" where that cannot be
}

// driftTries is after how many wrong codes of an app the page asks about its clock.
const driftTries = 2

// second shows one factor at a time: the one chosen, or the first.
func (p entry) second(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	return p.showSecond(w, r, v, r.URL.Query().Get("with"), r.URL.Query().Get("sent") == "1", nil)
}

func (p entry) showSecond(w http.ResponseWriter, r *http.Request, v signin.Visit, chosen string, sent bool, wrong error) error {
	step, err := p.Arrivals.Look(r.Context(), v, p.jar.Get(r, cookie.Step))
	if errors.Is(err, signin.ErrStep) || err == nil && len(step.Factors) == 0 {
		return p.secondOver(w, r, v, wrong)
	}
	if err != nil {
		return err
	}
	i := max(slices.IndexFunc(step.Factors, func(o factor.Offer) bool { return o.ID == chosen }), 0)
	s := p.screen(w, r, v, nil)
	s.Here = placed(at("/mfa", v.ID) + "&with=" + step.Factors[i].ID)
	if sent {
		s.Here.Query.Set("sent", "1")
	}
	page := secondPage{Factor: step.Factors[i], Sent: sent}
	if name := signin.Called(step.User); name != "" {
		page.As = s.With("address", isolate(otl.Masked(name))).Say("for_account")
	}
	if step.Trusts > 0 {
		page.Trusts = s.With("date", s.day(p.Arrivals.Now().Add(step.Trusts))).Say("trust_device")
	}
	for _, o := range slices.Delete(slices.Clone(step.Factors), i, i+1) {
		if o.Kind == otl.FactorRecovery {
			page.Lost = o.ID
		} else {
			o.Label = named(s, o)
			page.Others = append(page.Others, o)
		}
	}
	page.Drift = page.Factor.Kind == otl.FactorTOTP && step.Tries >= driftTries
	page.Key, page.Texted = page.Factor.Kind == otl.FactorKey, page.Factor.Kind == otl.FactorSMS
	page.Sends, page.Numeric = page.Factor.Kind.Sent(), page.Factor.Kind != otl.FactorRecovery
	page.Body = s.Say(factorWords(page.Factor.Kind))
	s.Title, s.Onward, s.Data = s.Say("mfa"), s.Site != "", page
	code := p.wrong(&s, wrong)
	switch {
	case wrong == nil || s.Problem != "":
	case errors.Is(wrong, factor.ErrReused):
		s.Problem = s.Say("totp_reused")
	case page.Key:
		s.Problem = s.Say("passkey_failed")
	default:
		s.Problem = s.Say("mfa_wrong")
		if left := p.Arrivals.Second.Tries - step.Tries; left <= fewTries {
			s.Problem = s.With("left", strconv.Itoa(left)).Say("code_tries")
		}
	}
	p.show(w, code, "mfa.html", otl.Origin(v.Asked.Redirect), s)
	return nil
}

// secondOver goes on after a step that has come to its end without a proof. Whoever just tried
// one and is to begin again is told why.
func (p entry) secondOver(w http.ResponseWriter, r *http.Request, v signin.Visit, tried error) error {
	p.jar.Clear(w, cookie.Step)
	next, err := p.Flows.Next(r.Context(), v)
	if err != nil {
		return err
	}
	if tried != nil && next == signin.StepSignIn {
		return p.showSignIn(w, r, v, begins(v), signin.ErrStep)
	}
	return visiting(p).lead(w, r, v, next)
}

// factorWords names the words that ask for a factor.
func factorWords(k otl.FactorKind) string {
	switch k {
	case otl.FactorSMS:
		return "mfa_sms"
	case otl.FactorMail:
		return "mfa_email"
	case otl.FactorRecovery:
		return "mfa_recovery"
	case otl.FactorKey:
		return "mfa_key"
	}
	return "mfa_totp"
}

// secondSend sends the code of a factor that is one. Of a key it answers the script of
// the page with what the browser is to sign.
func (p entry) secondSend(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	chosen := r.PostForm.Get("factor")
	o, err := p.Arrivals.Challenge(r.Context(), v, p.jar.Get(r, cookie.Step), chosen)
	if err != nil {
		if errors.Is(err, signin.ErrStep) || mendable(err) {
			return p.showSecond(w, r, v, chosen, false, err)
		}
		return err
	}
	if o.Options != "" {
		answer(w, json.RawMessage(o.Options))
		return nil
	}
	p.send(w, r, at("/mfa", v.ID)+"&sent=1&with="+chosen)
	return nil
}

func (p entry) secondSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	chosen, proof := r.PostForm.Get("factor"), r.PostForm.Get("code")
	if r.PostForm.Has("credential") {
		proof = r.PostForm.Get("credential")
	} else if err := coded(r); err != nil {
		return p.showSecond(w, r, v, chosen, true, err)
	}
	a, err := p.Arrivals.Complete(r.Context(), v, signin.StepProof{
		Token: p.jar.Get(r, cookie.Step), FactorID: chosen, Proof: secret.NewText(proof), Trust: r.PostForm.Get("trust") == "1",
	})
	switch {
	case otl.Is(err, factor.ErrProof.Code), errors.Is(err, factor.ErrReused), errors.Is(err, signin.ErrStep), errors.Is(err, factor.ErrNone), err != nil && mendable(err):
		return p.showSecond(w, r, v, chosen, true, err)
	case err != nil:
		return err
	}
	p.jar.Clear(w, cookie.Step)
	return p.arrived(w, r, v, a)
}
