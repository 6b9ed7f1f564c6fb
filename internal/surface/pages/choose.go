package pages

import (
	"net/http"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// choosePage asks as whom somebody goes on.
type choosePage struct {
	Now    string // whom the browser is signed in as, "" for nobody
	As     string // his address, "" where Now says that
	Former []formerCard
}

// formerCard is somebody who was signed in in the browser before, by a hint.
type formerCard struct{ ID, Name string }

// How a browser comes to the page of a sign-in from others.
const (
	asOther = "other" // though somebody is signed in
	asNew   = "new"   // as nobody who was chosen
)

// choosing are the pages where somebody says as whom he goes on.
type choosing struct{ *Pages }

// formers gives who was signed in in a browser before, but whom it is signed in as.
func (p choosing) formers(r *http.Request, now string) ([]session.Browser, error) {
	kept := append([]secret.Text{p.jar.Get(r, cookie.Session)}, p.jar.Formers(r)...)
	return signin.Formers{Flows: p.Flows}.List(r.Context(), now, kept)
}

// keep keeps the cookies of former sessions in a browser, for as long as a session may live.
func (p choosing) keep(w http.ResponseWriter, former []session.Browser) {
	held := make([]secret.Text, len(former))
	for i, one := range former {
		held[i] = one.Cookie
	}
	p.jar.Keep(w, held, p.Flows.Sessions.MaxAge)
}

// choose asks as whom somebody goes on (H14): as who is signed in, again as one of those
// who were before, or as somebody else.
func (p choosing) choose(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("f") == "" {
		return p.own(w, r, otl.Asked{Return: "/account", Choose: true})
	}
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	step, err := p.Flows.Next(r.Context(), v)
	if err != nil {
		return err
	}
	former, err := p.formers(r, v.Who.User.ID)
	if err != nil {
		return err
	}
	if step != signin.StepChoose && (step != signin.StepSignIn || len(former) == 0) {
		return visiting(p).lead(w, r, v, step)
	}
	s := p.screen(w, r, v, nil)
	page := choosePage{}
	if v.Known() {
		page.Now, page.As = chooses(v.Who)
	}
	for _, one := range former {
		page.Former = append(page.Former, formerCard{one.Session.ID, otl.Masked(signin.Called(one.User))})
	}
	s.Title, s.Onward, s.Data = s.Say("choose"), s.Site != "", page
	p.show(w, http.StatusOK, "choose.html", otl.Origin(v.Asked.Redirect), s)
	return nil
}

// chooses names whom somebody can go on as, and gives his address where that is not his name.
func chooses(who session.Browser) (name, address string) {
	as := whom(who.User, who.Session.HandedBy != "")
	if name := who.User.Name; name != "" && name != as && who.Session.HandedBy == "" {
		return name, as
	}
	return as, ""
}

func (p choosing) chooseSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	as, remove := r.PostForm.Get("as"), r.PostForm.Get("remove")
	if as == "" && remove == "" {
		if v, err = p.Flows.Chosen(r.Context(), v); err != nil {
			return err
		}
		return p.proceed(w, r, v)
	}
	former, err := p.formers(r, v.Who.User.ID)
	if err != nil {
		return err
	}
	is := func(id string) func(session.Browser) bool {
		return func(o session.Browser) bool { return o.Session.ID == id }
	}
	if i := slices.IndexFunc(former, is(as)); i >= 0 {
		if err := (signin.Formers{Flows: p.Flows}).Choose(r.Context(), v, former[i]); err != nil {
			return err
		}
		p.send(w, r, at("/signin", v.ID)+"&as="+asOther)
		return nil
	}
	if slices.ContainsFunc(former, is(remove)) {
		if !v.Known() {
			p.jar.Clear(w, cookie.Session) // it may be the one of a session that expired
		}
		p.keep(w, slices.DeleteFunc(former, is(remove)))
	}
	p.send(w, r, at("/choose", v.ID))
	return nil
}

// shown gives what a page shows of what somebody called himself: a hint where he was chosen
// from those who were signed in before, because nobody has shown yet that he is.
func shown(v signin.Visit) string {
	if v.Progress.Masked {
		return otl.Masked(v.Progress.Name)
	}
	return v.Progress.Name
}

// meant gives what somebody calls himself who left a hint as it stood.
func meant(v signin.Visit, said string) string {
	if said = strings.TrimSpace(said); said == shown(v) {
		return v.Progress.Name
	}
	return said
}

// begins gives the beginning of the page of a sign-in with what the person called himself.
func begins(v signin.Visit) signInPage {
	return signInPage{Name: shown(v), Fixed: v.Progress.Masked, Chosen: v.Progress.Masked}
}
