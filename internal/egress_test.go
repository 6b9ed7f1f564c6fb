package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// outward are the ways of the standard library to reach another machine.
func outward() map[string][]string {
	return map[string][]string{
		"net/http":          {"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
		"net/http/httputil": {"ReverseProxy", "NewSingleHostReverseProxy", "ClientConn", "NewClientConn"},
		"net":               {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer"},
		"crypto/tls":        {"Dial", "DialWithDialer", "Dialer", "Client"},
		"net/smtp":          {"Dial", "SendMail", "NewClient"},
		"net/rpc":           {"Dial", "DialHTTP"},
	}
}

// reachers are the rooms that reach others, each for its reason: the one client; the
// loads of `otl bench`, which call the servers they are told to; what tests are made
// of. Mail and databases have libraries that dial for them.
func reachers() []string { return []string{"egress", "bench", "otltest"} }

// TestWH12_NoOtherClient: nobody but egress makes requests of his own accord. It
// looks at what the code names, under whatever name a package is imported.
func TestWH12_NoOtherClient(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, root := range []string{".", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || slices.Contains(reachers(), filepath.Dir(path)) {
				return err
			}
			seen++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			for _, bad := range outwardIn(file) {
				if path == "server/serve.go" && bad == "net.Dial" {
					continue // asks whether somebody listens on a socket file
				}
				t.Errorf("%s uses %s; requests go through egress", path, bad)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 100 {
		t.Errorf("%d files were looked at", seen)
	}
}

// TestWH12_TheCheckSees: the check finds what it is for.
func TestWH12_TheCheckSees(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		`import "net/http"; var c = new(http.Client)`:                        "net/http.Client",
		`import web "net/http"; func f() { _, _ = web.Head("") }`:            "net/http.Head",
		`import . "net/http"; var x = DefaultClient`:                         "a dot import of net/http",
		`import "net"; func f() { _, _ = net.Dial("tcp", "") }`:              "net.Dial",
		`import "net/http/httputil"; var p httputil.ReverseProxy`:            "net/http/httputil.ReverseProxy",
		`import "net/http"; func f(w http.ResponseWriter, h http.Header)`:    "",
		`import "net"; func f() { _, _ = net.Listen("tcp", ":0") }`:          "",
		`import client "net/url"; func Get() {}; var _ = client.QueryEscape`: "",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+code, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(outwardIn(file), ", "); got != want {
			t.Errorf("%s: %q", code, got)
		}
	}
}

// outwardIn lists what of outward a file names.
func outwardIn(file *ast.File) []string {
	var out []string
	names := map[string]string{} // of a package in this file, to its path
	for _, i := range file.Imports {
		path, _ := strconv.Unquote(i.Path.Value) // the parser has read it
		if outward()[path] == nil {
			continue
		}
		name := path[strings.LastIndexByte(path, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "." {
			out = append(out, "a dot import of "+path)
		}
		names[name] = path
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && slices.Contains(outward()[names[x.Name]], s.Sel.Name) {
			out = append(out, names[x.Name]+"."+s.Sel.Name)
		}
		return true
	})
	return out
}
