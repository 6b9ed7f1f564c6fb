package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// programs are the page on which the owner of a site looks after its clients. What only
// programs of some kinds need, the API alone sets.
type programs struct{ owners }

// siteClientsPage is that page.
type siteClientsPage struct {
	At              string
	Clients         []clientCard
	ID, Secret      string // of one that was just made, shown this once
	Name, Redirect  string // as they were typed for one that was not made
	Kinds, Confirms []option
}

// clientCard is a client as its owner sees it.
type clientCard struct {
	ID, Name, Text string
	Redirects      []string
}

// redirectField is what is wrong with the one address that the form has.
const redirectField = "redirect_uris.0"

func (p programs) routes() {
	at := ownedAt("{id}", siteClients)
	p.get(at, p.list)
	p.post(at, p.create)
	p.post(at+"/{client}", p.revoke)
}

func (p programs) list(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteClients, true)
	if err != nil || !ok {
		return err
	}
	return p.lay(w, r, v, of, siteClientsPage{}, nil)
}

// lay shows the clients, with one that was just made or what keeps one from being made.
func (p programs) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, page siteClientsPage, wrong error) error {
	all, err := p.Clients.List(r.Context(), of.ID)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.about(of, siteClients, "own_clients_heading")
	page.At = ownedAt(of.ID, siteClients)
	for _, c := range all {
		about := []string{isolate(c.ID), isolate(strings.Join(strings.Fields(c.Scopes.String()), ", ")), s.With("date", s.day(c.CreatedAt)).Say("factor_since"), s.Say("own_client_" + string(c.Auth)), s.Say("own_confirm_" + string(c.LinkConfirm))}
		page.Clients = append(page.Clients, clientCard{c.ID, c.Name, strings.Join(about, " · "), c.RedirectURIs})
	}
	kind, confirm := string(otl.AuthSecret), string(otl.ConfirmAuto)
	if wrong != nil {
		kind, confirm = r.PostForm.Get("auth"), r.PostForm.Get("link_confirm")
	}
	for _, one := range []otl.ClientAuth{otl.AuthSecret, otl.AuthNone} {
		page.Kinds = append(page.Kinds, option{Value: string(one), Text: s.Say("own_client_" + string(one)), On: kind == string(one)})
	}
	for _, one := range []otl.Confirm{otl.ConfirmAuto, otl.ConfirmAlways, otl.ConfirmNever} {
		page.Confirms = append(page.Confirms, option{Value: string(one), Text: s.Say("own_confirm_" + string(one)), On: confirm == string(one)})
	}
	s.Data = page
	code := p.wrong(&s, wrong)
	if s.Wrong[redirectField] != "" {
		s.Wrong[redirectField] = s.With("address", isolate(page.Redirect)).Say("bad_callback_urls")
	}
	if otl.Is(wrong, "too_many_clients") {
		s.Problem = s.Say("own_clients_full")
	}
	if page.ID != "" {
		s.Good, s.Here = s.Say("saved"), nil // a secret is not shown again
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
	page := siteClientsPage{Name: strings.TrimSpace(r.PostForm.Get("name")), Redirect: strings.TrimSpace(r.PostForm.Get("redirect_uri"))}
	n := site.NewClient{Name: page.Name, Auth: r.PostForm.Get("auth"), LinkConfirm: r.PostForm.Get("link_confirm")}
	if page.Redirect != "" {
		n.RedirectURIs = []string{page.Redirect}
	}
	made, err := p.Clients.Create(r.Context(), of.ID, n)
	switch {
	case err == nil:
		return p.lay(w, r, v, of, siteClientsPage{ID: made.ID, Secret: made.Secret.Reveal()}, nil)
	case mendable(err), otl.Is(err, "too_many_clients"):
		return p.lay(w, r, v, of, page, err)
	}
	return err
}

// revoke ends a client, after its owner has said that he is sure.
func (p programs) revoke(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteClients, true)
	if err != nil || !ok {
		return err
	}
	all, err := p.Clients.List(r.Context(), of.ID)
	if err != nil {
		return err
	}
	i, at := slices.IndexFunc(all, func(c otl.Client) bool { return c.ID == r.PathValue("client") }), ownedAt(of.ID, siteClients)
	if i < 0 {
		return otl.NoSuch("client")
	}
	if r.PostForm.Get("sure") == "yes" {
		if err = p.Clients.Revoke(r.Context(), of.ID, all[i].ID); err == nil {
			p.send(w, r, savedAt(of.ID, siteClients))
		}
		return err
	}
	s := p.screen(w, r, v, nil)
	s.portal(s.Say("own_client_revoke_heading"))
	s.Here = placed(at)
	s.Data = askPage{Body: []string{isolate(all[i].Name), s.Say("own_client_revoke_body")}, Action: at + "/" + all[i].ID, Fields: url.Values{"sure": {"yes"}}, Press: s.Say("own_key_revoke"), Back: at}
	p.show(w, http.StatusOK, "ask.html", "", s)
	return nil
}
