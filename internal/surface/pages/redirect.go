package pages

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// redirectPage shows a site's owner the address that was sent beside those registered,
// and offers to register it (G2).
type redirectPage struct {
	Hidden     []hidden // what the form carries of what it is about
	Client     string   // the program it is about, "" for the site itself
	Received   []piece
	Registered [][]piece // the closest first
	Mend       string    // where it is registered, "" on the page that does
	Press      bool
	Done       bool
	Second     bool // a second factor has to come first
	Warning    string
	Reference  string // the request id, "" where nothing went wrong
}

// hidden is a field of a form that nobody sees.
type hidden struct{ Name, Value string }

// piece is a part of an address, marked where the two differ.
type piece struct {
	Text   string
	Differ bool
}

// mending are the pages on which the owner of a site registers an address.
type mending struct{ accounts }

func (p mending) routes() {
	p.get("/redirect", p.look)
	p.post("/redirect", p.mend)
}

// The parameters that bring an address: of a site or a client, and of a client alone.
const (
	paramRedirect = "redirect_uri"
	paramLanding  = "post_logout_redirect_uri"
)

// stray is an address that is not registered where it was used.
type stray struct {
	Site    otl.Site
	Client  otl.Client // zero where the site itself is meant
	Param   string     // that brought it
	Address string
}

// registered gives the addresses that would have been right.
func (a stray) registered() []string {
	switch {
	case a.Client.ID == "":
		return a.Site.CallbackURLs
	case a.Param == paramLanding:
		return append(slices.Clone(a.Client.PostLogout), a.Client.RedirectURIs...)
	}
	return a.Client.RedirectURIs
}

// check reports what keeps the address from being registered.
func (a stray) check() error {
	if a.Client.Auth == otl.AuthNone {
		return otl.CheckAppURL(a.Param, a.Address)
	}
	return otl.CheckCallbackURL(a.Param, a.Address)
}

// hidden gives what a request has to carry that is about the address.
func (a stray) hidden() []hidden {
	if a.Client.ID == "" {
		return []hidden{{"site", a.Site.ID}, {a.Param, a.Address}}
	}
	return []hidden{{"client", a.Client.ID}, {a.Param, a.Address}}
}

// at gives where the address is registered.
func (a stray) at() string {
	q := url.Values{}
	for _, one := range a.hidden() {
		q.Set(one.Name, one.Value)
	}
	return "/redirect?" + q.Encode()
}

// page lays the address out beside those registered.
func (a stray) page() redirectPage {
	all := slices.Clone(a.registered())
	slices.SortStableFunc(all, func(x, y string) int { return alike(a.Address, y) - alike(a.Address, x) })
	page := redirectPage{Received: pieces(a.Address, ""), Hidden: a.hidden()}
	if len(all) > 0 {
		page.Received = pieces(a.Address, all[0])
	}
	for _, one := range all {
		page.Registered = append(page.Registered, pieces(one, a.Address))
	}
	return page
}

// Mismatch gives what answers a request with an address that is none of its client's. The
// error says so, and which parameter brought it.
func Mismatch(p *Pages) func(http.ResponseWriter, *http.Request, otl.Site, otl.Client, *otl.Error, string) {
	return func(w http.ResponseWriter, r *http.Request, of otl.Site, c otl.Client, no *otl.Error, address string) {
		if err := (mending{accounts{p}}).mismatch(w, r, stray{of, c, no.Field, address}, no); err != nil {
			p.Fail(w, r, err)
		}
	}
}

// mismatch answers a request with an address that is not registered. Strangers are told
// that it is not; the owner of the site, if he is signed in, how to mend it.
func (p mending) mismatch(w http.ResponseWriter, r *http.Request, a stray, no *otl.Error) error {
	received := *no
	received.Text = strconv.Quote(shortened(a.Address)) + " " + no.Text
	if a.Client.ID != "" {
		received.Text += ", " + strconv.Quote(a.Client.Name)
	}
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	if who.Session.ID != "" && who.Session.HandedBy == "" && a.check() == nil { // what a site's session shows the site may read (D2)
		owned, err := p.Sites.Owned(r.Context(), who.User.ID, a.Site.ID)
		if err == nil {
			a.Site = owned
			s := p.lay(w, r, signin.Visit{Who: who}, a)
			page := a.page()
			s.Title, s.Problem = s.Say("redirect_heading"), s.Say("redirect_owner")
			page.Client, page.Mend, page.Reference = program(s, a), a.at(), otl.RequestOf(r.Context()).ID
			s.Data = page
			otl.RequestOf(r.Context()).Err = &received
			p.show(w, http.StatusBadRequest, "redirect.html", "", s)
			return nil
		}
		if otl.As(err).Kind != otl.NotFound {
			return err
		}
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return &received
	}
	p.problem(w, r, wire.Failed(w, r, &received), a.Site)
	return nil
}

