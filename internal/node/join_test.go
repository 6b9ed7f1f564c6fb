package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestMF05_WhoJoinsIsAskedAsWhoIsThere: the roles that a first sign-in gives are looked at before it, of whoever was
// never at the site and of whoever left it; those he had there before count for nothing.
func TestMF05_WhoJoinsIsAskedAsWhoIsThere(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d := newDoors(t, w)
		d.policy(otl.MFARoles)
		for _, role := range []string{"reader", "editor"} {
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Roles.Update(ctx, otl.Role{SiteID: w.Notes.Site.ID, Name: role, Default: true})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			d.tokens()
			for _, has := range []enrolment{bare, app} {
				for _, left := range []bool{false, true} {
					for _, way := range joinersDoors() {
						joins(d, rule{otl.MFARoles, role}, has, left, way)
					}
					joinsByOneLogin(d, rule{otl.MFARoles, role}, has, left)
				}
			}
		}
	})
}

// joinersDoors are those that take whoever is not at the site yet.
func joinersDoors() []door {
	of := append(nativeDoors(), transmitDoors()[0])
	for _, way := range hostedDoors() {
		if !way.strong && !way.sent && way.name != "openid, no page" {
			of = append(of, way)
		}
	}
	return of
}

// joiner adds somebody who is not at the site, or not any more; then he was what the site asks nothing of where it asks
// whoever joins, and the other way round.
func joiner(d *doors, r rule, has enrolment, left bool) (p person, what string) {
	d.Helper()
	d.w.Clock.Advance(time.Minute)
	what = fmt.Sprintf("%s, %s, left %v", r, has, left)
	if !left {
		return personOf(d, has, d.w.Shop.Site), what
	}
	p = d.person(has, map[string]string{"reader": "editor", "editor": ""}[r.role])
	if err := d.w.Accounts.Leave(d.Context(), d.w.Notes.Site.ID, p.ID); err != nil {
		d.Fatal(err)
	}
	return p, what
}

// joins tries one door for him.
func joins(d *doors, r rule, has enrolment, left bool, way door) {
	d.Helper()
	p, what := joiner(d, r, has, left)
	what = way.name + ", " + what
	asks := way.asks(r, has)
	c := way.come(d, p)
	if open := d.sessions(p, d.w.Notes.Site.ID); asks && len(open) > 0 || c.Status >= 500 {
		d.Errorf("%s: %d sessions, answered %d %s", what, len(open), c.Status, c.Raw)
	}
	if !asks && c.Text("access_token") == "" {
		d.Errorf("%s: answered %d %s %s", what, c.Status, c.Raw, c.page.Raw)
	}
	if !asks || !way.steps(has) {
		return
	}
	c.Reply = way.second(d, p, c)
	if open := d.sessions(p, d.w.Notes.Site.ID); len(open) != 1 || open[0].Methods.Factors() < 2 {
		d.Errorf("%s: after the second step %v %d %s", what, open, c.Status, c.Raw)
	}
}

func joinsByOneLogin(d *doors, r rule, has enrolment, left bool) {
	d.Helper()
	p, what := joiner(d, r, has, left)
	answer := d.bearer("/api/1/login/auth", d.api, object{"username_or_email": p.Email.Address, "password": otltest.Password, "subdomain": "notes"})
	first, asks := firstOf(answer), r.demands() || has.enrolled()
	if asks == (first["session_token"] != nil) || asks && has.enrolled() == (first["state_token"] == nil) {
		d.Errorf("%s: answered %d %s", what, answer.Status, answer.Raw)
	}
}
