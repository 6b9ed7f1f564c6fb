package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/otl"
)

// Bounds of a JSON body (HT-04).
const (
	maxDepth = 32
	maxKeys  = 1000
)

func malformed(code, text string) error {
	return &otl.Error{Kind: otl.Malformed, Code: code, Text: text}
}

// checkJSON reads a JSON body as strictly as the format allows. encoding/json
// would take the last of two equal keys, replace what is no UTF-8 and go as deep
// as asked; what two parsers read differently is refused instead.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return malformed("malformed_json", "The body is not valid UTF-8.")
	}
	s := strict{dec: json.NewDecoder(bytes.NewReader(body)), escapes: loneSurrogate(body)}
	s.dec.UseNumber()
	if err := s.value("", 0); err != nil {
		return err
	}
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return malformed("malformed_json", "The body holds more than one JSON value.")
	}
	return nil
}

// loneSurrogate reports whether the body may hold half of a surrogate pair,
// which the decoder would replace.
func loneSurrogate(body []byte) bool {
	lower := bytes.ToLower(body)
	return bytes.Contains(lower, []byte(`\ud`)) && !bytes.Contains(lower, []byte(`\ufffd`)) && !bytes.Contains(body, []byte("\uFFFD"))
}

// strict walks one JSON document token by token.
type strict struct {
	dec     *json.Decoder
	keys    int
	escapes bool
}

func (s *strict) value(path string, depth int) error {
	t, err := s.dec.Token()
	if err != nil {
		return malformed("malformed_json", "The body is not valid JSON.")
	}
	switch v := t.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return malformed("malformed_json", "The body is nested deeper than "+strconv.Itoa(maxDepth)+" levels.")
		}
		if v == '{' {
			return s.object(path, depth)
		}
		return s.array(path, depth)
	case string:
		return s.text(path, v)
	case json.Number:
		if _, err := strconv.ParseFloat(v.String(), 64); err != nil || len(v) > 32 {
			return otl.InvalidField(path, "out_of_range", "is a number out of range")
		}
	}
	return nil
}

func (s *strict) object(path string, depth int) error {
	seen := map[string]bool{}
	for s.dec.More() {
		t, err := s.dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return malformed("malformed_json", "The body is not valid JSON.")
		}
		child := join(path, key)
		if s.keys++; s.keys > maxKeys {
			return malformed("malformed_json", "The body has more than "+strconv.Itoa(maxKeys)+" keys.")
		}
		if seen[key] {
			return malformed("duplicate_key", "The key "+show(child)+" stands twice in the body.")
		}
		seen[key] = true
		if err := s.text(child, key); err != nil {
			return err
		}
		if err := s.value(child, depth+1); err != nil {
			return err
		}
	}
	_, err := s.dec.Token()
	return closing(err)
}

func (s *strict) array(path string, depth int) error {
	for i := 0; s.dec.More(); i++ {
		if i >= maxKeys {
			return malformed("malformed_json", "The body has a list of more than "+strconv.Itoa(maxKeys)+" values.")
		}
		if err := s.value(path+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
			return err
		}
	}
	_, err := s.dec.Token()
	return closing(err)
}

func closing(err error) error {
	if err != nil {
		return malformed("malformed_json", "The body is not valid JSON.")
	}
	return nil
}

func (s *strict) text(path, v string) error {
	if s.escapes && strings.ContainsRune(v, utf8.RuneError) {
		return malformed("malformed_json", "The body holds half of a surrogate pair.")
	}
	if strings.ContainsRune(v, 0) {
		return otl.InvalidField(show(path), "bad_characters", "must not contain NUL")
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// show cuts a path made of a caller's own keys to what fits in a message.
func show(path string) string {
	path = strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, path)
	if len(path) > 64 {
		path = strings.ToValidUTF8(path[:64], "") + "…"
	}
	return path
}
