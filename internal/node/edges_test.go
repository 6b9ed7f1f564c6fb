package node_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/server"
)

// edge is one path that a surface serves.
type edge struct {
	wire    string // by the first pattern it is mounted at
	path    string // with what varies filled in
	methods []string
}

var (
	wiresByMount = map[string]string{"/": "pages", "/cis/": "transmit", "/.well-known/openid-configuration": "oidc", "/api/1/": "onelogin", "/api/": "native"}
	varying      = regexp.MustCompile(`\{[^}]*\}`)
)

// edges gives every path of every surface, as they declare it, with what varies as given.
func edges(t *testing.T, mounts []server.Mount, fill string) []edge {
	t.Helper()
	all, found := map[string]edge{}, 0
	for _, m := range mounts {
		served, ok := m.Handler.(interface{ Patterns() []string })
		name := wiresByMount[m.Patterns[0]]
		if !ok || name == "" {
			t.Fatalf("what is mounted at %s does not say what it serves", m.Patterns[0])
		}
		found++
		for _, pattern := range served.Patterns() {
			method, path, _ := strings.Cut(pattern, " ")
			path = varying.ReplaceAllString(strings.Replace(path, "{$}", "", 1), fill)
			e := all[path]
			all[path] = edge{name, path, append(e.methods, method)}
		}
	}
	if found != len(wiresByMount) {
		t.Fatalf("%d surfaces of %d", found, len(wiresByMount))
	}
	return slices.SortedFunc(maps.Values(all), func(a, b edge) int { return strings.Compare(a.path, b.path) })
}

// TestHT07_EveryRouteTakesItsMethodsAlone asks for every path of every surface by methods it
// does not have: 405 with those it has, and 404 on the wire that knows no other word. HEAD
// answers as GET does, without a body.
func TestHT07_EveryRouteTakesItsMethodsAlone(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	asked := 0
	if err := w.Installation.Maintain(t.Context()); err != nil { // its keys are made beside its start
		t.Fatal(err)
	}
	for _, e := range edges(t, w.Server.Mounts, "x") {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if slices.Contains(e.methods, method) {
				continue
			}
			asked++
			got := w.Do(t, otltest.Call{Method: method, Path: e.path})
			switch {
			case e.wire == "onelogin":
				if got.Status != http.StatusNotFound && !elsewhere(w, e, method) {
					t.Errorf("%s %s: %d %s", method, e.path, got.Status, got.Raw)
				}
			case got.Status != http.StatusMethodNotAllowed:
				if !elsewhere(w, e, method) {
					t.Errorf("%s %s: %d %s", method, e.path, got.Status, got.Raw)
				}
			default:
				for _, m := range e.methods {
					if m != "OPTIONS" && !slices.Contains(strings.Split(got.Header.Get("Allow"), ", "), m) {
						t.Errorf("%s %s: allows %q, serves %v", method, e.path, got.Header.Get("Allow"), e.methods)
					}
				}
			}
		}
		if slices.Contains(e.methods, "GET") {
			get, head := w.Do(t, otltest.Call{Path: e.path}), w.Do(t, otltest.Call{Method: "HEAD", Path: e.path})
			if head.Status != get.Status || len(head.Raw) != 0 || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
				t.Errorf("HEAD %s: %d with %d bytes, GET %d", e.path, head.Status, len(head.Raw), get.Status)
			}
		}
	}
	if asked < 1000 {
		t.Errorf("only %d were asked for", asked)
	}
}

// elsewhere reports whether a pattern with something else that varies takes a request too, such
// as /users/{id} that of /users/count.
func elsewhere(w *otltest.World, e edge, method string) bool {
	r := httptest.NewRequest(method, e.path, nil)
	return slices.ContainsFunc(w.Server.Mounts, func(m server.Mount) bool {
		return m.Handler.(interface {
			Serves(string, *http.Request) bool
		}).Serves(method, r)
	})
}

// allowed are the members an error has on each wire; one list of each is met.
func allowed(wire string) [][]string {
	page := []string{"detail", "request_id", "code", "docs_url", "errors"} // to whoever asks for no HTML
	return map[string][][]string{
		"native":   {append(page, "consent_url")},
		"pages":    {page},
		"transmit": {{"message", "error_code", "ts_error_code"}, {"error", "error_description"}},
		"oidc":     {{"error", "error_description"}, page},
		"onelogin": {{"status"}, {"statusCode", "name", "message", "field"}},
	}[wire]
}

