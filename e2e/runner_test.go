package e2e

import (
	"strings"
	"testing"
)

// fence writes a code block.
func fence(lang, code string) string { return "```" + lang + "\n" + code + "\n```\n\n" }

func TestBlocksShareOneSession(t *testing.T) {
	t.Parallel()
	need(t, "bash", "node", "python3")
	doc := fence("console", "$ exit 1") +
		fence("sh", "word='two words'\nmkdir deep && cd deep\ngreet() { echo \"hello $1\"; }") +
		"<!-- run: expect hello two words -->\n" + fence("sh", `greet "$word"; basename "$PWD"`) +
		"- in a list:\n\n  <!-- run: expect two words -->\n  ```js\n  const w = await Promise.resolve(process.env.word);\n  console.log(w);\n  ```\n\n" +
		"<!-- run: expect deep -->\n" + fence("python", "import os\nprint(os.path.basename(os.getcwd()))") +
		fence("json", "{") + "    sh\n\ntext\n"
	blocks, err := find("x.md", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != 4 || blocks[1].at != "x.md:12" || blocks[2].lang != "js" || blocks[2].expect != "two words" {
		t.Fatalf("found %+v", blocks)
	}
	if err := newSession(t, t.TempDir()).all(t.Context(), blocks); err != nil {
		t.Error(err)
	}
}

func TestBrokenBlockIsNamed(t *testing.T) {
	t.Parallel()
	need(t, "bash", "node", "python3")
	for _, c := range []struct{ name, doc, want string }{
		{"exit status", fence("sh", "true") + fence("sh", "echo seen; false; echo unseen"), "x.md:5: the sh block fails: exit status 1\nseen\n"},
		{"failure inside a pipe", fence("sh", "false | cat"), "x.md:1: the sh block fails"},
		{"unset variable", fence("sh", "echo $NOBODY_SET_THIS"), "NOBODY_SET_THIS: unbound variable"},
		{"missing text", "<!-- run: expect 200 -->\n" + fence("sh", "echo 401"), "x.md:2: the sh block fails: the output lacks 200\n401\n"},
		{"exit in a function", fence("sh", "f() { exit 3; }; f"), "exit status 3"},
		{"javascript", fence("js", "throw new Error('thrown')"), "thrown"},
		{"python", fence("python", "raise SystemExit('raised')"), "raised"},
		{"a server that refuses", fence("sh", "curl -sf http://127.0.0.1:1/"), "x.md:1: the sh block fails: exit status 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			blocks, err := find("x.md", []byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			if err := newSession(t, t.TempDir()).all(t.Context(), blocks); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, without %q", err, c.want)
			}
		})
	}
}

func TestStrayDirectiveIsNamed(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"misspelt":           "text\n\n<!-- run: expects 200 -->\n" + fence("sh", "true"),
		"before text":        "\n\n<!-- run: expect 200 -->\n\ntext\n\n" + fence("sh", "true"),
		"before other code":  "\n\n<!-- run: expect 200 -->\n" + fence("console", "$ true"),
		"at the end":         "\n\n<!-- run: expect 200 -->\n",
		"nothing to expect":  "\n\n<!-- run: expect -->\n" + fence("sh", "true"),
		"two for one block":  "\n\n<!-- run: expect 1 -->\n<!-- run: expect 2 -->\n" + fence("sh", "true"),
		"with a second line": "\n\n<!-- run: expect 1\nand 2 -->\n" + fence("sh", "true"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := find("x.md", []byte(doc)); err == nil || !strings.HasPrefix(err.Error(), "x.md:3: ") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
