package onelogin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

// FuzzBodies reads a body as the calls do: it is refused with an error of ours, or it was
// an object.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"username_or_email":"a","password":"b","subdomain":"c"}`, `{"device_id":"7"}`, `{"device_id":7.5}`, `{"role_id_array":["1",2]}`, `[]`, `null`, `{"password":null}`, "\xff", `{"a":"\u0000"}`, `{"state":{}}`, "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, in := range []any{&loginIn{}, &verifyIn{}, &tokenIn{}, &personIn{}, &rolesIn{}, &stateIn{}, &enrolIn{}, &inviteIn{}} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			err := read(httptest.NewRecorder(), r, in)
			var own *refusal
			if err != nil && !errors.As(err, &own) && otl.As(err).Kind != otl.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			var object map[string]any
			if err == nil && json.Unmarshal([]byte(body), &object) != nil {
				t.Fatalf("%q was read", body)
			}
			if p, ok := in.(*personIn); ok && err == nil {
				_, _ = p.change("Jane Doe") // must not panic
			}
		}
	})
}

// FuzzQuestions reads what people are asked for: pages stay within their bounds.
func FuzzQuestions(f *testing.F) {
	for _, s := range []string{"", "limit=10&page=2", "after_cursor=cGFnZT0y", "cursor=%2f", "email=a&email=b", "limit=-1", "page=999999999999", "x=y", "after_cursor=YWZ0ZXJfY3Vyc29yPXg=", "user_ids=1,,x", "created_since=2026-01-02&fields=,", "last_login_until=0000-01-01T00:00:00Z", "sort=-id&name=*a*&role_id=1", "custom_attributes.a=*&username=x*", "since=2026-01-02&app_id=1&id=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		in, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if q, err := question(in); err == nil && (q.page < 1 || q.Limit < 1 || q.Limit > 1000 || q.Offset < 0 || q.Offset > 1e9) {
			t.Errorf("%q: page %d, %d from %d", raw, q.page, q.Limit, q.Offset)
		}
		if q, err := newPaging(in); err == nil {
			if all, err := pick(&q, in, []roleOut{{1, "a"}, {2, "b"}}); err == nil && (len(all) > 2 || q.limit < 1 || q.offset() < 0) {
				t.Errorf("%q: %v, %d from %d", raw, all, q.limit, q.offset())
			}
		}
	})
}

// FuzzOrigins reads the headers that name origins: what is let through is an origin as
// browsers write it.
func FuzzOrigins(f *testing.F) {
	for _, s := range []string{"", "https://a.test", "https://A.test:443/, http://localhost:80", "null", "*", "https://a.test/x", ",,", "https://a@b.test", "https://a.test:99999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["Custom-Allowed-Origin-Header-1"] = []string{header}
		all, err := namedOrigins(r)
		if err != nil {
			return
		}
		for _, o := range all {
			u, err := url.Parse(o)
			if err != nil || u.Host == "" || u.Path != "" || o != strings.ToLower(o) || strings.ContainsAny(o, " ,*") {
				t.Errorf("%q names %q", header, o)
			}
		}
	})
}
