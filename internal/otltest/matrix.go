package otltest

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// matrixFile names the variable of the environment that says where the tests of a package
// write which routes they called.
const matrixFile = "OTL_TEST_MATRIX"

// called is one request that changed something, or should have.
type called struct {
	Route  string // method and path, with {} for what differs from call to call
	ID     string // of the request
	Logged bool   // an entry of the log carries the id
}

// acts are the requests of a test that were not looked for in the log yet.
type acts struct {
	mu  sync.Mutex
	all []called
}

// note keeps a request that succeeded and was no mere reading.
func (a *acts) note(method, path string, r Reply) {
	id := r.Header.Get("X-Request-Id")
	if os.Getenv(matrixFile) == "" || method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || r.Status >= http.StatusBadRequest || id == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, called{Route: method + " " + route(path), ID: id})
}

var (
	varies = regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{26}|[0-9]+|(otl|evt|otr)_.*|.*@.*|.*%.*)$`)
	prefix = regexp.MustCompile(`^/(cis|[a-z0-9-]+\.onelogin\.com)/`)
)

// route gives a path without what differs from call to call. The versions behind /api are
// routes of their own.
func route(path string) string {
	path, _, _ = strings.Cut(path, "?")
	steps := strings.Split(strings.TrimSuffix(prefix.ReplaceAllString(path, "/"), "/"), "/")
	for i, s := range steps {
		if varies.MatchString(s) && (i == 0 || steps[i-1] != "api") {
			steps[i] = "{}"
		}
	}
	return strings.Join(steps, "/")
}

// settle looks for the requests of a test in the log and writes what it found.
func (w *World) settle(t testing.TB) {
	w.acts.mu.Lock()
	defer w.acts.mu.Unlock()
	if len(w.acts.all) == 0 {
		return
	}
	events, err := w.Store.Read.Events.List(context.WithoutCancel(t.Context()), "", "", "", 100_000)
	if err != nil {
		return // the test closed it; the node it opened then looks
	}
	logged := map[string]bool{}
	for _, e := range events {
		logged[e.RequestID] = true
	}
	out, err := os.OpenFile(os.Getenv(matrixFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer out.Close()
	var lines []byte
	for _, c := range w.acts.all {
		c.Logged = logged[c.ID]
		raw, err := json.Marshal(c)
		if err != nil {
			t.Error(err)
		}
		lines = append(append(lines, raw...), '\n')
	}
	if _, err := out.Write(lines); err != nil {
		t.Error(err)
	}
	w.acts.all = nil
}

// Matrix runs the tests of a wire and then holds every route that changes something, and
// that they called with success, against the log: at least one call of each left an entry
// with the id of its request (AU-01); and every such route that the sources of the package
// name was called. Mine says which paths are the wire's. Unlogged are
// the routes that leave none, by method and path, and why. It is for TestMain, and gives
// its exit code; a run of some of the tests is held against nothing.
func Matrix(m *testing.M, mine func(path string) bool, unlogged map[string]string) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "otl-matrix-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "calls")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv(matrixFile, name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if some() {
		return code
	}
	faults, err := judge(name, mine, unlogged)
	if err != nil {
		faults = append(faults, err.Error())
	}
	for _, f := range faults {
		fmt.Fprintln(os.Stderr, "AU-01:", f)
	}
	return max(code, min(len(faults), 1))
}

// some reports whether only some tests were to run.
func some() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return false
}

// judge says which routes left no entry, and which did against what unlogged says.
func judge(name string, mine func(path string) bool, unlogged map[string]string) (faults []string, err error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	routes := map[string]bool{}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var c called
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, err
		}
		if _, path, _ := strings.Cut(c.Route, " "); mine(path) {
			routes[c.Route] = routes[c.Route] || c.Logged
		}
	}
	for _, r := range slices.Sorted(maps.Keys(routes)) {
		switch why := unlogged[r]; {
		case !routes[r] && why == "":
			faults = append(faults, r+" changes something and left no entry: append one with the change, or say in the list of this package why there is none")
		case routes[r] && why != "":
			faults = append(faults, r+" leaves an entry, and the list of this package says why it does not")
		}
	}
	declared, err := registered(".")
	for _, d := range declared {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(routes)), func(r string) bool { return matches(d, r) }) {
			faults = append(faults, d+" is called with success by no test of this package")
		}
	}
	return faults, err
}

var (
	pattern  = regexp.MustCompile(`"(POST|PUT|PATCH|DELETE) (/[^" ]+)"|\.post\("()(/[^"]+)"`)
	variable = regexp.MustCompile(`\{[^}]*\}`)
)

// registered gives the routes that change something and that the sources in a directory
// name in full, with {} for what varies.
func registered(dir string) (routes []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for _, m := range pattern.FindAllStringSubmatch(string(raw), -1) {
			method, path := m[1], m[2]
			if path == "" {
				method, path = http.MethodPost, m[4]
			}
			routes = append(routes, method+" "+variable.ReplaceAllString(path, "{}"))
		}
	}
	return routes, err
}

// matches reports whether a call is one of a route: {} of the route is anything.
func matches(route, call string) bool {
	of, is := strings.Split(route, "/"), strings.Split(call, "/")
	if len(of) != len(is) {
		return false
	}
	for i := range of {
		if of[i] != "{}" && of[i] != is[i] {
			return false
		}
	}
	return true
}