// lay lays a page about an address out.
func (p mending) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, a stray) screen {
	v.Site = a.Site
	s := p.screen(w, r, v, map[string]string{"client": isolate(a.Client.Name)})
	s.Wide = true
	return s
}

// program names the program that an address is about, "" for the site itself.
func program(s screen, a stray) string {
	if a.Client.ID == "" {
		return ""
	}
	return s.Say("redirect_client")
}

// owner gives who opens or sends a page about an address of a site of his own. He has
// to have proven lately who he is; any other site, and any other's client, is as unknown
// as one that never was.
func (p mending) owner(w http.ResponseWriter, r *http.Request, q url.Values) (v signin.Visit, a stray, ok bool, err error) {
	a = stray{Site: otl.Site{ID: single(q, "site")}, Client: otl.Client{ID: single(q, "client")}, Param: paramRedirect}
	if a.Client.ID != "" && q.Has(paramLanding) {
		a.Param = paramLanding
	}
	a.Address = single(q, a.Param)
	if v, ok, err = p.proven(w, r, a.at()); err != nil || !ok {
		return v, a, false, err
	}
	if a.Client.ID != "" {
		if a.Client, a.Site, err = p.Clients.Find(r.Context(), a.Client.ID); errors.Is(err, site.ErrClient) {
			err = otl.NoSuch("client")
		}
		if err != nil {
			return v, a, false, err
		}
	}
	if err = a.check(); err != nil {
		return v, a, false, err
	}
	a.Site, err = p.Sites.Owned(r.Context(), v.Who.User.ID, a.Site.ID)
	return v, a, err == nil, err
}

// look asks the owner whether the address is really his: whoever sent him here chose it.
func (p mending) look(w http.ResponseWriter, r *http.Request) error {
	v, a, ok, err := p.owner(w, r, r.URL.Query())
	if err != nil || !ok {
		return err
	}
	s := p.lay(w, r, v, a)
	page := a.page()
	page.Client, page.Warning = program(s, a), s.Say("redirect_warning")
	page.Second = !v.Who.Session.Methods.Strong() // of owners (decision D2)
	page.Press = !page.Second
	s.Title, s.Data = s.Say("redirect_mend"), page
	p.show(w, http.StatusOK, "redirect.html", "", s)
	return nil
}

// mend registers the address.
func (p mending) mend(w http.ResponseWriter, r *http.Request) error {
	v, a, ok, err := p.owner(w, r, r.PostForm)
	if err != nil || !ok {
		return err
	}
	if !v.Who.Session.Methods.Strong() {
		p.send(w, r, a.at())
		return nil
	}
	switch {
	case a.Client.ID == "":
		err = p.Sites.AddCallback(r.Context(), a.Site.ID, a.Address)
	case a.Param == paramLanding:
		err = p.Clients.AddPostLogout(r.Context(), a.Site.ID, a.Client.ID, a.Address)
	default:
		err = p.Clients.AddRedirect(r.Context(), a.Site.ID, a.Client.ID, a.Address)
	}
	if err != nil {
		return err
	}
	s := p.lay(w, r, v, a)
	s.Wide, s.Here = false, placed("/account") // it is done
	s.Title, s.Good, s.Data = s.Say("change_done_heading"), s.Say("redirect_done"), redirectPage{Done: true, Client: program(s, a), Received: []piece{{Text: a.Address}}}
	p.show(w, http.StatusOK, "redirect.html", "", s)
	return nil
}

// alike gives how many bytes two addresses share at their ends.
func alike(a, b string) int {
	head, tail := shared(a, b)
	return head + tail
}

// shared gives how many bytes two addresses have in common at their beginnings and, of
// what is left, at their ends. Addresses are ASCII.
func shared(a, b string) (head, tail int) {
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return head, tail
}

// pieces takes an address apart where it differs from another.
func pieces(address, other string) []piece {
	head, tail := shared(address, other)
	return []piece{{Text: address[:head]}, {Text: address[head : len(address)-tail], Differ: true}, {Text: address[len(address)-tail:]}}
}
