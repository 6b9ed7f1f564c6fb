package pages

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// programs are the pages on which the owner of a site looks after its clients. What only
// programs of some kinds need, the API alone sets.
type programs struct{ owners }

// siteClientsPage is all of them, or one that is changed.
type siteClientsPage struct {
	At           string
	Clients      []clientCard
	Made, Secret string // id and secret of one that was just made, shown this once
	clientForm
}

// clientCard is a client as its owner sees it.
type clientCard struct {
	ID, Name, Text string
	Redirects      []string
}

// clientForm is the form of a client.
type clientForm struct {
	ID, Title, Version      string // of one that is changed; "" for a new one
	Action, Name            string
	Redirects               addressList
	Kinds, Scopes, Confirms []option // none where there is no choice
	SignUps                 []option
}

// clientSaid is what that form holds, as it was sent.
type clientSaid struct {
	name, kind, confirm string
	redirects, scopes   []string
	signUp, autoCreate  bool
}

// redirectsField is the name of the addresses people may be sent back to, as the API has it.
const redirectsField = "redirect_uris"

// Names of the switches for sign-ups, as the API has them, and what a form sends of one that is on.
const (
	allowSignUp = "allow_signup"
	autoCreate  = "auto_create"
	boxOn       = "yes"
)

// signsUp reports whether a client has calls that can have people created; a new one may.
func signsUp(c otl.Client) bool { return c.Auth != otl.AuthNone }

func (p programs) routes() {
	at := ownedAt("{id}", siteClients)
	p.get(at, p.list)
	p.post(at, p.create)
	p.get(at+"/{client}", p.look)
	p.post(at+"/{client}", p.revoke)
	p.post(at+"/{client}/change", p.sent)
}

func (p programs) list(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteClients, true)
	if err != nil || !ok {
		return err
	}
	return p.lay(w, r, v, of, site.MadeClient{}, unsaid(), nil)
}

// unsaid is the form of a new client before anybody types.
func unsaid() clientSaid {
	return clientSaid{kind: string(otl.AuthSecret), confirm: string(otl.ConfirmAuto), scopes: otl.DefaultScopes().Strings()}
}

// saidOf is the form that says what is stored of a client.
func saidOf(c otl.Client) clientSaid {
	return clientSaid{c.Name, string(c.Auth), string(c.LinkConfirm), c.RedirectURIs, c.Scopes.Strings(), c.SignUp, c.AutoCreate}
}

func sentClient(r *http.Request) clientSaid {
	ticked := func(name string) bool { return r.PostForm.Get(name) == boxOn }
	return clientSaid{
		strings.TrimSpace(r.PostForm.Get("name")), r.PostForm.Get("auth"), r.PostForm.Get("link_confirm"), lines(r, redirectsField), r.PostForm[scopesField],
		ticked(allowSignUp), ticked(autoCreate),
	}
}

// form lays out what was said of a new client, the zero one, or of one that is changed.
func (f clientSaid) form(s screen, at string, c otl.Client, wrong error) clientForm {
	out := clientForm{ID: c.ID, Title: c.Name, Action: at, Name: f.name}
	out.Redirects = addressList{redirectsField, s.Say("own_callback_urls"), s.Say("own_callback_urls_hint"), strings.Join(f.redirects, "\n"), astray(s, redirectsField, "bad_callback_urls", f.redirects, wrong)}
	if c.ID == "" {
		for _, one := range []otl.ClientAuth{otl.AuthSecret, otl.AuthNone} {
			out.Kinds = append(out.Kinds, option{Value: string(one), Text: s.Say("own_client_" + string(one)), On: f.kind == string(one)})
		}
	} else {
		out.Action, out.Version = at+"/"+c.ID+"/change", site.ClientMark(c)
	}
	if c.Empowered() {
		out.Scopes = scopeOptions(s, f.scopes)
	}
	if signsUp(c) {
		out.SignUps = []option{{Value: allowSignUp, Text: s.Say("own_allow_signup"), On: f.signUp}, {Value: autoCreate, Text: s.Say("own_auto_create"), On: f.autoCreate}}
	}
	for _, one := range []otl.Confirm{otl.ConfirmAuto, otl.ConfirmAlways, otl.ConfirmNever} {
		out.Confirms = append(out.Confirms, option{Value: string(one), Text: s.Say("own_confirm_" + string(one)), On: f.confirm == string(one)})
	}
	return out
}

// lay shows the clients, with one that was just made or what keeps one from being made.
func (p programs) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, made site.MadeClient, f clientSaid, wrong error) error {
	all, err := p.Clients.List(r.Context(), of.ID)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.about(of, siteClients, "own_clients_heading")
	page := siteClientsPage{At: ownedAt(of.ID, siteClients), Made: made.ID, Secret: made.Secret.Reveal()}
	for _, c := range all {
		about := []string{isolate(strings.Join(c.Scopes.Strings(), ", ")), s.With("date", s.day(c.CreatedAt)).Say("factor_since"), s.Say("own_client_" + string(c.Auth)), s.Say("own_confirm_" + string(c.LinkConfirm))}
		page.Clients = append(page.Clients, clientCard{c.ID, c.Name, strings.Join(about, " · "), c.RedirectURIs})
	}
	page.clientForm = f.form(s, page.At, otl.Client{}, wrong)
	s.Data = page
	code := p.wrong(&s, wrong)
	if otl.Is(wrong, "too_many_clients") {
		s.Problem = s.Say("own_clients_full")
	}
	switch {
	case page.Made != "":
		s.Good, s.Here = s.Say("saved"), nil // a secret is not shown again
	case wrong == nil && p.jar.Noted(w, r) == cookie.DoneSaved:
		s.Good = s.Say("saved")
	}
	p.show(w, code, "siteclients.html", "", s)
	return nil
}

