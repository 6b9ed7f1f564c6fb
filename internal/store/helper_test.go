package store_test

import (
	"database/sql"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// connect opens a database beside any store.
func connect(t testing.TB, e otltest.Engine, url string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if e == otltest.SQLite {
		driver = "sqlite"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// database is a migrated database of the test's own, without a store.
func database(t *testing.T, e otltest.Engine) *sql.DB {
	t.Helper()
	return connect(t, e, otltest.DatabaseURL(t, e))
}

// run executes statements one after the other.
func run(t testing.TB, db *sql.DB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}