var told = regexp.MustCompile(`(?i)goroutine|\.go:\d|panic|\bselect\b .*\bfrom\b|\bsqlite|\bpostgres|\bpgx?\b|syntax error|no such table|/internal/|runtime error|canary<`)

// hostile sends requests of many kinds to a path, as somebody who may call it.
func hostile(d *doors, e edge, session string) (all []otltest.Call) {
	const form, text = "application/x-www-form-urlencoded", "application/json"
	for _, method := range e.methods {
		if method == "OPTIONS" {
			continue
		}
		for _, body := range []struct{ kind, body string }{
			{text, `{"canary`},
			{text, `["canary"]`},
			{text, `{"email":"canary' OR 1=1--","password":7,"id":{"a":"canary"}}`},
			{text, "\x00\xff canary"},
			{form, "client_id=canary&grant_type=canary&token=canary&email=canary%27&f=canary&state=canary"},
			{"text/plain", "canary"},
			{"", ""},
		} {
			if method == "GET" && body.body != "" {
				continue
			}
			c := otltest.Call{Method: method, Path: e.path + "?a=canary&cursor=canary&limit=canary", Headers: map[string]string{"Content-Type": body.kind}}
			if body.body != "" {
				c.Body = body.body
			}
			all = append(all, c)
			switch e.wire {
			case "native":
				all = append(all, otltest.Call{Method: c.Method, Path: c.Path, Body: c.Body, Headers: c.Headers, Key: d.w.Notes.Key}, otltest.Call{Method: c.Method, Path: e.path, Body: c.Body, Headers: c.Headers, Bearer: session})
			case "transmit":
				c.Bearer = d.cis
				all = append(all, c)
			case "onelogin":
				c.Bearer = d.api
				all = append(all, c)
			case "oidc":
				basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(d.client.ID+":"+d.client.Secret.Reveal()))
				all = append(all, otltest.Call{Method: c.Method, Path: e.path, Body: c.Body, Headers: map[string]string{"Content-Type": body.kind, "Authorization": basic}})
			}
		}
	}
	return all
}

// TestHT12_AnErrorSaysNoMore sends every route what it cannot read, by everybody who may call
// it: the answer has the members its wire has and no others, and tells neither of the inside
// nor what was sent.
func TestHT12_AnErrorSaysNoMore(t *testing.T) {
	t.Parallel()
	d := newDoors(t, otltest.New(t, otltest.SQLite))
	d.tokens()
	p := d.person(bare, "")
	seen := map[string]int{}
	for _, fill := range []string{"%27canary%3Cscript%3E", "01HKZ2A7R4T6Y8W3E5P9S1K0MH"} {
		for _, e := range edges(t, d.w.Server.Mounts, fill) {
			session := d.w.Login(t, d.w.Notes, p.Email.Address).Text("access_token")
			for _, c := range hostile(d, e, session) {
				got := d.w.Do(t, c)
				if got.Status < 400 {
					continue
				}
				seen[e.wire]++
				what := c.Method + " " + c.Path
				if got.Status >= 500 && got.Status != http.StatusServiceUnavailable {
					t.Errorf("%s %q: %d", what, c.Body, got.Status)
				}
				if m := told.Find(got.Raw); m != nil {
					t.Errorf("%s %q tells of %q: %.300s", what, c.Body, m, got.Raw)
				}
				if strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
					continue // what a page shows of it is text (AD-04)
				}
				if strings.Contains(string(got.Raw), "canary") {
					t.Errorf("%s %q is told back: %.300s", what, c.Body, got.Raw)
				}
				fits := func(members []string) bool {
					for name := range got.JSON {
						if !slices.Contains(members, name) {
							return false
						}
					}
					return true
				}
				if kind := got.Header.Get("Content-Type"); got.JSON == nil && c.Method != http.MethodHead || !slices.ContainsFunc(allowed(e.wire), fits) {
					t.Errorf("%s %q: %s %.200s", what, c.Body, kind, got.Raw)
				}
			}
		}
	}
	for _, name := range wiresByMount {
		if seen[name] < 50 {
			t.Errorf("%s made %d errors", name, seen[name])
		}
	}
}

