package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// The code blocks of the documentation are run as they stand: those fenced as
// sh, js and python, file by file, each file in a directory of its own where
// `otl dev` runs (it writes .otl/dev.env there, and bin/otl is there too). Blocks
// of one file share one shell session: variables, functions and the directory
// carry over, and variables reach js and python as their environment. A block
// for reading only is fenced otherwise, such as console.
//
// A comment directly above a block says what its output must contain:
//
//	<!-- run: expect "access_token" -->

// block is one piece of code to run.
type block struct {
	at     string // file:line of the fence
	lang   string
	code   string
	expect string // "" for nothing
}

// blockTime bounds one block.
const blockTime = time.Minute

var directive = regexp.MustCompile(`^<!-- run: expect (.+) -->$`)

// TestReadme runs the code blocks of README.md and of everything below docs.
func TestReadme(t *testing.T) {
	t.Parallel()
	files := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join("..", "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			files = append(files, strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range files {
		raw, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := find(name, raw)
		if err != nil {
			t.Error(err)
		}
		if total += len(blocks); len(blocks) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(binary(t), filepath.Join(dir, "bin", "otl")); err != nil {
				t.Fatal(err)
			}
			needFor(t, blocks)
			defer dev(t, binary(t), dir).stop(t)
			if err := newSession(t, dir).all(t.Context(), blocks); err != nil {
				t.Error(err)
			}
		})
	}
	if total == 0 {
		t.Error("the documentation has no code block that is run")
	}
}

// needFor fails the test in one line where what the blocks are written in is
// missing.
func needFor(t *testing.T, blocks []block) {
	t.Helper()
	programs := map[string]string{"sh": "bash", "js": "node", "python": "python3"}
	for _, b := range blocks {
		need(t, programs[b.lang])
		if b.lang == "python" && regexp.MustCompile(`(?m)^(import|from) requests\b`).MatchString(b.code) &&
			exec.CommandContext(t.Context(), "python3", "-c", "import requests").Run() != nil {
			t.Fatalf("%s imports requests, which this python3 lacks; `make test` brings one that has it", b.at)
		}
	}
}

// find gives the blocks of a document that are run. The error is a comment that
// looks like a directive and is none, or belongs to no block that is run.
func find(name string, raw []byte) ([]block, error) {
	var blocks []block
	var bad []error
	line := func(offset int) string { return fmt.Sprintf("%s:%d", name, 1+bytes.Count(raw[:offset], []byte("\n"))) }
	runs := func(n ast.Node) bool {
		f, ok := n.(*ast.FencedCodeBlock)
		return ok && slices.Contains([]string{"sh", "js", "python"}, string(f.Language(raw)))
	}
	doc := goldmark.DefaultParser().Parse(text.NewReader(raw))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if c, ok := n.(*ast.HTMLBlock); ok {
			content := c.Lines().Value(raw)
			if bytes.Contains(content, []byte("run:")) && (expectation(n, raw) == "" || !runs(n.NextSibling())) {
				bad = append(bad, fmt.Errorf("%s: no directive that is understood, directly above a block that is run: %s",
					line(c.Lines().At(0).Start), bytes.TrimSpace(content)))
			}
		}
		if runs(n) {
			f := n.(*ast.FencedCodeBlock)
			blocks = append(blocks, block{
				line(f.Info.Segment.Start), string(f.Language(raw)), string(f.Lines().Value(raw)),
				expectation(n.PreviousSibling(), raw),
			})
		}
		return ast.WalkContinue, nil
	})
	return blocks, errors.Join(append(bad, err)...)
}

// expectation reads a directive, "" where a node is none.
func expectation(n ast.Node, raw []byte) string {
	c, ok := n.(*ast.HTMLBlock)
	if !ok {
		return ""
	}
	m := directive.FindSubmatch(bytes.TrimSpace(c.Lines().Value(raw)))
	if m == nil {
		return ""
	}
	return string(m[1])
}

// session is one shell session, kept in files between its blocks.
type session struct{ dir, state, where, code string }

func newSession(t testing.TB, dir string) session {
	t.Helper()
	files := t.TempDir()
	s := session{dir, filepath.Join(files, "state"), filepath.Join(files, "where"), filepath.Join(files, "block")}
	if err := os.WriteFile(s.state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.where, []byte(dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// shell runs a block where the one before stopped. The arguments are the files
// state, where and code, and the interpreter or "" for the shell itself.
const shell = `set -a
source "$1"
cd "$(cat "$2")"
[ -z "$4" ] || exec "$4" "$3"
trap "{ export -p; declare -f; } > '$1'; pwd > '$2'" EXIT
set -euo pipefail
source "$3"`

// all runs blocks in order up to the first that fails.
func (s session) all(ctx context.Context, blocks []block) error {
	for _, b := range blocks {
		if err := s.run(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// run runs one block. The error names its place and shows its output.
func (s session) run(ctx context.Context, b block) error {
	ctx, cancel := context.WithTimeout(ctx, blockTime)
	defer cancel()
	interpreter := map[string][2]string{"sh": {"", ".sh"}, "js": {"node", ".mjs"}, "python": {"python3", ".py"}}[b.lang]
	file := s.code + interpreter[1]
	if err := os.WriteFile(file, []byte(b.code), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", shell, "bash", s.state, s.where, file, interpreter[0])
	cmd.Dir, cmd.Env = s.dir, environ()
	cmd.WaitDelay = time.Second // for what a block leaves running
	out, err := cmd.CombinedOutput()
	if err == nil && !strings.Contains(string(out), b.expect) {
		err = fmt.Errorf("the output lacks %s", b.expect)
	}
	if err != nil {
		return fmt.Errorf("%s: the %s block fails: %w\n%s", b.at, b.lang, err, out)
	}
	return nil
}
