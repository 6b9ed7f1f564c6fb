package signin_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// asksForLink begins a visit of the pages and has a link of it mailed to an address.
func asksForLink(t *testing.T, w *otltest.World, email string) (s signin.Arrivals, v signin.Visit, browser secret.Text, link string) {
	t.Helper()
	s, browser = signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
	f, err := s.Begin(t.Context(), w.Shop.Site, browser, otl.Asked{Redirect: "https://shop.test/callback"})
	if err != nil {
		t.Fatal(err)
	}
	v, err = s.Visit(t.Context(), f.ID, browser, nil)
	if err == nil {
		err = s.SendCode(t.Context(), v, email)
	}
	if err == nil {
		v, err = s.Visit(t.Context(), f.ID, browser, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, v, browser, strings.TrimPrefix(w.Newest(t, email).Link, otltest.Issuer+"/l/")
}

// provesByPress proves an address by a link of a visit that is pressed where it was asked for.
func provesByPress(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	s, _, browser, link := asksForLink(t, w, email)
	if _, _, err := s.Press(t.Context(), link, browser, nil); err != nil {
		t.Fatal(err)
	}
}

// provesByNumber proves an address by a link that another browser opened, with the number that the first one shows.
func provesByNumber(t *testing.T, w *otltest.World, email string) {
	t.Helper()
	s, v, _, link := asksForLink(t, w, email)
	if right, err := s.Approve(t.Context(), link, v.Progress.Number); err != nil || !right {
		t.Fatal(right, err)
	}
}

// TestOT16_AFirstProofBeginsWithItsPerson: it takes away what else was sent to him, and so does a change of his address, which has him
// when it wants the code. On PostgreSQL they would wait in a circle until one of them is ended.
func TestOT16_AFirstProofBeginsWithItsPerson(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres) // SQLite has one writer
	for _, way := range append(byMail(), bySMS(), way{"press", provesByPress}, way{"number", provesByNumber}) {
		email, number := way.name+"@dev.test", ""
		if way.name == bySMS().name {
			email, number = "", "+491705550220"
		}
		s := registered(t, w, email, number)
		w.PersonFirst(t, s.user.ID, func() { way.prove(t, w, email+number) })
		if t.Failed() {
			t.Fatal(way.name)
		}
	}
}
