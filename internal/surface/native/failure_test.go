package native_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

var leaks = regexp.MustCompile(`(?i)select |insert |sqlite|postgres|pgx|goroutine|\.go:|/internal/|panic|runtime error`)

// wantFailure fails the test unless an answer is an error in the one envelope,
// with nothing of the inside in it (HT-12).
func wantFailure(t *testing.T, r otltest.Reply) {
	t.Helper()
	if r.JSON == nil || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d is no error of this wire: %s %v", r.Status, r.Raw, r.Header)
		return
	}
	if r.Text("detail") == "" || r.Text("code") == "" || r.Text("docs_url") != "/docs/errors/"+r.Text("code") ||
		r.Text("request_id") == "" || r.Text("request_id") != r.Header.Get("X-Request-Id") {
		t.Errorf("%d lacks a member: %s, X-Request-Id %s", r.Status, r.Raw, r.Header.Get("X-Request-Id"))
	}
	for name := range r.JSON {
		if !strings.Contains(" detail request_id code errors docs_url ", " "+name+" ") {
			t.Errorf("%d has a member %q: %s", r.Status, name, r.Raw)
		}
	}
	if leaks.Match(r.Raw) {
		t.Errorf("%d tells of the inside: %s", r.Status, r.Raw)
	}
}

// failing is a request and the error it leads to.
type failing struct {
	call   otltest.Call
	status int
	code   string
}

