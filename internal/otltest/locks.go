package otltest

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/onetimelogin/otl/internal/store"
)

// PersonFirst runs an act on PostgreSQL while another transaction has the row of a person locked, and fails the test unless the
// act waits for it with none of his tickets locked: a transaction that has the person and wants his tickets would wait for
// it in a circle.
func (w *World) PersonFirst(t testing.TB, userID string, act func()) {
	t.Helper()
	db, err := sql.Open("pgx", w.options.Store.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err == nil {
		_, err = tx.ExecContext(t.Context(), `UPDATE users SET version = version WHERE id = $1`, userID)
	}
	if err != nil {
		t.Fatal(err)
	}
	acts, done := context.WithCancel(t.Context())
	found := make(chan error, 1)
	go func() { found <- errors.Join(free(acts, db, tx, userID), tx.Rollback()) }()
	act()
	done()
	if err := <-found; err != nil {
		t.Error(err)
	}
}

// free waits until somebody waits for a lock, and gives an error where a ticket of a person is locked then.
func free(ctx context.Context, db *sql.DB, tx *sql.Tx, userID string) error {
	if err := waited(ctx, db); err != nil {
		return err
	}
	var all, unlocked int
	err := tx.QueryRow(`SELECT count(*), (SELECT count(*) FROM (SELECT id FROM tickets WHERE user_id = $1 FOR UPDATE SKIP LOCKED) AS free)
		FROM tickets WHERE user_id = $1`, userID).Scan(&all, &unlocked)
	if err == nil && (all == 0 || all != unlocked) {
		err = errors.New("whoever waits for the row of a person has locked his tickets before")
	}
	return err
}

// waited waits until somebody waits for a lock.
func waited(ctx context.Context, db *sql.DB) error {
	for waiting := 0; waiting == 0; {
		if ctx.Err() != nil {
			return errors.New("nobody waited for a lock")
		}
		if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
			return err
		}
	}
	return nil
}

// Between runs an act on PostgreSQL that waits, in its transaction, for what a write has locked, and lets
// the write come first.
func (w *World) Between(t testing.TB, write func(context.Context, *store.Tx) error, act func()) {
	t.Helper()
	db, err := sql.Open("pgx", w.options.Store.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	acts, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	err = w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := write(ctx, tx); err != nil {
			return err
		}
		go func() {
			defer close(done)
			defer cancel()
			act()
		}()
		return waited(acts, db)
	})
	<-done
	if err != nil {
		t.Error(err)
	}
}
