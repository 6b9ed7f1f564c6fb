package store

import (
	"context"
	"errors"
	"strconv"
)

// Numbers is the group of statements about integers that stand for ids.
type Numbers struct{ group }

// Of gives the number of a thing, or ErrNotFound for one that has none yet.
func (g Numbers) Of(ctx context.Context, kind, ref string) (n int, err error) {
	err = g.one(ctx, `SELECT number FROM numbers WHERE kind = $1 AND ref = $2`, []any{kind, ref}, &n)
	return n, err
}

// Ref gives the thing a number stands for, or ErrNotFound.
func (g Numbers) Ref(ctx context.Context, kind string, n int) (ref string, err error) {
	err = g.one(ctx, `SELECT ref FROM numbers WHERE number = $1 AND kind = $2`, []any{n, kind}, &ref)
	return ref, err
}

// Members gives the ids of the people of a site for whom some numbers of a kind stand, in no order. What stands for somebody
// elsewhere is passed over like what stands for nobody, in the same statement: a site counts up to other numbers than its own (TE-01).
func (g Numbers) Members(ctx context.Context, kind, siteID string, numbers []int) (ids []string, err error) {
	err = inFull(numbers, func(part []int) error {
		args := make([]any, 0, len(part)+2)
		for _, n := range part {
			args = append(args, n)
		}
		found, err := all(ctx, g.group, `SELECT n.ref FROM numbers n JOIN grants g ON g.user_id = n.ref
			WHERE n.number IN `+rows(1, len(part))+` AND n.kind = $`+strconv.Itoa(len(part)+1)+` AND g.site_id = $`+strconv.Itoa(len(part)+2)+` AND g.revoked_at IS NULL`,
			append(args, kind, siteID), func(id *string) []any { return []any{id} })
		ids = append(ids, found...)
		return err
	})
	return ids, err
}

// Below gives the things that have numbers and begin with a prefix, with the numbers, in
// their order.
func (g Numbers) Below(ctx context.Context, kind, prefix string) (refs []string, numbers []int, err error) {
	type row struct {
		n   int
		ref string
	}
	rows, err := all(ctx, g.group, `SELECT number, ref FROM numbers WHERE kind = $1 AND ref LIKE $2 ESCAPE '!' ORDER BY number`,
		[]any{kind, escapeLike(prefix) + "%"}, func(r *row) []any { return []any{&r.n, &r.ref} })
	for _, r := range rows {
		refs, numbers = append(refs, r.ref), append(numbers, r.n)
	}
	return refs, numbers, err
}

// Forget takes the number of a thing away; it is never given again.
func (g Numbers) Forget(ctx context.Context, kind, ref string) error {
	_, err := g.exec(ctx, `DELETE FROM numbers WHERE kind = $1 AND ref = $2`, kind, ref)
	return err
}

// Give gives a thing the next number, unless it has one, and gives that. The row of
// the counter is locked until the transaction ends: nobody else gives one meanwhile.
func (g Numbers) Give(ctx context.Context, kind, ref string) (int, error) {
	var next int
	if err := g.one(ctx, `UPDATE counters SET value = value + 1 WHERE name = 'numbers' RETURNING value`, nil, &next); err != nil {
		return 0, err
	}
	if n, err := g.Of(ctx, kind, ref); !errors.Is(err, ErrNotFound) {
		return n, err
	}
	_, err := g.exec(ctx, `INSERT INTO numbers (number, kind, ref) VALUES ($1, $2, $3)`, next, kind, ref)
	return next, err
}
