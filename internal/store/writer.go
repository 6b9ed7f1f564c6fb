package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// writer is the one goroutine that writes to SQLite. Callers hand it their
// transactions; it runs those that wait, each but the first in a savepoint of its own, inside
// one SQLite transaction, commits, and only then answers them all. One fsync
// makes the writes of many callers durable, and one caller's error takes back
// his own writes only.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts *prepared
	tx    *Tx
	log   *slog.Logger

	recall  *recall // nil beside a server, which remembers by itself
	changes *changes
	told    nudge
	round   func() <-chan struct{} // for which jobs wait for others
	last    atomic.Pointer[Last]   // runs at the end of a commit that appended events
	failed  time.Time              // when it last did
	others  int64                  // SQLite's data_version when it was last looked at

	jobs    chan *job
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	gathered        atomic.Int32 // jobs that wait for others
	commits, writes atomic.Uint64
	ran             counter // statements, of readers too
}

// job is one caller's transaction.
type job struct {
	fn    func(context.Context, *Tx) error
	from  *otl.Request // whose write it is
	waits bool         // for others (Store.WriteWithOthers)
	taken atomic.Bool  // by the writer, or by the caller who gave up
	err   error
	panic any // what fn panicked with
	done  chan struct{}
}

// Last is what is done at the end of a commit that appended events: it writes those that were
// held, in their order. It gives what is to be done once the commit is durable, and whether some
// events are left without a place.
type Last func(ctx context.Context, tx *Tx, held []Entry) (after func(), rest bool, err error)

// maxBatch bounds the writes one commit carries, and so how long the first of
// them waits for the others.
const maxBatch = 128

func startWriter(ctx context.Context, db *sql.DB, o Options, told nudge) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, conn: conn, log: o.Log, told: told, round: oneRound,
		stmts: &prepared{prepare: conn.PrepareContext, stmts: map[string]statement{}},
		jobs:  make(chan *job, maxBatch), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if o.Serve {
		w.recall, w.changes = newRecall(), &changes{recalled: true}
	}
	w.tx = newTx(w.stmts, w.changes, &w.ran)
	if w.recall != nil {
		// What was there before anything is remembered changes nothing of it: the first look would take it for a write
		// of others, and have all forgotten that was read until then.
		if err := w.version(ctx); err != nil {
			w.stmts.close()
			return nil, errors.Join(err, conn.Close())
		}
	}
	go w.run()
	return w, nil
}

// do hands a transaction over and waits until it is durable. A caller who gives
// up before the writer took his transaction leaves nothing behind; afterwards he
// waits for the outcome, which is near.
func (w *writer) do(ctx context.Context, waits bool, fn func(context.Context, *Tx) error) error {
	j := &job{fn: fn, from: otl.RequestOf(ctx), waits: waits, done: make(chan struct{})}
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-j.done
	case <-w.stopped:
		if j.taken.CompareAndSwap(false, true) {
			return errClosed
		}
		<-j.done
	}
	if j.panic != nil {
		panic(j.panic)
	}
	return j.err
}

func (w *writer) run() {
	defer close(w.stopped)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	if w.recall == nil {
		look.Stop()
	}
	for {
		select {
		case <-look.C:
			w.look()
		case j := <-w.jobs:
			w.batch(w.gather(j))
		case <-w.stop:
			for {
				select {
				case j := <-w.jobs:
					w.batch([]*job{j})
				default:
					return
				}
			}
		}
	}
}

// look finds out whether another process wrote to the file (PRAGMA data_version
// counts the commits of others).
func (w *writer) look() {
	now, before := time.Now(), w.others
	if err := w.version(context.Background()); err != nil {
		w.log.Error("look for writes of other processes", "err", err)
		return // and soon nothing is recalled any more
	}
	w.recall.lookedAt(now, w.others != before)
}

// version reads how often others wrote.
func (w *writer) version(ctx context.Context) error {
	rows, err := w.stmts.QueryContext(ctx, `PRAGMA data_version`)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&w.others)
	}
	return errors.Join(err, rows.Err())
}

// gather gives the jobs that the next commit begins with. While every job so far waits for others, more are
// taken until the round is over.
func (w *writer) gather(first *job) []*job {
	jobs := []*job{first}
	if !first.waits {
		return jobs
	}
	w.gathered.Store(1)
	defer w.gathered.Store(0)
	for round := w.round(); len(jobs) < maxBatch && jobs[len(jobs)-1].waits; {
		select {
		case j := <-w.jobs:
			jobs = append(jobs, j)
			w.gathered.Add(1)
		case <-round:
			return jobs
		case <-w.stop:
			return jobs
		}
	}
	return jobs
}

// longestRound bounds a round, which takes some 20 ms in the median where passwords keep the processors, and more where
// other programs keep them, too.
const longestRound = 100 * time.Millisecond

// oneRound ends when all who could run have had their turn: at once where processors are idle, and after a slice of the
// runtime's time where passwords keep them.
func oneRound() <-chan struct{} {
	over := make(chan struct{})
	end := sync.OnceFunc(func() { close(over) })
	late := time.AfterFunc(longestRound, end)
	go func() {
		runtime.Gosched()
		late.Stop()
		end()
	}()
	return over
}

