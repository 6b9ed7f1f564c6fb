package store

import (
	"strings"
	"sync/atomic"
	"testing"
)

// Conn is conn, for tests.
type Conn = conn

// NewTx gives the groups of statements on a connection of the test's own.
func NewTx(c Conn) *Tx { return newTx(c, nil, new(atomic.Uint64)) }

// Steady is steady, for tests.
func Steady(text string) string { return steady(text) }

// TestReturnedPeopleAreWhole: the columns of a person are the same, in the same order, with and
// without a name before them.
func TestReturnedPeopleAreWhole(t *testing.T) {
	t.Parallel()
	if got := strings.ReplaceAll(userColumns, "u.", ""); got != returnedUser {
		t.Errorf("%s\n%s", got, returnedUser)
	}
}
