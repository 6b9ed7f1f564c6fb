package store

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Options say where the data is and how it is opened.
type Options struct {
	// URL is "postgres://…" or the path of an SQLite file.
	URL string
	// MaxConns bounds the PostgreSQL pool; 0 means 4 for each processor. SQLite
	// always has one writer and a few readers.
	MaxConns int
	// Serve takes the lock of the one server an SQLite file may have. Commands
	// leave it false and work beside a running server.
	Serve bool
	// Migrate brings an older schema to the newest before anything else.
	Migrate bool
	// Log receives what happens at open and in the background; nil discards.
	Log *slog.Logger
}

// Store is an open database.
type Store struct {
	// Read answers reads outside a transaction. Each call sees the newest
	// committed state; two calls may see two states.
	Read *Tx

	engine   engine
	recall   *recall // nil where other nodes write too
	ran      *counter
	appended nudge
}

// engine is what differs between the two databases.
type engine interface {
	write(ctx context.Context, waits bool, fn func(context.Context, *Tx) error) error
	ping(ctx context.Context) error
	stats() Stats
	close() error
}

// Stats says how the connections are doing.
type Stats struct {
	Engine            string // "sqlite" or "postgres"
	Open, InUse, Idle int    // connections
	Queued            int    // writes waiting for the SQLite writer
	Commits, Writes   uint64 // commits made, writes they carried
	Statements        uint64 // run by groups, in transactions and outside
	WALBytes          int64  // size of SQLite's write-ahead log
}

// Tx is a place to run statements: a transaction inside Write, the newest
// committed state in Store.Read.
type Tx struct {
	Installation Installation
	Users        Users
	Passwords    Passwords
	Businesses   Businesses
	Sites        Sites
	Origins      Origins
	SiteKeys     SiteKeys
	Grants       Grants
	Sessions     Sessions
	SigningKeys  SigningKeys
	Events       Events
	Logs         Logs
	Endpoints    Endpoints
	Deliveries   Deliveries
	Rates        Rates
	Sends        Sends
	Failures     Failures
	Revocations  Revocations
	Roles        Roles
	Tickets      Tickets
	Messages     Messages
	Answers      Answers
	Clients      Clients
	APITokens    APITokens
	Numbers      Numbers
	Flows        Flows
	Factors      Factors
	Records      Records
	SMSCounts    SMSCounts
	Brands       Brands
	SeenTokens   SeenTokens
	SeenPlaces   SeenPlaces
	DeviceGrants DeviceGrants
	Ledger       Ledger
	Plans        Plans
	Orders       Orders
	Nobodies     Nobodies
}

// conn runs one statement. *sql.DB, *sql.Tx and the prepared statements of
// SQLite all do.
type conn interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

func newTx(c conn, changed *changes, ran *counter) *Tx {
	g := group{c, changed, ran}
	return &Tx{
		Installation{g},
		Users{g},
		Passwords{g},
		Businesses{g},
		Sites{g},
		Origins{g},
		SiteKeys{g},
		Grants{g},
		Sessions{g},
		SigningKeys{g},
		Events{g},
		Logs{g},
		Endpoints{g},
		Deliveries{g},
		Rates{g},
		Sends{g},
		Failures{g},
		Revocations{g},
		Roles{g},
		Tickets{g},
		Messages{g},
		Answers{g},
		Clients{g},
		APITokens{g},
		Numbers{g},
		Flows{g},
		Factors{g},
		Records{g},
		SMSCounts{g},
		Brands{g},
		SeenTokens{g},
		SeenPlaces{g},
		DeviceGrants{g},
		Ledger{g},
		Plans{g},
		Orders{g},
		Nobodies{g},
	}
}

// Open opens the database and checks that it can be relied on: a version of
// SQLite without the WAL corruption, the pragmas in force, the schema neither
// older nor newer than this program. The errors are ErrLocked, ErrNewer,
// ErrOlder, or what the driver says.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if Postgres(o.URL) {
		return openPostgres(ctx, o)
	}
	return openSQLite(ctx, o)
}

