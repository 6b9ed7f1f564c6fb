package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

func TestServeNeedsNoConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	url := p.said(t, "url")
	if !strings.HasPrefix(url, "http://localhost:") || p.said(t, "database") != "sqlite" {
		t.Errorf("ready at %s on %s", url, p.said(t, "database"))
	}
	if a := call(t, "GET", url+"/readyz", ""); a.status != 200 || a.body != "ready\n" {
		t.Errorf("the first call after the ready line got %d %s", a.status, a.body)
	}
	call(t, "GET", url+"/healthz", "").wantStatus(t, 200)
	call(t, "GET", url+"/dev/inbox.json", "").wantStatus(t, 404)
	call(t, "GET", url+"/metrics", "").wantStatus(t, 404)
	if a := call(t, "GET", "http://"+p.said(t, "admin")+"/metrics", ""); a.status != 200 || !strings.Contains(a.body, "otl_build_info") {
		t.Errorf("metrics: %d %.200s", a.status, a.body)
	}
	for name, mode := range files(t, filepath.Join(dir, "otl-data")) {
		if mode.Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, mode.Perm())
		}
	}
	if mode := files(t, dir)["otl-data"]; mode.Perm() != 0o700 {
		t.Errorf("the data directory has mode %o", mode.Perm())
	}
	if p.stdout.String() != "" {
		t.Errorf("printed %q", p.stdout)
	}
	p.stop(t)
	p.stderr.wait(t, `"msg":"stopped"`)
	again := serve(t, dir) // the lock is gone with the process, and the key is the same
	call(t, "GET", again.said(t, "url")+"/readyz", "").wantStatus(t, 200)
}

// TestAD07_ANewInstallationHasNobody: no person, business, client or key comes with it, nothing
// that opens anything is printed, and there is no page to make oneself the first of all.
func TestAD07_ANewInstallationHasNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	url := p.said(t, "url")
	for _, path := range []string{"/setup", "/install", "/admin", "/register", "/init", "/api/v1/setup"} {
		call(t, "GET", url+path, "").wantStatus(t, 404)
	}
	p.stop(t)
	if said := p.stdout.String() + p.stderr.String(); strings.Contains(said, "otr_") || strings.Contains(said, "otl_") {
		t.Errorf("printed %s", said)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "otl-data", "otl.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for table, want := range map[string]int{
		"users": 0, "passwords": 0, "businesses": 0, "business_members": 0, "site_keys": 0, "clients": 0, "api_tokens": 0, "sessions": 0, "tickets": 0,
		"sites": 1, // its own
	} {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != want {
			t.Errorf("%s has %d rows: %v", table, n, err)
		}
	}
}

// TestAD09_WhatIsForOperatorsIsApart: metrics and profiles are at the admin listener, on loopback
// unless said otherwise, and at the public one, like what otl dev has, as if there were none.
func TestAD09_WhatIsForOperatorsIsApart(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	url, admin := p.said(t, "url"), p.said(t, "admin")
	if host, _, err := net.SplitHostPort(admin); err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("the admin listener is at %s", admin)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap", "/debug/vars"} {
		if path != "/debug/vars" {
			call(t, "GET", "http://"+admin+path, "").wantStatus(t, 200)
		}
		for _, at := range []string{path, "/api" + path, "/." + path, "/x/.." + path} {
			call(t, "GET", url+at, "").wantStatus(t, 404)
		}
	}
	for _, path := range []string{"/dev/inbox", "/dev/inbox.json", "/dev/clock", "/dev/hooks"} {
		call(t, "GET", url+path, "").wantStatus(t, 404)
	}
	for _, path := range []string{"/signin", "/api/v1/users", "/oidc/keys", "/"} {
		call(t, "GET", "http://"+admin+path, "").wantStatus(t, 404)
	}
	p.stop(t)
}

