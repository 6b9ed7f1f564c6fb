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
					_, err = roles.Assign(t.Context(), w.Notes.Site.ID, u.ID, name)
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
