package otltest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Engine is one of the two databases.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Engines lists both.
func Engines() []Engine { return []Engine{SQLite, Postgres} }

// DatabaseURL gives the URL of a migrated database that is this test's own and
// goes with it.
func DatabaseURL(t testing.TB, e Engine) string {
	t.Helper()
	if e == SQLite {
		return sqliteCopy(t)
	}
	return postgresCopy(t)
}

// EmptyDatabaseURL gives the URL of a database without a schema.
func EmptyDatabaseURL(t testing.TB, e Engine) string {
	t.Helper()
	if e == SQLite {
		return filepath.Join(t.TempDir(), "otl.db")
	}
	return createDatabase(t, "template0")
}

// Store opens a store on a database of the test's own.
func Store(t testing.TB, e Engine) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: DatabaseURL(t, e), MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// EachStore runs a test on a store of each engine, in parallel.
func EachStore(t *testing.T, test func(*testing.T, *store.Store)) {
	t.Helper()
	for _, e := range Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			test(t, Store(t, e))
		})
	}
}

// sqliteTemplate is a migrated, empty database file, made once.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "otltest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "otl.db")
	st, err := store.Open(context.Background(), store.Options{URL: path, Migrate: true})
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil { // the last connection folds the log into the file
		return nil, err
	}
	return os.ReadFile(path)
})

func sqliteCopy(t testing.TB) string {
	t.Helper()
	raw, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "otl.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// postgresTemplate is a migrated, empty database in the test server, named by
// the migrations so that every test process uses the same one.
var postgresTemplate = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	name, err := templateName()
	if err != nil {
		return "", err
	}
	admin, err := sql.Open("pgx", os.Getenv("OTL_TEST_POSTGRES"))
	if err != nil {
		return "", err
	}
	defer admin.Close()
	conn, err := admin.Conn(ctx) // the lock belongs to one connection
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(7085)`); err != nil {
		return "", err
	}
	var n int
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM pg_database WHERE datname = $1`, name).Scan(&n); err != nil || n > 0 {
		return name, err
	}
	building := name + "_building"
	for _, text := range []string{`DROP DATABASE IF EXISTS ` + building, `CREATE DATABASE ` + building + ` TEMPLATE template0`} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return "", err
		}
	}
	st, err := store.Open(ctx, store.Options{URL: databaseURL(building), MaxConns: 2, Migrate: true})
	if err != nil {
		return "", err
	}
	if err := st.Close(); err != nil {
		return "", err
	}
	_, err = conn.ExecContext(ctx, `ALTER DATABASE `+building+` RENAME TO `+name)
	return name, err
})

func templateName() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(store.Migrations(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(store.Migrations(), path)
		sum.Write(raw)
		return err
	})
	return "otl_template_" + hex.EncodeToString(sum.Sum(nil)[:8]), err
}

func databaseURL(name string) string {
	u, err := url.Parse(os.Getenv("OTL_TEST_POSTGRES"))
	if err != nil {
		return ""
	}
	u.Path = "/" + name
	return u.String()
}

func postgresCopy(t testing.TB) string {
	t.Helper()
	needPostgres(t)
	template, err := postgresTemplate()
	if err != nil {
		t.Fatalf("make a template database: %v", err)
	}
	return createDatabase(t, template)
}

func needPostgres(t testing.TB) {
	t.Helper()
	if os.Getenv("OTL_TEST_POSTGRES") == "" {
		t.Fatal("this test needs PostgreSQL: run it by `make test`, which starts one, or set OTL_TEST_POSTGRES to the URL of a server where databases may be made")
	}
}

func createDatabase(t testing.TB, template string) string {
	t.Helper()
	needPostgres(t)
	admin, err := sql.Open("pgx", os.Getenv("OTL_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := "otl_test_" + hex.EncodeToString(secret.Bytes(8))
	// Copying its files is half the work of copying it by the log, where the server lets one choose.
	var copying string
	if err := admin.QueryRowContext(t.Context(), `SELECT CASE WHEN current_setting('server_version_num')::int < 150000 THEN '' ELSE ' STRATEGY file_copy' END`).Scan(&copying); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ExecContext(t.Context(), `CREATE DATABASE `+name+` TEMPLATE `+template+copying); err != nil {
		t.Fatalf("make a test database: %v", err)
	}
	t.Cleanup(func() {
		admin, err := sql.Open("pgx", os.Getenv("OTL_TEST_POSTGRES"))
		if err != nil {
			t.Error(err)
			return
		}
		defer admin.Close()
		if _, err := admin.ExecContext(context.Background(), `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return databaseURL(name)
}
