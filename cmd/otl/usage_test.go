package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
)

// commands gives every command as it is typed.
func commands() map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		all[c.CommandPath()] = c
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(command(&app{stdout: io.Discard, stderr: io.Discard}))
	return all
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	for path, c := range commands() {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || !unicode.IsUpper([]rune(c.Short)[0]) && path != "otl" {
			t.Errorf("%s: %q is no heading", path, c.Short)
		}
		args := append(strings.Fields(path)[1:], "--help")
		var out, errs strings.Builder
		if code := run(t.Context(), args, nil, nil, &out, &errs); code != exitOK || !strings.Contains(out.String(), "Usage:") || errs.Len() > 0 {
			t.Errorf("%s: code %d, %q, %q", path, code, out.String(), errs.String())
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if name, text, _ := strings.Cut(strings.TrimSpace(line), "  "); strings.HasPrefix(name, "--") && strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s says nothing", path, name)
			}
		}
		if c.Runnable() && c.Args == nil {
			t.Errorf("%s takes any argument", path)
		}
	}
}

// TestEveryCommandIsDocumented holds docs/cli.md against the commands.
func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	for path, c := range commands() {
		words := strings.Fields(path)
		if c.HasSubCommands() || words[0] != "otl" || len(words) < 2 || words[1] == "completion" || words[1] == "help" {
			continue
		}
		found := false
		for line := range strings.SplitSeq(string(raw), "\n") {
			found = found || strings.Contains(line, "otl "+words[1]) && regexp.MustCompile("`(otl "+words[1]+" )?"+strings.Join(words[2:], " ")+"\\b").MatchString(line) ||
				len(words) == 2 && strings.Contains(line, "`"+path)
		}
		if !found {
			t.Errorf("docs/cli.md says nothing of %s", path)
		}
	}
}

// TestSecretsAreNotArguments: what stands on a command line can be read by
// everybody on the machine.
func TestSecretsAreNotArguments(t *testing.T) {
	t.Parallel()
	for path, c := range commands() {
		for _, name := range []string{"password", "secret", "secret-key", "key", "hash", "database-url", "token"} {
			if c.Flags().Lookup(name) != nil {
				t.Errorf("%s has --%s", path, name)
			}
		}
	}
}

// TestWrongUseOpensNothing runs every command with arguments it cannot take, in
// a directory that must stay empty.
func TestWrongUseOpensNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, c := range commands() {
		if !c.Runnable() || strings.Contains(path, "completion") {
			continue
		}
		for _, wrong := range [][]string{{"--no-such-flag"}, {"x", "x", "x", "x"}} {
			var errs strings.Builder
			args := append(append(strings.Fields(path)[1:], "--data", dir+"/data"), wrong...)
			if code := run(t.Context(), args, nil, nil, io.Discard, &errs); code != exitUsage {
				t.Errorf("otl %v: code %d", args, code)
			}
			if fault := faultIn(errs.String()); fault != "" {
				t.Errorf("otl %v: %s: %q", args, fault, errs.String())
			}
			if !strings.Contains(errs.String(), "\ntry: otl") || !strings.Contains(errs.String(), " --help\n") {
				t.Errorf("otl %v: %q does not say where help is", args, errs.String())
			}
		}
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