// create makes a client and shows its secret, this once.
func (p programs) create(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteClients, true)
	if err != nil || !ok {
		return err
	}
	f := sentClient(r)
	n := site.NewClient{Name: f.name, Auth: f.kind, LinkConfirm: f.confirm, RedirectURIs: f.redirects, SignUp: f.signUp, AutoCreate: f.autoCreate}
	var made site.MadeClient
	if n.Scopes, err = otl.ParseScopes(f.scopes); err == nil {
		made, err = p.Clients.Create(r.Context(), of.ID, n)
	}
	switch {
	case err == nil:
		return p.lay(w, r, v, of, made, unsaid(), nil)
	case mendable(err), otl.Is(err, "too_many_clients"):
		return p.lay(w, r, v, of, made, f, err)
	}
	return err
}

// client gives who opens or sends a page about one client of a site of his own.
func (p programs) client(w http.ResponseWriter, r *http.Request) (v signin.Visit, of otl.Site, c otl.Client, ok bool, err error) {
	id := r.PathValue("client")
	if !secret.ValidID(id) {
		return v, of, c, false, otl.NoSuch("client")
	}
	if v, of, ok, err = p.owner(w, r, siteClients+"/"+id, true); err != nil || !ok {
		return v, of, c, false, err
	}
	all, err := p.Clients.List(r.Context(), of.ID)
	if err != nil {
		return v, of, c, false, err
	}
	i := slices.IndexFunc(all, func(one otl.Client) bool { return one.ID == id })
	if i < 0 {
		return v, of, c, false, otl.NoSuch("client")
	}
	return v, of, all[i], true, nil
}

// look shows what of a client can be changed.
func (p programs) look(w http.ResponseWriter, r *http.Request) error {
	v, of, c, ok, err := p.client(w, r)
	if err != nil || !ok {
		return err
	}
	return p.layOne(w, r, v, of, c, saidOf(c), nil)
}

// sent changes a client that its owner read as the form says.
func (p programs) sent(w http.ResponseWriter, r *http.Request) error {
	v, of, c, ok, err := p.client(w, r)
	if err != nil || !ok {
		return err
	}
	f := sentClient(r)
	change := site.ClientChange{Name: &f.name, LinkConfirm: &f.confirm, RedirectURIs: &f.redirects, Of: cmp.Or(r.PostForm.Get("version"), "none")}
	if c.Empowered() {
		change.Scopes = &f.scopes
	}
	if signsUp(c) {
		change.SignUp, change.AutoCreate = &f.signUp, &f.autoCreate
	}
	_, err = p.Clients.Update(r.Context(), of.ID, c.ID, change)
	switch {
	case err == nil:
		done(p.Pages, w, r, cookie.DoneSaved, ownedAt(of.ID, siteClients))
		return nil
	case errors.Is(err, otl.ErrVersion):
		f = saidOf(c) // as it was changed meanwhile
	case !mendable(err):
		return err
	}
	return p.layOne(w, r, v, of, c, f, err)
}

func (p programs) layOne(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, c otl.Client, f clientSaid, wrong error) error {
	s := p.screen(w, r, v, nil)
	s.about(of, siteClients, "own_clients_heading")
	at := ownedAt(of.ID, siteClients)
	s.Data = siteClientsPage{At: at, clientForm: f.form(s, at, c, wrong)}
	return p.present(w, r, s, "siteclients.html", wrong)
}

// revoke ends a client, after its owner has said that he is sure.
func (p programs) revoke(w http.ResponseWriter, r *http.Request) error {
	v, of, c, ok, err := p.client(w, r)
	if err != nil || !ok {
		return err
	}
	if r.PostForm.Get("sure") == "yes" {
		if err = p.Clients.Revoke(r.Context(), of.ID, c.ID); err == nil {
			done(p.Pages, w, r, cookie.DoneSaved, ownedAt(of.ID, siteClients))
		}
		return err
	}
	at := ownedAt(of.ID, siteClients)
	s := p.screen(w, r, v, nil)
	s.portal(s.Say("own_client_revoke_heading"))
	s.Here = placed(at)
	s.Data = askPage{Body: []string{isolate(c.Name), s.Say("own_client_revoke_body")}, Action: at + "/" + c.ID, Fields: url.Values{"sure": {"yes"}}, Press: s.Say("own_key_revoke"), Back: at}
	p.show(w, http.StatusOK, "ask.html", "", s)
	return nil
}
