package account_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

func ptr[T any](v T) *T { return &v }

func register(t *testing.T, w *otltest.World, r account.Registration) (session.Tokens, error) {
	t.Helper()
	if r.Site.ID == "" {
		r.Site = w.Notes.Site
	}
	if r.Password.Empty() {
		r.Password = secret.NewText(otltest.Password)
	}
	return w.Accounts.Register(t.Context(), r)
}

// faults gives the members an error names, with their codes.
func faults(err error) string {
	var all []string
	for _, e := range otl.As(err).More {
		all = append(all, e.Field+" "+e.Code)
	}
	return strings.Join(all, ", ")
}

func TestRegisterGrantsWhatIsSaid(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, c := range []struct {
			profile account.Profile
			fields  []string
			want    otl.Fields
		}{
			{account.Profile{}, nil, otl.MinimalFields()},
			{account.Profile{Phone: ptr("+491705550100"), Locale: ptr("de")}, nil, otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone, otl.FieldLocale}},
			{account.Profile{Name: ptr("Jane")}, []string{"phone", "email", "phone"}, otl.Fields{otl.FieldEmail, otl.FieldPhone}},
			{account.Profile{}, []string{}, nil},
		} {
			tokens, err := register(t, w, account.Registration{Email: fmt.Sprintf("P%d@Dev.Test", i), Profile: c.profile, Fields: c.fields})
			if err != nil {
				t.Fatal(err)
			}
			g, err := w.Store.Read.Grants.Of(t.Context(), tokens.User.ID, w.Notes.Site.ID)
			if err != nil || !reflect.DeepEqual(g.Fields, c.want) {
				t.Errorf("%d granted %v (%v), want %v", i, g.Fields, err, c.want)
			}
			events, err := w.Store.Read.Events.List(t.Context(), tokens.User.ID, "", "", 10)
			if err != nil || len(events) != 3 { // user.created, consent.granted, session.created
				t.Errorf("%d events, %v", len(events), err)
			}
		}
	})
}

func TestRegisterNamesEveryFault(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	_, err := register(t, w, account.Registration{
		Email: "jane", Password: secret.NewText("short"), Fields: []string{"email", "shoe_size"},
		Profile: account.Profile{Name: ptr("a\nb"), Phone: ptr("170"), Picture: ptr("javascript:1"), Locale: ptr("_"), Preferences: ptr("[]")},
	})
	want := "email not_an_address, password too_short, name bad_characters, phone not_e164, picture not_a_url, locale not_a_language_tag, preferences not_an_object, fields unknown_value"
	if got := faults(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := w.Accounts.Find(t.Context(), "jane@dev.test"); !otl.Is(err, "not_found") {
		t.Errorf("afterwards: %v", err)
	}
}

// TestOneOfManyRegistrationsWins: the same address at the same time, in several
// spellings and at two sites, is one person.
func TestOneOfManyRegistrationsWins(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		var made, taken atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				email, site := []string{"jane@dev.test", "JANE@dev.test", " jane@DEV.TEST "}[i%3], []otl.Site{w.Notes.Site, w.Shop.Site}[i%2]
				_, err := register(t, w, account.Registration{Email: email, Site: site})
				switch {
				case err == nil:
					made.Add(1)
				case errors.Is(err, otl.ErrEmailTaken):
					taken.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made.Load() != 1 || taken.Load() != 19 {
			t.Errorf("%d made, %d refused", made.Load(), taken.Load())
		}
	})
}

