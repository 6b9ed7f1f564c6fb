package pages_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/docs"
	"github.com/onetimelogin/otl/internal/otltest"
)

func page(t *testing.T, w *otltest.World, path string, status int) string {
	t.Helper()
	r := w.Do(t, otltest.Call{Path: path}).Want(t, status)
	if status != http.StatusOK {
		return string(r.Raw)
	}
	if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s has the policy %q", path, policy)
	}
	return string(r.Raw)
}

var outside = regexp.MustCompile(`(?i)(src|href)="(https?:)?//[^"]*\.(js|css|png|svg|woff2?)|<script|<iframe| on[a-z]+="| style="`)

// TestEveryPageRenders opens every document, and follows what they link to.
func TestEveryPageRenders(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	names, err := fs.Glob(docs.Files, "*.md")
	records, globErr := fs.Glob(docs.Files, "adr/*.md")
	names, err = append(names, records...), errors.Join(err, globErr)
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	index, err := docs.Files.ReadFile("index.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/docs"}
	for _, n := range names {
		if n != "index.md" && !strings.Contains(string(index), "("+n+")") {
			t.Errorf("docs/index.md does not lead to %s", n)
		}
		paths = append(paths, "/docs/"+strings.TrimSuffix(n, ".md"))
	}
	links, to := regexp.MustCompile(`href="([^":]*)"`), pagesOnce(t, w)
	for _, path := range paths {
		html := page(t, w, path, http.StatusOK)
		if !strings.Contains(html, "<h1") || !strings.Contains(html, `lang="en"`) || !strings.Contains(html, "<title>") {
			t.Errorf("%s is no page: %.200s", path, html)
		}
		if bad := outside.FindString(html); bad != "" {
			t.Errorf("%s has %q", path, bad)
		}
		for _, m := range links.FindAllStringSubmatch(html, -1) {
			if err := to(path, m[1]); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	}
	if raw := page(t, w, "/docs/errors.md", http.StatusOK); !strings.HasPrefix(raw, "# Errors") {
		t.Errorf("the Markdown of a page: %.100s", raw)
	}
}

// pagesOnce gives what follows a link of a page as a browser does, to the part of a page that it names,
// and fetches no page twice.
func pagesOnce(t *testing.T, w *otltest.World) func(from, link string) error {
	seen := map[string]otltest.Reply{}
	return func(from, link string) error {
		to, err := url.Parse(link)
		if err != nil {
			return err
		}
		to = (&url.URL{Path: from}).ResolveReference(to)
		r, ok := seen[to.Path]
		if !ok {
			r = w.Do(t, otltest.Call{Path: to.Path})
			seen[to.Path] = r
		}
		switch {
		case r.Status != http.StatusOK:
			return fmt.Errorf("%s is answered %d", to.Path, r.Status)
		case to.Fragment != "" && !strings.Contains(string(r.Raw), ` id="`+to.Fragment+`"`):
			return fmt.Errorf("%s has no %s", to.Path, to.Fragment)
		}
		return nil
	}
}

// TestDocumentsLeadToThoseAboveThem: a link of a document is followed from where its file lies, as in a
// checkout, also where only a section of the document is shown.
func TestDocumentsLeadToThoseAboveThem(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for path, link := range map[string]string{
		"/docs/adr/0040-no-budget-of-all-sites": "/docs/limits",
		"/docs/adr/0043-pairwise-subjects":      "/docs/adr/0042-consent-per-site-and-field",
		"/docs/oidc":                            "/docs/adr/0043-pairwise-subjects",
		"/docs/errors/challenge_failed":         "/docs/webhooks",
	} {
		if html := page(t, w, path, http.StatusOK); !strings.Contains(html, `href="`+link+`"`) {
			t.Errorf("%s does not lead to %s", path, link)
		}
	}
}

func TestPagesThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for _, path := range []string{"/docs/nothing", "/docs/..%2f..%2fgo.mod", "/docs/adr", "/docs/adr/nothing", "/docs/adr/0001-rooms/x", "/docs/errors/nothing", "/docs/errors/%0a", "/static/nothing.css", "/static", "/static/", "/static/..%2fpages.go", "/static/.", "/nothing", "/docs/%00"} {
		if r := w.Do(t, otltest.Call{Path: path}); r.Status != http.StatusNotFound || r.Text("code") != "no_such_path" {
			t.Errorf("%s: %d %s", path, r.Status, r.Raw)
		}
	}
	for _, path := range []string{"/", "/docs"} {
		if r := w.Do(t, otltest.Call{Method: http.MethodPost, Path: path}); r.Status/100 != 4 {
			t.Errorf("POST %s: %d", path, r.Status)
		}
	}
}

// TestEveryErrorCodeIsExplained finds every code in the source and asks for its
// page: the address stands in the answers.
func TestEveryErrorCodeIsExplained(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	codes := codesInSource(t)
	if len(codes) < 20 {
		t.Fatalf("only %d codes were found: %v", len(codes), codes)
	}
	for code, where := range codes {
		if r := w.Do(t, otltest.Call{Path: "/docs/errors/" + code}); r.Status != http.StatusOK || !strings.Contains(string(r.Raw), code) {
			t.Errorf("%s (%s) has no section in docs/errors.md", code, where)
		}
	}
}

// TestCodesOfErrorsStandInOrder of the alphabet, each once, and the table above them names each.
func TestCodesOfErrorsStandInOrder(t *testing.T) {
	t.Parallel()
	raw, err := docs.Files.ReadFile("errors.md")
	if err != nil {
		t.Fatal(err)
	}
	table, sections, _ := strings.Cut(string(raw), "\n## ")
	last := ""
	for section := range strings.SplitSeq(sections, "\n## ") {
		code, _, _ := strings.Cut(section, "\n")
		if code <= last {
			t.Errorf("%s stands behind %s", code, last)
		}
		last = code
		if !strings.Contains(table, "`"+code+"`") {
			t.Errorf("%s is in no row of the table", code)
		}
	}
}

// codesInSource collects the codes of errors: the member Code of an otl.Error,
// and what `malformed` is called with.
func codesInSource(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	note := func(set *token.FileSet, e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			code, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[code] = set.Position(e.Pos()).String()
		}
	}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, raw, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if name(n.Type) == "Error" {
					for _, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok && name(kv.Key) == "Code" {
							note(set, kv.Value)
						}
					}
				}
			case *ast.CallExpr:
				if name(n.Fun) == "malformed" {
					note(set, n.Args[0])
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
