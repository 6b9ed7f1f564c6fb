package account_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// TestRolesOfAChange: those that are made of what the person has, whoever else gives him some at the
// same time; one that the site does not know, or no longer, leaves everything as it was.
func TestRolesOfAChange(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		roles := &site.Roles{Store: w.Store, Now: w.Clock.Now}
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		var names []string
		for i := range otl.MaxUserRoles + 1 {
			names = append(names, fmt.Sprintf("r%02d", i))
			if _, err := roles.Create(t.Context(), otl.Role{SiteID: w.Notes.Site.ID, Name: names[i]}); err != nil {
				t.Fatal(err)
			}
		}
		has := func() string {
			m, err := w.Accounts.Member(t.Context(), w.Notes.Site.ID, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(m.Grant.Roles, " ")
		}
		change := func(made func([]string) []string) error {
			_, err := w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Profile: account.Profile{Name: ptr("Changed")}, Roles: made})
			return err
		}
		var wg sync.WaitGroup
		for i, name := range names[:otl.MaxUserRoles] {
			wg.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = w.Members.SetRole(t.Context(), w.Notes.Site, u.ID, name, true)
				} else {
					_, err = w.Members.Change(t.Context(), w.Notes.Site, u.ID, account.MemberChange{Roles: func(has []string) []string { return append(has, name) }})
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		all := strings.Join(names[:otl.MaxUserRoles], " ")
		if has() != all {
			t.Errorf("of those given at the same time %s", has())
		}
		for _, bad := range [][]string{names, {"r00", "none"}, {"r00", "%"}, {""}} {
			if err := change(func([]string) []string { return bad }); err == nil {
				t.Errorf("%v", bad)
			}
		}
		if again, err := w.Accounts.Find(t.Context(), u.ID); err != nil || has() != all || again.Name != u.Name {
			t.Errorf("something wrong was half done: %s %s %v", has(), again.Name, err)
		}
		if err := change(func([]string) []string { return []string{"r01", "r00", "r01"} }); err != nil || has() != "r00 r01" {
			t.Errorf("%s %v", has(), err)
		}
		if err := w.Accounts.Leave(t.Context(), w.Notes.Site.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := change(func(has []string) []string { return has }); !otl.Is(err, otl.NoSuch("user").Code) {
			t.Errorf("of somebody who left: %v", err)
		}
	})
}

// TestRolesOutliveAChangeOfTheProfile: of a person of a site's own, whom each part of his profile that
// the site fills in is granted with; nothing is lost of what happens at the same time.
func TestRolesOutliveAChangeOfTheProfile(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		roles := &site.Roles{Store: w.Store, Now: w.Clock.Now}
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "own@dev.test", Site: &w.Notes.Site})
		if err != nil {
			t.Fatal(err)
		}
		parts := []account.Profile{
			{Name: ptr("Own")}, {DisplayName: ptr("O")}, {Phone: ptr("+491705550100")}, {Locale: ptr("de")}, {Picture: ptr("https://dev.test/o.png")}, {Preferences: ptr("{}")},
		}
		var wg sync.WaitGroup
		for i, part := range parts {
			name := fmt.Sprintf("r%d", i)
			if _, err := roles.Create(t.Context(), otl.Role{SiteID: w.Notes.Site.ID, Name: name}); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				for { // of two who change a profile at once one is told to read it again
					_, err := w.Members.Change(t.Context(), w.Notes.Site, m.User.ID, account.MemberChange{Profile: part})
					if err == nil || !otl.Is(err, otl.ErrVersion.Code) {
						if err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
			wg.Go(func() {
				if _, err := w.Members.SetRole(t.Context(), w.Notes.Site, m.User.ID, name, true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		m, err = w.Accounts.Member(t.Context(), w.Notes.Site.ID, m.User.ID)
		if got := strings.Join(m.Grant.Roles, " "); err != nil || got != "r0 r1 r2 r3 r4 r5" || !m.Grant.Fields.Has(otl.FieldPicture) || !m.Grant.Fields.Has(otl.FieldLocale) || m.User.Locale != "de" {
			t.Errorf("%s of %+v %v", got, m, err)
		}
	})
}
