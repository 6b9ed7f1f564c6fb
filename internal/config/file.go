package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// fromFile gives the values of the YAML file by path. Without a name, a file
// that is not there is an empty one. A file with a secret in it must not be
// readable by everybody (SR-05).
func fromFile(name string, keys []Key, bad *faults) (map[string]given, error) {
	names := []string{name}
	if name == "" {
		names = []string{"otl.yaml", "/etc/otl/otl.yaml"}
	}
	for _, n := range names {
		raw, err := readSmall(n)
		if errors.Is(err, fs.ErrNotExist) && name == "" {
			continue
		}
		if err != nil {
			return nil, &Error{Key: n, Text: reason(err)}
		}
		values, err := ParseFile(n, raw)
		if err != nil {
			return nil, err
		}
		return known(n, values, keys, bad), nil
	}
	return nil, nil
}

// known keeps to the keys there are and refuses the others.
func known(name string, values map[string]string, keys []Key, bad *faults) map[string]given {
	out := map[string]given{}
	for _, path := range slices.Sorted(maps.Keys(values)) {
		called := name + ": " + path
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Path == path })
		if i < 0 {
			if values[path] == "" && slices.ContainsFunc(keys, func(k Key) bool { return strings.HasPrefix(k.Path, path+".") }) {
				continue // a group whose keys are all commented out
			}
			*bad = append(*bad, &Error{Key: called, Text: "is not a setting" + suggest(path, paths(keys))})
			continue
		}
		if keys[i].Secret && values[path] != "" {
			if err := CheckPrivate(name); err != nil {
				*bad = append(*bad, &Error{Key: called, Text: err.Error(), Path: path, Cause: err})
			}
		}
		out[path] = given{values[path], "file", called}
	}
	return out
}

func paths(keys []Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.Path
	}
	return out
}

// maxFile bounds a configuration file and a file with a secret, in bytes.
const maxFile = 1 << 20

// readSmall reads a file, unless it is larger than any we expect.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f)
}

func readAtMost(f *os.File) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = errors.New("is larger than 1 MiB")
	}
	return raw, err
}

// reason gives what is wrong with a file, without its name.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// ParseFile reads the YAML of a configuration file into values by path, as they
// are written: nested keys are joined by dots, a list becomes its members joined
// by commas, null becomes "". What has no use here is refused rather than
// guessed at: a key given twice, anchors, tags, several documents. Errors are
// *Error, name the line and never repeat what stands there, which may be a
// secret.
func ParseFile(name string, raw []byte) (map[string]string, error) {
	tree, err := parser.ParseBytes(bytes.TrimPrefix(raw, []byte("\ufeff")), 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil {
			return nil, lineError(name, at.GetToken(), at.GetMessage())
		}
		return nil, &Error{Key: name, Text: "is not YAML"}
	}
	out := map[string]string{}
	for i, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if i > 0 {
			return nil, lineError(name, doc.Body.GetToken(), "is a second document; one file holds one")
		}
		m, ok := doc.Body.(*ast.MappingNode)
		if !ok {
			return nil, lineError(name, doc.Body.GetToken(), "must be a list of settings, such as public_url: https://id.example.com")
		}
		r := reader{name, out}
		if err := r.group("", m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func lineError(name string, at *token.Token, text string) error {
	return &Error{Key: fmt.Sprintf("%s:%d", name, at.Position.Line), Text: text}
}

// reader collects the values of one file.
type reader struct {
	name string
	out  map[string]string
}

// group reads the members of one mapping.
func (r reader) group(prefix string, m *ast.MappingNode) error {
	for _, member := range m.Values {
		key, ok := scalar(member.Key)
		if !ok || key == "" {
			return lineError(r.name, member.Key.GetToken(), "a key must be plain text")
		}
		path := prefix + key
		if inner, ok := member.Value.(*ast.MappingNode); ok && len(inner.Values) > 0 {
			if err := r.group(path+".", inner); err != nil {
				return err
			}
			continue
		}
		value, ok := plain(member.Value)
		if !ok {
			return lineError(r.name, member.Key.GetToken(), path+" must be text, a number or a list of them")
		}
		if _, twice := r.out[path]; twice {
			return lineError(r.name, member.Key.GetToken(), path+" is set twice")
		}
		r.out[path] = value
	}
	return nil
}

// plain gives a scalar, or the members of a list of scalars joined by commas.
func plain(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.SequenceNode:
		words := make([]string, len(n.Values))
		for i, v := range n.Values {
			word, ok := scalar(v)
			if !ok {
				return "", false
			}
			words[i] = word
		}
		return strings.Join(words, ","), true
	case *ast.MappingNode: // an empty one
		return "", true
	}
	return scalar(n)
}

// scalar gives a scalar as it is written, without its quotes.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}
