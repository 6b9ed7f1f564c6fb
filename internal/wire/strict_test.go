package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

// FuzzReadJSON: what is let through is one JSON document that encoding/json
// reads without loss, and reads the same after writing it again.
func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, `{"a":{"b":[1,2,{"c":null}]}}`, `{"a":1,"a":2}`, `{"a":1}{}`, `[`, `{"a":"\ud800"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\u0000"}`,
		"{\"\xff\":1}", `{"a":1e999}`, `{"a":-0}`, ` {"a" : true } `, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), `{"a":"\ufffd"}`, `nul`, ``,
		`{"a":[[],[[]]]}`, `{"A":1,"a":2}`, "\ufeff{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := ReadJSON(body)
		var value any
		if plain := json.Unmarshal(body, &value); err == nil && plain != nil {
			t.Fatalf("let through what is no JSON: %q", body)
		}
		if err != nil {
			if k := otl.As(err).Kind; k != otl.Malformed && k != otl.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !reflect.DeepEqual(value, any(got)) {
			t.Errorf("%q is read as %v, and by encoding/json as %v", body, got, value)
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var reread any
		if err := json.Unmarshal(again, &reread); err != nil || !reflect.DeepEqual(value, reread) {
			t.Errorf("%q reads as %v and then as %v", body, value, reread)
		}
		if bytes.Contains(again, []byte(`\u0000`)) {
			t.Errorf("NUL in %q", body)
		}
	})
}

func TestHT04_BoundsOfJSON(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	keys := func(n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(`"k%d":0`, i)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	values := func(n int) string { return `{"a":[` + strings.TrimSuffix(strings.Repeat("0,", n), ",") + `]}` }
	for body, code := range map[string]string{
		nest(32): "", nest(33): "malformed_json", keys(1000): "", keys(1001): "malformed_json", values(1000): "", values(1001): "malformed_json",
		`{"a":12345678901234567890123456789012}`: "", `{"a":123456789012345678901234567890123}`: "validation_failed",
		`{"a":{"b":1,"b":2}}`: "duplicate_key", `{"a":[{"b":1},{"b":2}]}`: "", `{"a":"\u0000"}`: "validation_failed", `{"\u0000":1}`: "validation_failed",
		`{"a":"\udc00x"}`: "malformed_json", `{"a":"\ud83d\ude00"}`: "", `{"a":"�"}`: "",
	} {
		_, err := ReadJSON([]byte(body))
		if got := codeIn(err); got != code {
			t.Errorf("%.60s: %q, want %q", body, got, code)
		}
	}
}

func codeIn(err error) string {
	if err == nil {
		return ""
	}
	return otl.As(err).Code
}

// TestAFaultNamesItsPath: an error deep inside says where.
func TestAFaultNamesItsPath(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		`{"a":{"b":[0,{"c":"\u0000"}]}}`: "a.b[1].c", `{"a":[1e999]}`: "a[0]", `{"x":{"y\n":"\u0000"}}`: "x.y",
	} {
		if _, err := ReadJSON([]byte(body)); err == nil || otl.As(err).Field != field {
			t.Errorf("%s: %v, want the field %s", body, err, field)
		}
	}
	long := `{"` + strings.Repeat("k", 5000) + `":"\u0000"}`
	if _, err := ReadJSON([]byte(long)); err == nil || len(otl.As(err).Field) > 200 {
		t.Errorf("a long key is repeated in full: %d bytes", len(otl.As(err).Field))
	}
}
