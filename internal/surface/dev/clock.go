package dev

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// Clock is the time of a server, which can be moved forward. How far it was moved
// is kept in a file, so that a restart does not turn it back.
type Clock struct {
	path string

	mu    sync.Mutex
	ahead time.Duration
}

// most is how far a clock may be moved, all in all.
const most = 10 * 365 * 24 * time.Hour

// errClock means that a clock cannot be moved as asked.
var errClock = errors.New("must be a duration such as 31m, forward, and at most ten years in all")

// NewClock reads how far the clock of a directory was moved; not at all without
// the file.
func NewClock(path string) (*Clock, error) {
	c := &Clock{path: path}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c.ahead, err = time.ParseDuration(strings.TrimSpace(string(raw)))
	return c, err
}

// Now gives the time as it is stored: in UTC, to the millisecond.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead).UTC().Truncate(time.Millisecond)
}

// Moved says how far the clock was moved.
func (c *Clock) Moved() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d < 0 || d > most-c.ahead {
		return errClock
	}
	return c.set(c.ahead + d)
}

// Reset sets the clock to the time of the machine.
func (c *Clock) Reset() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set(0)
}

func (c *Clock) set(ahead time.Duration) error {
	if err := os.WriteFile(c.path, []byte(ahead.String()+"\n"), 0o600); err != nil {
		return err
	}
	c.ahead = ahead
	return nil
}
