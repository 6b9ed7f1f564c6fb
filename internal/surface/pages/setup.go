package pages

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// waysPage is the page on which somebody chooses a second factor to set up.
type waysPage struct {
	Body  string
	Ways  []way
	Phone string // as it was typed
	wayOut
}

// wayOut is how somebody leaves the pages that set a second factor up.
type wayOut struct {
	Own   bool // he came by himself, and no site waits for it
	Wants bool // he was offered it on the way to a site, which does not ask for it
}

// out gives it for a visit.
func out(v signin.Visit) wayOut { return wayOut{v.Site.FirstParty, v.Progress.Wants} }

// way is a kind of factor that can be set up.
type way struct {
	Kind       otl.FactorKind
	Name, Hint string
	Press      string // words of the button that begins it
	Best       bool
}

// presses names the words of the buttons that do more than go on.
func presses(k otl.FactorKind) string {
	switch k {
	case otl.FactorSMS:
		return "text_code"
	case otl.FactorMail:
		return "mail_code"
	}
	return "continue"
}

// enterPage is the page on which somebody shows that he has the factor he is setting up.
type enterPage struct {
	ID, Kind string
	To       string // where a code was sent, "" for other kinds
	Body     string
	Options  string       // of a passkey, for the browser
	Seed     string       // of an app, to be typed; "" where it is not to be shown any more (MF-12)
	Link     template.URL // of the same
	Code     qr           // of the same
	Key      bool
	Wrong    bool   // a code of the app was wrong
	Lost     string // what to do where the app never got its key, which cannot be shown any more
	wayOut
}

// codesPage shows recovery codes, once.
type codesPage struct {
	Codes []string
	Saved string // path of the form that goes on
}

// setups are the pages on which somebody sets a second factor up (H7). Secrets stand in
// answers to forms alone: none of them has an address.
type setups struct{ *Pages }

func (p setups) routes() {
	p.get("/mfa/setup", p.choose)
	p.post("/mfa/setup", p.begin)
	p.get("/mfa/setup/confirm", p.choose) // where a language is chosen on the page of an answer
	p.post("/mfa/setup/confirm", p.confirm)
	p.post("/mfa/setup/saved", p.saved)
}

func (p setups) choose(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := visiting(p).due(w, r, signin.StepSetUp)
	if err == nil && ok {
		p.ways(w, r, v, "", nil)
	}
	return err
}

func (p setups) ways(w http.ResponseWriter, r *http.Request, v signin.Visit, phone string, wrong error) {
	s := p.screen(w, r, v, nil)
	page := waysPage{Body: s.Say("setup_body"), Phone: phone, wayOut: out(v)}
	if page.Own || page.Wants {
		page.Body = s.Say("setup_own")
	}
	for i, k := range p.SetUps.Ways(v) {
		page.Ways = append(page.Ways, way{k, s.Say("way_" + string(k)), s.Say("way_" + string(k) + "_hint"), s.Say(presses(k)), i == 0})
	}
	s.Title, s.Data = s.Say("setup_heading"), page
	code := p.wrong(&s, wrong)
	if phone != "" && wrong != nil && otl.As(wrong).Kind != otl.Limited {
		if s.Wrong["phone"] == "" {
			s.Problem = s.Say("bad_phone")
		}
		s.Wrong = map[string]string{"phone": s.Problem}
	}
	p.show(w, code, "ways.html", otl.Origin(v.Asked.Redirect), s)
}

// dialled gives a number without what people write between its digits.
func dialled(typed string) string {
	return strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "/", "").Replace(typed)
}

// begin begins to set a factor up and shows what is needed to.
func (p setups) begin(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := visiting(p).due(w, r, signin.StepSetUp)
	if err != nil || !ok {
		return err
	}
	return p.enrol(w, r, v, factor.New{Kind: otl.FactorKind(r.PostForm.Get("kind")), Number: dialled(r.PostForm.Get("phone"))})
}

// enrol begins to set one factor up.
func (p setups) enrol(w http.ResponseWriter, r *http.Request, v signin.Visit, n factor.New) error {
	e, err := p.SetUps.Enrol(r.Context(), v, n)
	switch {
	case err != nil && (mendable(err) || n.Number != "" && otl.As(err).Kind == otl.Forbidden): // no SMS go there
		p.ways(w, r, v, n.Number, err)
		return nil
	case err != nil:
		return err
	}
	page := enterPage{ID: e.ID, Kind: string(e.Kind), Options: e.Options}
	if err := page.app(e); err != nil {
		return err
	}
	if page.To = e.Target; e.Kind == otl.FactorMail {
		page.To = v.Who.User.Email.Address
	}
	p.enter(w, r, v, page, nil)
	return nil
}

