package otl_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

func TestPhones(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"+491705550100": true, "+12025550": true, "+1234567": true, "+123456789012345": true,
		"": false, "+": false, "491705550100": false, "+49 170 5550100": false, "+0491705550": false, "+123456": false, "+1234567890123456": false,
		"00491705550100": false, "+49170555010a": false, "+49170555\n100": false, "+٤٩١٧٠٥٥٥": false,
	} {
		got, err := otl.ParsePhone(s)
		if (err == nil) != ok || ok && got != s {
			t.Errorf("%q: %q %v", s, got, err)
		}
		if err != nil {
			if m, r := field(t, err); m != "phone" || r != "not_e164" {
				t.Error(m, r)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", " Jane ": "Jane", "Jäne Ö.": "Jäne Ö.", "日本": "日本", "👩‍👩‍👧": "👩‍👩‍👧", strings.Repeat("ü", 20): strings.Repeat("ü", 20),
		"a\nb": "!", "a\x00": "!", "\xff": "!", "a\u202eb": "!", "a\u2066b": "!", "a\x7f": "!", "a\u0085": "!", strings.Repeat("ü", 21): "!",
	} {
		got, err := otl.CheckText("name", s, 20)
		if (err != nil) != (want == "!") || err == nil && got != want {
			t.Errorf("%q: %q %v", s, got, err)
		}
		if err != nil {
			if m, _ := field(t, err); m != "name" {
				t.Error(m)
			}
		}
	}
	for a, b := range map[string]string{"JANE": "jane", "Ａnn": "ann", "ﬁ": "fi", "Ö": "ö"} {
		if otl.Fold(a) != otl.Fold(b) {
			t.Errorf("%q and %q are searched apart", a, b)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	fs, err := otl.ParseFields("fields", []string{"phone", "email", "phone"})
	if err != nil || fs.String() != "email phone" || !fs.Has(otl.FieldPhone) || fs.Has(otl.FieldName) {
		t.Error(fs, err)
	}
	if got := otl.StoredFields(fs.String() + " gone_since").With(otl.FieldName); got.String() != "email name phone" || fs.String() != "email phone" {
		t.Errorf("%s, and %s", got, fs)
	}
	for _, bad := range [][]string{{""}, {"EMAIL"}, {"email", "password"}, {"email phone"}} {
		if _, err := otl.ParseFields("requested_fields", bad); err == nil {
			t.Errorf("%q", bad)
		} else if m, _ := field(t, err); m != "requested_fields" {
			t.Error(m)
		}
	}
	if otl.AllFields().With(otl.AllFields()...).String() != otl.AllFields().String() {
		t.Error("all fields twice are more than once")
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"admin": true, "a": true, "billing:read.all-x_1": true, strings.Repeat("a", 64): true,
		"": false, "Admin": false, "a b": false, "ä": false, "a,b": false, strings.Repeat("a", 65): false, "a\n": false,
	} {
		if err := otl.CheckRoleName("name", s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
	many := make([]string, otl.MaxPermissions+1)
	for i := range many {
		many[i] = strings.Repeat("p", i+1)
	}
	for name, one := range map[string]struct {
		all []string
		ok  bool
	}{
		"none": {nil, true}, "some": {[]string{"notes:read", "notes:*"}, true}, "most": {many[:100], true}, "too many": {many, false},
		"twice": {[]string{"a", "a"}, false}, "empty": {[]string{""}, false}, "blank": {[]string{"a b"}, false}, "not ASCII": {[]string{"ü"}, false}, "long": {[]string{strings.Repeat("p", 101)}, false},
	} {
		if err := otl.CheckPermissions(one.all); (err == nil) != one.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStoredMethods(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "pwd", "pwd admin"} {
		if got := otl.StoredMethods(s); got.String() != s || got.Strings() == nil {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// An error nobody classified says nothing to a caller and all to the log.
func TestAnErrorOfNobodyLeaksNothing(t *testing.T) {
	t.Parallel()
	cause := errors.New("the password of the database is hunter2")
	e := otl.As(cause)
	if e.Kind != otl.Internal || strings.Contains(e.Text, "hunter2") || !errors.Is(e, cause) {
		t.Errorf("%+v", e)
	}
	known := otl.ErrRefresh.Because(io.EOF)
	if got := otl.As(errors.Join(errors.New("x"), known)); got != known || !errors.Is(known, io.EOF) || !otl.Is(known, "refresh_invalid") || otl.Is(io.EOF, "refresh_invalid") {
		t.Errorf("%+v", got)
	}
	if otl.ErrRefresh.Unwrap() != nil {
		t.Error("a constant error was given a cause")
	}
	if text := known.Error(); !strings.Contains(text, "EOF") {
		t.Errorf("the log does not read %q", text)
	}
	two := otl.InvalidFields([]otl.FieldError{{Field: "a", Code: "x", Text: "is bad"}, {Field: "b", Code: "y", Text: "is worse"}})
	if two.Error() != "a: is bad" || len(two.More) != 2 {
		t.Errorf("%v", two)
	}
	if busy := otl.Busy(time.Second); busy.Kind != otl.Unavailable || busy.RetryAfter != time.Second {
		t.Errorf("%+v", busy)
	}
	if none := otl.NoSuch("site"); none.Kind != otl.NotFound || none.Text != "No such site." {
		t.Errorf("%+v", none)
	}
}

func TestAContextKnowsItsRequestAndItsTransaction(t *testing.T) {
	t.Parallel()
	r := &otl.Request{ID: "1"}
	ctx := otl.WithRequest(context.Background(), r)
	if otl.RequestOf(ctx) != r || otl.RequestOf(context.Background()).ID != "" {
		t.Error("another request")
	}
	if otl.Transactional(ctx) || !otl.Transactional(otl.InTransaction(ctx)) {
		t.Error("the transaction is not marked")
	}
}
