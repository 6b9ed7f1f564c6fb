package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// dev starts a development world and waits until it says that it is ready.
func startDev(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	args = append([]string{"dev"}, args...)
	if !slices.Contains(args, "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	p := start(t, dir, env, args...)
	p.stdout.wait(t, `ready in [0-9.]+ s\n(?s:.*)Try it(?s:.*)correct-horse-7"}'\n`)
	return p
}

// sourced gives what bash makes of an environment file.
func sourced(t *testing.T, path string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `set -aeu; source "$1"; env -0`, "bash", path)
	cmd.Env = environment()
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("source %s: %v", path, err)
	}
	vars := map[string]string{}
	for pair := range strings.SplitSeq(string(raw), "\x00") {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTL_") {
			vars[name] = value
		}
	}
	return vars
}

func TestDevWorldCanBeUsed(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			dir, env := t.TempDir(), []string{}
			if e == otltest.Postgres {
				env = append(env, "OTL_DATABASE_URL="+otltest.EmptyDatabaseURL(t, e))
			}
			p := startDev(t, dir, env)
			v := sourced(t, filepath.Join(dir, ".otl", "dev.env"))
			call(t, "GET", v["OTL_URL"]+"/readyz", "").wantStatus(t, 200)
			useWorld(t, v)
			p.stderr.wait(t, `[0-9:]{8}  POST /api/v1/auth/login +200 +[0-9.]+ ms  req [0-9a-f]{8}\n`)
			// The commands on the banner see the same world.
			if s := object(t, dir, env, "sites", "list", "--data", ".otl"); len(s["data"].([]any)) != 2 {
				t.Errorf("got sites %v", s)
			}
			// And they go by its clock.
			call(t, "POST", v["OTL_URL"]+"/dev/clock", `{"advance":"50h"}`, "Content-Type", "application/json").wantStatus(t, 200)
			minted := object(t, dir, append(env, "OTL_PUBLIC_URL="+v["OTL_URL"]), "token", "mint", "--user", v["OTL_OWNER_EMAIL"], "--data", ".otl")
			call(t, "GET", v["OTL_URL"]+"/api/v1/users/me", "", "Authorization", "Bearer "+minted["access_token"].(string)).wantStatus(t, 200)
			key := object(t, dir, env, "site-keys", "create", "--site", v["OTL_SITE_ID"], "--name", "a day's", "--expires-in", "24h", "--data", ".otl")
			call(t, "POST", v["OTL_URL"]+"/api/v1/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, v["OTL_USER_EMAIL"], v["OTL_USER_PASSWORD"]),
				"X-OTL-Site-Key", key["site_key"].(string)).wantStatus(t, 200)
			p.signal(t, syscall.SIGINT)
			if code := p.wait(t); code != exitOK {
				t.Errorf("Ctrl-C ends it with code %d", code)
			}
		})
	}
}

