package otltest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/onetimelogin/otl/internal/store"
)

// Work is what somebody who asks is answered, and what the store did for it.
type Work struct {
	Answer     string   // with what differs between any two calls taken out
	Statements []string // in their order
	Writes     uint64   // transactions
}

// Work gives what the store does for a call until it is answered, which whoever calls tells. Who calls is not a part of it
// where that is remembered: on SQLite it is read again when, by the clock on the wall, it could be out of date.
func (w *World) Work(ask func(answered func(Reply))) Work {
	var mu sync.Mutex
	var done Work
	before, answered := w.Store.Stats().Writes, false
	w.Store.Hear(func(h store.Heard) {
		mu.Lock()
		defer mu.Unlock()
		if w.Engine == SQLite && !h.Writes && caller.MatchString(h.Text) {
			return
		}
		in := "read "
		if h.Writes {
			in = "write"
		}
		done.Statements = append(done.Statements, fmt.Sprintf("%s %d rows: %s", in, h.Rows, alike(h.Text)))
	})
	ask(func(r Reply) {
		if answered {
			return
		}
		w.Store.Hear(nil)
		mu.Lock()
		defer mu.Unlock()
		done.Answer, done.Writes, answered = r.plain(), w.Store.Stats().Writes-before, true
	})
	mu.Lock()
	defer mu.Unlock()
	return done
}

var (
	caller  = regexp.MustCompile(`WHERE (k\.key_hash|t\.access) = \$1`) // the look-ups of store.Store.SiteKey and store.Store.Caller
	blanks  = regexp.MustCompile(`\s+`)
	anybody = regexp.MustCompile(`\(SELECT id FROM users WHERE id = (\$\d+)\)`)
	columns = regexp.MustCompile(`SELECT [a-z].{40,}? FROM`)
	person  = regexp.MustCompile(`^INSERT INTO (users|nobodies) .*`)
	clash   = regexp.MustCompile(`(INSERT INTO tickets .*) ON CONFLICT .* DO UPDATE`)
)

// alike gives the text of a statement without what differs between somebody's ticket and nobody's, and between somebody's row and
// nobody's, which are the same work (store.Tickets.Insert, store.Nobodies.Insert).
func alike(text string) string {
	text = person.ReplaceAllString(blanks.ReplaceAllString(text, " "), "INSERT INTO users or nobodies")
	return clash.ReplaceAllString(anybody.ReplaceAllString(text, "$1"), "$1 ON CONFLICT DO UPDATE")
}

// varying are headers whose values differ between any two answers.
var varying = []string{"Date", "X-Request-Id", "Content-Length", "Etag", "X-Ratelimit-Remaining"}

var tokens = []*regexp.Regexp{
	regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`),
	regexp.MustCompile(`[A-Za-z0-9_-]{40,}`),
	regexp.MustCompile(`"code":"\d{6}"`),
	regexp.MustCompile(`id="number"><bdi dir="ltr">\d\d`),
	regexp.MustCompile(`name="token" value="[^"]*"`),
	regexp.MustCompile(`__Host-otl_[a-z]+=[^;]*`),
	regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`),
}

// plain gives an answer without what differs between any two.
func (r Reply) plain() string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Status)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		if !slices.Contains(varying, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintln(&b, name+":", strings.Join(r.Header[name], ", "))
	}
	b.Write(r.Raw)
	out := b.String()
	for i, one := range tokens {
		out = one.ReplaceAllString(out, "<"+strconv.Itoa(i)+">")
	}
	return out
}

// Without gives the work with what names somebody taken out of the answer.
func (d Work) Without(o One) Work {
	escape := strings.NewReplacer("+", "&#43;")
	for _, name := range []string{o.Email, o.Phone, escape.Replace(o.Phone), o.Username, o.UID} {
		d.Answer = strings.ReplaceAll(d.Answer, name, "<somebody>")
	}
	return d
}

// Unlike says how work differs from other work, "" where it does not.
func (d Work) Unlike(as Work) string {
	if d.Answer != as.Answer {
		return "answered\n" + differ(strings.Split(as.Answer, "\n"), strings.Split(d.Answer, "\n"))
	}
	if d.Writes != as.Writes || !slices.Equal(d.Statements, as.Statements) {
		return fmt.Sprintf("%d transactions and %d statements, not %d and %d\n%s", d.Writes, len(d.Statements), as.Writes, len(as.Statements), differ(as.Statements, d.Statements))
	}
	return ""
}

// differ gives the lines of which one of two texts has more than the other.
func differ(was, is []string) string {
	var b strings.Builder
	for _, side := range []struct {
		mark    string
		of, has []string
	}{{"- ", was, is}, {"+ ", is, was}} {
		left := slices.Clone(side.has)
		for _, line := range side.of {
			if i := slices.Index(left, line); i >= 0 {
				left = slices.Delete(left, i, i+1)
				continue
			}
			fmt.Fprintln(&b, "\t"+side.mark+columns.ReplaceAllString(line, "SELECT … FROM"))
		}
	}
	return cmp.Or(b.String(), "\tin another order\n")
}
