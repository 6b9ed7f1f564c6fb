package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// scratch holds the built binary, the fresh clone and what the browser writes; it goes with the process.
var scratch string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "otl-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	defer shared.stop()
	// Tests here wait for other processes most of their time; whoever gives -parallel decides himself.
	if err := flag.Set("test.parallel", strconv.Itoa(1+runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// built makes the binary with the flags of the Makefile, so that both share the
// build cache.
var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "bin", "otl")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/otl")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func binary(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environ is this process's environment with the settings given, and without
// what would configure otl, or a make or git that runs this test.
func environ(settings ...string) []string {
	var out []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "OTL_") && !strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "MAKE") && name != "MFLAGS" {
			out = append(out, pair)
		}
	}
	// Everything here is on this machine.
	return append(append(out, "NO_PROXY=localhost,127.0.0.1", "no_proxy=localhost,127.0.0.1"), settings...)
}

// need fails the test where a program it drives is missing.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("this test needs %s, which is not in PATH; `make test` installs Node.js, Python and Chromium", name)
		}
	}
}

// installation is where one server, or several on one database, live: a
// directory and the settings every process on it gets.
type installation struct {
	dir      string
	settings []string
	issuer   string
}

// newInstallation prepares an empty directory, and PostgreSQL for a URL. The
// public URL is fixed, because every start listens on another port.
func newInstallation(t testing.TB, databaseURL string) installation {
	t.Helper()
	in := installation{dir: t.TempDir(), issuer: "http://localhost:8787"}
	// An empty file keeps one in /etc/otl out.
	if err := os.WriteFile(filepath.Join(in.dir, "otl.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in.settings = []string{
		"OTL_DATA_DIR=" + in.dir, "OTL_LISTEN=127.0.0.1:0", "OTL_ADMIN_LISTEN=", "OTL_RATE_LIMITS=off", "OTL_PUBLIC_URL=" + in.issuer,
		"OTL_LOG_FORMAT=json", "OTL_DRAIN_DELAY=0s",
	}
	if databaseURL != "" {
		in.settings = append(in.settings, "OTL_DATABASE_URL="+databaseURL)
	}
	return in
}

// otl runs a command of the binary to its end and reads the one JSON object it
// prints into out.
func (in installation) otl(t testing.TB, out any, args ...string) {
	t.Helper()
	program := binary(t) // built first: that may take longer than a command
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, "--json")...)
	cmd.Dir, cmd.Env = in.dir, environ(in.settings...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("otl %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatalf("otl %s printed no JSON: %v\n%s", strings.Join(args, " "), err, raw)
	}
}

// site registers a site at the command line and gives its key.
func (in installation) site(t testing.TB) (key string) {
	t.Helper()
	var made struct {
		Key string `json:"site_key"`
	}
	in.otl(t, &made, "sites", "create", "--name", "Notes", "--callback", "https://notes.test/callback", "--scopes", "auth,users,admin,otp:direct")
	return made.Key
}

// count reads a number from the environment.
func count(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a number from 1 on", name)
	}
	return n
}
