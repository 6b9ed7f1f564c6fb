package store

import "context"

// Conn is conn, for tests.
type Conn = conn

// NewTx gives the groups of statements on a connection of the test's own.
func NewTx(c Conn) *Tx { return newTx(c, nil, new(counter)) }

// Steady is steady, for tests.
func Steady(text string) string { return steady(text) }

// Name is name, for tests.
func Name(link func(from, to string) error, from, to string) error { return name(link, from, to) }

// Round has writes to SQLite wait for what round gives.
func Round(st *Store, round func() <-chan struct{}) { st.engine.(*lite).writer.round = round }

// Look has the server of an SQLite file look now for what other processes wrote.
func Look(ctx context.Context, st *Store) error {
	return st.Write(ctx, func(context.Context, *Tx) error {
		st.engine.(*lite).writer.look()
		return nil
	})
}

// Remembers reports whether the server of an SQLite file has kept a session, whether or not it may use that now.
func Remembers(st *Store, session string) bool {
	st.recall.mu.RLock()
	defer st.recall.mu.RUnlock()
	_, has := st.recall.standings[session]
	return has
}
