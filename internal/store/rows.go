package store

import (
	"slices"
	"strconv"
	"strings"
)

// mostRows is how many rows one statement carries.
const mostRows = 64

// inParts hands all over in parts of at most mostRows, whose sizes are powers of two:
// so one statement has few texts, and each stays prepared.
func inParts[T any](all []T, do func(part []T) error) error {
	for len(all) > 0 {
		n := mostRows
		for n > len(all) {
			n /= 2
		}
		if err := do(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// inFull does as inParts, in fewer parts: the last one is filled up with the row it ends
// with. It is for statements to which a row that comes again is the same row.
func inFull[T any](all []T, do func(part []T) error) error {
	for part := range slices.Chunk(all, mostRows) {
		size := 1
		for size < len(part) {
			size *= 2
		}
		full := append(make([]T, 0, size), part...)
		for len(full) < size {
			full = append(full, part[len(part)-1])
		}
		if err := do(full); err != nil {
			return err
		}
	}
	return nil
}

// rows writes n rows of placeholders, numbered on, of so many columns.
func rows(n, width int) string {
	var b strings.Builder
	for i := range n * width {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%width == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	return b.String() + ")"
}

// typed writes a row that matches nothing and stands before others, so that PostgreSQL
// knows their types by it: those of columns of a table. A cast would do, but for bytea,
// which SQLite casts to a number.
func typed(table string, names ...string) string {
	cells := make([]string, len(names))
	for i, name := range names {
		cells[i] = "(SELECT " + name + " FROM " + table + " WHERE 1 = 0)"
	}
	return "(" + strings.Join(cells, ", ") + "), "
}
