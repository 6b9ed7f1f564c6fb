package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes a result: as one line of JSON with --json, else as text.
func (a *app) print(result any, text func()) error {
	if !a.json {
		text()
		return nil
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(result)
}

// table prints rows under a head, in columns.
func table[T any](out io.Writer, head []string, rows []T, cells func(T) []string) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, r := range rows {
		line := cells(r)
		for i, cell := range line {
			line[i] = oneLine(cell)
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	_ = w.Flush() // into memory
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
}

// pairs gives the members of a map in a fixed order.
func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] != "" {
			out = append(out, k+"="+m[k])
		}
	}
	return strings.Join(out, " ")
}

// moment gives a time to the minute.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + "Z" }

// momentOr gives a time that there may not be.
func momentOr(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return moment(*t)
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// sure remembers that a write failed: a key that is shown once must not be lost
// in silence.
type sure struct {
	io.Writer
	err error
}

// Write implements io.Writer.
func (s *sure) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("write standard output: %w", err)
	}
	return n, err
}