// useWorld signs the seeded person in, keeps the session, lists and ends it, all
// with nothing but the variables of dev.env.
func useWorld(t *testing.T, v map[string]string) {
	t.Helper()
	key := []string{"X-OTL-Site-Key", v["OTL_SITE_KEY"]}
	login, err := json.Marshal(map[string]string{"email": v["OTL_USER_EMAIL"], "password": v["OTL_USER_PASSWORD"]})
	if err != nil {
		t.Fatal(err)
	}
	in := call(t, "POST", v["OTL_URL"]+"/api/v1/auth/login", string(login), key...).wantStatus(t, 200)
	call(t, "POST", v["OTL_URL"]+"/api/auth/login", string(login), key...).wantStatus(t, 200) // the path on the banner
	if user := in.json["user"].(map[string]any); user["id"] != v["OTL_USER_ID"] {
		t.Errorf("signed in as %v, want %s", user, v["OTL_USER_ID"])
	}
	again := call(t, "POST", v["OTL_URL"]+"/api/v1/auth/refresh", `{"refresh_token":"`+in.text("refresh_token")+`"}`, key...).wantStatus(t, 200)
	bearer := []string{"Authorization", "Bearer " + again.text("access_token")}
	sessions := call(t, "GET", v["OTL_URL"]+"/api/v1/sessions", "", bearer...).wantStatus(t, 200)
	list := sessions.json["data"].([]any)
	if len(list) != 2 {
		t.Fatalf("two sign-ins, but sessions %s", sessions.body)
	}
	id := list[0].(map[string]any)["id"].(string)
	call(t, "DELETE", v["OTL_URL"]+"/api/v1/sessions/"+id, "", bearer...).wantStatus(t, 200)
	call(t, "GET", v["OTL_URL"]+"/api/v1/users/me", "", bearer...).wantStatus(t, 401)
	// The second site has a key of its own, and the owner a password and an app.
	seed, err := secret.ParseTOTPSeed(v["OTL_OWNER_TOTP_SECRET"])
	if err != nil {
		t.Fatal(err)
	}
	owner, err := json.Marshal(map[string]string{"email": v["OTL_OWNER_EMAIL"], "password": v["OTL_OWNER_PASSWORD"], "mfa_code": secret.TOTP(seed, time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	call(t, "POST", v["OTL_URL"]+"/api/v1/auth/login", string(owner), "X-OTL-Site-Key", v["OTL_SITE2_KEY"]).wantStatus(t, 200)
}

func TestDevEnvNamesWhatScriptsRelyOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startDev(t, dir, nil, "--data", "it's a \"world\"")
	path := filepath.Join(dir, "it's a \"world\"", "dev.env")
	v := sourced(t, path)
	want := strings.Fields(`OTL_URL OTL_SITE_ID OTL_SITE_KEY OTL_CALLBACK_URL OTL_SITE2_ID OTL_SITE2_KEY OTL_SITE2_CALLBACK_URL
		OTL_SUBDOMAIN OTL_CLIENT_ID OTL_CLIENT_SECRET OTL_REDIRECT_URI OTL_USER_ID OTL_USER_EMAIL OTL_USER_PASSWORD OTL_USER_USERNAME OTL_USER_PHONE
		OTL_MFA_EMAIL OTL_MFA_PASSWORD OTL_MFA_TOTP_SECRET OTL_MFA_PHONE OTL_OWNER_EMAIL OTL_OWNER_PASSWORD OTL_OWNER_TOTP_SECRET`)
	if got := slices.Sorted(maps.Keys(v)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("got %v", got)
	}
	for name, value := range v {
		if value == "" {
			t.Errorf("%s is empty", name)
		}
	}
	if !strings.HasPrefix(v["OTL_URL"], "http://localhost:") { // a passkey needs a name
		t.Errorf("OTL_URL is %s", v["OTL_URL"])
	}
	// Every line is KEY='value', which Python's shlex reads too.
	const script = `import json, shlex, sys
print(json.dumps(dict(shlex.split(line)[0].split("=", 1) for line in open(sys.argv[1]))))`
	raw, err := exec.CommandContext(t.Context(), "python3", "-c", script, path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var python map[string]string
	if err := json.Unmarshal(raw, &python); err != nil || !maps.Equal(python, v) {
		t.Errorf("Python reads %s, bash %v", raw, v)
	}
	for name, mode := range files(t, filepath.Dir(path)) {
		if mode.Perm() != 0o600 || strings.HasPrefix(name, ".") {
			t.Errorf("%s has mode %o", name, mode.Perm())
		}
	}
	// A server that finds them in its environment is not disturbed.
	var environ []string
	for name, value := range v {
		environ = append(environ, name+"="+value)
	}
	serve(t, dir, environ...)
}

// TestDevEnvComesWithReadiness looks for the file as a script does, and asks at
// the very moment it is there.
func TestDevEnvComesWithReadiness(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "my.env") // made with its directories
	p := start(t, dir, nil, "dev", "--listen", "127.0.0.1:0", "--env-file", path)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-p.ended:
			t.Fatal("ended before it was ready")
		case <-t.Context().Done():
			t.Fatal("no file")
		}
	}
	v := sourced(t, path)
	call(t, "GET", v["OTL_URL"]+"/readyz", "").wantStatus(t, 200)
	if v["OTL_OWNER_PASSWORD"] == "" {
		t.Error("the file was not complete when it appeared")
	}
	if _, ok := files(t, filepath.Join(dir, ".otl"))["dev.env"]; ok {
		t.Error("there is a second file in the data directory")
	}
}

func TestDevStartsAgainTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	address := freeAddress(t)
	data := filepath.Join(dir, ".otl")
	first := startDev(t, dir, nil, "--listen", address)
	// The demo sites may be at ports of their own at each start.
	written := func() string {
		return regexp.MustCompile(`(?m)^OTL_(SITE2_)?CALLBACK_URL=.*$`).ReplaceAllString(readFile(t, data, "dev.env"), "")
	}
	env := written()
	v := sourced(t, filepath.Join(data, "dev.env"))
	in := call(t, "POST", v["OTL_URL"]+"/api/v1/auth/login", `{"email":"jane@dev.test","password":"correct-horse-7"}`,
		"X-OTL-Site-Key", v["OTL_SITE_KEY"]).wantStatus(t, 200)
	first.stop(t)
	commands := [][]string{{"sites", "list"}, {"users", "list"}, {"keys", "list"}, {"site-keys", "list", "--site", "notes"}, {"audit", "list", "--user", "jane@dev.test"}}
	look := func() (out []string) {
		for _, c := range commands {
			raw, err := json.Marshal(object(t, dir, []string{"OTL_DATA_DIR=.otl"}, c...))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(raw))
		}
		return append(out, readFile(t, data, "secret.key"))
	}
	before := look()
	writeFile(t, "OTL_URL='http://localhost:1'\n", data, "dev.env") // of a start long ago

	second := startDev(t, dir, nil, "--listen", address)
	if got := written(); got != env {
		t.Errorf("dev.env was\n%s\nand is\n%s", env, got)
	}
	call(t, "GET", v["OTL_URL"]+"/api/v1/users/me", "", "Authorization", "Bearer "+in.text("access_token")).wantStatus(t, 200)
	call(t, "POST", v["OTL_URL"]+"/api/v1/auth/refresh", `{"refresh_token":"`+in.text("refresh_token")+`"}`, "X-OTL-Site-Key", v["OTL_SITE_KEY"]).wantStatus(t, 200)
	second.stop(t) // and with it the demo sites
	for i, now := range look() {
		if now != before[i] {
			t.Errorf("was\n%s\nand is\n%s", before[i], now)
		}
	}
	third := startDev(t, dir, nil, "--listen", address)
	if got := written(); got != env {
		t.Error("dev.env changed at the third start")
	}
	third.stop(t)
}

