package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dev starts `otl dev` on a free port with its default data directory below
// dir, and waits for the environment file that says it is ready.
func dev(t testing.TB, program, dir string) *process {
	t.Helper()
	return devAt(t, program, dir, "127.0.0.1:0")
}

// devAt does so at an address, with settings.
func devAt(t testing.TB, program, dir, listen string, settings ...string) *process {
	t.Helper()
	file := filepath.Join(dir, ".otl", "dev.env")
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err) // one of an earlier start is no sign
	}
	cmd := exec.Command(program, "dev", "--listen", listen)
	cmd.Dir, cmd.Env = dir, environ(settings...)
	p := start(t, cmd)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	for {
		_, err := os.Stat(file)
		if err == nil {
			return p
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		select {
		case <-again.C:
		case <-p.ended:
			t.Fatalf("otl dev ended before it was ready: %s\n%s", cmd.ProcessState, p.log())
		case <-limit.C:
			t.Fatalf("otl dev is not ready after %s\n%s", startTime, p.log())
		}
	}
}

// sourced gives the variables a shell has after reading the environment file.
func sourced(t testing.TB, dir string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -a; source .otl/dev.env; env -0")
	cmd.Dir, cmd.Env = dir, environ()
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("source .otl/dev.env: %v", err)
	}
	vars := map[string]string{}
	for pair := range strings.SplitSeq(string(raw), "\x00") {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, "OTL_") {
			vars[name] = value
		}
	}
	return vars
}