// batch runs some jobs and every further one that is waiting, commits, and
// answers.
func (w *writer) batch(jobs []*job) {
	start := time.Now()
	ctx := otl.InTransaction(context.Background())
	last := w.last.Load()
	w.changes.holding(last != nil && start.Sub(w.failed) >= lookEvery)
	var done []*job
	err := w.exec(ctx, `BEGIN IMMEDIATE`)
	for j := w.next(&jobs, 0); j != nil; j = w.next(&jobs, len(done)) {
		if !j.taken.CompareAndSwap(false, true) {
			continue
		}
		done = append(done, j)
		switch {
		case err != nil: // of the transaction
		case len(done) == 1:
			err = w.first(ctx, j)
		default:
			err = w.savepoint(ctx, j)
		}
	}
	held := w.changes.release()
	var after func()
	if err == nil && len(held) > 0 {
		after, err = w.finish(ctx, *last, held)
	}
	if err == nil {
		err = w.exec(ctx, `COMMIT`)
	}
	if err != nil {
		_ = w.exec(ctx, `ROLLBACK`) // SQLite may have rolled back by itself
		w.log.Error("sqlite transaction failed", "err", err, "writes", len(done))
	}
	w.commits.Add(1)
	w.writes.Add(uint64(len(done)))
	if took := time.Since(start); took > slowWrite {
		w.log.Warn("slow sqlite transaction", "dur_ms", took.Milliseconds(), "writes", len(done))
	}
	w.recall.apply(w.changes, err == nil)
	if w.changes.appended() {
		w.told.give()
	}
	for _, j := range done {
		if err != nil && j.err == nil {
			j.err = err
		}
		close(j.done)
	}
	if err == nil && after != nil {
		after()
	}
}

// finish writes the events that were held. Where that fails they are written without a place,
// which is left to whoever is told of events.
func (w *writer) finish(ctx context.Context, last Last, held []Entry) (after func(), err error) {
	var rest bool
	j := &job{fn: func(ctx context.Context, tx *Tx) (err error) {
		after, rest, err = last(ctx, tx, held)
		return err
	}}
	err = w.savepoint(ctx, j)
	if j.panic != nil {
		j.err = fmt.Errorf("%v", j.panic)
	}
	if j.err != nil {
		w.log.Error("finish a commit", "err", j.err)
		after, rest, w.failed = nil, true, time.Now() // the job that is told has it for a while
	}
	for i := 0; err == nil && j.err != nil && i < len(held); i++ {
		err = w.tx.Events.Insert(ctx, held[i])
	}
	if rest {
		w.changes.event()
	}
	return after, err
}

// next takes the next of some jobs, or after them of those that are already there; nil for none.
func (w *writer) next(jobs *[]*job, have int) (j *job) {
	if some := *jobs; len(some) > 0 {
		j, *jobs = some[0], some[1:]
		return j
	}
	if have >= maxBatch {
		return nil
	}
	select {
	case j := <-w.jobs:
		return j
	default:
		return nil
	}
}

// first runs the first job of a commit. Nothing was written before it, so that its failure takes back all there
// is: most commits carry one job, and need no savepoint, for which SQLite copies each page that is written.
// An error it returns has ended the whole transaction.
func (w *writer) first(ctx context.Context, j *job) error {
	if w.attempt(ctx, j) {
		return nil
	}
	if err := w.exec(ctx, `ROLLBACK`); err != nil {
		return errors.Join(err, j.err)
	}
	return w.exec(ctx, `BEGIN IMMEDIATE`)
}

// savepoint runs one job so that its failure takes back its own writes alone.
// An error it returns has ended the whole transaction.
func (w *writer) savepoint(ctx context.Context, j *job) error {
	if err := w.exec(ctx, `SAVEPOINT one`); err != nil {
		return err
	}
	if !w.attempt(ctx, j) {
		if err := w.exec(ctx, `ROLLBACK TO one`); err != nil {
			return errors.Join(err, j.err)
		}
	}
	return w.exec(ctx, `RELEASE one`)
}

// attempt runs one job and reports whether what it wrote stays.
func (w *writer) attempt(ctx context.Context, j *job) bool {
	before := w.changes.mark()
	j.err = w.call(ctx, j)
	if j.err == nil && j.panic == nil {
		return true
	}
	w.changes.cut(before)
	return false
}

func (w *writer) call(ctx context.Context, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			j.panic = fmt.Errorf("panic in a transaction: %v", p)
		}
	}()
	return j.fn(otl.WithRequest(ctx, j.from), w.tx)
}

func (w *writer) exec(ctx context.Context, text string) error {
	_, err := w.stmts.ExecContext(ctx, text)
	return err
}

func (w *writer) count(s *Stats) {
	s.Queued, s.Commits, s.Writes = len(w.jobs)+int(w.gathered.Load()), w.commits.Load(), w.writes.Load()
}

// close lets the transactions that were handed over finish, then closes the
// connection.
func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.stopped
	w.stmts.close()
	return errors.Join(w.conn.Close(), w.db.Close())
}
