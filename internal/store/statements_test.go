package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// errPrepared ends a method after its statement was prepared.
var errPrepared = errors.New("prepared, not run")

// preparer prepares every statement it is given on a real database and stops at
// the one numbered stop. What comes before it succeeds: writes without being
// run, reads with what is there, or with no rows for none. So a method of several
// statements is seen whole.
type preparer struct {
	tx    *sql.Tx
	stop  int
	none  bool
	texts *[]string
	bad   *[]string
}

func (p *preparer) prepare(ctx context.Context, text string) (last bool) {
	*p.texts = append(*p.texts, text)
	stmt, err := p.tx.PrepareContext(ctx, text)
	if err != nil {
		*p.bad = append(*p.bad, err.Error()+"\n"+text)
		return true
	}
	_ = stmt.Close()
	p.stop--
	return p.stop == 0
}

func (p *preparer) ExecContext(ctx context.Context, text string, _ ...any) (sql.Result, error) {
	if p.prepare(ctx, text) {
		return nil, errPrepared
	}
	return driver.RowsAffected(1), nil
}

func (p *preparer) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	switch {
	case p.prepare(ctx, text):
		return nil, errPrepared
	case p.none:
		return p.tx.QueryContext(ctx, `SELECT 1 WHERE 1 = 0`)
	}
	return p.tx.QueryContext(ctx, text, args...)
}

// variants gives argument lists for a method: all empty, and one with every text
// and list filled, since some methods choose their statement by what is given.
func variants(m reflect.Type) [][]reflect.Value {
	empty, full := make([]reflect.Value, m.NumIn()), make([]reflect.Value, m.NumIn())
	var texts []int
	for i := range m.NumIn() {
		in := m.In(i)
		empty[i], full[i] = reflect.Zero(in), reflect.Zero(in)
		switch {
		case in == reflect.TypeFor[context.Context]():
			empty[i] = reflect.ValueOf(context.Background())
			full[i] = empty[i]
		case in == reflect.TypeFor[*otl.Once]():
			full[i] = reflect.ValueOf(&otl.Once{Seal: func(any) ([]byte, error) { return []byte{}, nil }})
		case in.Kind() == reflect.String:
			full[i] = reflect.ValueOf("x").Convert(in)
			texts = append(texts, i)
		case in.Kind() == reflect.Slice && in.Elem().Kind() != reflect.Uint8:
			full[i] = reflect.MakeSlice(in, 1, 1)
		}
	}
	out := [][]reflect.Value{empty, full}
	for _, i := range texts { // and with each text alone
		one := append([]reflect.Value{}, empty...)
		one[i] = full[i]
		out = append(out, one)
	}
	return out
}

