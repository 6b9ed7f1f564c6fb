package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
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

// ReadJSON reads the object of a JSON body as strictly as the format allows.
// encoding/json would take the last of two equal keys, replace what is no UTF-8
// and go as deep as asked; what two parsers read differently is refused instead.
func ReadJSON(body []byte) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, malformed("malformed_json", "The body is not valid UTF-8.")
	}
	if halfPair(body) {
		return nil, malformed("malformed_json", "The body holds half of a surrogate pair.")
	}
	s := strict{dec: json.NewDecoder(bytes.NewReader(body))}
	s.dec.UseNumber()
	v, err := s.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("malformed_json", "The body holds more than one JSON value.")
	}
	return v.(map[string]any), nil // value refuses anything else at the top
}

// halfPair reports whether the body escapes half of a surrogate pair (RFC 8259
// section 8.2), which the decoder would replace.
func halfPair(body []byte) bool {
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 || i+1 >= len(body) {
			return false
		}
		first := escaped(body[i:])
		switch {
		case !utf16.IsSurrogate(first):
			body = body[i+2:] // past the escape, or the u of one, whose digits hold no backslash
			continue
		case utf16.DecodeRune(first, escaped(body[i+6:])) == utf8.RuneError:
			return true
		}
		body = body[i+12:]
	}
}

// escaped gives the code unit that b begins with as \uXXXX, -1 if it does not.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// strict walks one JSON document token by token.
type strict struct {
	dec  *json.Decoder
	keys int
	path []string // to where it stands: ".key" and "[index]"; put together only for an error
}

func (s *strict) value(depth int) (any, error) {
	t, err := s.dec.Token()
	if err != nil {
		return nil, malformed("malformed_json", "The body is not valid JSON.")
	}
	if depth == 0 && t != json.Delim('{') {
		return nil, malformed("malformed_json", "The body must be a JSON object.")
	}
	switch v := t.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return nil, malformed("malformed_json", "The body is nested deeper than "+strconv.Itoa(maxDepth)+" levels.")
		}
		if v == '{' {
			return s.object(depth)
		}
		return s.array(depth)
	case string:
		return v, s.text(v)
	case json.Number:
		n, err := strconv.ParseFloat(v.String(), 64)
		if err != nil || len(v) > 32 {
			return nil, otl.InvalidField(s.at(), "out_of_range", "is a number out of range")
		}
		return n, nil
	}
	return t, nil
}

func (s *strict) object(depth int) (any, error) {
	out := map[string]any{}
	for s.dec.More() {
		t, err := s.dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, malformed("malformed_json", "The body is not valid JSON.")
		}
		if s.keys++; s.keys > maxKeys {
			return nil, malformed("malformed_json", "The body has more than "+strconv.Itoa(maxKeys)+" keys.")
		}
		s.path = append(s.path, "."+key)
		if _, twice := out[key]; twice {
			return nil, malformed("duplicate_key", "The key "+s.at()+" stands twice in the body.")
		}
		if err := s.text(key); err != nil {
			return nil, err
		}
		if out[key], err = s.value(depth + 1); err != nil {
			return nil, err
		}
		s.path = s.path[:len(s.path)-1]
	}
	_, err := s.dec.Token()
	return out, closing(err)
}

func (s *strict) array(depth int) (any, error) {
	out := []any{}
	for i := 0; s.dec.More(); i++ {
		if i >= maxKeys {
			return nil, malformed("malformed_json", "The body has a list of more than "+strconv.Itoa(maxKeys)+" values.")
		}
		s.path = append(s.path, "["+strconv.Itoa(i)+"]")
		one, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
		s.path = s.path[:len(s.path)-1]
	}
	_, err := s.dec.Token()
	return out, closing(err)
}

func closing(err error) error {
	if err != nil {
		return malformed("malformed_json", "The body is not valid JSON.")
	}
	return nil
}

func (s *strict) text(v string) error {
	if strings.ContainsRune(v, 0) {
		return otl.InvalidField(s.at(), "bad_characters", "must not contain NUL")
	}
	return nil
}

// at gives the path to where the walk stands, as it may be shown.
func (s *strict) at() string { return Show(strings.TrimPrefix(strings.Join(s.path, ""), ".")) }

// Show cuts a path made of a caller's own keys to what fits in a message.
func Show(path string) string {
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