// TestDemoSitesAtOtherPorts: where theirs are taken, dev.env says where they are, and
// nothing of it is left in the end.
func TestDemoSitesAtOtherPorts(t *testing.T) {
	t.Parallel()
	for _, port := range []int{notesPort, shopPort} {
		if ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil { // else another world has it
			t.Cleanup(func() { _ = ln.Close() })
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, ".otl", "dev.env")
	for range 2 {
		p := startDev(t, dir, nil)
		at := p.stdout.wait(t, `Notes (\S+) and Shop (\S+): `)
		v := sourced(t, path)
		if v["OTL_CALLBACK_URL"] != at[1]+"/auth/callback" || v["OTL_SITE2_CALLBACK_URL"] != at[2]+"/auth/callback" {
			t.Errorf("the sites are at %v, dev.env says %s and %s", at[1:], v["OTL_CALLBACK_URL"], v["OTL_SITE2_CALLBACK_URL"])
		}
		if urls := object(t, dir, nil, "sites", "show", "notes", "--data", ".otl")["callback_urls"].([]any); !slices.Contains(urls, any(v["OTL_CALLBACK_URL"])) {
			t.Errorf("%s is not among %v", v["OTL_CALLBACK_URL"], urls)
		}
		p.stderr.wait(t, `(?s)POST /api/v1/webhooks .*POST /api/v1/webhooks `)
		hooks := call(t, "GET", v["OTL_URL"]+"/api/v1/webhooks", "", "X-OTL-Site-Key", v["OTL_SITE_KEY"]).wantStatus(t, 200).json["data"].([]any)
		for _, h := range hooks { // that of the usual port is for every start
			if url := h.(map[string]any)["url"]; url != at[1]+"/hooks" && url != "http://localhost:8788/hooks" {
				t.Errorf("an endpoint of an earlier start is left: %v", url)
			}
		}
		p.stop(t)
		if urls := object(t, dir, nil, "sites", "show", "notes", "--data", ".otl")["callback_urls"].([]any); len(urls) != 1 || urls[0] != notesCallback {
			t.Errorf("left %v", urls)
		}
	}
}

// TestDemoSitesStayWhereTheyWere: dev.env is the same at the next start, also where the ports of the demo sites were taken at the
// first one. Whose port somebody else has by now gets another.
func TestDemoSitesStayWhereTheyWere(t *testing.T) {
	t.Parallel()
	taken := make([]net.Listener, 0, 3)
	for port := 21000; len(taken) < cap(taken); port++ { // below those that the system gives out, or another test may have them meanwhile
		if ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			t.Cleanup(func() { _ = ln.Close() })
			taken = append(taken, ln)
		}
	}
	at := func(ln net.Listener) string {
		return "http://localhost:" + strconv.Itoa(ln.Addr().(*net.TCPAddr).Port) + "/auth/callback"
	}
	notes, shop, others := taken[0], taken[1], taken[2]
	_, _ = notes.Close(), shop.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".otl"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "OTL_CALLBACK_URL='"+at(notes)+"'\nOTL_SITE2_CALLBACK_URL='"+at(shop)+"'\n", dir, ".otl", "dev.env")
	address := freeAddress(t)
	env := ""
	for range 2 {
		p := startDev(t, dir, nil, "--listen", address)
		got := readFile(t, dir, ".otl", "dev.env")
		if v := sourced(t, filepath.Join(dir, ".otl", "dev.env")); v["OTL_CALLBACK_URL"] != at(notes) || v["OTL_SITE2_CALLBACK_URL"] != at(shop) {
			t.Errorf("the sites are at %s and %s, they were at %s and %s", v["OTL_CALLBACK_URL"], v["OTL_SITE2_CALLBACK_URL"], at(notes), at(shop))
		}
		if urls := object(t, dir, nil, "sites", "show", "notes", "--data", ".otl")["callback_urls"].([]any); !slices.Contains(urls, any(at(notes))) {
			t.Errorf("%s is not among %v", at(notes), urls)
		}
		if p.stop(t); env != "" && got != env {
			t.Errorf("dev.env was\n%s\nand is\n%s", env, got)
		}
		env = got
	}
	writeFile(t, strings.ReplaceAll(env, at(shop), at(others)), dir, ".otl", "dev.env")
	p := startDev(t, dir, nil, "--listen", address)
	if v := sourced(t, filepath.Join(dir, ".otl", "dev.env")); v["OTL_CALLBACK_URL"] != at(notes) || v["OTL_SITE2_CALLBACK_URL"] == at(others) {
		t.Errorf("the sites are at %s and %s", v["OTL_CALLBACK_URL"], v["OTL_SITE2_CALLBACK_URL"])
	}
	p.stop(t)
}