func TestEveryCauseHasTheOneEnvelope(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	for what, c := range everyFailure(w) {
		t.Run(what, func(t *testing.T) {
			r := w.Do(t, c.call).Want(t, c.status, c.code)
			wantFailure(t, r)
			if c.status == http.StatusMethodNotAllowed && r.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func everyFailure(w *otltest.World) map[string]failing {
	login := `{"email":"a@dev.test","password":"wrong-horse-7"}`
	big := func(n int) string {
		return `{"email":"a@dev.test","password":"wrong-horse-7"` + strings.Repeat(" ", n-len(login)) + "}"
	}
	post := func(body string) otltest.Call {
		return otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: body}
	}
	with := func(c otltest.Call, name, value string) otltest.Call {
		c.Headers = map[string]string{name: value}
		return c
	}
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":1,`, i)
		}
		return `{"a":{` + strings.TrimSuffix(b.String(), ",") + `}}`
	}
	return map[string]failing{
		"unknown route":         {otltest.Call{Path: "/api/v1/nothing"}, 404, "no_such_path"},
		"unknown version":       {otltest.Call{Path: "/api/v2/users/me"}, 404, "no_such_path"},
		"trailing slash":        {otltest.Call{Path: "/api/v1/users/me/"}, 404, "no_such_path"},
		"double slash":          {otltest.Call{Path: "/api//users/me"}, 404, "no_such_path"},
		"dot segments":          {otltest.Call{Path: "/api/v1/x/../users/me"}, 404, "no_such_path"},
		"wrong method":          {otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key}, 405, "method_not_allowed"},
		"TRACE":                 {otltest.Call{Method: "TRACE", Path: "/api/v1/users/me"}, 405, "method_not_allowed"},
		"a method of his own":   {otltest.Call{Method: "BREW", Path: "/api/v1/users/me"}, 405, "method_not_allowed"},
		"exactly the limit":     {post(big(16 << 10)), 401, "invalid_credentials"},
		"one byte over":         {post(big(16<<10 + 1)), 413, "body_too_large"},
		"no body":               {post(""), 400, "body_missing"},
		"form":                  {with(post(login), "Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported_media_type"},
		"another charset":       {with(post(login), "Content-Type", "application/json; charset=latin1"), 415, "unsupported_media_type"},
		"utf-8 named":           {with(post(login), "Content-Type", "Application/JSON; charset=UTF-8"), 401, "invalid_credentials"},
		"compressed":            {with(post(login), "Content-Encoding", "gzip"), 415, "unsupported_media_type"},
		"not JSON":              {post("email=a"), 400, "malformed_json"},
		"half JSON":             {post(login[:20]), 400, "malformed_json"},
		"two values":            {post(login + "{}"), 400, "malformed_json"},
		"a list":                {post("[" + login + "]"), 400, "malformed_json"},
		"a string":              {post(`"x"`), 400, "malformed_json"},
		"null":                  {post("null"), 400, "malformed_json"},
		"byte order mark":       {post("\ufeff" + login), 400, "malformed_json"},
		"comment":               {post("/* */" + login), 400, "malformed_json"},
		"invalid UTF-8":         {post(`{"email":"` + "\xff\xfe" + `"}`), 400, "malformed_json"},
		"half a surrogate pair": {post(`{"email":"\ud800","password":"x"}`), 400, "malformed_json"},
		"deep nesting":          {post(`{"email":` + deep + `}`), 400, "malformed_json"},
		"very many keys":        {post(keys(1001)), 400, "malformed_json"},
		"duplicate key":         {post(`{"email":"a@dev.test","email":"b@dev.test","password":"x"}`), 400, "duplicate_key"},
		"duplicate by escape":   {post(`{"email":"a@dev.test","\u0065mail":"b@dev.test","password":"x"}`), 400, "duplicate_key"},
		"case-different key":    {post(`{"Email":"a@dev.test","password":"x"}`), 422, "validation_failed"},
		"unknown field":         {post(`{"email":"a@dev.test","password":"x","role":"admin"}`), 422, "validation_failed"},
		"NUL":                   {post(`{"email":"a\u0000@dev.test","password":"x"}`), 422, "validation_failed"},
		"number for a string":   {post(`{"email":7,"password":"x"}`), 422, "validation_failed"},
		"list for a string":     {post(`{"email":["a@dev.test"],"password":"x"}`), 422, "validation_failed"},
		"object for a string":   {post(`{"email":{"$ne":""},"password":"x"}`), 422, "validation_failed"},
		"null for a string":     {post(`{"email":null,"password":"x"}`), 422, "validation_failed"},
		"missing member":        {post(`{"email":"a@dev.test"}`), 422, "validation_failed"},
		"huge number":           {post(`{"email":1e999,"password":"x"}`), 422, "validation_failed"},
		"no site key":           {otltest.Call{Path: "/api/v1/auth/login", Body: login}, 401, "site_key_missing"},
		"site key in a browser": {with(post(login), "Origin", "https://notes.test"), 403, "site_key_in_browser"},
		"no token":              {otltest.Call{Path: "/api/v1/users/me"}, 401, "token_missing"},
		"a scheme of his own":   {otltest.Call{Path: "/api/v1/users/me", Headers: map[string]string{"Authorization": "Basic YTpi"}}, 401, "token_missing"},
		"token in the query":    {otltest.Call{Path: "/api/v1/users/me?access_token=x"}, 401, "token_missing"},
		"a forged token":        {otltest.Call{Path: "/api/v1/users/me", Bearer: "a.b.c"}, 401, "token_invalid"},
		"a query of his own":    {otltest.Call{Path: "/api/v1/sessions?user_id=x&user_id=y", Key: w.Notes.Key}, 422, "validation_failed"},
	}
}

func TestBearerAndKeyAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	w.Person(t, "jane@dev.test", w.Notes.Site, w.Shop.Site)
	access := w.Login(t, w.Notes, "jane@dev.test").Text("access_token")
	for value, status := range map[string]int{
		"Bearer " + access: 200, "bearer " + access: 200, "BEARER  " + access: 200, "Bearer" + access: 401, "Bearer": 401, "Bearer " + access + " x": 401,
		"Bearer " + strings.ToUpper(access): 401, "Bearer " + access[:len(access)-1]: 401, "Token " + access: 401,
	} {
		r := w.Do(t, otltest.Call{Path: "/api/v1/users/me", Headers: map[string]string{"Authorization": value}})
		if r.Status != status {
			t.Errorf("%.12q…: %d %s", value, r.Status, r.Raw)
		}
	}
	key := w.Notes.Key.Reveal()
	for value, status := range map[string]int{
		key: 200, " " + key + " ": 200, key[:43]: 401, key + "x": 401, strings.ToUpper(key): 401, "otr_" + strings.Repeat("0", 40): 401, w.Shop.Key.Reveal(): 200,
	} {
		r := w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Body: object{"email": "jane@dev.test", "password": otltest.Password}, Headers: map[string]string{"X-OTL-Site-Key": value}})
		if r.Status != status {
			t.Errorf("key %.12q…: %d %s", value, r.Status, r.Raw)
		}
	}
	// TE-04: a token of one site with the key of another.
	w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: access, Key: w.Notes.Key}).Want(t, http.StatusOK)
	w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: access, Key: w.Shop.Key}).Want(t, http.StatusUnauthorized, "token_invalid")
	w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/v1/auth/logout", Bearer: access, Key: w.Shop.Key}).Want(t, http.StatusUnauthorized, "token_invalid")
}

