package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Text is a secret somebody handed us or we are about to hand out: a password,
// a token, a key. However it is printed, logged or marshalled, it comes out as
// "***" (SU-06). Reveal is the one way to the value.
//
// The value stands behind a pointer because package fmt does not ask the
// methods below everywhere: not for an unexported field of somebody's struct,
// not for %p, not for a wrong %w. It then prints the fields, here an address.
type Text struct {
	_     [0]func() // no == between secrets: compare digests, in constant time
	value *string
}

// NewText wraps a value.
func NewText(s string) Text { return Text{value: &s} }

// Reveal gives the value. Call it only where the value goes on the wire, into a
// digest or into a hash.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// Empty reports whether there is no value.
func (t Text) Empty() bool { return t.Reveal() == "" }

const redacted = "***"

// String hides the value.
func (t Text) String() string { return redacted }

// GoString hides the value from %#v.
func (t Text) GoString() string { return redacted }

// Format hides the value from every verb of package fmt.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the value from slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the value.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText hides the value from every encoding that asks for text.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalJSON reads the value from a JSON string; null is no value.
func (t *Text) UnmarshalJSON(b []byte) error {
	var value *string // never through the old pointer, which copies may share
	if err := json.Unmarshal(b, &value); err != nil {
		return err
	}
	t.value = value
	return nil
}
