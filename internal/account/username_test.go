package account_test

import (
	"errors"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestAUsernameIsOnePersons: whatever its case, at creation and afterwards, and it
// signs in as the address does.
func TestAUsernameIsOnePersons(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		create := func(email, username string) (account.Member, error) {
			return w.Accounts.Create(t.Context(), account.Creation{
				Email: email, Password: secret.NewText(otltest.Password), Site: &w.Notes.Site, Profile: account.Profile{Username: &username},
			})
		}
		jane, err := create("jane@dev.test", "Jane.Doe")
		if err != nil || jane.User.Username != (otl.Username{Name: "Jane.Doe", Key: "jane.doe"}) || !jane.Grant.Fields.Has(otl.FieldUsername) {
			t.Fatalf("%+v %v", jane, err)
		}
		if _, err := create("joe@dev.test", "JANE.doe"); !errors.Is(err, otl.ErrUsernameTaken) {
			t.Fatalf("a second Jane.Doe: %v", err)
		}
		if _, err := create("JANE@dev.test", "joe"); !errors.Is(err, otl.ErrEmailTaken) {
			t.Fatalf("a second jane@dev.test: %v", err)
		}
		joe, err := create("joe@dev.test", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := create("jim@dev.test", ""); err != nil {
			t.Fatalf("a second person without a username: %v", err)
		}
		update := func(allowed otl.Fields, to string) (otl.User, error) {
			return w.Accounts.Update(t.Context(), joe.User.ID, 1, allowed, account.Profile{Username: &to})
		}
		if _, err := update(otl.AllFields(), "jane.DOE"); !errors.Is(err, otl.ErrUsernameTaken) {
			t.Fatalf("changed to what is taken: %v", err)
		}
		if _, err := update(otl.AllFields().Without(otl.FieldUsername), "joe"); !errors.Is(err, otl.ErrFirstParty) {
			t.Fatalf("changed by a site: %v", err)
		}
		if u, err := update(otl.AllFields(), "joe"); err != nil || u.Username.Key != "joe" {
			t.Fatalf("%+v %v", u, err)
		}
		for _, name := range []string{"jane.doe", "JANE.DOE", "jane@dev.test"} {
			got, err := w.SignIn.Password(t.Context(), signin.Named(w.Notes.Site, name, secret.NewText(otltest.Password)))
			if err != nil || got.User.ID != jane.User.ID {
				t.Errorf("as %s: %v", name, err)
			}
		}
		for _, name := range []string{"nobody", "jane.doe@", "jane"} {
			if _, err := w.SignIn.Password(t.Context(), signin.Named(w.Notes.Site, name, secret.NewText(otltest.Password))); err == nil {
				t.Errorf("signed in as %q", name)
			}
		}
	})
}

// TestPW11_AddressAndUsernameShareOneCount: wrong passwords count on the person,
// by whatever name he is called.
func TestPW11_AddressAndUsernameShareOneCount(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		name := "jane.doe"
		if _, err := w.Accounts.Create(t.Context(), account.Creation{
			Email: "jane@dev.test", Password: secret.NewText(otltest.Password), Profile: account.Profile{Username: &name},
		}); err != nil {
			t.Fatal(err)
		}
		var refused error
		for i := range 40 {
			as := []string{"jane@dev.test", "Jane.Doe"}[i%2]
			if _, err := w.SignIn.Password(t.Context(), signin.Named(w.Notes.Site, as, secret.NewText("wrong-horse-7"))); !errors.Is(err, otl.ErrCredentials) {
				refused = err
				break
			}
		}
		if otl.As(refused).Kind != otl.Limited {
			t.Fatalf("40 wrong passwords by two names: %v", refused)
		}
	}, func(o *node.Options) { o.Limits = true })
}
