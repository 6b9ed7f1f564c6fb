package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFileIsReadAsWritten(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		text string
		want map[string]string
	}{
		"nothing":              {"", nil},
		"only comments":        {"# listen: 127.0.0.1:1\n\n", nil},
		"an empty document":    {"---\n...\n", nil},
		"flat":                 {"listen: 127.0.0.1:1\n", map[string]string{"listen": "127.0.0.1:1"}},
		"nested":               {"db:\n  max_conns: 3\n", map[string]string{"db.max_conns": "3"}},
		"nested in one line":   {"db: {max_conns: 3}\n", map[string]string{"db.max_conns": "3"}},
		"dotted":               {"db.max_conns: 3\n", map[string]string{"db.max_conns": "3"}},
		"deep":                 {"a: {b: {c: {d: 1}}}\n", map[string]string{"a.b.c.d": "1"}},
		"quoted":               {"a: \"x\\ty\"\nb: 'it''s'\n\"c\": 1\n", map[string]string{"a": "x\ty", "b": "it's", "c": "1"}},
		"numbers as written":   {"a: 0x10\nb: 010\nc: 1e3\nd: 1_000\ne: .inf\nf: -.5\ng: 9999999999999999999999\n", map[string]string{"a": "0x10", "b": "010", "c": "1e3", "d": "1_000", "e": ".inf", "f": "-.5", "g": "9999999999999999999999"}},
		"words as written":     {"a: true\nb: yes\nc: Off\nd: .NaN\ne: 2026-01-02\n", map[string]string{"a": "true", "b": "yes", "c": "Off", "d": ".NaN", "e": "2026-01-02"}},
		"null":                 {"a: null\nb: ~\nc:\nd: \"\"\n", map[string]string{"a": "", "b": "", "c": "", "d": ""}},
		"a list":               {"a: [x, 1, true]\nb:\n  - y\n  - z\nc: []\n", map[string]string{"a": "x,1,true", "b": "y,z", "c": ""}},
		"a block":              {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", map[string]string{"a": "x\ny\n", "b": "x y"}},
		"a comment behind":     {"a: 1 # one\nb: x#y\n", map[string]string{"a": "1", "b": "x#y"}},
		"a byte order mark":    {"\ufefflisten: x\n", map[string]string{"listen": "x"}},
		"Windows line ends":    {"a: 1\r\nb:\r\n  c: 2\r\n", map[string]string{"a": "1", "b.c": "2"}},
		"no newline at end":    {"a: 1", map[string]string{"a": "1"}},
		"a colon in the value": {"a: https://id.example.com:8443\n", map[string]string{"a": "https://id.example.com:8443"}},
		"a start marker":       {"---\na: 1\n", map[string]string{"a": "1"}},
		"an empty group":       {"a: {}\n", map[string]string{"a": ""}},
		"keys that are words":  {"on: 1\n2: 3\n", map[string]string{"on": "1", "2": "3"}},
	} {
		got, err := ParseFile("otl.yaml", []byte(one.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !maps.Equal(got, one.want) {
			t.Errorf("%s: got %v, want %v", name, got, one.want)
		}
	}
}

// TestFilesThatAreRefused also looks for the value that stands at the fault: it
// may be a secret, and the error goes to a log.
func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		text string
		line int
		why  string
	}{
		"a key twice":              {"a: 1\nb: 2\na: canary\n", 3, "already defined"},
		"a key twice, two ways":    {"db:\n  max_conns: 1\ndb.max_conns: canary\n", 3, "db.max_conns is set twice"},
		"a group twice":            {"db: {a: 1}\ndb: {a: canary}\n", 2, "already defined"},
		"a tab":                    {"db:\n\tmax_conns: canary\n", 2, "cannot start any token"},
		"bad indentation":          {"listen: x\n max_conns: canary\n", 1, ""},
		"an anchor":                {"a: &x canary\nb: 1\n", 1, "a must be text, a number or a list of them"},
		"an alias":                 {"a: &x 1\nb: *x\n", 1, "must be text"},
		"an anchored group":        {"a: &x\n  b: canary\n", 1, "must be text"},
		"a merge key":              {"<<: {a: canary}\n", 1, "a key must be plain text"},
		"a tag":                    {"a: !!binary canary\n", 1, "must be text"},
		"a list of lists":          {"a: [[canary]]\n", 1, "must be text"},
		"a list of groups":         {"a:\n  - b: canary\n", 1, "must be text"},
		"a complex key":            {"? a\n: canary\n", 1, "a key must be plain text"},
		"an empty key":             {"\"\": canary\n", 1, "a key must be plain text"},
		"a null key":               {"~: canary\n", 1, "a key must be plain text"},
		"a list of settings":       {"- listen: canary\n", 1, "must be a list of settings"},
		"a sentence":               {"canary\n", 1, "must be a list of settings"},
		"two documents":            {"a: 1\n---\nb: canary\n", 3, "second document"},
		"a directive":              {"%YAML 1.2\n---\na: canary\n", 1, ""},
		"a quote left open":        {"secret_key: \"canary\n", 1, "double-quoted"},
		"a bracket left open":      {"secret_key: [canary\n", 1, "not found"},
		"a reserved character":     {"secret_key: @canary\n", 1, "reserved character"},
		"a colon too many":         {"secret_key: canary: x\n", 1, "not allowed"},
		"text behind the value":    {"secret_key: 'canary' x\n", 1, "not allowed"},
		"JSON that is not closed":  {"{\"secret_key\": \"canary\"", 1, ""},
		"an equals sign":           {"secret_key=canary\n", 1, "must be a list of settings"},
		"a key without its colon":  {"a: 1\nsecret_key canary\nb: 2\n", 2, ""},
		"a private key pasted":     {"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n", 1, ""},
		"bytes that are no text":   {"\x00\x01canary", 1, ""},
		"an environment file":      {"OTL_SECRET_KEY=canary\nOTL_LISTEN=x\n", 1, "must be a list of settings"},
		"braces":                   {"a: {{ canary }}\n", 1, ""},
		"a multi-line flow of one": {"a: {b: canary,\n", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseFile("otl.yaml", []byte(one.text))
			wantRefusal(t, err, fmt.Sprintf("otl.yaml:%d", one.line), one.why)
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%q repeats the value", err)
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, []byte(strings.Repeat("#", maxFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, why := range map[string]string{
		filepath.Join(dir, "none.yaml"): "no such file or directory",
		dir:                             "is a directory",
		large:                           "is larger than 1 MiB",
	} {
		_, err := Load(Sources{File: path})
		wantRefusal(t, err, path, why)
	}
	broken := file(t, "listen: x\ndb: [\n")
	_, err := Load(Sources{File: broken})
	wantRefusal(t, err, broken+":2", "not found")
}

// TestDeepNestingEnds proves that a hostile or broken file ends in an answer,
// not in a stack overflow.
func TestDeepNestingEnds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"flow groups":  strings.Repeat("{a: ", 3_000),
		"flow lists":   strings.Repeat("[", 3_000),
		"closed lists": "a: " + strings.Repeat("[", 2_000) + strings.Repeat("]", 2_000),
	} {
		if _, err := ParseFile("otl.yaml", []byte(text)); err == nil {
			t.Errorf("%s are taken", name)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	for _, s := range []string{
		"public_url: https://id.example.com\nlisten: 0.0.0.0:8443\ntls:\n  cert: a\n  key: b\n", "db: {max_conns: 3}", "trusted_proxies: [10.0.0.0/8, '::1']",
		"a: |\n  b\n", "a: &x [1]\nb: *x", "<<: {a: b}", "? a\n: b", "a: !!str 1", "%YAML 1.2\n---\n", "- a", "\t", "a: 'b", "a: \"\\u00e9\"", "\ufeffa: 1",
		"a: 1\r\nb: 2", "a: # c\n  b: ~ # d\n", "a: >-\n\n  b\n c", "---\n---\n", "a:\n- b\n- - c", "{}", "[]", "\"\": 1", "a.b: 1\na: {b: 2}", "*", "&", "!", "|", "a: [{b: c}]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := ParseFile("otl.yaml", raw)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || !strings.HasPrefix(e.Key, "otl.yaml") {
				t.Fatalf("%q: %v is no refusal of the file", raw, err)
			}
			return
		}
		// The same file written by us means the same.
		var b strings.Builder
		for _, k := range slices.Sorted(maps.Keys(got)) {
			if k == "" {
				t.Fatalf("%q gave a key without a name", raw)
			}
			fmt.Fprintf(&b, "%s: %s\n", quote(k), quote(got[k]))
		}
		again, err := ParseFile("otl.yaml", []byte(b.String()))
		if err != nil || !maps.Equal(got, again) {
			t.Fatalf("%q gave %q; written as\n%s\nit gives %q, %v", raw, got, b.String(), again, err)
		}
	})
}

// quote writes a string in YAML's single quotes, or in double ones where those
// would fold it.
func quote(s string) string {
	if strings.ContainsAny(s, "\n\r\t\x00\\\"") || strings.TrimSpace(s) != s {
		return fmt.Sprintf("%q", s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