// TestHT15_SigtermDrains holds a server in the state between the signal and the
// end: /readyz says no, everything else is still answered. A second signal ends
// it at once.
func TestHT15_SigtermDrains(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "OTL_DRAIN_DELAY=5m")
	url := p.said(t, "url")
	p.signal(t, syscall.SIGTERM)
	p.stderr.wait(t, `"msg":"stopping","drain_delay":"5m0s"`)
	for call(t, "GET", url+"/readyz", "").status != 503 { // the flag is set a moment after the line
		if t.Context().Err() != nil {
			t.Fatal("/readyz does not change")
		}
	}
	call(t, "GET", url+"/.well-known/jwks.json", "").wantStatus(t, 200)
	call(t, "GET", url+"/healthz", "").wantStatus(t, 200)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for gone := false; !gone; { // the second one may come before the first is dealt with
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		select {
		case <-p.ended:
			gone = true
		case <-tick.C:
		}
	}
	if code := p.wait(t); code != -1 {
		t.Errorf("ended with code %d, want the signal to end it", code)
	}
}

// TestHT15_RequestUnderWayIsFinished sends the signal while the server waits for
// the body of a request, and the body then.
func TestHT15_RequestUnderWayIsFinished(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := serve(t, dir)
			key := object(t, dir, nil, "sites", "create", "--name", "Notes")["site_key"].(string)
			conn, err := net.Dial("tcp", p.said(t, "listen"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			answers := bufio.NewReader(conn)
			next := func(body string) answer {
				t.Helper()
				fmt.Fprint(conn, body)
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatalf("the request under way was dropped: %v", err)
				}
				return read(t, res)
			}
			body := `{"email":"jane@dev.test","password":"correct-horse-7"}`
			next(fmt.Sprintf("POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
				"X-OTL-Site-Key: %s\r\nExpect: 100-continue\r\n\r\n", len(body), key)).wantStatus(t, 100)
			p.signal(t, sig)
			p.stderr.wait(t, `"msg":"stopping"`)
			next(body).wantStatus(t, 401, "invalid_credentials")
			if code := p.wait(t); code != exitOK {
				t.Errorf("ended with code %d", code)
			}
		})
	}
}

func TestDD05_SecondServerOnOneFileIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serve(t, dir)
	before := files(t, filepath.Join(dir, "otl-data"))
	second := start(t, dir, []string{"OTL_LISTEN=127.0.0.1:0", "OTL_ADMIN_LISTEN="}, "serve")
	wantRefused(t, second, exitDatabase, "another otl server is using this database: otl-data/otl.db\ntry: stop the other process")
	for name := range files(t, filepath.Join(dir, "otl-data")) {
		if _, ok := before[name]; !ok {
			t.Errorf("the refused server left %s", name)
		}
	}
	// Commands work beside the server, and it sees what they do at once.
	key := object(t, dir, nil, "sites", "create", "--name", "Notes")["site_key"].(string)
	call(t, "POST", first.said(t, "url")+"/api/v1/auth/login", `{"email":"jane@dev.test","password":"correct-horse-7"}`, "X-OTL-Site-Key", key).
		wantStatus(t, 401, "invalid_credentials")
}

func TestServersShareOnePostgres(t *testing.T) {
	t.Parallel()
	env := []string{"OTL_DATABASE_URL=" + otltest.EmptyDatabaseURL(t, otltest.Postgres), "OTL_PUBLIC_URL=http://localhost:8787"}
	dir := t.TempDir()
	first := serve(t, dir, env...)
	second := serve(t, dir, env...)
	if first.said(t, "database") != "postgres" {
		t.Fatal("not on PostgreSQL")
	}
	a := call(t, "GET", "http://"+first.said(t, "listen")+"/.well-known/jwks.json", "").wantStatus(t, 200)
	b := call(t, "GET", "http://"+second.said(t, "listen")+"/.well-known/jwks.json", "").wantStatus(t, 200)
	if a.body != b.body {
		t.Errorf("two nodes, two key sets:\n%s\n%s", a.body, b.body)
	}
	other := start(t, t.TempDir(), append(env, "OTL_LISTEN=127.0.0.1:0", "OTL_ADMIN_LISTEN="), "serve")
	wantRefused(t, other, exitSecret, "the master key does not open this database")
	first.stop(t)
	second.stop(t)
}

func TestMintedTokenIsGoodAtTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"OTL_PUBLIC_URL=http://localhost:8787"}
	p := serve(t, dir, env...)
	object(t, dir, env, "users", "create", "--email", "jane@dev.test")
	minted := object(t, dir, env, "token", "mint", "--user", "jane@dev.test")
	url, bearer := "http://"+p.said(t, "listen"), "Bearer "+minted["access_token"].(string)
	if a := call(t, "GET", url+"/api/v1/users/me", "", "Authorization", bearer).wantStatus(t, 200); a.text("email") != "jane@dev.test" {
		t.Errorf("got %s", a.body)
	}
	object(t, dir, env, "sessions", "revoke", minted["session_id"].(string))
	soon(t, 401, func() answer { return call(t, "GET", url+"/api/v1/users/me", "", "Authorization", bearer) }).wantStatus(t, 401, "session_revoked")
}

// TestPeopleOfTheCommandLineSignIn: a password that came with the line end of
// Windows, and a hash that was made elsewhere.
func TestPeopleOfTheCommandLineSignIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	key := object(t, dir, nil, "sites", "create", "--name", "Notes")["site_key"].(string)
	hash, err := bcrypt.GenerateFromPassword([]byte("correct-horse-7"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for email, one := range map[string][2]string{
		"windows@dev.test": {"--password-stdin", "correct-horse-7\r\nmore"},
		"unix@dev.test":    {"--password-stdin", "correct-horse-7\n"},
		"bare@dev.test":    {"--password-stdin", "correct-horse-7"},
		"hash@dev.test":    {"--password-hash-stdin", string(hash) + "\n"},
	} {
		var errs strings.Builder
		args := []string{"users", "create", "--email", email, one[0], "--data", filepath.Join(dir, "otl-data")}
		if code := run(t.Context(), args, nil, strings.NewReader(one[1]), io.Discard, &errs); code != exitOK {
			t.Fatalf("%s: code %d, %s", email, code, errs.String())
		}
		in := `{"email":"` + email + `","password":"correct-horse-7"}`
		login := func() answer {
			return call(t, "POST", p.said(t, "url")+"/api/v1/auth/login", in, "X-OTL-Site-Key", key)
		}
		login().wantStatus(t, 200)
		object(t, dir, nil, "users", "suspend", email)
		soon(t, 401, login).wantStatus(t, 401, "invalid_credentials")
	}
}

func TestServeOnASocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"OTL_LISTEN=unix:otl.sock", "OTL_PUBLIC_URL=https://id.test"}
	p := serve(t, dir, env...)
	through := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "otl.sock"))
		},
	}}
	res, err := through.Get("http://id.test/readyz")
	if err != nil {
		t.Fatal(err)
	}
	read(t, res).wantStatus(t, 200)
	other := start(t, dir, append(env, "OTL_ADMIN_LISTEN=", "OTL_DATA_DIR=other"), "serve")
	wantRefused(t, other, exitAddress, "listen on unix:otl.sock")
	if _, ok := files(t, dir)["other"]; ok {
		t.Error("the refused server made its data directory")
	}
	p.stop(t)
	if _, ok := files(t, dir)["otl.sock"]; ok {
		t.Error("the socket is still there")
	}
}

func TestReloadTakesTheLogLevelAndNamesTheRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, "session_limit: 5\n", dir, "otl.yaml")
	p := serve(t, dir)
	writeFile(t, "session_limit: 6\nlog: {level: debug}\n", dir, "otl.yaml")
	p.signal(t, syscall.SIGHUP)
	p.stderr.wait(t, `"level":"WARN","msg":"restart needed","key":"session_limit"`)
	p.stderr.wait(t, `"msg":"reloaded"`)
	call(t, "GET", p.said(t, "url")+"/readyz", "").wantStatus(t, 200)
	p.stderr.wait(t, `"level":"DEBUG","msg":"request".*readyz`)
	if strings.Contains(p.stderr.String(), `"key":"log.level"`) {
		t.Error("a restart is said to be needed for what was taken")
	}
	// A file with a mistake changes nothing.
	writeFile(t, "log: {level: loud}\n", dir, "otl.yaml")
	p.signal(t, syscall.SIGHUP)
	p.stderr.wait(t, `"level":"ERROR","msg":"reload configuration","err":"otl.yaml: log.level: must be one of`)
	call(t, "GET", p.said(t, "url")+"/readyz", "").wantStatus(t, 200)
	p.stop(t)
}

