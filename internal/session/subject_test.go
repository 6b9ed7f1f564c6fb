package session_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
)

// TestPR07_ASubjectIsOfKeySiteAndPerson: each of them makes another one, the client does not.
func TestPR07_ASubjectIsOfKeySiteAndPerson(t *testing.T) {
	t.Parallel()
	const person = "01J00000000000000000000001"
	s := session.Subjects{Key: secret.NewText(strings.Repeat("k", 32))}
	notes := otl.Client{ID: "one", SiteID: "notes", SubjectType: otl.SubjectPairwise}
	sub, app, shop := s.Of(notes, person), notes, notes
	app.ID, shop.SiteID = "two", "shop"
	if s.Of(app, person) != sub {
		t.Error("two clients of a site know somebody by two ids")
	}
	for name, other := range map[string]string{
		"another site": s.Of(shop, person), "another person": s.Of(notes, person[:25]+"2"), "another key": session.Subjects{Key: secret.NewText(strings.Repeat("l", 32))}.Of(notes, person),
		"what moved between site and person": s.Of(otl.Client{SiteID: "notes" + person[:1], SubjectType: otl.SubjectPairwise}, person[1:]),
	} {
		if other == sub || !session.ValidSubject(otl.SubjectPairwise, other) {
			t.Errorf("%s: %s", name, other)
		}
	}
	for _, public := range []otl.SubjectType{"", otl.SubjectPublic} {
		if got := s.Of(otl.Client{SiteID: "notes", SubjectType: public}, person); got != person || !session.ValidSubject(public, got) || session.ValidSubject(public, sub) {
			t.Errorf("%q: %s", public, got)
		}
	}
	for _, bad := range []string{"", person, sub[1:], sub + "0", strings.ToUpper(sub), strings.Repeat("g", 64)} {
		if session.ValidSubject(otl.SubjectPairwise, bad) {
			t.Errorf("%q is taken for a pairwise one", bad)
		}
	}
}
