package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// database is where a server that is down keeps its data.
type database struct {
	url string // of PostgreSQL, "" for SQLite
	dir string
}

// open opens the database as the dead server left it. Of SQLite it opens a copy:
// opening the file itself would repair what the next start has to.
func (d database) open(t testing.TB) *sql.DB {
	t.Helper()
	driver, source := "pgx", d.url
	if d.url == "" {
		driver, source = "sqlite", d.copy(t)
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if d.url != "" {
		quiet(t, db)
	}
	return db
}

func (d database) copy(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(d.dir, "copy-")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"otl.db", "otl.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(d.dir, name))
		if errors.Is(err, fs.ErrNotExist) && name != "otl.db" {
			continue // a server that stopped in good order leaves no log
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "otl.db")
}

// quiet waits until PostgreSQL has finished what the dead server had asked of
// it.
func quiet(t testing.TB, db *sql.DB) {
	t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	for {
		var n int
		err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("PostgreSQL still has %d connections of a dead server after %s", n, startTime)
		}
	}
}

// whole names what every write leaves together; each statement counts where a
// part is missing.
func whole() [][2]string {
	const events = `(SELECT user_id, session_id, type, count(*) AS n FROM events GROUP BY user_id, session_id, type)`
	return [][2]string{
		{"a person without a password", `SELECT count(*) FROM users u LEFT JOIN passwords p ON p.user_id = u.id WHERE p.user_id IS NULL`},
		{"a person who belongs to no site", `SELECT count(*) FROM users u LEFT JOIN grants g ON g.user_id = u.id WHERE g.user_id IS NULL`},
		{"a person without a session", `SELECT count(*) FROM users u WHERE u.id NOT IN (SELECT user_id FROM sessions)`},
		{"a person without exactly one event of his registration", `SELECT count(*) FROM users u
			LEFT JOIN ` + events + ` e ON e.user_id = u.id AND e.type = 'user.created' WHERE COALESCE(e.n, 0) <> 1`},
		{"a profile whose version is not its number of changes", `SELECT count(*) FROM users u
			LEFT JOIN ` + events + ` e ON e.user_id = u.id AND e.type = 'user.updated' WHERE u.version <> 1 + COALESCE(e.n, 0)`},
		{"a session without exactly one event of its beginning", `SELECT count(*) FROM sessions s
			LEFT JOIN ` + events + ` e ON e.session_id = s.id AND e.type = 'session.created' WHERE COALESCE(e.n, 0) <> 1`},
		{"an event of a session that is not there", `SELECT count(*) FROM events e
			LEFT JOIN sessions s ON s.id = e.session_id WHERE e.session_id <> '' AND s.id IS NULL`},
		{"a session whose end and its event do not go together", `SELECT count(*) FROM sessions s
			LEFT JOIN ` + events + ` e ON e.session_id = s.id AND e.type = 'session.revoked'
			WHERE COALESCE(e.n, 0) <> CASE WHEN s.ended_at IS NULL THEN 0 ELSE 1 END`},
		{"a session version that is not the number of sessions ended", `SELECT count(*) FROM users u
			LEFT JOIN (SELECT user_id, count(*) AS n FROM sessions WHERE ended_at IS NOT NULL GROUP BY user_id) e ON e.user_id = u.id
			WHERE u.session_version <> 1 + COALESCE(e.n, 0)`},
		{"an exchange without all of its parts", `SELECT count(*) FROM sessions WHERE (refresh_generation = 0) <> (refresh_previous IS NULL)
			OR (refresh_generation = 0) <> (refresh_nonce IS NULL) OR (refresh_generation = 0) <> (refresh_rotated_at IS NULL)`},
		{"a person who joined a site without exactly one event of it", `SELECT count(*) FROM grants g
			LEFT JOIN ` + events + ` e ON e.user_id = g.user_id AND e.type = 'consent.granted' WHERE COALESCE(e.n, 0) <> 1`},
		{"a gap in the log", `SELECT count(*) FROM (SELECT COALESCE(max(seq), 0) AS top, count(seq) AS n FROM events) l WHERE l.top <> l.n`},
		{"an event with a place that is not in the log of its site", `SELECT count(*) FROM events e
			WHERE e.seq IS NOT NULL AND e.site_id <> '' AND NOT EXISTS (SELECT 1 FROM site_events s WHERE s.event_id = e.id AND s.site_id = e.site_id)`},
		{"an installation without its site or its key", `SELECT count(*) FROM installation i WHERE i.site_id NOT IN (SELECT id FROM sites)
			OR NOT EXISTS (SELECT 1 FROM signing_keys)`},
	}
}

// broken says what is wrong with the database: damage, and writes that were
// applied in part.
func (d database) broken(t testing.TB) []string {
	t.Helper()
	db := d.open(t)
	defer db.Close()
	return append(damage(t, db, d.url == ""), halves(t, db)...)
}