// sources gives the constant parts of every statement in the groups' source.
func sources(t *testing.T) []string {
	t.Helper()
	begins := regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE) `)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		switch name := e.Name(); name {
		case "backup.go", "migrate.go", "postgres.go", "sqlite.go", "writer.go", "throwaway.go": // the engines' own
			continue
		default:
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				continue
			}
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && begins.MatchString(text) {
					out = append(out, text)
				}
			}
			return true
		})
	}
	return out
}

// TestEveryStatementPrepares calls every method of every group and has each
// engine parse what it would run: tables, columns, types and parameters.
func TestEveryStatementPrepares(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			prepareAll(t, database(t, e))
		})
	}
}

func prepareAll(t *testing.T, db *sql.DB) {
	t.Helper()
	texts, bad := statements(t, db)
	for _, b := range bad {
		t.Error(b)
	}
	known := sources(t)
	if len(known) < 60 {
		t.Errorf("only %d statements found in the source", len(known))
	}
	all := strings.Join(texts, "\n")
	for _, s := range known {
		if !strings.Contains(all, s) {
			t.Errorf("no method of a group ran this statement, or not as it stands:\n%s", s)
		}
	}
}

// statements gives what every method of every group runs, and why what an engine
// would not parse is refused.
func statements(t *testing.T, db *sql.DB) (texts, bad []string) {
	t.Helper()
	try := func(group, method int, args []reflect.Value, none bool, stop int) (more bool) {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		p := &preparer{tx, stop, none, &texts, &bad}
		g := reflect.ValueOf(store.NewTx(p)).Elem().Field(group)
		g.Method(method).Call(args)
		return p.stop == 0
	}
	groups := reflect.TypeFor[store.Tx]()
	for g := range groups.NumField() {
		group := groups.Field(g).Type
		if group.NumMethod() == 0 {
			t.Errorf("group %s has no methods", group.Name())
		}
		for m := range group.NumMethod() {
			method := reflect.Zero(group).Method(m).Type()
			for _, args := range variants(method) {
				for _, none := range []bool{false, true} {
					for stop := 1; try(g, m, args, none, stop); stop++ {
					}
				}
			}
		}
	}
	return texts, bad
}

// short are tables that stay short, and what stands for a handful of rows.
var short = []string{
	"announced_origins", "businesses", "endpoints", "p", "password_schemes", "signing_keys", "sms_stops", "settled", "placed", "counted", "due", "page", "erasures", "proven", "written", "two", "first",
}

// walks are indexes that hold only what waits, or that are walked from one end to a
// limit.
var walks = []string{"events_unplaced", "deliveries_due"}

// TestTicketsHaveOneFile: every statement about one-time secrets is among the others, where whoever changes one sees all.
func TestTicketsHaveOneFile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	about := regexp.MustCompile(`\b(FROM|INTO|UPDATE|JOIN) tickets\b`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		is := name == "tickets.go"
		if has := about.Match(text); has != is && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s: statements about tickets: %v", name, has)
		}
	}
}

// TestWhoIsFoundFirstIsSaid: of what several parts of a statement find, no engine promises which comes first.
func TestWhoIsFoundFirstIsSaid(t *testing.T) {
	t.Parallel()
	texts, _ := statements(t, database(t, otltest.SQLite))
	seen, ordered := 0, regexp.MustCompile(`\)\s+AS \w+\s+ORDER BY `)
	for _, text := range texts {
		parts := strings.Split(text, "UNION ALL")
		if len(parts) == 1 {
			continue
		}
		seen++
		if !ordered.MatchString(parts[len(parts)-1]) {
			t.Error(text)
		}
	}
	if seen == 0 {
		t.Error("no statement has parts")
	}
}

// TestNoStatementLooksAtEveryRow has SQLite plan every statement: what many people
// make long is found by an index. A partial index counts only where the statement
// says its condition.
func TestNoStatementLooksAtEveryRow(t *testing.T) {
	t.Parallel()
	db := database(t, otltest.SQLite)
	texts, _ := statements(t, db)
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		for _, step := range plan(t, db, text) {
			if looksAtAll(text, step) {
				t.Errorf("%s\n\t%s", step, text)
			}
		}
	}
}

// TestEachChannelHasALineOfItsOwn: mails that wait, because a server hangs, are not read
// to find SMS that are due.
func TestEachChannelHasALineOfItsOwn(t *testing.T) {
	t.Parallel()
	db := database(t, otltest.SQLite)
	texts, _ := statements(t, db)
	seen := 0
	for _, text := range texts {
		if !strings.Contains(text, "FROM messages WHERE state = 'waiting' AND due_at <= ") {
			continue
		}
		seen++
		if steps := plan(t, db, text); !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, "messages_due_by (channel=? AND due_at<?)") }) {
			t.Errorf("%q\n\t%s", steps, text)
		}
	}
	if seen < 2 {
		t.Errorf("%d statements look for what is due", seen)
	}
}

var ofUnused = regexp.MustCompile(`(?s)tickets.*\bWHERE user_id = \$\d.*\bused_at IS NULL`)

// TestWhatWasUsedUpIsPassedOver: whatever ends or lists what a person may still use does not read
// all that he has used before, which is each sign-in of his.
func TestWhatWasUsedUpIsPassedOver(t *testing.T) {
	t.Parallel()
	db := database(t, otltest.SQLite)
	texts, _ := statements(t, db)
	seen := 0
	for _, text := range texts {
		if !ofUnused.MatchString(text) {
			continue
		}
		seen++
		if steps := plan(t, db, text); !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, "tickets_live (user_id=? AND purpose=?") }) {
			t.Errorf("%q\n\t%s", steps, text)
		}
	}
	if seen == 0 {
		t.Errorf("%d statements look for what was not used", seen)
	}
}

// TestAU07_TheLogIsListedByIndexes: whoever asks for the newest entries of the log, of a person or of a site has them
// from the end of an index, however many there are, and nothing is sorted but the page.
func TestAU07_TheLogIsListedByIndexes(t *testing.T) {
	t.Parallel()
	db := database(t, otltest.SQLite)
	texts, _ := statements(t, db)
	found := map[string]bool{}
	for _, text := range texts {
		if !strings.Contains(text, "FROM events WHERE ") {
			continue
		}
		steps := plan(t, db, text)
		for i, step := range steps {
			if found[step] = true; strings.Contains(step, "TEMP B-TREE") && steps[i-1] != "SCAN page" {
				t.Errorf("%q\n\t%s", steps, text)
			}
		}
	}
	for _, want := range []string{
		"SEARCH events USING INDEX events_seq (seq>? AND seq<?)", "SEARCH events USING INDEX events_user_seq (user_id=? AND seq>? AND seq<?)",
		"SEARCH events USING INDEX events_site_seq (site_id=? AND seq>? AND seq<?)", "SEARCH events USING INDEX events_unplaced ((position,id)<(?,?))", "SEARCH b USING INDEX sqlite_autoindex_events_1 (id>?)",
	} {
		if !found[want] {
			t.Errorf("no %s among %q", want, slices.Sorted(maps.Keys(found)))
		}
	}
}

// looksAtAll reports whether a step of a plan grows with the table.
func looksAtAll(text, step string) bool {
	table, scan := strings.CutPrefix(step, "SCAN ")
	if !scan || strings.HasSuffix(step, "CONSTANT ROWS") {
		return false
	}
	table, index, _ := strings.Cut(table, " USING ")
	if slices.Contains(short, table) || strings.Contains(text, "FROM "+table+" WHERE 1 = 0") {
		return false
	}
	ordered := index != "" && strings.Contains(text, " ORDER BY id DESC LIMIT ")
	return !ordered && !slices.ContainsFunc(walks, func(w string) bool { return strings.HasSuffix(index, "INDEX "+w) })
}

func plan(t *testing.T, db *sql.DB, text string) (steps []string) {
	t.Helper()
	args := make([]any, len(regexp.MustCompile(`\$\d+`).FindAllString(text, -1)))
	rows, err := db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+text, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// TestSteady_NoBareParameterIsALimit: SQLite would plan the statement anew with each
// value.
func TestSteady_NoBareParameterIsALimit(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`SELECT id FROM a ORDER BY id LIMIT $2`:                               `SELECT id FROM a ORDER BY id LIMIT $2 + 0`,
		`DELETE FROM a WHERE id IN (SELECT id FROM a WHERE b < $1 LIMIT $12)`: `DELETE FROM a WHERE id IN (SELECT id FROM a WHERE b < $1 LIMIT $12 + 0)`,
		`SELECT id FROM a LIMIT 1000 OFFSET $3`:                               `SELECT id FROM a LIMIT 1000 OFFSET $3`,
	} {
		if got := store.Steady(given); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
