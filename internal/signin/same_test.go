package signin_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// The kinds of people that the contract has a door tell from nobody: whom a site may know anyway.
var (
	its    = []string{"member", "unproven", "barred", "disabled"} // who let it see what they are named by
	itsIDs = append(slices.Clone(its), "hidden")                  // whom an id names whatever they let it see
	theirs = append(slices.Clone(itsIDs), "left", "elsewhere")    // everybody there is
)

// door is where somebody is named by whoever may not learn whether there is anybody.
type door struct {
	name  string
	by    []signin.IdentifierType
	apart []string                 // kinds of people who may be told from nobody, by the contract
	first func(x *doors, as asked) // comes before the first call, and is not measured
	call  func(x *doors, as asked) otltest.Reply
	// page is call for a form: where it goes from, which comes before and is not measured, and what is entered.
	page func(x *doors, as asked) (p otltest.Page, form string, fields map[string]string)
}

// asked is somebody with what he is named by at a door.
type asked struct {
	otltest.One
	by   signin.IdentifierType
	name string
	call int // 1 for the first
}

// names gives what names somebody.
func names(o otltest.One, by signin.IdentifierType) string {
	return map[signin.IdentifierType]string{signin.ByEmail: o.Email, signin.ByPhone: o.Phone, signin.ByUsername: o.Username, signin.ByID: o.UID}[by]
}

// doors is a server with a client of Notes on every wire.
type doors struct {
	*otltest.World
	t                  *testing.T
	client             site.MadeClient
	handed             secret.Text // site key that may be handed codes
	transmit, onelogin string      // access tokens of the client
	browsers           map[string]*otltest.Browser
	pages              map[string]otltest.Page // that they are on
	numbers            map[string]string       // that OneLogin's wire has for people, by their ids
	came               int                     // how many have come to let a device in
}

func newDoors(t *testing.T, w *otltest.World) *doors {
	t.Helper()
	if err := w.Installation.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := &doors{World: w, t: t, numbers: map[string]string{}}
	key, err := w.Sites.CreateKey(t.Context(), w.Notes.Site.ID, site.NewKey{Name: "handed", Scopes: otl.AllScopes()})
	if err == nil {
		x.handed = key.Key
		x.client, err = w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{
			Name: "backend", Scopes: otl.AllScopes(), RedirectURIs: []string{"https://notes.test/callback"},
		})
	}
	if err == nil {
		err = w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Roles.Insert(ctx, otl.Role{SiteID: w.Notes.Site.ID, Name: "editor", CreatedAt: w.Clock.Now()})
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// begin has the client get access tokens.
func (x *doors) begin() {
	x.t.Helper()
	basic := map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(x.client.ID+":"+x.client.Secret.Reveal()))}
	r := x.Do(x.t, otltest.Call{Path: "/auth/oauth2/v2/token", Headers: basic, Body: map[string]string{"grant_type": "client_credentials"}}).Want(x.t, http.StatusOK)
	x.onelogin = r.Text("access_token")
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {x.client.ID}, "client_secret": {x.client.Secret.Reveal()}}
	r = x.Do(x.t, otltest.Call{Path: "/oidc/token", Body: form.Encode(), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).Want(x.t, http.StatusOK)
	x.transmit = r.Text("access_token")
}

// browser gives the browser of somebody.
func (x *doors) browser(as asked) *otltest.Browser {
	if x.browsers[as.Username] == nil {
		x.browsers[as.Username] = x.Browser(x.t)
	}
	return x.browsers[as.Username]
}

// moments are when a door is called: the second time too soon after the first, the third time not.
var moments = []time.Duration{0, 10 * time.Second, 45 * time.Second}

