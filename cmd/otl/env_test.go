package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnvironmentFileIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dev.env")
	want := map[string]string{}
	var vars [][2]string
	for name, value := range map[string]string{
		"PLAIN": "x", "EMPTY": "", "QUOTE": "it's", "QUOTES": "''\"'", "DOLLAR": "$HOME ${HOME} $(touch x) `touch x`", "BACKSLASH": `a\b\\`,
		"BLANKS": "  a  b ", "HASH": "#x", "EQUALS": "a=b", "LINES": "a\nb", "STARS": "* ?", "TEXT": "ünïcödé", "HISTORY": "!!", "END": `\'`,
	} {
		want["OTL_"+name] = value
		vars = append(vars, [2]string{"OTL_" + name, value})
	}
	if err := writeEnv(path, vars); err != nil {
		t.Fatal(err)
	}
	if got := sourced(t, path); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// Again, over the first: no rest of it, no second file.
	if err := writeEnv(path, vars[:1]); err != nil {
		t.Fatal(err)
	}
	if got := sourced(t, path); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	if left := files(t, filepath.Dir(path)); len(left) != 1 || left["dev.env"].Perm() != 0o600 {
		t.Errorf("left %v", left)
	}
}

func TestEnvironmentFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeEnv(filepath.Join(dir, "none", "dev.env"), nil); err == nil {
		t.Error("written into a directory that does not exist")
	}
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeEnv(taken, nil); err == nil {
		t.Error("written over a directory")
	}
	if err := clearEnv(taken); err == nil {
		t.Error("a directory was removed")
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	p := start(t, dir, nil, "dev", "--listen", "127.0.0.1:0", "--env-file", "/dev/null/x/dev.env")
	if code := p.wait(t); code != exitFailed {
		t.Errorf("ended with code %d", code)
	}
	p.stderr.wait(t, `(?m)^otl: write /dev/null/x/dev\.env: mkdir /dev/null: not a directory$`)
}

// FuzzEnvironmentFile reads what was written by the shell's rule: within single
// quotes nothing has a meaning but the next single quote.
func FuzzEnvironmentFile(f *testing.F) {
	f.Add("it's", "x")
	f.Add("'\\''", "\n")
	f.Add("$(rm)", "`")
	f.Fuzz(func(t *testing.T, a, b string) {
		path := filepath.Join(t.TempDir(), "dev.env")
		if err := writeEnv(path, [][2]string{{"A", a}, {"B", b}}); err != nil {
			t.Fatal(err)
		}
		if got := unquote(t, readFile(t, path)); got["A"] != a || got["B"] != b || len(got) != 2 {
			t.Errorf("%q and %q became %q", a, b, got)
		}
	})
}

// unquote reads lines of NAME=WORD, where a word is made of '…' and \'.
func unquote(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for text != "" {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			t.Fatalf("%q is no assignment", text)
		}
		var value strings.Builder
		for !strings.HasPrefix(rest, "\n") {
			if after, escaped := strings.CutPrefix(rest, `\'`); escaped {
				value.WriteByte('\'')
				rest = after
				continue
			}
			inner, after, closed := strings.Cut(strings.TrimPrefix(rest, "'"), "'")
			if !closed || !strings.HasPrefix(rest, "'") {
				t.Fatalf("%q is not quoted", rest)
			}
			value.WriteString(inner)
			rest = after
		}
		out[name], text = value.String(), rest[1:]
	}
	return out
}

// TestDevHonoursTheConfiguration: `otl dev` differs from `otl serve` in its
// defaults, not in what overrides them.
func TestDevHonoursTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, "data_dir: from-file\nlog: {level: debug}\npublic_url: http://notes.localhost:8787\n", dir, "otl.yaml")
	p := startDev(t, dir, nil)
	if v := sourced(t, filepath.Join(dir, "from-file", "dev.env")); v["OTL_URL"] != "http://notes.localhost:8787" {
		t.Errorf("OTL_URL is %s", v["OTL_URL"])
	}
	p.stop(t)
	startDev(t, dir, []string{"OTL_DATA_DIR=from-env"}).stop(t)
	startDev(t, dir, []string{"OTL_DATA_DIR=from-env"}, "--data", "from-flag").stop(t)
	for _, name := range []string{"from-env", "from-flag"} {
		if _, ok := files(t, filepath.Join(dir, name))["dev.env"]; !ok {
			t.Errorf("no world in %s", name)
		}
	}
	if _, ok := files(t, dir)[".otl"]; ok {
		t.Error("there is a world in the default place as well")
	}
	wantRefused(t, start(t, dir, []string{"OTL_PUBLC_URL=x"}, "dev"), exitUnsafe, "did you mean OTL_PUBLIC_URL?")
}

// TestCompletion asks as the shells do.
func TestCompletion(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "otl", "__complete", "config", "explain", "")
	cmd.Env, cmd.Dir = environment(), t.TempDir()
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "\npublic_url\n") && !strings.HasPrefix(string(out), "public_url\n") || !strings.Contains(string(out), "\njwt.alg\n") {
		t.Errorf("got %s, %v", out, err)
	}
}