// Postgres reports whether a database URL names PostgreSQL.
func Postgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// slowWrite is how long a transaction may take before the log names it.
const slowWrite = 50 * time.Millisecond

// Write runs fn in one transaction and returns when it is durable. When fn
// returns an error nothing of it remains, and Write returns that error. On
// PostgreSQL fn may run several times, so it must set, not add to, what it
// leaves outside. fn receives a context of its own, which the caller's
// cancellation does not reach: a transaction that has begun is finished.
//
// Nothing slow belongs into fn: no hashing, no network.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return s.write(ctx, false, fn)
}

// WriteWithOthers is Write for sign-ins: on SQLite, while the processors are busy, fn waits for
// others whose writes the same commit then carries, for 100 ms at most and only until somebody
// comes by Write (ADR 63).
func (s *Store) WriteWithOthers(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return s.write(ctx, true, fn)
}

func (s *Store) write(ctx context.Context, waits bool, fn func(ctx context.Context, tx *Tx) error) error {
	if otl.Transactional(ctx) {
		return errNested
	}
	return translate(s.engine.write(ctx, waits, fn))
}

// Batch is how many rows one step of Drain deletes at most: nobody waits long for it.
const Batch = 500

// Drain repeats a step that deletes rows and says how many, each time in a transaction of
// its own, until one deletes fewer than Batch: however many there are, they go.
func (s *Store) Drain(ctx context.Context, step func(ctx context.Context, tx *Tx) (int, error)) error {
	for {
		var n int
		err := s.Write(ctx, func(ctx context.Context, tx *Tx) (err error) {
			n, err = step(ctx, tx)
			return err
		})
		if err != nil || n < Batch {
			return err
		}
	}
}

// Standing gives what Sessions.Standing gives, without a read where the newest
// committed state is known.
func (s *Store) Standing(ctx context.Context, id string) (Standing, error) {
	if s.recall == nil {
		return s.Read.Sessions.Standing(ctx, id)
	}
	return s.recall.standing(ctx, id, s.Read.Sessions.Standing)
}

// SiteKey gives what SiteKeys.ByDigest gives, without a read where the newest
// committed state is known.
func (s *Store) SiteKey(ctx context.Context, digest []byte) (otl.SiteKey, otl.Site, error) {
	if s.recall == nil {
		return s.Read.SiteKeys.ByDigest(ctx, digest)
	}
	return s.recall.siteKey(ctx, digest, s.Read.SiteKeys.ByDigest)
}

// Caller gives what APITokens.ByAccess gives, without a read where the newest
// committed state is known.
func (s *Store) Caller(ctx context.Context, access []byte, now time.Time) (Caller, error) {
	if s.recall == nil {
		return s.Read.APITokens.ByAccess(ctx, access, now)
	}
	return s.recall.caller(ctx, access, now, s.Read.APITokens.ByAccess)
}

// Appended gives a value some time after events were appended in this process:
// once, however many they were. Those of other processes are found by looking.
func (s *Store) Appended() <-chan struct{} { return s.appended }

// AtLast has the events of this process held until the end of the commit they were appended in,
// and written there, in a savepoint of its own, instead of telling Appended; nil for nothing.
// SQLite alone does so: its commits come one after the other anyway. Elsewhere nothing happens.
func (s *Store) AtLast(do Last) {
	if l, ok := s.engine.(*lite); ok {
		if do == nil {
			l.writer.last.Store(nil)
		} else {
			l.writer.last.Store(&do)
		}
	}
}

// nudge tells one reader that there is something to do.
type nudge chan struct{}

func newNudge() nudge { return make(nudge, 1) }

func (n nudge) give() {
	select {
	case n <- struct{}{}:
	default: // told already
	}
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return translate(s.engine.ping(ctx)) }

// Stats gives the state of the connections.
func (s *Store) Stats() Stats {
	all := s.engine.stats()
	all.Statements = s.ran.Load()
	return all
}

// Close finishes the writes under way and closes the database.
func (s *Store) Close() error { return s.engine.close() }
