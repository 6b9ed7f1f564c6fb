package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWH12_NoOtherClient: nobody but egress makes requests over HTTP. The load of
// `otl bench`, which only calls servers it was told to, is no part of a server.
func TestWH12_NoOtherClient(t *testing.T) {
	t.Parallel()
	for _, root := range []string{".", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if room := filepath.Dir(path); room == "egress" || room == "bench" || room == "otltest" {
				return nil
			}
			raw, err := os.ReadFile(path)
			for _, bad := range []string{"http.Client{", "http.DefaultClient", "http.DefaultTransport", "http.Transport{", "http.Get(", "http.Post(", "http.PostForm("} {
				if strings.Contains(string(raw), bad) {
					t.Errorf("%s uses %s; requests go through egress", path, bad)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