// TestContract42_6_EveryRouteTakesASlash asks for every operation of OneLogin's wire, as its router lists them, with a
// slash at the end and without: the answers are alike, and none is that of a path that is not served.
func TestContract42_6_EveryRouteTakesASlash(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		d, asked := newDoors(t, w), 0
		d.tokens()
		for _, r := range routes(t, w) {
			if r.wire != "onelogin" || r.path == "/password/reset" { // which is a page's
				continue
			}
			asked++
			for _, bearer := range []string{"", d.api} {
				answer := func(slash string) string {
					c := otltest.Call{Method: r.method, Path: varying.ReplaceAllString(r.path, "1") + slash, Bearer: bearer}
					if r.method == http.MethodPost || r.method == http.MethodPut {
						c.Body = object{}
					}
					got := w.Do(t, c)
					return fmt.Sprint(got.Status, got.Header.Get("Location"), " ", string(got.Raw))
				}
				with, without := answer("/"), answer("")
				if with != without || strings.Contains(with, "No Route Exists") {
					t.Errorf("%s %s: %s, with a slash %s", r.method, r.path, without, with)
				}
			}
		}
		if asked < 60 {
			t.Errorf("%d operations", asked)
		}
	})
}

// TestHT10_WhoIsToComeBackIsToldWhen, on every wire.
func TestHT10_WhoIsToComeBackIsToldWhen(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for _, m := range w.Server.Mounts {
		for kind, want := range map[otl.Kind]int{otl.Limited: http.StatusTooManyRequests, otl.Unavailable: http.StatusServiceUnavailable} {
			rec := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, m.Patterns[0], nil)
			r = r.WithContext(otl.WithRequest(r.Context(), &otl.Request{ID: "id"}))
			m.Fail(rec, r, &otl.Error{Kind: kind, Code: "x", Text: "x", RetryAfter: 2500 * time.Millisecond})
			if rec.Code != want || rec.Header().Get("Retry-After") != "3" {
				t.Errorf("%s: %d, come back after %q", m.Patterns[0], rec.Code, rec.Header().Get("Retry-After"))
			}
		}
	}
}

// endless is a body whose length is not told.
type endless struct{ left int }

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = 'a'
	}
	if e.left -= n; e.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

// shows has a call to an edge show what its wire wants before a body is read: a key or token,
// and beyond signing in the session of a person.
func shows(d *doors, c *otltest.Call, e edge, session string) {
	switch e.wire {
	case "native":
		c.Key = d.w.Notes.Key
		if !strings.Contains(e.path, "/auth/") {
			c.Bearer = session
		}
	case "transmit":
		c.Bearer = d.cis
	case "onelogin":
		c.Bearer = d.api
	}
}

// TestHT03_BodiesHaveABound: every route that reads a body refuses one beyond the largest
// bound of any, and one of each class is held to its own, told or in chunks.
func TestHT03_BodiesHaveABound(t *testing.T) {
	t.Parallel()
	d := newDoors(t, otltest.New(t, otltest.SQLite))
	d.tokens()
	session := d.w.Login(t, d.w.Notes, d.person(bare, "").Email.Address).Text("access_token")
	const form = "application/x-www-form-urlencoded"
	large := map[string]int{}
	for _, e := range edges(t, d.w.Server.Mounts, "x") {
		for _, method := range e.methods {
			if method == "GET" || method == "DELETE" || method == "OPTIONS" {
				continue // no body is read
			}
			c := otltest.Call{Method: method, Path: e.path, Body: `{"a":"` + strings.Repeat("a", 300<<10) + `"}`, Headers: map[string]string{}}
			shows(d, &c, e, session)
			if e.wire == "pages" || e.wire == "oidc" || strings.HasSuffix(e.path, "/oidc/token") || e.path == "/session_via_api_token" {
				c.Body, c.Headers["Content-Type"] = "a="+strings.Repeat("a", 300<<10), form
			}
			switch got := d.w.Do(t, c); got.Status {
			case http.StatusRequestEntityTooLarge:
				large[e.wire]++
			case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound: // nobody looked at it
			default:
				if e.path != "/session_via_api_token" || got.Status != http.StatusSeeOther && got.Status != http.StatusFound { // it leads to a page
					t.Errorf("%s %s: %d %.200s", method, e.path, got.Status, got.Raw)
				}
			}
		}
	}
	for name, least := range map[string]int{"native": 30, "transmit": 20, "oidc": 8, "onelogin": 15, "pages": 40} {
		if large[name] < least {
			t.Errorf("%s refused %d bodies for their length", name, large[name])
		}
	}
	d.bounds()
}

