package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The measures of the house (ARCHITECTURE.md, "Measures").
const (
	maxFileLines     = 500
	maxTestFileLines = 800
	medianFileLines  = 160
	maxFuncLines     = 80
	p90FuncLines     = 40
	maxMethods       = 25
	maxInterface     = 6
	minTestShare     = 0.8 // test lines for each source line
)

func read(t *testing.T, path string) string {
	t.Helper()
	return readAbsolute(t, filepath.Join("..", path))
}

func readAbsolute(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// source is one parsed Go file.
type source struct {
	path  string
	lines int
	file  *ast.File
	set   *token.FileSet
}

func (s source) test() bool {
	return strings.HasSuffix(s.path, "_test.go") || strings.Contains(s.path, "otltest/")
}

func (s source) lineCount(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

func (s source) at(n ast.Node) string { return s.set.Position(n.Pos()).String() }

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules" || d.Name() == "sdk" || d.Name() == "tools") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, raw, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{path, strings.Count(string(raw), "\n"), f, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	all := sources(t)
	var files, funcs []int
	var src, test int
	methods := map[string]int{}
	for _, s := range all {
		limit := maxFileLines
		if s.test() {
			limit = maxTestFileLines
			test += s.lines
		} else {
			src += s.lines
			files = append(files, s.lines)
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines, at most %d", s.path, s.lines, limit)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				lines := s.lineCount(n)
				if !s.test() {
					funcs = append(funcs, lines)
				}
				if lines > maxFuncLines {
					t.Errorf("%s: %s has %d lines, at most %d", s.at(n), n.Name.Name, lines, maxFuncLines)
				}
				if n.Recv != nil {
					methods[filepath.Dir(s.path)+"."+receiver(n)]++
				}
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: no init functions", s.at(n))
				}
			case *ast.InterfaceType:
				if n.Methods.NumFields() > maxInterface {
					t.Errorf("%s: an interface of %d methods, at most %d", s.at(n), n.Methods.NumFields(), maxInterface)
				}
			}
			return true
		})
	}
	for name, n := range methods {
		if n > maxMethods {
			t.Errorf("%s has %d methods, at most %d", name, n, maxMethods)
		}
	}
	if m := quantile(files, 0.5); m > medianFileLines {
		t.Errorf("the median file has %d lines, at most %d", m, medianFileLines)
	}
	if p := quantile(funcs, 0.9); p > p90FuncLines {
		t.Errorf("9 of 10 functions stay within %d lines, at most %d", p, p90FuncLines)
	}
	if share := float64(test) / float64(src); share < minTestShare {
		t.Errorf("%.2f lines of test for each line of source (%d for %d), at least %.1f", share, test, src, minTestShare)
	}
}

func receiver(f *ast.FuncDecl) string {
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return "?"
}

func quantile(values []int, q float64) int {
	slices.Sort(values)
	return values[int(q*float64(len(values)-1))]
}

// TestNoMutablePackageVariables finds package variables that something assigns
// to or takes the address of. What is set once where it is declared, such as an
// error to compare with, is a constant in all but name.
func TestNoMutablePackageVariables(t *testing.T) {
	t.Parallel()
	byDir := map[string][]source{}
	for _, s := range sources(t) {
		if !s.test() {
			byDir[filepath.Dir(s.path)] = append(byDir[filepath.Dir(s.path)], s)
		}
	}
	for _, files := range byDir {
		vars := map[*ast.Object]bool{} //nolint:staticcheck // resolution within one file is all this needs
		for _, s := range files {
			for _, d := range s.file.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					for _, name := range v.Names {
						vars[name.Obj] = true
						if mutableType(v) {
							t.Errorf("%s: %s is a mutable package variable", s.at(name), name.Name)
						}
					}
				}
			}
		}
		for _, s := range files {
			ast.Inspect(s.file, func(n ast.Node) bool {
				for _, target := range written(n) {
					if id, ok := target.(*ast.Ident); ok && id.Obj != nil && vars[id.Obj] {
						t.Errorf("%s: package variable %s is changed", s.at(id), id.Name)
					}
				}
				return true
			})
		}
	}
}

// mutableType reports a variable that exists to be changed: a lock, an atomic, a
// map or a channel.
func mutableType(v *ast.ValueSpec) bool {
	found := false
	for _, n := range append([]ast.Expr{v.Type}, v.Values...) {
		if n == nil {
			continue
		}
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.MapType, *ast.ChanType:
				found = true
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && (pkg.Name == "sync" || pkg.Name == "atomic") && !strings.HasPrefix(n.Sel.Name, "Once") {
					found = true
				}
			}
			return true
		})
	}
	return found
}

func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	}
	return nil
}

// TestDocumented asks for a comment on everything exported, and for one on every
// package.
func TestDocumented(t *testing.T) {
	t.Parallel()
	packageDoc := map[string]bool{}
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		packageDoc[dir] = packageDoc[dir] || s.file.Doc != nil
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil {
					t.Errorf("%s: %s has no comment", s.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, s, d)
			}
		}
	}
	for dir, ok := range packageDoc {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
	}
}

func undocumented(t *testing.T, s source, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
				t.Errorf("%s: %s has no comment", s.at(spec), spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					t.Errorf("%s: %s has no comment", s.at(name), name.Name)
				}
			}
		}
	}
}
