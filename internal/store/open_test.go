package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// eachDatabase runs a test on a URL of each engine, in parallel.
func eachDatabase(t *testing.T, test func(*testing.T, otltest.Engine, string)) {
	t.Helper()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			test(t, e, otltest.DatabaseURL(t, e))
		})
	}
}

// refused opens a database that must not open and gives the error.
func refused(t *testing.T, o store.Options) error {
	t.Helper()
	st, err := store.Open(t.Context(), o)
	if err == nil {
		_ = st.Close()
		t.Fatal("it opened")
	}
	return err
}

// version gives the schema a database has.
func version(t *testing.T, url string) store.Version {
	t.Helper()
	v, err := store.SchemaVersion(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDD14_SQLiteSettingsAreInForce(t *testing.T) {
	t.Parallel()
	url := otltest.DatabaseURL(t, otltest.SQLite)
	st := open(t, url, true)
	write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.Businesses.Insert(ctx, otl.Business{ID: "b", Name: "B", CreatedAt: start})
	})
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(url + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", suffix, info, err)
		}
	}
	if s := st.Stats(); s.Engine != "sqlite" || s.WALBytes == 0 || s.Writes != 1 || s.Commits != 1 {
		t.Errorf("%+v", s)
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	t.Parallel()
	url := otltest.DatabaseURL(t, otltest.SQLite)
	if err := store.Idle(url); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{URL: url, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := refused(t, store.Options{URL: url, Serve: true}); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), url) {
		t.Error(err)
	}
	if err := store.Idle(url); !errors.Is(err, store.ErrLocked) {
		t.Error(err)
	}
	open(t, url, false) // a command beside the server
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, url, true)
}

func TestWhatIsNoDatabaseIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "otl.db")
	const text = "not a database, but somebody's diary, which is longer than a header of SQLite would be: one hundred bytes."
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = refused(t, store.Options{URL: path, Serve: true, Migrate: true})
	if raw, err := os.ReadFile(path); err != nil || string(raw) != text {
		t.Errorf("%q %v", raw, err)
	}
	if err := store.Idle(path); err != nil {
		t.Errorf("the lock is still held: %v", err)
	}
	_ = refused(t, store.Options{URL: filepath.Join(path, "otl.db"), Migrate: true}) // a file where a directory should be
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "a?b=c.db", "a%20b.db", "a#b.db", "ä'\"&.db"} {
		path := filepath.Join(t.TempDir(), name)
		st, err := store.Open(t.Context(), store.Options{URL: path, Migrate: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s holds nothing: %v", name, err)
		}
		if v := version(t, path); v.Current == 0 || v.Current != v.Newest {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestAPostgresURLIsNeverRepeated(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://otl:hunter2@127.0.0.1:port/otl", "postgres://otl:hunter2@127.0.0.1:1/otl?connect_timeout=2", "postgresql://otl:hunter2@/otl?host=/nowhere&connect_timeout=2"} {
		if err := refused(t, store.Options{URL: url}); strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	}
}

func TestMigrationsRunOnceWhoeverIsFirst(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			at := otltest.EmptyDatabaseURL(t, e)
			if e == otltest.Postgres {
				if err := refused(t, store.Options{URL: at}); !errors.Is(err, store.ErrOlder) {
					t.Error(err)
				}
			}
			nodes := map[otltest.Engine]int{otltest.SQLite: 1, otltest.Postgres: 6}[e]
			var wg sync.WaitGroup
			for range nodes {
				wg.Go(func() {
					st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true, MaxConns: 2})
					if err != nil {
						t.Error(err)
						return
					}
					if err := errors.Join(st.Ping(t.Context()), st.Close()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if v := version(t, at); v.Current != v.Newest {
				t.Errorf("%+v", v)
			}
			var n, rows int64
			if err := connect(t, e, at).QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM goose_db_version), (SELECT count(*) FROM migration_digests)`).Scan(&n, &rows); err != nil ||
				n != version(t, at).Newest+1 || rows != version(t, at).Newest {
				t.Errorf("%d versions, %d digests, %v", n, rows, err)
			}
		})
	}
}

// TestWhoRecordsMigrationsWaits for others who write: the record of them, which a process that ended before it wrote it left
// to whoever opens the database next, is refused to none of those who do so at once.
func TestWhoRecordsMigrationsWaits(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, e otltest.Engine, at string) {
		db := connect(t, e, at)
		for range 5 {
			run(t, db, `DELETE FROM migration_digests`)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					st, err := store.Open(t.Context(), store.Options{URL: at, MaxConns: 2})
					if err == nil {
						err = st.Close()
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			var rows int64
			if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM migration_digests`).Scan(&rows); err != nil || rows != version(t, at).Newest {
				t.Fatalf("%d digests, %v", rows, err)
			}
		}
	})
}

func TestAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, e otltest.Engine, at string) {
		db := connect(t, e, at)
		run(t, db, `UPDATE migration_digests SET digest = 'x' WHERE name LIKE '0002%'`)
		if err := refused(t, store.Options{URL: at, Migrate: true}); !strings.Contains(err.Error(), "0002_limits.sql was altered") {
			t.Error(err)
		}
		run(t, db, `DELETE FROM migration_digests WHERE name LIKE '0002%'`) // ended between the migration and the note of it
		st := open(t, at, false)
		if err := st.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		run(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
		if err := refused(t, store.Options{URL: at, Migrate: true}); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "9999") {
			t.Error(err)
		}
		run(t, db, `DELETE FROM goose_db_version WHERE version_id IN (9999, (SELECT max(version_id) FROM goose_db_version WHERE version_id < 9999))`)
		if err := refused(t, store.Options{URL: at}); !errors.Is(err, store.ErrOlder) {
			t.Error(err)
		}
	})
}

// older is a database some former version of this program made, and a business
// in it.
func older(t *testing.T, e otltest.Engine, schema int64) string {
	t.Helper()
	at := otltest.EmptyDatabaseURL(t, e)
	db := connect(t, e, at)
	dir, err := fs.Sub(store.Migrations(), "migrations")
	if err != nil {
		t.Fatal(err)
	}
	dialect := map[otltest.Engine]goose.Dialect{otltest.SQLite: goose.DialectSQLite3, otltest.Postgres: goose.DialectPostgres}[e]
	p, err := goose.NewProvider(dialect, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	run(t, db, `INSERT INTO businesses (id, name, created_at) VALUES ('b', 'Before', 1)`)
	return at
}

// olderThan is one that the program before a migration made, which goes by its name.
func olderThan(t *testing.T, e otltest.Engine, migration string) string {
	t.Helper()
	found, err := fs.Glob(store.Migrations(), "migrations/*_"+migration+".sql")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	number, err := strconv.ParseInt(found[0][len("migrations/"):len("migrations/")+4], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return older(t, e, number-1)
}

// TestTheLogTellsOfAMigration: from which schema on, and where the copy of a file is; a new
// database is none.
func TestTheLogTellsOfAMigration(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		for schema, want := range map[int64][]string{40: {"an older database is brought to the newest schema", "schema=40"}, 0: nil} {
			t.Run(fmt.Sprint(e, schema), func(t *testing.T) {
				t.Parallel()
				at := otltest.EmptyDatabaseURL(t, e)
				if schema > 0 {
					at = older(t, e, schema)
				}
				var log strings.Builder
				st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
				if err != nil {
					t.Fatal(err)
				}
				if err := st.Close(); err != nil {
					t.Error(err)
				}
				for _, part := range want {
					if !strings.Contains(log.String(), part) {
						t.Errorf("no %q in %s", part, log.String())
					}
				}
				if told := strings.Contains(log.String(), ".before-41"); told != (e == otltest.SQLite && schema > 0) || schema == 0 && strings.Contains(log.String(), "older") {
					t.Errorf("%s", log.String())
				}
			})
		}
	}
}

func TestEveryOlderSchemaIsBroughtForward(t *testing.T) {
	t.Parallel()
	last := version(t, otltest.DatabaseURL(t, otltest.SQLite)).Newest
	for _, e := range otltest.Engines() {
		for schema := int64(1); schema < last; schema++ {
			t.Run(fmt.Sprint(e, schema), func(t *testing.T) {
				t.Parallel()
				at := older(t, e, schema)
				if err := refused(t, store.Options{URL: at}); !errors.Is(err, store.ErrOlder) {
					t.Error(err)
				}
				st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true})
				if err != nil {
					t.Fatal(err)
				}
				b, err := st.Read.Businesses.Oldest(t.Context())
				if err != nil || b.Name != "Before" || version(t, at).Current != last {
					t.Errorf("%+v %v", b, err)
				}
				if err := st.Close(); err != nil {
					t.Error(err)
				}
				if e == otltest.SQLite {
					copied(t, at, schema)
				}
			})
		}
	}
}

