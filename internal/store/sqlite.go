package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// lite is the SQLite engine: one writer, a pool of readers, a lock file that
// keeps a second server away.
type lite struct {
	path    string
	lock    *flock.Flock // nil for commands
	readers *sql.DB
	writer  *writer
}

// leastSQLite is the first release without the WAL-reset corruption (DD-14).
const leastSQLite = 3_051_003

func openSQLite(ctx context.Context, o Options) (*Store, error) {
	path := strings.TrimPrefix(o.URL, "sqlite:")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	l := &lite{path: path}
	if err := l.open(ctx, o); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return &Store{Read: newTx(newPrepared(l.readers), nil, &l.writer.ran), engine: l, recall: l.writer.recall, ran: &l.writer.ran, appended: l.writer.told}, nil
}

func (l *lite) open(ctx context.Context, o Options) error {
	if o.Serve {
		if err := l.lockServer(); err != nil {
			return err
		}
	}
	if err := createPrivate(l.path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", l.dsn(durable))
	if err != nil {
		return err
	}
	if err := l.prepareSchema(ctx, db, o); err != nil {
		return errors.Join(err, db.Close())
	}
	if l.writer, err = startWriter(ctx, db, o, newNudge()); err != nil {
		return errors.Join(err, db.Close())
	}
	if l.readers, err = sql.Open("sqlite", l.dsn(durable, "query_only(1)")); err != nil {
		return err
	}
	conns := max(4, 2*runtime.GOMAXPROCS(0))
	l.readers.SetMaxOpenConns(conns)
	l.readers.SetMaxIdleConns(conns)
	return checkSQLite(ctx, l.readers)
}

// lockServer takes the lock of the one server this file may have. The kernel
// releases it when the process ends, however it ends.
func (l *lite) lockServer() error {
	l.lock = flock.New(l.path+".lock", flock.SetPermissions(0o600))
	ok, err := l.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", l.path, err)
	}
	if !ok {
		return fmt.Errorf("%w: %s", ErrLocked, l.path)
	}
	return nil
}

// Idle fails with ErrLocked while a server has the SQLite file open.
func Idle(path string) error {
	l := &lite{path: path}
	if err := l.lockServer(); err != nil {
		return err
	}
	return l.lock.Unlock()
}

// createPrivate makes an empty database file that only its owner can read.
// SQLite gives its journal files the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil // and never opened by us: closing it would drop SQLite's locks
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// prepareSchema migrates under the server's lock, so that a command never
// migrates the database of a running server.
func (l *lite) prepareSchema(ctx context.Context, db *sql.DB, o Options) error {
	db.SetMaxOpenConns(1)
	pending, err := pendingMigrations(ctx, db, sqliteDialect)
	if err != nil || !pending {
		return err
	}
	if !o.Migrate {
		return ErrOlder
	}
	if l.lock == nil {
		if err := l.lockServer(); err != nil {
			return err
		}
		defer func() { _ = l.lock.Unlock(); l.lock = nil }()
	}
	if err := l.snapshot(ctx, db, o.Log); err != nil {
		return fmt.Errorf("copy the database before migrating: %w", err)
	}
	if err := l.migrate(ctx, o.Log); err != nil {
		return err
	}
	return recordMigrations(ctx, db)
}

// migrate does not wait for the disk after each migration: one that a loss of power takes back is applied again, and
// recording them waits for all.
func (l *lite) migrate(ctx context.Context, log *slog.Logger) error {
	db, err := sql.Open("sqlite", l.dsn(lazy))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	return errors.Join(migrate(ctx, db, sqliteDialect, log), db.Close())
}

// snapshot copies a database that is about to be migrated to
// "<path>.before-<version>". A new database has nothing to keep.
func (l *lite) snapshot(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	version, err := schemaVersion(ctx, db, sqliteDialect)
	if err != nil || version == 0 {
		return err
	}
	copyPath := l.path + ".before-" + strconv.FormatInt(version+1, 10)
	if err := os.Remove(copyPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := createPrivate(copyPath); err != nil {
		return err
	}
	if _, err = db.ExecContext(ctx, `VACUUM INTO ?`, copyPath); err != nil {
		return err
	}
	log.Warn("an older database is brought to the newest schema; the program before opens its copy alone", "schema", version, "copy", copyPath)
	return nil
}

// When a commit waits for the disk.
const (
	durable = "synchronous(FULL)"   // each does
	lazy    = "synchronous(NORMAL)" // none does, and a later one that does makes those before it durable, too
)

// dsn spells the pragmas out. The driver sets busy_timeout first, because switching to
// WAL may itself have to wait.
func (l *lite) dsn(synchronous string, more ...string) string {
	v := url.Values{"_pragma": append([]string{
		"busy_timeout(5000)", "journal_mode(WAL)", synchronous, "foreign_keys(1)",
		"cache_size(-8000)", "journal_size_limit(67108864)",
		// What a savepoint would put back is kept in memory: it need not outlive a crash.
		"temp_store(MEMORY)",
		// What was deleted is overwritten (PR-05).
		"secure_delete(1)",
	}, more...)}
	return fileURL(l.path, v.Encode())
}

// fileURL spells a path so that a "?" or "%" in it stays a part of it.
func fileURL(path, query string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query}).String()
}

