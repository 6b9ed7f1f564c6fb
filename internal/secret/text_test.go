package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	texttemplate "text/template"
)

// canary is long enough that no address, width or hexadecimal number looks like
// it. leaks also looks for the forms %x, %q and %v of bytes would give it.
const canary = "Canary-Wjq7"

func leaks(s string) bool {
	forms := []string{
		canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary),
		fmt.Sprintf("%#v", []byte(canary)), canary[:6],
	}
	for _, f := range forms {
		if strings.Contains(s, f) {
			return true
		}
	}
	return false
}

type embedded struct{ Text }

type unexported struct{ password Text }

type stringer struct{ t Text }

func (s stringer) String() string { return fmt.Sprint("stringer of ", s.t) }

// carriers gives every shape a secret was found printed in elsewhere.
func carriers() map[string]any {
	t := NewText(canary)
	return map[string]any{
		"itself":             t,
		"pointer":            &t,
		"exported field":     struct{ Password Text }{t},
		"unexported field":   unexported{t},
		"pointer to struct":  &unexported{t},
		"deep":               struct{ a *unexported }{&unexported{t}},
		"deeper by value":    struct{ a struct{ b []unexported } }{struct{ b []unexported }{[]unexported{{t}}}},
		"embedded":           embedded{t},
		"pointer to embed":   &embedded{t},
		"slice":              []Text{t, t},
		"array":              [1]Text{t},
		"map":                map[string]Text{"k": t},
		"interface":          []any{t},
		"unexported any":     struct{ v any }{t},
		"error":              fmt.Errorf("login with %v failed: %w", t, errors.New("no")),
		"stringer around it": stringer{t},
		"master key":         Master{current: t, previous: []Text{t}},
	}
}

func TestSU06_TextIsHiddenFromEveryVerb(t *testing.T) {
	t.Parallel()
	flags := []string{"", "+", "#", "-20", "020", " ", ".3", "20.10", "+#"}
	for name, v := range carriers() {
		for verb := byte('A'); verb <= 'z'; verb++ {
			for _, flag := range flags {
				format := "%" + flag + string(verb)
				if got := fmt.Sprintf(format, v); leaks(got) {
					t.Errorf("%s with %s: %s", name, format, got)
				}
				if got := fmt.Errorf(format, v).Error(); leaks(got) { // %w takes another way here
					t.Errorf("%s in Errorf with %s: %s", name, format, got)
				}
			}
		}
		for _, format := range []string{"no verb", "%!", "%", "%[2]*[1]d", "%[3]v", "%*d", "%.*s"} {
			if got := fmt.Sprintf(format, v, v); leaks(got) {
				t.Errorf("%s with %s: %s", name, format, got)
			}
		}
		if got := fmt.Sprint(v) + fmt.Sprintln(v, v); leaks(got) {
			t.Errorf("%s printed: %s", name, got)
		}
	}
}

func TestSU06_TextIsHiddenFromEncoders(t *testing.T) {
	t.Parallel()
	encoders := map[string]func(v any) (string, error){
		"json":          func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
		"json indented": func(v any) (string, error) { b, err := json.MarshalIndent(v, "", " "); return string(b), err },
		"xml":           func(v any) (string, error) { b, err := xml.Marshal(v); return string(b), err },
		"gob": func(v any) (string, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.String(), err
		},
		"text/template": func(v any) (string, error) {
			var b strings.Builder
			err := texttemplate.Must(texttemplate.New("").Parse(`{{.}} {{printf "%s %p %x" . . .}}`)).Execute(&b, v)
			return b.String(), err
		},
		"html/template": func(v any) (string, error) {
			var b strings.Builder
			err := template.Must(template.New("").Parse(`<a href="{{.}}" x={{.}}>{{.}}</a><script>{{.}}</script>`)).Execute(&b, v)
			return b.String(), err
		},
		"log": func(v any) (string, error) {
			var b strings.Builder
			log.New(&b, "", 0).Print(v)
			return b.String(), nil
		},
	}
	for name, v := range carriers() {
		for form, encode := range encoders {
			if got, err := encode(v); leaks(got) || err != nil && leaks(err.Error()) {
				t.Errorf("%s as %s: %s (%v)", name, form, got, err)
			}
		}
	}
}

func TestSU06_TextIsHiddenFromSlog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	opts := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: false}
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, opts), slog.NewJSONHandler(&b, opts)} {
		for name, v := range carriers() {
			l := slog.New(h)
			l.Info(name, "v", v, slog.Group("g", "v", v), slog.Any("w", slog.AnyValue(v)))
			l.With("v", v).WithGroup("g").Debug(name, "v", v)
		}
	}
	if leaks(b.String()) {
		t.Errorf("the log has the secret:\n%s", b.String())
	}
	if !strings.Contains(b.String(), redacted) {
		t.Errorf("the log has no trace of a secret:\n%s", b.String())
	}
}

func TestTextComesOutAsStars(t *testing.T) {
	t.Parallel()
	text := NewText(canary)
	js, err := json.Marshal(struct{ A, B Text }{A: text})
	if err != nil || string(js) != `{"A":"***","B":"***"}` {
		t.Errorf("json: %s %v", js, err)
	}
	plain, err := text.MarshalText()
	if err != nil || string(plain) != redacted {
		t.Errorf("text: %s %v", plain, err)
	}
	for format, want := range map[string]string{"%v": redacted, "%s": redacted, "%d": redacted, "%#v": redacted, "%q": redacted} {
		if got := fmt.Sprintf(format, text); got != want {
			t.Errorf("%s gives %q", format, got)
		}
	}
	// An empty secret must look like any other: its absence is a fact too.
	if got := fmt.Sprint(Text{}, " ", NewText("")); got != "*** ***" {
		t.Errorf("empty: %s", got)
	}
	if text.String() != redacted || text.GoString() != redacted || text.LogValue().String() != redacted {
		t.Error("String, GoString or LogValue say more")
	}
}

func TestTextReveals(t *testing.T) {
	t.Parallel()
	if got := NewText(canary).Reveal(); got != canary {
		t.Errorf("got %q", got)
	}
	if (Text{}).Reveal() != "" || !(Text{}).Empty() || !NewText("").Empty() || NewText(" ").Empty() {
		t.Error("Empty is wrong")
	}
	if reflect.TypeFor[Text]().Comparable() {
		t.Error("== between secrets compiles; it would compare addresses, and a comparison of values would not be in constant time")
	}
}

func TestTextReadsJSONStrings(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`"a\u0000b"`: "a\x00b", `""`: "", `null`: "", `"ä€😀"`: "ä€😀"} {
		got := NewText("before")
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.Reveal() != want {
			t.Errorf("%s gives %q, %v", in, got.Reveal(), err)
		}
	}
	for _, in := range []string{`1`, `true`, `[]`, `{}`, `["x"]`, `"` + canary, canary, ``, `123456789012345678901234567890`} {
		got := NewText("before")
		err := json.Unmarshal([]byte(in), &got)
		if err == nil || leaks(err.Error()) || got.Reveal() != "before" {
			t.Errorf("%s gives %q, %v", in, got.Reveal(), err)
		}
	}
}

// A copy is a value of its own, although both stand behind pointers.
func TestTextCopiesDoNotShare(t *testing.T) {
	t.Parallel()
	a := NewText("first")
	b := a
	if err := json.Unmarshal([]byte(`"second"`), &b); err != nil {
		t.Fatal(err)
	}
	if a.Reveal() != "first" || b.Reveal() != "second" {
		t.Errorf("a is %q, b is %q", a.Reveal(), b.Reveal())
	}
}
