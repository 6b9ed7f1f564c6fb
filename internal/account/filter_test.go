package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

func names() map[string]otl.Attribute {
	return map[string]otl.Attribute{"id": otl.AttrID, "email": otl.AttrEmail, "name": otl.AttrName, "status": otl.AttrActive, "at": otl.AttrCreated}
}

func parse(s string) (otl.Filter, error) {
	return account.ParseFilter("search", s, names(), map[string]bool{"active": true, "disabled": false})
}

// write gives a filter back as words.
func write(f otl.Filter) string {
	if f.Attr != "" {
		return fmt.Sprintf("%s %s %q", f.Attr, f.Op, f.Text)
	}
	var parts []string
	for _, p := range f.Parts {
		parts = append(parts, write(p))
	}
	if f.Op == otl.OpNot {
		return "not(" + parts[0] + ")"
	}
	return "(" + strings.Join(parts, " "+string(f.Op)+" ") + ")"
}

func TestSC06_Filters(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`email eq "a@b.test"`:                                                     `email eq "a@b.test"`,
		`EMAIL Eq "a@b.test" and name pr`:                                         `(email eq "a@b.test" and name pr "")`,
		`name co "a" or name sw "b" and name ew "c"`:                              `(name co "a" or (name sw "b" and name ew "c"))`,
		`(name co "a" or name sw "b") and id ne "1"`:                              `((name co "a" or name sw "b") and id ne "1")`,
		`not (status eq "Disabled")`:                                              `not(active eq "")`,
		`name eq "a \"quoted\" (word) \u00e4"`:                                    `name eq "a \"quoted\" (word) ä"`,
		`status eq true and at gt 1700000000000 and at le "2026-01-02T03:04:05Z"`: `(active eq "" and created_at gt "" and created_at le "")`,
	} {
		f, err := parse(in)
		if err != nil || write(f) != want {
			t.Errorf("%s: %s %v, want %s", in, write(f), err, want)
		}
	}
	for _, bad := range []string{
		"", " ", "email", "email eq", `email eq x`, `email eq "x`, `email gt "x"`, `id co "x"`, `name eq 7`, `status eq "maybe"`, `at eq "yesterday"`, `at eq -1`, `at eq 1e300`,
		`phone eq "1"`, `email eq "x" and`, `email eq "x" name pr`, `(email pr`, `email pr)`, `not email pr`, `emails[type eq "work"]`, `email eq null`, `email eq ["x"]`,
		`name eq "a\u0000"`, "name eq \"\x00\"", strings.Repeat("(", 11) + "email pr" + strings.Repeat(")", 11), strings.Repeat("email pr or ", 20) + "email pr",
		`name eq "` + strings.Repeat("x", 1024) + `"`, "name eq \"\xff\"",
	} {
		if f, err := parse(bad); !otl.Is(err, "validation_failed") {
			t.Errorf("%q became %s: %v", bad, write(f), err)
		}
	}
	if _, err := parse(strings.Repeat("(", 10) + "email pr" + strings.Repeat(")", 10)); err != nil {
		t.Error(err)
	}
}

// FuzzParseFilter holds that whatever is read can be asked of a database and finds
// nobody of another site.
func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{`email eq "a"`, `not (name co "%' or 1=1 --")`, `(at gt 1 and id ne "1") or status eq false`, `name sw "!_"`, `email ew "\ud800"`} {
		f.Add(s)
	}
	w := otltest.New(f, otltest.SQLite)
	w.Person(f, "jane@dev.test", w.Notes.Site)
	w.Person(f, "shopper@dev.test", w.Shop.Site)
	f.Fuzz(func(t *testing.T, s string) {
		filter, err := parse(s)
		if err != nil {
			if otl.As(err).Kind != otl.Invalid {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		found, n, err := w.Members.Search(t.Context(), w.Notes.Site.ID, account.Query{Filter: filter, Limit: 10})
		if err != nil || n > 1 || n == 1 && found[0].User.Email.Key != "jane@dev.test" {
			t.Errorf("%q found %d %v: %v", s, n, found, err)
		}
	})
}
