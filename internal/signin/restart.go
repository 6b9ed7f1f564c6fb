package signin

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// restartable is how long after its end a visit can be begun anew. It is kept for as long.
const restartable = 23 * time.Hour

// Restarts begins visits anew that took too long, and leads back from links that no longer work.
type Restarts struct{ *Flows }

// Overdue gives a visit of a browser that took too long and can be begun anew, with its
// site. The error is ErrFlow for any other: one that ended at its site, or came from a
// device, or whose address the site has taken back meanwhile (OA-02).
func (s Restarts) Overdue(ctx context.Context, id string, browser secret.Text) (otl.Flow, otl.Site, error) {
	f, site, err := s.begun(ctx, id)
	if err == nil && !isOf(f, browser) {
		err = ErrFlow
	}
	return f, site, err
}

// isOf reports whether a visit was begun in a browser.
func isOf(f otl.Flow, browser secret.Text) bool {
	return secret.SameDigest(secret.Digest(browser.Reveal()), f.Browser)
}

// begun gives a visit of any browser that can be begun anew, with its site. The error is that of
// Overdue.
func (s Restarts) begun(ctx context.Context, id string) (otl.Flow, otl.Site, error) {
	if _, ok := secret.CheckKey(flowPrefix, id); !ok {
		return otl.Flow{}, otl.Site{}, ErrFlow
	}
	f, err := s.Store.Read.Flows.Live(ctx, id, s.Now().Add(-restartable))
	if errors.Is(err, store.ErrNotFound) || err == nil && (f.Asked.Mode == ModeLogout || f.Asked.Mode == ModeDevice) {
		err = ErrFlow
	}
	if err != nil {
		return f, otl.Site{}, err
	}
	site, err := s.still(ctx, f)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrSite) || errors.Is(err, ErrRedirect) {
		err = ErrFlow
	}
	return f, site, err
}

// still gives the site of a visit if what was checked when the visit began holds: that
// the address it leads back to is registered, and that the client signs people in.
func (s Restarts) still(ctx context.Context, f otl.Flow) (otl.Site, error) {
	switch {
	case f.Asked.Redirect == "":
		return s.Store.Read.Sites.ByID(ctx, f.SiteID)
	case f.Asked.Client == "":
		return s.Site(ctx, f.SiteID, f.Asked.Redirect)
	}
	c, site, _, err := s.Store.Read.Clients.ByID(ctx, f.Asked.Client)
	if err == nil && (!c.Redirects(f.Asked.Redirect) || !c.Scopes.Has(otl.ScopeAuth)) {
		err = ErrRedirect
	}
	return site, err
}

// Restart begins a visit anew that took too long, for what the site asked then, with what
// the person called himself. The errors are those of Overdue and Begin.
func (s Restarts) Restart(ctx context.Context, id string, browser secret.Text) (otl.Flow, otl.Site, error) {
	was, site, err := s.Overdue(ctx, id, browser)
	if err != nil {
		return otl.Flow{}, site, err
	}
	return s.anew(ctx, was, site, browser, was.Progress)
}

// Resume begins a visit anew whose person left it to choose a new password, with the name he calls
// himself. In any other browser than that of the visit, where his mail may be, it is one at our own
// pages, for elsewhere: a site takes the answer in the browser that asked alone, and whoever asked may
// have entered the name of another (OT-18). Left is the site of the visit he left, which stays as it
// was. It opens nothing: he signs in with what he chose (PW-17). The errors are those of Restart, but
// for the browser.
func (s Restarts) Resume(ctx context.Context, id string, browser secret.Text, name string, elsewhere otl.Asked) (v Visit, left otl.Site, err error) {
	was, left, err := s.begun(ctx, id)
	if err != nil {
		return v, left, err
	}
	site := left
	if !isOf(was, browser) {
		was.Asked = elsewhere
		if site, err = s.Home(ctx); err != nil {
			return v, left, err
		}
	}
	v.Flow, v.Site, err = s.anew(ctx, was, site, browser, otl.Progress{Name: name})
	return v, left, err
}

// anew begins a visit for what its site asked before, with what the person called himself.
func (s Restarts) anew(ctx context.Context, was otl.Flow, site otl.Site, browser secret.Text, p otl.Progress) (otl.Flow, otl.Site, error) {
	f, err := s.Begin(ctx, site, browser, was.Asked)
	if err == nil && p.Name != "" {
		f.Progress.Name, f.Progress.Masked = p.Name, p.Masked
		err = s.save(ctx, Visit{Flow: f})
	}
	return f, site, err
}

// Left is a site that a link which no longer works was for.
type Left struct {
	Site otl.Site
	Back string // where it is reached, "" where nobody knows
}

// Left gives whoever holds a link that no longer works the site to go back to, which can send him another: he who holds
// it has had a mail of that site, and learns no more of it than its name and address. It is none where the link is
// unknown, or was for the account here, or the site is gone.
func (s Restarts) Left(ctx context.Context, token string) (Left, error) {
	digest := secret.Digest(token)
	t, err := s.Store.Read.Tickets.Any(ctx, otl.PurposeSignIn, digest)
	if errors.Is(err, store.ErrNotFound) {
		t, err = s.Store.Read.Tickets.Replacing(ctx, otl.PurposeSignIn, digest)
	}
	if err != nil {
		return Left{}, missing(err)
	}
	site, err := s.Partner(ctx, t.SiteID)
	if err != nil {
		return Left{}, missing(err)
	}
	of := otl.Flow{SiteID: t.SiteID, Asked: otl.Asked{Redirect: t.Data[dataRedirect], Client: t.Data[dataClient]}}
	if id := t.Data[dataFlow]; id != "" {
		if of, err = s.Store.Read.Flows.Live(ctx, id, s.Now().Add(-restartable)); missing(err) != nil {
			return Left{}, err
		}
	}
	_, err = s.still(ctx, of)
	back := otl.Origin(of.Asked.Redirect)
	if missing(err) != nil {
		return Left{}, err
	}
	if err != nil || !strings.HasPrefix(back, "https://") && !strings.HasPrefix(back, "http://") { // no browser goes to an app's
		back = ""
	}
	if back == "" && site.Domain != "" {
		back = "https://" + site.Domain
	}
	return Left{site, back}, nil
}

// missing gives an error that is more than that something is not there, or is no more what it was.
func missing(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrSite) || errors.Is(err, ErrRedirect) {
		return nil
	}
	return err
}
