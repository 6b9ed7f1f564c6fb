package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
)

// group is what every group of statements stands on.
type group struct {
	c       conn
	changes *changes // nil where nothing is remembered
	ran     *counter
}

// query runs a statement that gives rows.
func (g group) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	g.ran.Add(1)
	rows, err := g.c.QueryContext(ctx, text, args...)
	return rows, translate(err)
}

// exec runs a statement and says how many rows it touched.
func (g group) exec(ctx context.Context, text string, args ...any) (int, error) {
	g.ran.Add(1)
	res, err := g.c.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, translate(err)
	}
	n, err := res.RowsAffected()
	g.ran.heard(ctx, text, int(n))
	return int(n), translate(err)
}

// one runs a statement that gives at most one row and scans it. The error is
// ErrNotFound when it gives none.
func (g group) one(ctx context.Context, text string, args []any, dest ...any) error {
	rows, err := g.query(ctx, text, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return translate(err)
		}
		g.ran.heard(ctx, text, 0)
		return ErrNotFound
	}
	if err := rows.Scan(dest...); err != nil {
		return translate(err)
	}
	g.ran.heard(ctx, text, 1)
	return translate(rows.Close())
}

// all runs a statement and scans every row into what dest gives for it.
func all[T any](ctx context.Context, g group, text string, args []any, dest func(*T) []any) ([]T, error) {
	rows, err := g.query(ctx, text, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var one T
		if err := rows.Scan(dest(&one)...); err != nil {
			return nil, translate(err)
		}
		out = append(out, one)
	}
	g.ran.heard(ctx, text, len(out))
	return out, translate(rows.Err())
}

// each runs a statement and hands over every row, scanned into the same T again and again:
// for as many rows as one would not keep.
func each[T any](ctx context.Context, g group, text string, args []any, dest func(*T) []any, do func(*T)) error {
	rows, err := g.query(ctx, text, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	var one T
	n := 0
	for to := dest(&one); rows.Next(); do(&one) {
		if err := rows.Scan(to...); err != nil {
			return translate(err)
		}
		n++
	}
	g.ran.heard(ctx, text, n)
	return translate(rows.Err())
}

// millis is the stored form of a time: milliseconds since 1970, NULL for the
// zero time.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// at scans the stored form into t.
func at(t *time.Time) sql.Scanner { return (*timeScanner)(t) }

type timeScanner time.Time

// Scan implements sql.Scanner.
func (s *timeScanner) Scan(src any) error {
	var n sql.NullInt64
	if err := n.Scan(src); err != nil {
		return err
	}
	*s = timeScanner{}
	if n.Valid {
		*s = timeScanner(time.UnixMilli(n.Int64).UTC())
	}
	return nil
}

// words scans a blank-separated text through parse into dst.
func words[T any](dst *T, parse func(string) T) sql.Scanner { return &wordScanner[T]{dst, parse} }

type wordScanner[T any] struct {
	dst   *T
	parse func(string) T
}

// Scan implements sql.Scanner.
func (w *wordScanner[T]) Scan(src any) error {
	var s sql.NullString
	if err := s.Scan(src); err != nil {
		return err
	}
	*w.dst = w.parse(s.String)
	return nil
}

// orNull is the stored form of a reference: NULL for "".
func orNull(id string) any {
	if id == "" {
		return nil
	}
	return id
}

// text scans a text that may be NULL, which becomes "".
func text(dst *string) sql.Scanner {
	return words(dst, func(s string) string { return s })
}

// nullable scans a value of a joined row that may be missing.
type nullable[T any] = sql.Null[T]

// wordIn reports whether one of the blank-separated words of s is w.
func wordIn(s, w string) bool { return slices.Contains(strings.Fields(s), w) }