func TestCreateAndFind(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Profile: account.Profile{Name: ptr("Jane")}})
		if err != nil {
			t.Fatal(err)
		}
		u := m.User
		for _, by := range []string{u.ID, "jane@dev.test", " JANE@dev.test"} {
			if got, err := w.Accounts.Find(t.Context(), by); err != nil || got.ID != u.ID || got.Name != "Jane" || !got.LastLoginAt.IsZero() {
				t.Errorf("by %q: %+v %v", by, got, err)
			}
		}
		for _, by := range []string{"", "nobody@dev.test", "x", secret.NewID(w.Clock.Now())} {
			if _, err := w.Accounts.Find(t.Context(), by); !otl.Is(err, "not_found") {
				t.Errorf("by %q: %v", by, err)
			}
		}
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "Jane@dev.test"}); !errors.Is(err, otl.ErrEmailTaken) {
			t.Errorf("twice: %v", err)
		}
		for _, hash := range []string{"x", "$argon2id$v=19$m=9999999,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "$2b$31$abcdefghijklmnopqrstuuAmzRwyWXTnJhm2Yr3B/qH2m6v4K8ONS", "md5:1"} {
			if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: "x@dev.test", Hash: hash}); faults(err) != "password_hash bad_hash" {
				t.Errorf("%s: %v", hash, err)
			}
		}
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test")
		update := func(version int, allowed otl.Fields, p account.Profile) (otl.User, error) {
			return w.Accounts.Update(t.Context(), u.ID, version, allowed, p)
		}
		got, err := update(1, otl.AllFields(), account.Profile{Name: ptr(" Jane Roe "), Preferences: ptr(`{"a":1}`)})
		if err != nil || got.Name != "Jane Roe" || got.Version != 2 || got.Preferences != `{"a":1}` {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := update(1, otl.AllFields(), account.Profile{Name: ptr("Late")}); !errors.Is(err, otl.ErrVersion) {
			t.Error(err)
		}
		if _, err := update(2, otl.MinimalFields(), account.Profile{Name: ptr("x"), Phone: ptr("+491705550100")}); !otl.Is(err, "consent_required") {
			t.Error(err)
		}
		if same, err := update(2, otl.AllFields(), account.Profile{Name: ptr("Jane Roe")}); err != nil || same.Version != 2 {
			t.Errorf("no change made version %d, %v", same.Version, err)
		}
		if _, err := w.Accounts.Update(t.Context(), "nobody", 1, otl.AllFields(), account.Profile{}); !otl.Is(err, "not_found") {
			t.Error(err)
		}
		if now, err := w.Accounts.Find(t.Context(), u.ID); err != nil || now.Name != "Jane Roe" || now.Version != 2 {
			t.Errorf("in the end %+v %v", now, err)
		}
	})
}

// TestOneOfManyUpdatesWins: of changes made from one version one is written.
func TestOneOfManyUpdatesWins(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test")
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				_, err := w.Accounts.Update(t.Context(), u.ID, 1, otl.AllFields(), account.Profile{Name: ptr(fmt.Sprint("name ", i))})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, otl.ErrVersion):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d were written", won.Load())
		}
	})
}

func TestDisablingIsNotedOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		for _, disabled := range []bool{true, true, false, false} {
			if err := w.Accounts.SetDisabled(t.Context(), u.ID, disabled); err != nil {
				t.Fatal(err)
			}
		}
		events, err := w.Store.Read.Events.List(t.Context(), u.ID, "", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		count := map[otl.EventType]int{}
		for _, e := range events {
			count[e.Type]++
		}
		if count[otl.EventUserDisabled] != 1 || count[otl.EventUserEnabled] != 1 {
			t.Errorf("events %v", count)
		}
		w.Login(t, w.Notes, "jane@dev.test")
	})
}

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		if m, err := w.Accounts.Member(t.Context(), w.Notes.Site.ID, u.ID); err != nil || m.User.ID != u.ID {
			t.Errorf("%+v %v", m, err)
		}
		if err := w.Accounts.Leave(t.Context(), w.Notes.Site.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"again": w.Accounts.Leave(t.Context(), w.Notes.Site.ID, u.ID), "another site": w.Accounts.Leave(t.Context(), w.Shop.Site.ID, u.ID),
			"nobody": w.Accounts.Delete(t.Context(), "nobody"),
		} {
			if !otl.Is(err, "not_found") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := w.Accounts.Member(t.Context(), w.Notes.Site.ID, u.ID); !otl.Is(err, "not_found") {
			t.Error(err)
		}
		if all, err := w.Accounts.Members(t.Context(), w.Notes.Site.ID, "", "", "", 10); err != nil || len(all) != 0 {
			t.Errorf("%d members, %v", len(all), err)
		}
		if err := w.Accounts.Delete(t.Context(), u.ID); err != nil {
			t.Error(err)
		}
		if _, err := w.Store.Read.Users.ByID(t.Context(), u.ID); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}
