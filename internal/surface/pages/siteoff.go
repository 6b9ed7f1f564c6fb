package pages

import (
	"context"
	"net/http"
	"net/url"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// switches are the page on which the owner of a site turns it off, and on again.
type switches struct{ owners }

func (p switches) routes() {
	at := ownedAt("{id}", siteOff)
	p.get(at, p.look)
	p.post(at, p.sent)
}

// either gives who opens or sends the page, with a site of his own that is on, or off.
func (p switches) either(w http.ResponseWriter, r *http.Request) (v signin.Visit, of otl.OffSite, ok bool, err error) {
	v, _, ok, err = p.of(w, r, siteOff, true, func(ctx context.Context, owner, id string) (otl.Site, error) {
		on, err := p.Sites.Owned(ctx, owner, id)
		if of.Site = on; otl.As(err).Kind == otl.NotFound {
			of, err = site.Off{Sites: p.Sites}.Owned(ctx, owner, id)
		}
		return of.Site, err
	})
	return v, of, ok, err
}

func (p switches) look(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.either(w, r)
	if err != nil || !ok {
		return err
	}
	p.jar.Noted(w, r) // that the site is off the page says itself
	return p.lay(w, r, v, of, http.StatusOK)
}

// lay asks whether the site is to be turned off, or says that it is and offers to turn it on
// again to who can.
func (p switches) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.OffSite, code int) error {
	s := p.screen(w, r, v, nil)
	named := s.With("site", isolate(of.Name))
	page := askPage{Action: ownedAt(of.ID, siteOff), Back: "/account"}
	switch {
	case of.DeletedAt.IsZero():
		s.portal(named.Say("own_off_heading"))
		page.Body = []string{s.With("date", s.day(p.Now().Add(site.Grace))).Say("own_off_body")}
		page.Press, page.Fields, page.Back = s.Say("own_off"), url.Values{"do": {"off"}}, ownedAt(of.ID, siteDetails)
	case of.Held:
		s.portal(named.Say("own_is_off"))
		page.Body = []string{s.Say("own_held")}
	default:
		s.portal(named.Say("own_is_off"))
		page.Body = []string{s.With("date", s.minute(of.DeletedAt.Add(site.Grace))).Say("own_until")}
		page.Press, page.Fields, page.Gives = s.Say("own_on"), url.Values{"do": {"on"}}, true
	}
	s.Data = page
	p.show(w, code, "ask.html", "", s)
	return nil
}

func (p switches) sent(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.either(w, r)
	if err != nil || !ok {
		return err
	}
	then := siteOff
	switch r.PostForm.Get("do") {
	case "off":
		_, err = p.Sites.Delete(r.Context(), v.Who.User.ID, of.ID)
	case "on":
		then = siteWays
		if _, err = p.Sites.Restore(r.Context(), v.Who.User.ID, of.ID); otl.Is(err, site.ErrTurnedOff.Code) {
			return p.lay(w, r, v, of, http.StatusForbidden)
		}
	default:
		return errNoPath
	}
	if err == nil {
		done(p.Pages, w, r, cookie.DoneSaved, ownedAt(of.ID, then))
	}
	return err
}
