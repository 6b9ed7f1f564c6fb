package webhook

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzReplace: whatever is set, it is refused or the data can still be written, and
// every member that was set is found at its path.
func FuzzReplace(f *testing.F) {
	for _, s := range []string{`{"user.email":"x"}`, `{"a":1,"a.b":2}`, `{"a.b.c.d.e.f.g.h":null}`, `{"":1}`, `{"a..b":1}`, `{"user":[1]}`, `[]`, `{"\u0000":{}}`, `{"user.preferences.a.b":1}`, `{"user":1,"user.email":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, set string) {
		data := map[string]any{"user": map[string]any{"id": "u", "email": "e", "preferences": map[string]any{}}, "version": 2}
		unknown, err := replace(data, set)
		if err != nil {
			return
		}
		if _, err := json.Marshal(data); err != nil {
			t.Fatalf("%q: %v", set, err)
		}
		var members map[string]any
		if unknown != "" || set == "" || json.Unmarshal([]byte(set), &members) != nil {
			return
		}
		for path := range members {
			var at any = data
			for step := range strings.SplitSeq(path, ".") {
				in, ok := at.(map[string]any)
				if !ok {
					t.Fatalf("%q: nothing at %q", set, path)
				}
				if at, ok = in[step]; !ok {
					t.Fatalf("%q: nothing at %q", set, path)
				}
			}
		}
	})
}