// checkSQLite refuses to run on a library or with settings that could lose an
// acknowledged write.
func checkSQLite(ctx context.Context, db *sql.DB) error {
	var version, journal string
	var sync, keys int
	err := db.QueryRowContext(ctx, `SELECT sqlite_version(), (SELECT journal_mode FROM pragma_journal_mode),
		(SELECT synchronous FROM pragma_synchronous), (SELECT foreign_keys FROM pragma_foreign_keys)`).
		Scan(&version, &journal, &sync, &keys)
	if err != nil {
		return err
	}
	if sqliteNumber(version) < leastSQLite {
		return fmt.Errorf("SQLite %s can corrupt its write-ahead log; at least 3.51.3 is needed", version)
	}
	if journal != "wal" || sync != 2 || keys != 1 {
		return fmt.Errorf("SQLite settings are not in force: journal_mode=%s synchronous=%d foreign_keys=%d", journal, sync, keys)
	}
	return nil
}

func sqliteNumber(version string) int {
	n := 0
	for part := range strings.SplitSeq(version, ".") {
		v, _ := strconv.Atoi(part)
		n = n*1000 + v
	}
	return n
}

func (l *lite) write(ctx context.Context, waits bool, fn func(context.Context, *Tx) error) error {
	return l.writer.do(ctx, waits, fn)
}

func (l *lite) ping(ctx context.Context) error {
	var one int
	return l.readers.QueryRowContext(ctx, `SELECT 1 FROM goose_db_version LIMIT 1`).Scan(&one)
}

func (l *lite) stats() Stats {
	r := l.readers.Stats()
	s := Stats{Engine: "sqlite", Open: r.OpenConnections + 1, InUse: r.InUse, Idle: r.Idle}
	l.writer.count(&s)
	if info, err := os.Stat(l.path + "-wal"); err == nil {
		s.WALBytes = info.Size()
	}
	return s
}

func (l *lite) close() error {
	var errs []error
	if l.readers != nil {
		errs = append(errs, l.readers.Close())
	}
	if l.writer != nil {
		errs = append(errs, l.writer.close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Unlock())
	}
	return errors.Join(errs...)
}

// prepared keeps every statement text prepared, once per connection. On SQLite
// preparing costs more than running.
type prepared struct {
	prepare func(ctx context.Context, text string) (*sql.Stmt, error)
	mu      sync.RWMutex
	stmts   map[string]statement
}

// statement is a prepared text.
type statement struct {
	*sql.Stmt
	takes []int // which argument each parameter takes, from 0
	wants int   // arguments
}

func newPrepared(db *sql.DB) *prepared {
	return &prepared{prepare: db.PrepareContext, stmts: map[string]statement{}}
}

func (p *prepared) stmt(ctx context.Context, text string) (statement, error) {
	p.mu.RLock()
	s, ok := p.stmts[text]
	p.mu.RUnlock()
	if ok {
		return s, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.stmts[text]; ok {
		return s, nil
	}
	plain, takes := nameless(steady(text))
	made, err := p.prepare(ctx, plain)
	if err != nil {
		return statement{}, err
	}
	s = statement{Stmt: made, takes: takes}
	for _, n := range takes {
		s.wants = max(s.wants, n+1)
	}
	p.stmts[text] = s
	return s, nil
}

// steady spells a statement so that SQLite plans it once: a bare parameter as LIMIT
// makes it look at the value, and so plan anew each time there is another.
func steady(text string) string { return limits.ReplaceAllString(text, `LIMIT $$$1 + 0`) }

var limits = regexp.MustCompile(`LIMIT \$(\d+)`)

// nameless spells a statement with parameters that have no names, and says which argument each
// takes. Of one with a name SQLite looks for that, from the first on, each time a value is bound:
// for a thousand that takes longer than all the rest.
func nameless(text string) (plain string, takes []int) {
	plain = parameters.ReplaceAllStringFunc(text, func(name string) string {
		n, _ := strconv.Atoi(name[1:]) // digits, by the pattern
		takes = append(takes, n-1)
		return "?"
	})
	return plain, takes
}

var parameters = regexp.MustCompile(`\$\d+`)

// given puts arguments in the order in which the parameters take them.
func (s statement) given(args []any) ([]any, error) {
	if len(args) != s.wants {
		return nil, fmt.Errorf("%d arguments for %d", len(args), s.wants)
	}
	out := make([]any, len(s.takes))
	for i, n := range s.takes {
		out[i] = args[n]
	}
	return out, nil
}

// ExecContext implements conn.
func (p *prepared) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	s, err := p.stmt(ctx, text)
	if err == nil {
		args, err = s.given(args)
	}
	if err != nil {
		return nil, err
	}
	return s.Stmt.ExecContext(ctx, args...)
}

// QueryContext implements conn.
func (p *prepared) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, text)
	if err == nil {
		args, err = s.given(args)
	}
	if err != nil {
		return nil, err
	}
	return s.Stmt.QueryContext(ctx, args...)
}

func (p *prepared) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.stmts {
		_ = s.Close()
	}
	p.stmts = map[string]statement{}
}