// TestWarnings looks at what an operator is told about what he chose.
func TestWarnings(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, one := range []struct {
		admin  string
		limits bool
		mail   bool
		total  int
		want   string
	}{
		{"127.0.0.1:9464", true, true, 100, ""},
		{"localhost:9464", true, true, 100, ""},
		{"[::1]:9464", true, true, 100, ""},
		{"0.0.0.0:9464", true, true, 100, "other machines may reach /metrics"},
		{":9464", true, true, 100, "other machines may reach /metrics"},
		{"unix:/run/otl.sock", true, true, 100, "other machines may reach /metrics"},
		{"127.0.0.1:9464", false, true, 100, "rate limits and lockouts are off"},
		{"127.0.0.1:9464", true, false, 100, "nobody delivers mail"},
		{"127.0.0.1:9464", true, true, math.MaxInt32, "fewer files may be open"},
	} {
		var b bytes.Buffer
		n := &node.Node{Messages: &message.Messages{Ways: map[otl.Channel]bool{otl.ChannelMail: one.mail}}}
		r := running{c: &config.Config{AdminListen: one.admin, RateLimits: one.limits, ConnsTotal: one.total}, log: slog.New(slog.NewTextHandler(&b, nil)), adminLn: ln, n: n}
		if r.warn(); one.want == "" && b.Len() > 0 || !strings.Contains(b.String(), one.want) {
			t.Errorf("%+v: said %q", one, b.String())
		}
		for _, trusted := range []bool{false, true} {
			b.Reset()
			r.c.Listen, r.c.TrustedSocket = "unix:/run/otl.sock", trusted
			if trusted {
				r.c.SecretKeyPrevious = secret.NewMaster().Encode()
			}
			if r.warn(); strings.Contains(b.String(), "previous master key") != trusted {
				t.Errorf("a key that was replaced: said %q", b.String())
			}
			if strings.Contains(b.String(), "over the socket") == trusted {
				t.Errorf("a socket, trusted %v: said %q", trusted, b.String())
			}
		}
	}
}

// TestInterruptedCommand ends a command that waits for the database with the
// code of an interruption.
func TestInterruptedCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	url := otltest.EmptyDatabaseURL(t, otltest.Postgres)
	code := run(ctx, []string{"sites", "list", "--data", t.TempDir()}, []string{"OTL_DATABASE_URL=" + url}, nil, &out, &errs)
	if code != exitInterrupted || errs.String() != "otl: interrupted\n" {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

// TestHT06_TheProgramBoundsItsConnections: those of one address, unless it is a load program's.
// Of more than there may be those that are idle longest are closed.
func TestHT06_TheProgramBoundsItsConnections(t *testing.T) {
	t.Parallel()
	answered := func(conn net.Conn) bool {
		_, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: id.test\r\n\r\n")
		if err == nil {
			var res *http.Response
			if res, err = http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				_, err = io.Copy(io.Discard, res.Body)
			}
		}
		return err == nil
	}
	for limits, want := range map[string]int{"on": 10, "off": 12} {
		p := serve(t, t.TempDir(), "OTL_CONNECTIONS_PER_ADDRESS=10", "OTL_RATE_LIMITS="+limits)
		var all []net.Conn
		for range 12 {
			conn, err := net.Dial("tcp", p.said(t, "listen"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if !answered(conn) {
				t.Error("a new connection is not answered")
			}
			all = append(all, conn)
		}
		open := 0
		for _, conn := range all {
			if answered(conn) {
				open++
			}
		}
		if open != want {
			t.Errorf("with rate limits %s %d of 12 connections are open, want %d", limits, open, want)
		}
		p.stop(t)
	}
}
