package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/onetimelogin/otl/internal/otl"
)

// Errors of the store itself.
var (
	// ErrNotFound means that no row matched.
	ErrNotFound = errors.New("no such row")
	// ErrSeveral means that what was looked for is no one person's: nobody is named by it. It is ErrNotFound
	// to whoever does not ask.
	ErrSeveral = fmt.Errorf("several have it: %w", ErrNotFound)
	// ErrTaken means that another row has the value that only one may have.
	ErrTaken = errors.New("the value is taken")
	// ErrLocked means that another server has this SQLite file open.
	ErrLocked = errors.New("another otl server is using this database")
	// ErrNewer means that a newer version of otl has migrated this database.
	ErrNewer = errors.New("the database was made by a newer version of otl")
	// ErrOlder means that the schema is older and must not be migrated now.
	ErrOlder = errors.New("the database needs a migration; run: otl db migrate")

	errAway   = &otl.Error{Kind: otl.Unavailable, Code: "database_unavailable", Text: "The database is not available. Try again shortly.", RetryAfter: time.Second}
	errNested = errors.New("a transaction inside a transaction")
	errClosed = otl.Busy(time.Second).Because(errors.New("the store is closing"))
)

// translate turns errors of the drivers into the kinds callers act on: no row,
// taken, unavailable (the database is away, full or busy), or itself.
func translate(err error) error {
	var known *otl.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case errors.Is(err, context.Canceled), errors.Is(err, ErrNotFound):
		return err
	case taken(err):
		return ErrTaken
	case unavailable(err):
		return errAway.Because(err)
	}
	return err
}

// taken reports whether a unique index refused a row.
func taken(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

func unavailable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// 08 connection, 53 resources, 57 operator intervention, 58 system
		// error, 25006 a standby, 40 lost races that retries did not win.
		switch pg.Code[:2] {
		case "08", "53", "57", "58", "40":
			return true
		}
		return pg.Code == "25006" || pg.Code == "55P03"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
			sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
			return true
		}
		return false
	}
	var dial *pgconn.ConnectError
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &dial) || errors.As(err, &network) ||
		pgconn.SafeToRetry(err) || pgconn.Timeout(err)
}

// lostRace reports whether PostgreSQL rolled a transaction back only because of
// another one, so that running it again can succeed.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
