package store

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Sends is the group of statements about when messages went to whom: of each the last times are kept, so that
// how many went in any time is known exactly.
type Sends struct{ group }

// Remembered is how many times are kept.
const Remembered = 10

// Times are when the last messages went, the newest first; the zero time, or any long ago, where there were fewer.
type Times [Remembered]time.Time

// Pauses are for how long the newest message, the one before it and so on keep another one from following; 0 where
// they do not. The newest one's is no 0. Where the third one's is an hour, no more than three go in any hour.
type Pauses [Remembered]time.Duration

// astray is how far ahead of a node's clock that of another one may have written. What is further ahead was written
// before the clock was set back, and counts no more.
const astray = time.Hour

// Due gives when the nth newest message no longer keeps another one from following, for which it does so for a time. What
// is ahead of now by more than the skew does not: the clock was set back since, or is behind that of another node.
func (t Times) Due(n int, pause time.Duration, now time.Time) time.Time {
	if at := t[n-1]; !t[0].After(now.Add(astray)) && !at.After(now.Add(Skew)) {
		return at.Add(pause)
	}
	return time.Time{}
}

// takeSend adds $2 to the times of $1, unless one of them is after the bound it has among $3 and on: it says the same as
// Due. The others move on to make room. What is ahead of $2 counts as if it had gone then: it is not forgotten where clocks
// differ, and keeps nobody waiting for longer than it did where one was set back.
var takeSend = func() string {
	never := strconv.FormatInt(time.Time{}.UnixMilli(), 10) // 0 is 1970, to which a clock may be set
	back := "sends.t1 > excluded.t1 + " + strconv.FormatInt(astray.Milliseconds(), 10)
	ahead := " > excluded.t1 + " + strconv.FormatInt(Skew.Milliseconds(), 10)
	var first, moved, due strings.Builder
	for n := 1; n <= Remembered; n++ {
		if n > 1 {
			fmt.Fprintf(&first, ", %s", never)
			fmt.Fprintf(&moved, ", t%d = CASE WHEN %s THEN %s WHEN sends.t%d > excluded.t1 THEN excluded.t1 ELSE sends.t%d END", n, back, never, n-1, n-1)
			due.WriteString(" AND ")
		}
		fmt.Fprintf(&due, "(sends.t%d <= $%d OR sends.t%d%s)", n, n+2, n, ahead)
	}
	return `INSERT INTO sends (name` + sendTimes + `) VALUES ($1, $2` + first.String() + `) ON CONFLICT (name) DO UPDATE SET t1 = excluded.t1` + moved.String() +
		` WHERE ` + back + ` OR ` + due.String()
}()

// Take counts a message that goes now, unless one of the last ones keeps it from going. One statement decides, so that any number of
// nodes count together. It gives whether it may go, and if not, when the last ones went.
func (g Sends) Take(ctx context.Context, name string, now time.Time, pauses Pauses) (ok bool, last Times, err error) {
	args := []any{name, now.UnixMilli()}
	for _, pause := range pauses {
		bound := int64(math.MaxInt64)
		if pause > 0 {
			bound = now.Add(-pause).UnixMilli()
		}
		args = append(args, bound)
	}
	n, err := g.exec(ctx, takeSend, args...)
	if err != nil || n > 0 {
		return err == nil, last, err
	}
	all, err := g.Last(ctx, []string{name})
	return false, all[name], err
}

// sendTimes are the columns of Times.
var sendTimes = func() string {
	var b strings.Builder
	for n := 1; n <= Remembered; n++ {
		fmt.Fprintf(&b, ", t%d", n)
	}
	return b.String()
}()

// Last gives when the last messages went to a few, at least one, of those that any went to.
func (g Sends) Last(ctx context.Context, names []string) (map[string]Times, error) {
	type row struct {
		name string
		last Times
	}
	which, args := among(names)
	rows, err := all(ctx, g.group, `SELECT name`+sendTimes+` FROM sends WHERE name IN (`+which+`)`, args, func(r *row) []any {
		to := []any{&r.name}
		for n := range r.last {
			to = append(to, at(&r.last[n]))
		}
		return to
	})
	out := map[string]Times{}
	for _, r := range rows {
		out[r.name] = r.last
	}
	return out, err
}

// Prune forgets whom no message went to since a moment, and what is ahead of one that none can be ahead of; at most limit
// of them. It says how many.
func (g Sends) Prune(ctx context.Context, before, beyond time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM sends WHERE name IN (SELECT name FROM sends WHERE t1 < $1 OR t1 > $2 LIMIT $3)`, millis(before), millis(beyond), limit)
}