// TestHT07_ABodyIsOfOneType: every route that reads one refuses a body that is said to be of
// another type, in another charset or zipped, before it is looked at: what another program reads
// in another way is not guessed at. Transmit's wire and OneLogin's, and OAuth, know 400 for it.
func TestHT07_ABodyIsOfOneType(t *testing.T) {
	t.Parallel()
	d := newDoors(t, otltest.New(t, otltest.SQLite))
	d.tokens()
	session := d.w.Login(t, d.w.Notes, d.person(bare, "").Email.Address).Text("access_token")
	const form, text = "application/x-www-form-urlencoded", "application/json"
	refused := map[string]int{}
	for _, e := range edges(t, d.w.Server.Mounts, "x") {
		for _, method := range e.methods {
			if method == "GET" || method == "DELETE" || method == "OPTIONS" {
				continue // no body is read
			}
			right, body, want := text, `{"email":"a@b.test"}`, map[string]int{"native": 415, "pages": 415, "transmit": 400, "oidc": 400, "onelogin": 400}[e.wire]
			both := strings.HasPrefix(e.path, "/auth/oauth2/") || e.path == "/session_via_api_token"
			if e.wire == "pages" || e.wire == "oidc" || strings.HasSuffix(e.path, "/oidc/token") {
				right, body = form, "email=a%40b.test"
			}
			const parts = "multipart/form-data; boundary=x"
			file := e.path == "/account/sites/x/look" // its form carries one
			for _, kind := range []string{"", "text/plain", "application/xml", parts, right + "; charset=utf-16", right + ", " + right, form, text, "zipped"} {
				c := otltest.Call{Method: method, Path: e.path, Body: body, Headers: map[string]string{"Content-Type": kind}}
				switch {
				case kind == right, both && (kind == form || kind == text), file && kind == parts:
					continue
				case kind == "zipped":
					c.Headers = map[string]string{"Content-Type": right, "Content-Encoding": "gzip"}
				}
				shows(d, &c, e, session)
				switch got := d.w.Do(t, c); got.Status {
				case want:
					refused[e.wire]++
				case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound: // nobody looked at it
				default:
					if e.path != "/session_via_api_token" || got.Status != http.StatusSeeOther && got.Status != http.StatusFound { // it leads to a page
						t.Errorf("%s %s as %q: %d %.200s", method, e.path, kind, got.Status, got.Raw)
					}
				}
			}
		}
	}
	for name, least := range map[string]int{"native": 200, "transmit": 100, "oidc": 50, "onelogin": 50, "pages": 200} {
		if refused[name] < least {
			t.Errorf("%s refused %d bodies for their type", name, refused[name])
		}
	}
}

// bounds holds a route of each class to its bound, to the byte.
func (d *doors) bounds() {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		path, kind, bearer string
		most               int
	}{
		{"/api/v1/auth/login", "application/json", "", 16 << 10},
		{"/api/v1/roles", "application/json", "", 256 << 10},
		{"/cis/v1/auth/otp/send", "application/json", d.cis, 64 << 10},
		{"/cis/oidc/token", form, "", 64 << 10},
		{"/oidc/par", form, "", 64 << 10},
		{"/api/1/login/auth", "application/json", d.api, 16 << 10},
		{"/auth/oauth2/v2/token", form, "", 16 << 10},
		{"/signin", form, "", 64 << 10},
	} {
		for _, told := range []bool{true, false} {
			for over, want := range []bool{false, true} {
				r, err := http.NewRequestWithContext(d.Context(), http.MethodPost, d.w.URL+c.path, &endless{c.most + over})
				if err != nil {
					d.Fatal(err)
				}
				r.Header.Set("Content-Type", c.kind)
				r.Header.Set("X-OTL-Site-Key", d.w.Notes.Key.Reveal())
				if c.bearer != "" {
					r.Header.Set("Authorization", "Bearer "+c.bearer)
				}
				if told {
					r.ContentLength = int64(c.most + over)
				}
				res, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					d.Fatal(err)
				}
				var body any
				if err := json.NewDecoder(res.Body).Decode(&body); err != nil && !errors.Is(err, io.EOF) {
					d.Errorf("%s: %v", c.path, err)
				}
				res.Body.Close()
				if large := res.StatusCode == http.StatusRequestEntityTooLarge; large != want || res.StatusCode < 400 {
					d.Errorf("%s with %d bytes, told %v: %d %v", c.path, c.most+over, told, res.StatusCode, body)
				}
			}
		}
	}
}