func halves(t testing.TB, db *sql.DB) []string {
	t.Helper()
	var out []string
	for _, w := range whole() {
		var n int
		if err := db.QueryRow(w[1]).Scan(&n); err != nil {
			t.Fatalf("%s: %v", w[0], err)
		}
		if n != 0 {
			out = append(out, fmt.Sprintf("%d × %s", n, w[0]))
		}
	}
	return out
}

// damage asks SQLite for what is wrong with the file.
func damage(t testing.TB, db *sql.DB, sqlite bool) []string {
	t.Helper()
	if !sqlite {
		return nil
	}
	var out []string
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check(1)`).Scan(&verdict); err != nil || verdict != "ok" {
		out = append(out, fmt.Sprintf("integrity_check: %s %v", verdict, err))
	}
	var orphans int
	if err := db.QueryRow(`SELECT count(*) FROM pragma_foreign_key_check`).Scan(&orphans); err != nil || orphans > 0 {
		out = append(out, fmt.Sprintf("foreign_key_check: %d rows %v", orphans, err))
	}
	return out
}

// userRow and sessionRow are what a ledger can know of a row.
type userRow struct {
	email, name             string
	version, sessionVersion int
}

type sessionRow struct {
	user       string
	ended      bool
	generation int
}

// inspect compares the database of a dead server with the whole ledger: every
// acknowledged write is there, every write that was cut off is there or not.
func (r *crashRig) inspect() {
	r.t.Helper()
	db := r.database.open(r.t)
	defer func() {
		db.Close()
		copies, _ := filepath.Glob(filepath.Join(r.in.dir, "copy-*"))
		for _, c := range copies {
			os.RemoveAll(c)
		}
	}()
	for _, b := range append(damage(r.t, db, r.database.url == ""), halves(r.t, db)...) {
		r.lose("half a write, or damage: %s", b)
	}
	users := rows(r.t, db, `SELECT id, email, name, version, session_version FROM users`, func(u *userRow) []any {
		return []any{&u.email, &u.name, &u.version, &u.sessionVersion}
	})
	sessions := rows(r.t, db, `SELECT id, user_id, ended_at IS NOT NULL, refresh_generation FROM sessions`, func(s *sessionRow) []any {
		return []any{&s.user, &s.ended, &s.generation}
	})
	opened := map[string]int{} // sessions by user
	for _, s := range sessions {
		opened[s.user]++
	}
	for _, a := range r.actors {
		if a.open != nil {
			r.cutOff++
		}
		for _, p := range a.people {
			r.compare(p, a.open, users, sessions)
			r.unknown(p, a.open, opened[p.id])
		}
		for _, u := range users {
			if a.open != nil && a.open.kind == register && u.email == a.open.who.email {
				r.applied++
			}
		}
	}
}

// unknown compares the number of a person's sessions: one more may be there, of
// a sign-in that was cut off.
func (r *crashRig) unknown(p *person, open *attempt, n int) {
	switch more := n - len(p.sessions); {
	case more == 1 && open != nil && open.who == p && open.kind == signIn:
		r.applied++
	case more > 0:
		r.lose("%s has %d sessions that nobody opened", p.email, more)
	}
}

// compare holds the rows of one person against the ledger.
func (r *crashRig) compare(p *person, open *attempt, users map[string]userRow, sessions map[string]sessionRow) {
	u, there := users[p.id]
	if !there {
		r.lose("%s was registered and is not in the database", p.email)
		return
	}
	patched := open != nil && open.who == p && open.kind == patch && u.name == open.name && u.version == p.version+1
	if !patched && (u.name != p.name || u.version != p.version) {
		r.lose("the profile of %s is %q at version %d, not %q at %d", p.email, u.name, u.version, p.name, p.version)
	}
	raised, exchanged := false, false
	for _, c := range p.sessions {
		s, there := sessions[c.id]
		ended := !c.ended && s.ended && open.ends(c)
		rotated := open != nil && open.kind == exchange && open.on == c && s.generation == c.generation+1
		switch {
		case !there:
			r.lose("session %s of %s is not in the database", c.id, p.email)
		case s.ended != c.ended && !ended:
			r.lose("session %s of %s: ended is %v, not %v", c.id, p.email, s.ended, c.ended)
		case s.generation != c.generation && !rotated:
			r.lose("session %s of %s was exchanged %d times, not %d", c.id, p.email, s.generation, c.generation)
		}
		raised, exchanged = raised || ended, exchanged || rotated
	}
	want := p.sessionVersion
	if raised {
		want++
	}
	if u.sessionVersion != want {
		r.lose("the session version of %s is %d, not %d", p.email, u.sessionVersion, want)
	}
	if patched || raised || exchanged {
		r.applied++
	}
}

// rows reads a table by the id in its first column.
func rows[T any](t testing.TB, db *sql.DB, text string, dest func(*T) []any) map[string]T {
	t.Helper()
	found, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	out := map[string]T{}
	for found.Next() {
		var id string
		var row T
		if err := found.Scan(append([]any{&id}, dest(&row)...)...); err != nil {
			t.Fatal(err)
		}
		out[id] = row
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
