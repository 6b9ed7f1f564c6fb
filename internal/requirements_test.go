package internal_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// groups says how many requirements there are under each two letters: 1, 2, 3 … without a gap.
var groups = map[string]int{
	"PW": 18, "OT": 23, "MF": 13, "SE": 19, "OA": 23, "SA": 19, "SC": 10, "WH": 15, "TE": 11, "IM": 8, "AD": 13, "HT": 15,
	"SR": 10, "AU": 8, "PR": 8, "DS": 9, "DD": 14, "MN": 13, "UP": 9, "SU": 6, "OS": 9,
}

var (
	requirement = regexp.MustCompile(`(?m)^\| ([A-Z]{2})-(\d\d) \| ([^|]+) \| ([^|]+) \|$`)
	quoted      = regexp.MustCompile("`([^`]+)`")
	testName    = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)
	named       = regexp.MustCompile(`(?:^(?:Test|Fuzz)|_)([A-Z]{2})(\d\d)(?:_|$)`)
)

// testNames gives every test of the project.
func testNames(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range testName.FindAllSubmatch(raw, -1) {
			all = append(all, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRequirements holds docs/security-requirements.md against the tests: every requirement has
// a row, which names what `go test -run` finds, or says what is not built; and no test bears the
// number of a requirement that there is not.
func TestRequirements(t *testing.T) {
	t.Parallel()
	tests, rows := testNames(t), map[string]string{}
	last := ""
	for _, m := range requirement.FindAllStringSubmatch(read(t, "docs/security-requirements.md"), -1) {
		id := m[1] + m[2]
		if rows[id] != "" {
			t.Errorf("%s has two rows", id)
		}
		if m[1] == last[:min(2, len(last))] && id < last {
			t.Errorf("%s stands behind %s", id, last)
		}
		last, rows[id] = id, m[4]
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		for n := 1; n <= groups[group]; n++ {
			id := fmt.Sprintf("%s%02d", group, n)
			for _, problem := range unheld(rows[id], tests) {
				t.Errorf("%s: %s", id, problem)
			}
			delete(rows, id)
		}
	}
	for id := range rows {
		t.Errorf("there is no requirement %s", id)
	}
	for _, name := range tests {
		for _, m := range named.FindAllStringSubmatch(name, -1) {
			var n int
			if _, err := fmt.Sscan(strings.TrimLeft(m[2], "0"), &n); groups[m[1]] > 0 && (err != nil || n > groups[m[1]]) {
				t.Errorf("%s bears the number of no requirement", name)
			}
		}
	}
}

// unheld says what is wrong with the last cell of a row.
func unheld(cell string, tests []string) (problems []string) {
	runs := quoted.FindAllStringSubmatch(cell, -1)
	if len(runs) == 0 && !strings.HasPrefix(cell, "not built") {
		return []string{"it has no row, or that names no test and does not say what is not built"}
	}
	for _, m := range runs {
		if strings.HasPrefix(m[1], "otl ") || strings.HasPrefix(m[1], "make ") { // a command
			continue
		}
		if !slices.ContainsFunc(tests, func(name string) bool { return strings.Contains(name, m[1]) }) {
			problems = append(problems, "no test is called "+m[1])
		}
	}
	return problems
}

// TestUnheld: each way a row can be wrong is told.
func TestUnheld(t *testing.T) {
	t.Parallel()
	tests := []string{"TestPW01_Lengths", "FuzzPW06_StoredHashes"}
	for cell, want := range map[string]int{
		"": 1, "some day": 1, "`PW02`": 1, "`PW01` `PW02` `PW03`": 2, "`PW01`": 0, "`PW06`; not built: more": 0, "not built": 0, "not built: a thing, for which `make race` stands": 0, "not built: one thing; of another `PW02`": 1, "not built; `PW01`": 0, "`PW01`, by `otl bench`": 0,
	} {
		if got := unheld(cell, tests); len(got) != want {
			t.Errorf("%q: %q", cell, got)
		}
	}
}
