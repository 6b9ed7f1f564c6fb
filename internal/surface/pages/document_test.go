package pages_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestLinksOfTheReadmeLeadSomewhere: each names a file of the repository, and of a document a heading
// that is there.
func TestLinksOfTheReadmeLeadSomewhere(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	root := filepath.Join("..", "..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	to, links := pagesOnce(t, w), regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(string(readme), -1)
	if len(links) == 0 {
		t.Error("there are none")
	}
	for _, m := range links {
		file, heading, _ := strings.Cut(m[1], "#")
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
			t.Error(err)
		}
		if heading != "" {
			if err := to("/", strings.TrimSuffix(file, ".md")+"#"+heading); err != nil {
				t.Errorf("%s: %v", m[1], err)
			}
		}
	}
}
