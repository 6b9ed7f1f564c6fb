package pages

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// redirectPage shows a site's owner the address that was sent beside those registered,
// and offers to register it (G2).
type redirectPage struct {
	Site, Redirect string
	Received       []piece
	Registered     [][]piece
	Mend           string // where it is registered, "" on the page that does
	Press          bool
	Second         bool // a second factor has to come first
	Warning        string
	Done           string
}

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

// mendAt gives where an address is registered for a site.
func mendAt(siteID, redirect string) string {
	return "/redirect?" + url.Values{"site": {siteID}, "redirect_uri": {redirect}}.Encode()
}

// mismatch answers a request with an address that is not registered. Strangers are told
// that it is not; the owner of the site, if he is signed in, how to mend it.
func (p mending) mismatch(w http.ResponseWriter, r *http.Request, site otl.Site, redirect string) error {
	received := *signin.ErrRedirect
	received.Text = strconv.Quote(shortened(redirect)) + " " + received.Text
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	if who.Session.ID != "" && otl.CheckCallbackURL("redirect_uri", redirect) == nil {
		owned, err := p.Sites.Owned(r.Context(), who.User.ID, site.ID)
		if err == nil {
			s := p.screen(w, r, signin.Visit{Who: who, Site: site}, nil)
			s.Title, s.Problem, s.Wide = s.Say("problem_heading"), s.Say("problem_redirect"), true
			s.Data = redirectPage{Received: pieces(redirect, nearest(redirect, owned.CallbackURLs)), Registered: beside(owned.CallbackURLs, redirect), Mend: mendAt(site.ID, redirect)}
			p.show(w, http.StatusBadRequest, "redirect.html", "", s)
			return nil
		}
		if otl.As(err).Kind != otl.NotFound {
			return err
		}
	}
	p.problem(w, r, &received, site.Name)
	return nil
}

// owner gives who opens or sends a page about an address of a site of his own. He has
// to have proven lately who he is; any other site is as unknown as one that never was.
func (p mending) owner(w http.ResponseWriter, r *http.Request, q url.Values) (signin.Visit, otl.Site, bool, error) {
	id, redirect := single(q, "site"), single(q, "redirect_uri")
	v, ok, err := p.proven(w, r, mendAt(id, redirect))
	if err != nil || !ok {
		return v, otl.Site{}, false, err
	}
	if err := otl.CheckCallbackURL("redirect_uri", redirect); err != nil {
		return v, otl.Site{}, false, err
	}
	site, err := p.Sites.Owned(r.Context(), v.Who.User.ID, id)
	v.Site = site
	return v, site, err == nil, err
}

// look asks the owner whether the address is really his: whoever sent him here chose it.
func (p mending) look(w http.ResponseWriter, r *http.Request) error {
	v, site, ok, err := p.owner(w, r, r.URL.Query())
	if err != nil || !ok {
		return err
	}
	redirect := single(r.URL.Query(), "redirect_uri")
	s := p.screen(w, r, v, nil)
	page := redirectPage{
		Site: site.ID, Redirect: redirect, Received: pieces(redirect, nearest(redirect, site.CallbackURLs)), Registered: beside(site.CallbackURLs, redirect),
		Warning: s.Say("redirect_warning"), Press: true,
	}
	if !v.Who.Session.Methods.Strong() { // of owners (decision D2)
		page.Press, page.Second = false, true
	}
	s.Title, s.Wide, s.Data = s.Say("redirect_mend"), true, page
	p.show(w, http.StatusOK, "redirect.html", "", s)
	return nil
}

// mend registers the address.
func (p mending) mend(w http.ResponseWriter, r *http.Request) error {
	v, site, ok, err := p.owner(w, r, r.PostForm)
	if err != nil || !ok {
		return err
	}
	redirect := r.PostForm.Get("redirect_uri")
	if !v.Who.Session.Methods.Strong() {
		p.send(w, r, mendAt(site.ID, redirect))
		return nil
	}
	if err := p.Sites.AddCallback(r.Context(), site.ID, redirect); err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.Here = nil // it is done
	s.Title, s.Good, s.Data = s.Say("redirect_registered"), s.Say("redirect_done"), redirectPage{Received: []piece{{Text: redirect}}}
	p.show(w, http.StatusOK, "redirect.html", "", s)
	return nil
}

// nearest gives the registered address that shares most with the one received.
func nearest(received string, registered []string) string {
	best, most := "", -1
	for _, one := range registered {
		head, tail := shared(received, one)
		if head+tail > most {
			best, most = one, head+tail
		}
	}
	return best
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

func beside(registered []string, received string) [][]piece {
	out := make([][]piece, len(registered))
	for i, one := range registered {
		out[i] = pieces(strings.TrimSpace(one), received)
	}
	return out
}
