package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// script runs a JavaScript program beside the tests against a development world, whose
// settings are in its environment, and fails unless it ends with "done".
func script(t *testing.T, name string) {
	t.Helper()
	need(t, "node")
	dir := t.TempDir()
	p := dev(t, binary(t), dir)
	defer p.stop(t)
	cmd := exec.CommandContext(t.Context(), "node", name)
	cmd.Env = os.Environ()
	for k, v := range sourced(t, dir) {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "done") {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// TestContract44_TransmitSamples makes the calls of the vendor's public samples in their order,
// in real Node.js: token, person, send, authenticate, keys, and what they verify themselves.
func TestContract44_TransmitSamples(t *testing.T) {
	t.Parallel()
	script(t, "samples.mjs")
}

// TestOA10_RelyingParties signs in by two published OpenID Connect libraries, which hold
// every answer against the specifications.
func TestOA10_RelyingParties(t *testing.T) {
	t.Parallel()
	script(t, "relying.mjs")
}
