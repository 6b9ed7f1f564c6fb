package e2e

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTime bounds how long a server may take to be ready, stopTime how long to
// stop. Both are far above what is needed: they only end a test that hangs.
const (
	startTime = time.Minute
	stopTime  = 30 * time.Second
)

// process is one running `otl serve` or `otl dev`.
type process struct {
	url   string // set once it is ready
	cmd   *exec.Cmd
	ready chan string   // the address it listens at
	ended chan struct{} // closed when the process is gone and its log read

	mu     sync.Mutex
	tail   []string // the last lines of its log
	errors []string // every line at level ERROR
}

// serve starts a server and waits until it is ready.
func (in installation) serve(t testing.TB) *process {
	t.Helper()
	p := in.launch(t)
	p.wait(t)
	return p
}

// launch starts a server without waiting for it.
func (in installation) launch(t testing.TB) *process {
	t.Helper()
	cmd := exec.Command(binary(t), "serve")
	cmd.Dir, cmd.Env = in.dir, environ(in.settings...)
	return start(t, cmd)
}

// start starts a program that logs to standard error. Whatever happens to the
// test, the process ends with it.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, ready: make(chan string, 1), ended: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.line(lines.Text())
		}
		_ = cmd.Wait() // killed on purpose; a start that failed shows in its log
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the log of process %d ends with\n%s", cmd.Process.Pid, p.log())
		}
	})
	return p
}

func (p *process) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tail = append(p.tail, text); len(p.tail) > 40 {
		p.tail = p.tail[1:]
	}
	if strings.Contains(text, `"level":"ERROR"`) {
		p.errors = append(p.errors, text)
	}
	var l struct{ Msg, Listen string }
	if strings.Contains(text, `"msg":"ready"`) && json.Unmarshal([]byte(text), &l) == nil {
		p.ready <- l.Listen
	}
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "\n")
}

// wait blocks until the server says that it is ready.
func (p *process) wait(t testing.TB) {
	t.Helper()
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	select {
	case address := <-p.ready:
		p.url = "http://" + address
	case <-p.ended:
		t.Fatalf("the server ended before it was ready: %s\n%s", p.cmd.ProcessState, p.log())
	case <-limit.C:
		t.Fatalf("the server is not ready after %s\n%s", startTime, p.log())
	}
}

// kill ends the process as a power switch would, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// stop asks the process to end and fails the test if it does so with an error.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	limit := time.NewTimer(stopTime)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-limit.C:
		t.Fatalf("the server has not stopped after %s", stopTime)
	}
	if !p.cmd.ProcessState.Success() {
		t.Errorf("the server stopped with %s", p.cmd.ProcessState)
	}
}

// clean fails the test for every error the server has logged.
func (p *process) clean(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.errors {
		t.Errorf("the server logged: %s", line)
	}
}