// TestOT10_WhoeverIsNamedIsTheSameWork names everybody at every door that takes a name: somebody of the site, who has proven what he
// is named by or not, or does not let the site see it; somebody who left it, or is barred there, or disabled, or known elsewhere
// alone; and nobody. The answer is the same, byte for byte, but for those whom the contract has told apart. Wherever it is, so
// are the statements that were run for it, in their order, with the rows they gave, and the transactions.
func TestOT10_WhoeverIsNamedIsTheSameWork(t *testing.T) {
	t.Parallel()
	for wire, all := range map[string][]door{"native": nativeDoors(), "transmit": transmitDoors(), "onelogin": oneloginDoors(), "pages": pageDoors()} {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			otltest.Each(t, func(t *testing.T, w *otltest.World) {
				x, n := newDoors(t, w), 0
				for _, d := range all {
					for _, by := range d.by {
						x.begin()
						n += 2
						x.same(d, by, append(w.Crowd(t, n)[:1], w.Crowd(t, n+1)...))
						w.Clock.Advance(25 * time.Hour) // beyond the rates of a day
					}
				}
			}, func(o *node.Options) { o.Limits, o.SMSDailyCap = true, 10_000 })
		})
	}
}

// same fails where a door tells somebody of a crowd from nobody, or does other work for some who are answered the same. The
// first of the crowd is not looked at: what counts all calls is counted anew when he is named.
func (x *doors) same(d door, by signin.IdentifierType, crowd otltest.Crowd) {
	x.t.Helper()
	x.browsers, x.pages = map[string]*otltest.Browser{}, map[string]otltest.Page{}
	for i, at := range moments {
		if i > 0 {
			x.Clock.Advance(at - moments[i-1])
		}
		works := make([]otltest.Work, len(crowd))
		for k, o := range crowd {
			works[k] = x.measure(d, by, o, i+1)
		}
		works, crowd := works[1:], crowd[1:]
		like := -1
		for k, o := range crowd {
			switch {
			case slices.Contains(d.apart, o.Kind):
			case like < 0:
				like = k
			default:
				if said := works[k].Unlike(works[like]); said != "" {
					x.t.Errorf("%s by %s, call %d: for %s, and not for %s: %s", d.name, by, i+1, o.Kind, crowd[like].Kind, said)
				}
			}
		}
	}
}

// measure names somebody at a door.
func (x *doors) measure(d door, by signin.IdentifierType, o otltest.One, call int) otltest.Work {
	x.t.Helper()
	as := asked{o, by, names(o, by), call}
	if d.first != nil && call == 1 {
		d.first(x, as)
	}
	if d.page == nil {
		return x.Work(func(answered func(otltest.Reply)) { answered(d.call(x, as)) }).Without(o)
	}
	p, form, fields := d.page(x, as)
	b := x.browser(as)
	defer func() { b.Seen = nil }()
	return x.Work(func(answered func(otltest.Reply)) {
		b.Seen = func(_ string, p otltest.Page) { answered(p.Reply) } // the answer, and not the page it leads to
		b.Submit(p, form, fields)
	}).Without(o)
}

// TestTheWorkOfADoorIsHeard: of somebody more than of nobody is found.
func TestTheWorkOfADoorIsHeard(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		read := func(times int) otltest.Work {
			return w.Work(func(answered func(otltest.Reply)) {
				for range times {
					if _, err := w.Store.Read.Sites.ByID(t.Context(), w.Notes.Site.ID); err != nil {
						t.Fatal(err)
					}
				}
				answered(otltest.Reply{Status: http.StatusOK})
			})
		}
		if said := read(2).Unlike(read(1)); said == "" {
			t.Error("a statement more is not heard")
		}
		if said := read(1).Unlike(read(1)); said != "" {
			t.Error(said)
		}
		write := w.Work(func(answered func(otltest.Reply)) {
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Sites.ByID(ctx, w.Notes.Site.ID)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			answered(otltest.Reply{Status: http.StatusOK})
		})
		if write.Writes != 1 || write.Unlike(read(1)) == "" {
			t.Errorf("a transaction is not heard: %+v", write)
		}
	})
}