// TestMF05_WhoHadCodesFirstHasAnotherFactorFirst: of those whose recovery codes were asked for
// first the oldest other factor is; what an older program began to set up can be confirmed.
func TestMF05_WhoHadCodesFirstHasAnotherFactorFirst(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			at := older(t, e, 52)
			db := connect(t, e, at)
			for _, u := range []string{"jane", "john"} {
				run(t, db, `INSERT INTO users (id, email, email_key, name, display_name, phone, picture, locale, preferences, session_version, password_version, version, created_at, updated_at)
					VALUES ('`+u+`', '`+u+`@dev.test', '`+u+`@dev.test', '', '', '', '', '', '{}', 1, 1, 1, 1, 1)`)
			}
			for id, more := range map[string]string{
				"1": `'jane', 'recovery_code', FALSE, 1`, "2": `'jane', 'totp', FALSE, 1`, "3": `'jane', 'sms_otp', FALSE, 1`, "4": `'jane', 'email_otp', FALSE, NULL`,
				"5": `'john', 'totp', FALSE, 1`, "6": `'john', 'sms_otp', TRUE, 1`,
			} {
				run(t, db, `INSERT INTO factors (id, label, target, last_step, created_at, user_id, kind, is_default, confirmed_at) VALUES ('`+id+`', '', '', 0, 1000, `+more+`)`)
			}
			st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = st.Close() })
			for user, want := range map[string]string{"jane": "2", "john": "6"} {
				has, err := st.Read.Factors.Of(t.Context(), user)
				if err != nil || len(has) < 2 || has[0].ID != want || !has[0].Default || has[1].Default {
					t.Errorf("%s: %+v %v", user, has, err)
				}
			}
			if begun, _, err := st.Read.Factors.ByID(t.Context(), "jane", "4"); err != nil || begun.ConfirmBy.UnixMilli() != 901_000 {
				t.Errorf("%v %v", begun.ConfirmBy, err)
			}
		})
	}
}

// copied checks the copy that was made of a file before it was migrated.
func copied(t *testing.T, at string, schema int64) {
	t.Helper()
	made, err := filepath.Glob(at + ".before-*")
	want := fmt.Sprintf("%s.before-%d", at, schema+1)
	if err != nil || len(made) != 1 || made[0] != want {
		t.Fatalf("copies %v, want %s", made, want)
	}
	info, err := os.Stat(want)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	var name string
	if err := connect(t, otltest.SQLite, want).QueryRowContext(t.Context(), `SELECT name FROM businesses`).Scan(&name); err != nil || name != "Before" {
		t.Errorf("%q %v", name, err)
	}
	if v := version(t, want); v.Current != schema {
		t.Errorf("%+v", v)
	}
}

// A command may be of another version than the server that runs.
func TestNobodyMigratesUnderARunningServer(t *testing.T) {
	t.Parallel()
	at := older(t, otltest.SQLite, 1)
	server := flock.New(at + ".lock")
	if ok, err := server.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := refused(t, store.Options{URL: at, Migrate: true}); !errors.Is(err, store.ErrLocked) || version(t, at).Current != 1 {
		t.Error(err)
	}
	if err := server.Unlock(); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{URL: at, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	open(t, at, true) // the command gave the lock back
}

// TestSR10_EndsOfKeysThatWereNotKept are found in the log by the migration: a key that is being replaced
// was made for longer than it has left.
func TestSR10_EndsOfKeysThatWereNotKept(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("migrations/0067_made_until.sql")
	if err != nil {
		t.Fatal(err)
	}
	eachDatabase(t, func(t *testing.T, e otltest.Engine, url string) {
		st, until := open(t, url, false), start.Add(time.Hour)
		write(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Sites.Insert(ctx, otl.Site{ID: "site", Slug: "site", Version: 1, CreatedAt: start, UpdatedAt: start})
			for _, id := range []string{"ends", "rolled", "endless"} {
				_, added := tx.SiteKeys.Insert(ctx, otl.SiteKey{ID: id, SiteID: "site", CreatedAt: start}, []byte(id))
				err = errors.Join(err, added)
			}
			rolled := otl.Event{ID: "evt_1", Type: otl.EventSiteKeyRolled, SiteID: "site", CreatedAt: start, Data: map[string]string{"key_id": "rolled", "successor": "ends"}}
			return errors.Join(err, tx.Events.Append(ctx, rolled), tx.SiteKeys.Expire(ctx, "site", "ends", until), tx.SiteKeys.Expire(ctx, "site", "rolled", until))
		})
		if _, err := connect(t, e, url).ExecContext(t.Context(), string(text)); err != nil { // its first lines are comments
			t.Fatal(err)
		}
		for id, want := range map[string]time.Time{"ends": until, "rolled": {}, "endless": {}} {
			if k, err := st.Read.SiteKeys.ByID(t.Context(), "site", id); err != nil || !k.MadeUntil.Equal(want) {
				t.Errorf("%s was made until %v, %v", id, k.MadeUntil, err)
			}
		}
	})
}

// TestAServerThatBeginsForgetsNothing: what was in the file before is no write of another process; what one writes before the first
// look is.
func TestAServerThatBeginsForgetsNothing(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]bool{"alone": false, "beside another": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := otltest.DatabaseURL(t, otltest.SQLite)
			command := open(t, url, false)
			signedIn(t, command, "jane", "a")
			st := open(t, url, true)
			same(t, st, "a")
			if others {
				write(t, command, func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Sessions.End(ctx, "a", otl.EndAdmin, start)
					return err
				})
			}
			for range 2 {
				if err := store.Look(t.Context(), st); err != nil {
					t.Fatal(err)
				}
				if kept := store.Remembers(st, "a"); kept == others {
					t.Errorf("after a look it is remembered: %v", kept)
				}
			}
		})
	}
}
