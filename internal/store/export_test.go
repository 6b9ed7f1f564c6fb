package store

// Conn is conn, for tests.
type Conn = conn

// NewTx gives the groups of statements on a connection of the test's own.
func NewTx(c Conn) *Tx { return newTx(c, nil, new(counter)) }

// Steady is steady, for tests.
func Steady(text string) string { return steady(text) }

// Name is name, for tests.
func Name(link func(from, to string) error, from, to string) error { return name(link, from, to) }

// Round has patient writes to SQLite wait for what round gives.
func Round(st *Store, round func() <-chan struct{}) { st.engine.(*lite).writer.round = round }