// TestDS02_OverloadIsA503: more sign-ins than can be hashed wait and are refused
// in the one envelope, with Retry-After.
func TestDS02_OverloadIsA503(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) {
		o.HashConcurrency = 1
		o.Argon2 = secret.Argon2{Memory: 64 << 10, Time: 8, Threads: 1} // about a third of a second
	})
	const people = 24
	replies := make(chan otltest.Reply, people)
	for i := range people {
		go func() {
			replies <- w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: w.Notes.Key, Body: object{"email": fmt.Sprintf("p%d@dev.test", i), "password": "wrong-horse-7"}})
		}()
	}
	refused := 0
	for range people {
		switch r := <-replies; r.Status {
		case http.StatusUnauthorized:
		case http.StatusServiceUnavailable:
			refused++
			wantFailure(t, r.Want(t, http.StatusServiceUnavailable, "overloaded"))
			if r.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		default:
			t.Errorf("%d %s", r.Status, r.Raw)
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
	}
	w.Do(t, otltest.Call{Path: "/.well-known/jwks.json"}).Want(t, http.StatusOK)
}

// TestDS05_RefreshingWaitsForNoPassword: while each permit to hash is taken, and somebody waits
// for one, sessions are renewed and looked at.
func TestDS05_RefreshingWaitsForNoPassword(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		tokens := w.Login(t, w.Notes, "jane@dev.test")
		pool, began, release := w.SignIn.Hasher.Pool, make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		for range pool.Stats().Permits {
			all.Go(func() {
				if err := pool.Do(t.Context(), "somebody", func() {
					began <- struct{}{}
					<-release
				}); err != nil {
					t.Error(err)
				}
			})
			<-began
		}
		done := pool.Stats().Done
		r := w.Do(t, otltest.Call{Path: "/api/v1/auth/refresh", Key: w.Notes.Key, Body: object{"refresh_token": tokens.Text("refresh_token")}}).Want(t, http.StatusOK)
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: r.Text("access_token")}).Want(t, http.StatusOK)
		if s := pool.Stats(); s.Running != s.Permits || s.Done != done {
			t.Errorf("%+v", s)
		}
		close(release)
		all.Wait()
	})
}

// TestHT05_RawRequests sends what no client library would.
func TestHT05_RawRequests(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	login := `{"email":"a@dev.test","password":"wrong-horse-7"}`
	head := "POST /api/v1/auth/login HTTP/1.1\r\nHost: id.test\r\nContent-Type: application/json\r\nX-OTL-Site-Key: " + w.Notes.Key.Reveal() + "\r\nConnection: close\r\n"
	for what, c := range map[string]struct {
		raw  string
		want string // the beginning of the status
	}{
		"chunked":              {head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(login), login), "401"},
		"length and chunked":   {head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "4"},
		"two lengths":          {head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"},
		"bad length":           {head + "Content-Length: -1\r\n\r\n", "400"},
		"folded header":        {head + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n", "4"},
		"space before colon":   {head + "X-A : b\r\n\r\n", "400"},
		"chunked over limit":   {head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", 17<<10, strings.Repeat(" ", 17<<10)), "413"},
		"no host":              {"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "400"},
		"a hundred headers":    {"GET /api/v1/users/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Repeat("X-A: b\r\n", 101) + "\r\n", "400"},
		"a long address":       {"GET /api/v1/" + strings.Repeat("a", 8<<10) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		"two content types":    {head + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", "415"},
		"an upgrade to HTTP/2": {"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "200"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.raw); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn) // the server may reset a connection it has refused
		_ = conn.Close()
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 "+c.want)) {
			t.Errorf("%s: %.200s", what, answer)
		}
	}
}
