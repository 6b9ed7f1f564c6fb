package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
)

// Rates is the group of statements about how often something was used.
type Rates struct{ group }

// Take uses a rate once more: every is the time one use pays for, burst how far ahead
// of now the uses may have paid, and reach how far they can have, whoever used it:
// what is paid for beyond that was paid for before the clock was set back, and the rate
// begins anew. One statement decides, so that any number of nodes share the rate. It
// gives whether the use was within it, and if not, when the next one will be.
func (g Rates) Take(ctx context.Context, name string, now time.Time, every, burst, reach time.Duration) (ok bool, due time.Time, err error) {
	var paid time.Time
	err = g.one(ctx, `INSERT INTO rates (name, paid_to) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET paid_to = CASE WHEN rates.paid_to > $3 AND rates.paid_to <= $4 THEN rates.paid_to + $5 ELSE $2 END
		WHERE rates.paid_to <= $6 OR rates.paid_to > $4 RETURNING paid_to`,
		[]any{name, millis(now.Add(every)), millis(now), millis(now.Add(reach)), every.Milliseconds(), millis(now.Add(burst))}, at(&paid))
	if !errors.Is(err, ErrNotFound) {
		return err == nil, time.Time{}, err
	}
	err = g.one(ctx, `SELECT paid_to FROM rates WHERE name = $1`, []any{name}, at(&paid))
	return false, paid.Add(-burst), err
}

// PaidTo gives up to when uses of a few rates, at least one, are paid for, of those that were used.
func (g Rates) PaidTo(ctx context.Context, names []string) (map[string]time.Time, error) {
	type row struct {
		name string
		paid time.Time
	}
	which, args := among(names)
	rows, err := all(ctx, g.group, `SELECT name, paid_to FROM rates WHERE name IN (`+which+`)`, args, func(r *row) []any { return []any{&r.name, at(&r.paid)} })
	out := map[string]time.Time{}
	for _, r := range rows {
		out[r.name] = r.paid
	}
	return out, err
}

// among gives a few names, at least one, as a list of placeholders and their values.
func among(names []string) (which string, args []any) {
	which, args = "$1", make([]any, max(len(names), 1))
	for i, name := range names {
		if args[i] = name; i > 0 {
			which += ", $" + strconv.Itoa(i+1)
		}
	}
	return which, args
}

// Forgive takes one use of a rate back; every is the time it paid for.
func (g Rates) Forgive(ctx context.Context, name string, every time.Duration) error {
	_, err := g.exec(ctx, `UPDATE rates SET paid_to = paid_to - $1 WHERE name = $2`, every.Milliseconds(), name)
	return err
}

// Prune deletes rates that are as good as unused, and those that are paid for beyond
// a moment that none can reach; at most limit of them. It says how many.
func (g Rates) Prune(ctx context.Context, unused, beyond time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM rates WHERE name IN (SELECT name FROM rates WHERE paid_to < $1 OR paid_to > $2 LIMIT $3)`, millis(unused), millis(beyond), limit)
}

// Failures is the group of statements about proofs that failed.
type Failures struct{ group }

// The pause after a failure: none for the first ones, which are free, then a
// second, doubled by each further one up to an hour.
const (
	doublings   = 12
	longestWait = time.Hour
)

// Skew is by how much the clocks of nodes may differ: what is further ahead of one of them was written
// before it was set back.
const Skew = time.Minute

// Turn says whether it is a try's turn.
type Turn struct {
	OK   bool
	Due  time.Time // when the next one is due
	Back bool      // the clock was set back since the last one, and the pause has to begin anew

	Closed bool // it is no pause: as many failed as close the account
}

// Try counts a try before it is made, as if it failed, unless it is too early or
// tries have reached most, and says when the next one is due. One statement
// decides: of any number of tries at once, on any node, no more are let through than
// one after the other would be. A try that has no pause before it is never too early, whatever the clocks of
// nodes say, and a pause is counted from the latest of them; where the clock was set back further than they
// differ, it is counted from now on.
func (g Failures) Try(ctx context.Context, name string, now time.Time, free, most int) (Turn, error) {
	t := Turn{OK: true}
	err := g.one(ctx, `INSERT INTO failures (name, tries, last_at, next_at) VALUES ($1, 1, $2, $2)
		ON CONFLICT (name) DO UPDATE SET tries = failures.tries + 1,
			last_at = CASE WHEN failures.last_at > $2 AND failures.last_at <= $6 THEN failures.last_at ELSE $2 END,
			next_at = CASE WHEN failures.last_at > $2 AND failures.last_at <= $6 THEN failures.last_at ELSE $2 END +
			CASE WHEN failures.tries + 1 < $3 THEN 0 WHEN failures.tries + 1 - $3 >= $4 THEN $5 ELSE (1000 << (failures.tries + 1 - $3)) END
		WHERE (failures.next_at <= $2 OR failures.next_at = failures.last_at) AND failures.tries < $7 RETURNING next_at`,
		[]any{name, millis(now), free, doublings, longestWait.Milliseconds(), millis(now.Add(Skew)), most}, at(&t.Due))
	if errors.Is(err, ErrNotFound) {
		return g.Look(ctx, name, now, most)
	}
	t.OK = err == nil
	return t, err
}

// Look says what Try would, and counts nothing.
func (g Failures) Look(ctx context.Context, name string, now time.Time, most int) (Turn, error) {
	var last, due time.Time
	var tries int
	err := g.one(ctx, `SELECT last_at, next_at, tries FROM failures WHERE name = $1`, []any{name}, at(&last), at(&due), &tries)
	if errors.Is(err, ErrNotFound) {
		return Turn{OK: true}, nil
	}
	back := last.After(now.Add(Skew))
	if back || due.Equal(last) { // a try that has no pause before it has its turn now
		due = now.Add(due.Sub(last))
	}
	if tries >= most && due.Before(now.Add(longestWait)) {
		due = now.Add(longestWait)
	}
	ok := err == nil && tries < most && !due.After(now)
	return Turn{OK: ok, Due: due, Back: back && !ok, Closed: err == nil && tries >= most}, err
}

// Again begins the pause of tries anew, as long as it was, where the clock was set back since the last one.
func (g Failures) Again(ctx context.Context, name string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE failures SET last_at = $1, next_at = next_at - last_at + $1 WHERE name = $2 AND last_at > $3`,
		millis(now), name, millis(now.Add(Skew)))
	return err
}

// clearedAtOnce is of how many accounts one statement forgets failures.
const clearedAtOnce = 4

// Clear forgets the failures of some accounts after a success.
func (g Failures) Clear(ctx context.Context, names []string) error {
	for some := range slices.Chunk(names, clearedAtOnce) {
		all := [clearedAtOnce]any{"", "", "", ""} // nobody's
		for i, name := range some {
			all[i] = name
		}
		if _, err := g.exec(ctx, `DELETE FROM failures WHERE name IN ($1, $2, $3, $4)`, all[:]...); err != nil {
			return err
		}
	}
	return nil
}

// Prune deletes failures of nobody in particular, whose names begin with prefix, that are older than before,
// or than closed where there are as many as close the account; at most limit of them. It says how many.
func (g Failures) Prune(ctx context.Context, prefix string, most int, before, closed time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM failures WHERE name IN (SELECT name FROM failures
		WHERE last_at < $1 AND substr(name, 1, $2) = $3 AND (tries < $4 OR last_at < $5) LIMIT $6)`, millis(before), len(prefix), prefix, most, millis(closed), limit)
}
