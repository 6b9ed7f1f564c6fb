package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/onetimelogin/otl/internal/otl"
)

// postgres is the PostgreSQL engine: one pool for everything.
type postgres struct {
	db              *sql.DB
	log             *slog.Logger
	told            nudge
	commits, writes atomic.Uint64
	ran             counter // statements
}

// leastPostgres is the oldest release the tests run on.
const leastPostgres = 130000

// CheckURL refuses what Open cannot read, without opening anything. The error says why and
// does not repeat the URL, which may hold a password.
func CheckURL(url string) error {
	if !Postgres(url) {
		return nil
	}
	_, err := parsePostgres(url)
	return err
}

// parsePostgres reads the address of a PostgreSQL database. The driver's own error repeats
// it, so this one names the parameter without which it can be read, if there is one.
func parsePostgres(text string) (*pgx.ConnConfig, error) {
	conf, err := pgx.ParseConfig(text)
	if err == nil {
		return conf, nil
	}
	if u, bad := url.Parse(text); bad == nil {
		for name := range u.Query() {
			rest := u.Query()
			rest.Del(name)
			less := *u
			less.RawQuery = rest.Encode()
			if _, bad := pgx.ParseConfig(less.String()); bad == nil {
				return nil, fmt.Errorf("has a value of %s that there is not", name)
			}
		}
	}
	return nil, errors.New("is no address of a PostgreSQL database, such as postgres://user@host/database; special characters of a password are written as %XX")
}

func openPostgres(ctx context.Context, o Options) (*Store, error) {
	conf, err := parsePostgres(o.URL)
	if err != nil {
		return nil, fmt.Errorf("the address of the database %w", err)
	}
	if conf.ConnectTimeout == 0 {
		conf.ConnectTimeout = 5 * time.Second
	}
	if _, set := conf.RuntimeParams["application_name"]; !set {
		conf.RuntimeParams["application_name"] = "otl"
	}
	p := &postgres{db: stdlib.OpenDB(*conf), log: o.Log, told: newNudge()}
	conns := o.MaxConns
	if conns == 0 {
		conns = 4 * runtime.GOMAXPROCS(0)
	}
	p.db.SetMaxOpenConns(conns)
	p.db.SetMaxIdleConns(conns)
	p.db.SetConnMaxIdleTime(5 * time.Minute)
	if err := p.prepareSchema(ctx, o); err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	return &Store{Read: newTx(p.db, nil, &p.ran), engine: p, ran: &p.ran, appended: p.told}, nil
}

func (p *postgres) prepareSchema(ctx context.Context, o Options) error {
	if err := p.check(ctx); err != nil {
		return err
	}
	pending, err := pendingMigrations(ctx, p.db, postgresDialect)
	if err != nil || !pending {
		return err
	}
	if !o.Migrate {
		return ErrOlder
	}
	if version, err := schemaVersion(ctx, p.db, postgresDialect); err != nil {
		return err
	} else if version > 0 {
		o.Log.Warn("an older database is brought to the newest schema; the program before opens it no more", "schema", version)
	}
	if err := migrate(ctx, p.db, postgresDialect, o.Log); err != nil {
		return err
	}
	return recordMigrations(ctx, p.db)
}

// check refuses a release that is too old and warns of settings under which an
// acknowledged write could be lost (DD-01).
func (p *postgres) check(ctx context.Context) error {
	var version int
	var fsync, commit string
	err := p.db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('fsync'),
		current_setting('synchronous_commit')`).Scan(&version, &fsync, &commit)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if version < leastPostgres {
		return fmt.Errorf("PostgreSQL %d is too old; at least version 13 is needed", version/10000)
	}
	if fsync != "on" || commit == "off" {
		p.log.Warn("PostgreSQL may lose acknowledged writes", "fsync", fsync, "synchronous_commit", commit)
	}
	return nil
}

// maxTries is how often a transaction is run that keeps losing races (MN-13).
const maxTries = 4

// write waits for nobody: transactions run beside each other.
func (p *postgres) write(ctx context.Context, _ bool, fn func(context.Context, *Tx) error) error {
	for try := 1; ; try++ {
		err := p.once(ctx, fn)
		if err == nil || !lostRace(err) || try == maxTries {
			return err
		}
		pause := time.NewTimer(time.Duration(rand.IntN(10*try)+1) * time.Millisecond) //nolint:gosec // G404: spread, not secrecy
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

func (p *postgres) once(ctx context.Context, fn func(context.Context, *Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(otl.InTransaction(context.WithoutCancel(ctx)), writeDeadline)
	defer cancel()
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var changed changes
	if err := fn(ctx, newTx(tx, &changed, &p.ran)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if changed.appended() {
		p.told.give()
	}
	p.commits.Add(1)
	p.writes.Add(1)
	if took := time.Since(start); took > slowWrite {
		p.log.Warn("slow transaction", "dur_ms", took.Milliseconds())
	}
	return nil
}

// writeDeadline ends a transaction on a database that no longer answers.
const writeDeadline = 10 * time.Second

func (p *postgres) ping(ctx context.Context) error {
	var one int
	return p.db.QueryRowContext(ctx, `SELECT 1 FROM goose_db_version LIMIT 1`).Scan(&one)
}

func (p *postgres) stats() Stats {
	s := p.db.Stats()
	return Stats{
		Engine: "postgres", Open: s.OpenConnections, InUse: s.InUse, Idle: s.Idle,
		Commits: p.commits.Load(), Writes: p.writes.Load(),
	}
}

func (p *postgres) close() error { return p.db.Close() }
