package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	sqliteDialect   = goose.DialectSQLite3
	postgresDialect = goose.DialectPostgres
)

// pendingMigrations reports whether the schema is older than this program. It
// fails with ErrNewer when it is newer, and when a migration that was applied is
// not the one this program carries: then the schema is not what we think.
func pendingMigrations(ctx context.Context, db *sql.DB, dialect goose.Dialect) (bool, error) {
	current, err := schemaVersion(ctx, db, dialect)
	if err != nil {
		return false, err
	}
	ours, err := readMigrations()
	if err != nil {
		return false, err
	}
	newest := int64(len(ours))
	if current > newest {
		return false, fmt.Errorf("%w: its schema is %d, this program knows %d", ErrNewer, current, newest)
	}
	if current == 0 {
		return true, nil
	}
	return current < newest, checkDigests(ctx, db, ours[:current])
}

// schemaVersion gives the number of the newest migration applied, 0 for an
// empty database.
func schemaVersion(ctx context.Context, db *sql.DB, dialect goose.Dialect) (int64, error) {
	exists := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	if dialect == postgresDialect {
		exists = `SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('goose_db_version')`
	}
	var n, version int64
	if err := db.QueryRowContext(ctx, exists).Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	err := db.QueryRowContext(ctx, `SELECT COALESCE(max(version_id), 0) FROM goose_db_version`).Scan(&version)
	return version, err
}

// migration is one numbered text and its digest.
type migration struct{ name, digest string }

// readMigrations gives the embedded migrations in order; number n is at n-1.
func readMigrations() ([]migration, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	out := make([]migration, len(files))
	for i, f := range files {
		number, _, _ := strings.Cut(path.Base(f), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s is out of order", f)
		}
		body, err := migrations.ReadFile(f)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		out[i] = migration{path.Base(f), hex.EncodeToString(sum[:])}
	}
	return out, nil
}

// checkDigests compares the migrations applied to a database with ours, and records those
// without a record: a process that applied them ended before it wrote it.
func checkDigests(ctx context.Context, db *sql.DB, applied []migration) error {
	var missing []migration
	for _, m := range applied {
		var digest string
		err := db.QueryRowContext(ctx, `SELECT digest FROM migration_digests WHERE name = $1`, m.name).Scan(&digest)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			missing = append(missing, m)
		case err != nil:
			return fmt.Errorf("read the digest of migration %s: %w", m.name, err)
		case digest != m.digest:
			return fmt.Errorf("migration %s was altered after it was applied to this database", m.name)
		}
	}
	return recordDigests(ctx, db, missing)
}

// recordDigests writes digests in one transaction, which begins with a write: on SQLite one that began with a read would
// not wait for others who write, but be refused.
func recordDigests(ctx context.Context, db *sql.DB, of []migration) error {
	if len(of) == 0 {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	for _, m := range of {
		_, err := tx.ExecContext(ctx, `INSERT INTO migration_digests (name, digest) VALUES ($1, $2)
			ON CONFLICT (name) DO NOTHING`, m.name, m.digest)
		if err != nil {
			return fmt.Errorf("record the digest of migration %s: %w", m.name, err)
		}
	}
	return tx.Commit()
}

// migrate applies every pending migration, each in a transaction. On PostgreSQL
// an advisory lock lets one node do it while the others wait.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, log *slog.Logger) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	opts := []goose.ProviderOption{goose.WithSlog(log), goose.WithDisableGlobalRegistry(true)}
	if dialect == postgresDialect {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // look every second, for five minutes
		if err != nil {
			return err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db, dir, opts...)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// recordMigrations writes down which texts all migrations had. What was committed before it is durable after it.
func recordMigrations(ctx context.Context, db *sql.DB) error {
	ours, err := readMigrations()
	if err != nil {
		return err
	}
	return checkDigests(ctx, db, ours)
}

// Version says which schema a database has and which this program would make.
type Version struct{ Current, Newest int64 }

// SchemaVersion looks at a database without changing or migrating it.
func SchemaVersion(ctx context.Context, url string) (v Version, err error) {
	driver, dialect, dsn := "sqlite", sqliteDialect, fileURL(strings.TrimPrefix(url, "sqlite:"), "mode=ro")
	if Postgres(url) {
		driver, dialect, dsn = "pgx", postgresDialect, url
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ours, err := readMigrations()
	if err != nil {
		return v, err
	}
	v.Newest = int64(len(ours))
	v.Current, err = schemaVersion(ctx, db, dialect)
	return v, err
}

// Migrations gives the numbered texts.
func Migrations() fs.FS { return migrations }