// app puts the key of an app on the page, where there is one to be shown.
func (p *enterPage) app(e factor.Enrolment) (err error) {
	if p.Seed = groups(e.Seed); p.Seed != "" {
		p.Link = template.URL(e.Link.Reveal()) //nolint:gosec // G203: an otpauth URL of our own making
		p.Code, err = draw(e.Link.Reveal())
	}
	return err
}

// mistaken shows the page again after a proof that was wrong: with the key of an app, which may not
// have got it, in the browser that began to set it up (MF-12).
func (p setups) mistaken(w http.ResponseWriter, r *http.Request, v signin.Visit, page enterPage, wrong error) error {
	e, err := p.SetUps.Again(r.Context(), v, page.ID)
	if err != nil && !otl.Is(err, factor.ErrNone.Code) {
		return err
	}
	if err := page.app(e); err != nil {
		return err
	}
	page.Wrong = page.Kind == string(otl.FactorTOTP)
	p.enter(w, r, v, page, wrong)
	return nil
}

// enter shows the page that takes the proof.
func (p setups) enter(w http.ResponseWriter, r *http.Request, v signin.Visit, page enterPage, wrong error) {
	s := p.screen(w, r, v, map[string]string{"to": isolate(page.To)})
	s.Here = nil // what is set up has no address
	page.Key, page.wayOut = page.Kind == string(otl.FactorKey), out(v)
	switch {
	case page.Key:
		page.Body = s.Say("way_webauthn_hint")
	case page.Seed != "":
		page.Body = s.Say("setup_scan")
	case page.To != "":
		page.Body = s.Say("setup_sent")
	default:
		page.Body, page.Lost = s.Say("setup_enter"), s.Say("setup_lost")
	}
	s.Title, s.Data = s.Say("setup_heading"), page
	code := p.wrong(&s, wrong)
	if wrong != nil && s.Problem == "" {
		s.Problem = s.Say("mfa_wrong")
	}
	p.show(w, code, "enter.html", otl.Origin(v.Asked.Redirect), s)
}

// groups gives a seed as one types it: four characters at a time.
func groups(seed secret.Text) string {
	var out []byte
	for i, c := range []byte(seed.Reveal()) {
		if i > 0 && i%4 == 0 {
			out = append(out, ' ')
		}
		out = append(out, c)
	}
	return string(out)
}

// confirm finishes it: with the first factor come recovery codes.
func (p setups) confirm(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := visiting(p).due(w, r, signin.StepSetUp)
	if err != nil || !ok {
		return err
	}
	kind, proof := r.PostForm.Get("kind"), r.PostForm.Get("code")
	if made := r.PostForm.Get("credential"); made != "" {
		proof = made
	}
	c, a, err := p.SetUps.Confirm(r.Context(), v, r.PostForm.Get("factor"), secret.NewText(proof))
	switch {
	case kind == string(otl.FactorKey) && otl.Is(err, factor.ErrProof.Code), otl.Is(err, factor.ErrNone.Code):
		p.ways(w, r, v, "", err) // what it was to sign is no good any more
		return nil
	case otl.Is(err, factor.ErrProof.Code), err != nil && mendable(err):
		return p.mistaken(w, r, v, enterPage{ID: r.PostForm.Get("factor"), Kind: kind, To: r.PostForm.Get("to")}, err)
	case err != nil:
		return err
	}
	p.hold(w, r, a)
	v.Who = a.Browser
	if len(c.RecoveryCodes) == 0 {
		v.Progress.SetUp = p.Now() // as is stored
		return p.proceed(w, r, v)
	}
	p.codes(w, r, v, c.RecoveryCodes, "/mfa/setup/saved")
	return nil
}

// codes shows recovery codes this once.
func (p setups) codes(w http.ResponseWriter, r *http.Request, v signin.Visit, codes []secret.Text, saved string) {
	s := p.screen(w, r, v, nil)
	s.Here = nil
	page := codesPage{Saved: saved}
	for _, one := range codes {
		page.Codes = append(page.Codes, one.Reveal())
	}
	s.Title, s.Data = s.Say("codes_heading"), page
	p.show(w, http.StatusOK, "codes.html", otl.Origin(v.Asked.Redirect), s)
}

// saved goes on once the codes are.
func (p setups) saved(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	return p.proceed(w, r, v)
}
