package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience ends a test that hangs; nothing is ever waited for that long.
const patience = 30 * time.Second

// process is one running `otl`.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{}
}

// environment is what a process needs of ours. Nothing of it configures otl.
func environment(more ...string) []string {
	env := []string{"HOME=/nonexistent", "NO_PROXY=*"}
	for _, name := range []string{"PATH", "TMPDIR", "GOCOVERDIR", "GORACE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, more...)
}

// start runs otl in a directory. It ends with the test.
func start(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	ended := make(chan struct{})
	p := &process{cmd: exec.Command("otl", args...), stdout: newOutput(ended), stderr: newOutput(ended), ended: ended}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, environment(env...), p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the code is read from the state
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may be gone
		<-p.ended
		if t.Failed() {
			t.Logf("otl %s\n%s%s", strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// serve starts a server on free ports and waits until it is ready.
func serve(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	p := start(t, dir, append([]string{"OTL_LISTEN=127.0.0.1:0", "OTL_ADMIN_LISTEN=127.0.0.1:0", "OTL_DRAIN_DELAY=0s", "OTL_LOG_FORMAT=json"}, env...), "serve")
	p.stderr.wait(t, `"msg":"ready"`)
	return p
}

// said gives a member of the server's ready line.
func (p *process) said(t *testing.T, name string) string {
	t.Helper()
	return p.stderr.wait(t, `"msg":"ready".*"`+name+`":"([^"]*)"`)[1]
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait gives the exit code, -1 after a signal.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the process has not ended")
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop asks a server to end and fails the test unless it does so in good order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != exitOK {
		t.Fatalf("stopped with code %d", code)
	}
}

// output is what a process has written so far.
type output struct {
	mu    sync.Mutex
	b     bytes.Buffer
	more  chan struct{} // closed at the next write
	ended <-chan struct{}
}

func newOutput(ended <-chan struct{}) *output {
	return &output{more: make(chan struct{}), ended: ended}
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.b.Write(p)
}

// String gives everything.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// wait gives the groups of the first match of a pattern, as soon as there is one.
func (o *output) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for gone := false; ; {
		o.mu.Lock()
		more, m := o.more, re.FindStringSubmatch(o.b.String())
		o.mu.Unlock()
		if m != nil {
			return m
		}
		if gone {
			t.Fatalf("the process ended without saying %s", pattern)
		}
		select {
		case <-more:
		case <-o.ended:
			gone = true
		case <-limit.C:
			t.Fatalf("the process does not say %s", pattern)
		}
	}
}

// invoke runs one command to its end.
func invoke(t *testing.T, dir string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := start(t, dir, env, args...)
	code = p.wait(t)
	return code, p.stdout.String(), p.stderr.String()
}

// object runs a command that must succeed and gives the one JSON object it
// prints.
func object(t *testing.T, dir string, env []string, args ...string) map[string]any {
	t.Helper()
	code, out, errs := invoke(t, dir, env, append(args, "--json")...)
	var v map[string]any
	if code != exitOK || json.Unmarshal([]byte(out), &v) != nil {
		t.Fatalf("otl %v: code %d\n%s%s", args, code, out, errs)
	}
	return v
}

// wantRefused fails unless a process ended with a code and said why in one line.
func wantRefused(t *testing.T, p *process, code int, why string) {
	t.Helper()
	if got := p.wait(t); got != code {
		t.Fatalf("ended with code %d, want %d", got, code)
	}
	shown := p.stderr.String()
	for strings.HasPrefix(shown, "{") { // what was logged before
		_, shown, _ = strings.Cut(shown, "\n")
	}
	if fault := faultIn(shown); fault != "" {
		t.Error(fault)
	}
	if !strings.Contains(shown, why) {
		t.Errorf("got %q, want %q in it", shown, why)
	}
}

// browser speaks to servers on this machine. It keeps no connection, so that a
// server that stops has none to wait for.
func browser() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
}

// answer is what a server answered.
type answer struct {
	status int
	body   string
	json   map[string]any
}

func (a answer) text(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// call sends a request with a JSON body, or none for "". Headers come in pairs.
func call(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	res, err := browser().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, body: string(raw)}
	_ = json.Unmarshal(raw, &a.json) // not every answer is an object
	return a
}

// wantStatus fails unless the answer has a status, and a code where one is given.
func (a answer) wantStatus(t *testing.T, status int, code ...string) answer {
	t.Helper()
	if a.status != status || len(code) > 0 && a.text("code") != code[0] {
		t.Fatalf("got %d %s, want %d %v", a.status, a.body, status, code)
	}
	return a
}

// soon repeats a call until it answers with a status: what another process does
// reaches a server within a second (decision D18).
func soon(t *testing.T, status int, again func() answer) answer {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		a := again()
		if a.status == status {
			return a
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("still %d %s, want %d", a.status, a.body, status)
		}
	}
}

// freeAddress gives an address on loopback that nobody listens at just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// files lists what a directory holds, with the mode of each.
func files(t *testing.T, dir string) map[string]os.FileMode {
	t.Helper()
	out := map[string]os.FileMode{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = info.Mode()
	}
	return out
}

func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func writeFile(t *testing.T, text string, elem ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(elem...), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
