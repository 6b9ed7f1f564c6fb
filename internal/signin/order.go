package signin

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/store"
)

// personFirst is the error of a transaction that is to begin with the row of a person.
type personFirst struct{ userID string }

// Error implements error.
func (personFirst) Error() string { return "the row of a person is locked before what was sent to him" }

// inOrder runs a transaction that uses up what was sent to somebody. What proves an address or a number takes away what
// else was sent to him (OT-16), and so does a change of them (OT-17): on PostgreSQL each would wait for what the other
// has locked, were it not the row of the person that both begin with. So a transaction that turns out to be
// such a proof is run again; locked is the id of the person whose row it begins with then, and "" before. Every guess could begin so, but the
// time that takes would tell whether there is somebody (OT-10).
func inOrder(ctx context.Context, s *Codes, fn func(ctx context.Context, tx *store.Tx, locked string) error) error {
	for locked := ""; ; {
		err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			if locked != "" {
				if err := tx.Users.Lock(ctx, locked); err != nil {
					return err
				}
			}
			return fn(ctx, tx, locked)
		})
		var proof personFirst
		if !errors.As(err, &proof) || proof.userID == locked {
			return err
		}
		locked = proof.userID // once more where another has the address of a newcomer's link by now
	}
}