func TestDevResetStartsAnotherWorld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, ".otl")
	first := startDev(t, dir, nil)
	old := sourced(t, filepath.Join(data, "dev.env"))
	env, key := readFile(t, data, "dev.env"), readFile(t, data, "secret.key")

	// Not while it runs: the other start is refused and harms nothing.
	wantRefused(t, start(t, dir, nil, "dev", "--reset", "--listen", "127.0.0.1:0"), exitDatabase, "another otl server is using this database")
	if readFile(t, data, "dev.env") != env || readFile(t, data, "secret.key") != key {
		t.Error("a refused reset changed the world")
	}
	call(t, "GET", old["OTL_URL"]+"/readyz", "").wantStatus(t, 200)
	first.stop(t)

	writeFile(t, "mine", data, "notes.txt")
	writeFile(t, "a copy from before a migration", data, "otl.db.before-2")
	second := startDev(t, dir, nil, "--reset")
	now := sourced(t, filepath.Join(data, "dev.env"))
	for _, name := range []string{"OTL_SITE_ID", "OTL_SITE_KEY", "OTL_SITE2_ID", "OTL_SITE2_KEY", "OTL_USER_ID"} {
		if now[name] == old[name] {
			t.Errorf("%s is still %s", name, now[name])
		}
	}
	if readFile(t, data, "secret.key") == key {
		t.Error("the master key is still the same")
	}
	if got := readFile(t, data, "notes.txt"); got != "mine" {
		t.Error("a file that is not of the world was touched")
	}
	if _, ok := files(t, data)["otl.db.before-2"]; ok {
		t.Error("a copy of the old world is still there")
	}
	second.stop(t)
	startDev(t, t.TempDir(), nil, "--reset") // nothing there yet
}

func TestDevInMemoryLeavesNothing(t *testing.T) {
	t.Parallel()
	dir, tmp := t.TempDir(), t.TempDir()
	p := startDev(t, dir, []string{"TMPDIR=" + tmp}, "--memory")
	worlds := slices.Collect(maps.Keys(files(t, tmp)))
	if len(worlds) != 1 || len(files(t, dir)) != 0 {
		t.Fatalf("the world is in %v, and the working directory holds %v", worlds, files(t, dir))
	}
	useWorld(t, sourced(t, filepath.Join(tmp, worlds[0], "dev.env")))
	p.stop(t)
	if left := files(t, tmp); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestTwoWorldsInOneDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startDev(t, dir, nil)
	env := readFile(t, dir, ".otl", "dev.env")
	wantRefused(t, start(t, dir, nil, "dev", "--listen", "127.0.0.1:0"), exitDatabase, "another otl server is using this database: .otl/otl.db")
	if readFile(t, dir, ".otl", "dev.env") != env {
		t.Error("the refused world changed the environment of the other")
	}
	other := startDev(t, dir, nil, "--data", "other")
	a, b := sourced(t, filepath.Join(dir, ".otl", "dev.env")), sourced(t, filepath.Join(dir, "other", "dev.env"))
	if a["OTL_SITE_KEY"] == b["OTL_SITE_KEY"] || a["OTL_URL"] == b["OTL_URL"] {
		t.Error("two worlds share a key or an address")
	}
	other.stop(t)
	p.stop(t)
}

// TestDevIsForThrowAwayWorlds: its people have public passwords, so they must
// never get into a database that serves real ones.
func TestDevIsForThrowAwayWorlds(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			dir, env := t.TempDir(), []string{}
			if e == otltest.Postgres {
				env = append(env, "OTL_DATABASE_URL="+otltest.EmptyDatabaseURL(t, e))
			}
			object(t, dir, env, "users", "create", "--email", "jane@dev.test", "--data", "real")
			p := start(t, dir, env, "dev", "--data", "real", "--listen", "127.0.0.1:0")
			if code := p.wait(t); code != exitUnsafe {
				t.Fatalf("ended with code %d", code)
			}
			p.stderr.wait(t, `otl: this database holds people and was not made by otl dev.*\ntry: otl serve`)
			if list := object(t, dir, env, "users", "list", "--data", "real")["data"].([]any); len(list) != 1 {
				t.Errorf("the database now holds %v", list)
			}
			if e == otltest.Postgres {
				wantRefused(t, start(t, dir, env, "dev", "--reset", "--data", "real"), exitUsage, "OTL_DATABASE_URL is set")
				wantRefused(t, start(t, dir, env, "dev", "--memory"), exitUsage, "OTL_DATABASE_URL is set")
			}
			object(t, dir, env, "users", "list", "--data", "real") // the key is still there
		})
	}
}
