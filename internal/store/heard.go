package store

import (
	"context"
	"sync/atomic"

	"github.com/onetimelogin/otl/internal/otl"
)

// Heard is a statement that was run.
type Heard struct {
	Text   string
	Rows   int  // how many it gave or touched
	Writes bool // it is one of a transaction
}

// counter counts the statements of a store, and has them heard by whoever listens.
type counter struct {
	atomic.Uint64
	hears atomic.Pointer[func(Heard)]
}

// heard tells whoever listens of a statement that was run.
func (c *counter) heard(ctx context.Context, text string, rows int) {
	if hears := c.hears.Load(); hears != nil {
		(*hears)(Heard{text, rows, otl.Transactional(ctx)})
	}
}

// Hear has every statement that groups run from now on told to a function, which may be called by many at
// once; nil for nobody. It is for whoever measures what a request costs: that may not tell who has an account (OT-10).
func (s *Store) Hear(hears func(Heard)) {
	if hears == nil {
		s.ran.hears.Store(nil)
		return
	}
	s.ran.hears.Store(&hears)
}
