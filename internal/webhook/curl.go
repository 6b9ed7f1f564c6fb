package webhook

import (
	"maps"
	"slices"
	"strings"
)

// Curl gives the command for a POSIX shell that makes a request, byte for byte.
func (r Request) Curl(url string) string {
	var b strings.Builder
	b.WriteString("curl -X POST " + quoted(url))
	for _, name := range slices.Sorted(maps.Keys(r.Head)) {
		b.WriteString(" \\\n  -H " + quoted(strings.ToLower(name)+": "+strings.Join(r.Head[name], ", ")))
	}
	b.WriteString(" \\\n  --data-raw " + quoted(string(r.Body)))
	return b.String()
}

// quoted gives a text as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
