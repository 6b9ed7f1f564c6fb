package pages_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/docs"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestFragmentsOfDocumentsLeadSomewhere: every link into a document, from any other or from
// the README, names a heading that is there.
func TestFragmentsOfDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	link := regexp.MustCompile(`\]\((?:docs/)?([a-z0-9/-]*)(?:\.md)?#([^)]+)\)`)
	pages, links := map[string]string{}, 0
	check := func(from, text string) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to := m[1]
			if to == "" {
				to = from
			}
			if pages[to] == "" {
				pages[to] = string(w.Do(t, otltest.Call{Path: "/docs/" + to}).Want(t, http.StatusOK).Raw)
			}
			if links++; !strings.Contains(pages[to], ` id="`+m[2]+`"`) {
				t.Errorf("%s leads to %s, which has no %s", from, to, m[2])
			}
		}
	}
	err := fs.WalkDir(docs.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		raw, err := docs.Files.ReadFile(path)
		check(strings.TrimSuffix(path, ".md"), string(raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	check("README", string(readme))
	if links == 0 {
		t.Error("there are none")
	}
}
