package event

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// personal are the members of an event's data that tell more of a person than his id.
var personal = []string{otl.DataIP, otl.DataUserAgent}

// eraseStep is how many entries are written in one transaction.
const eraseStep = 200

// Forget takes what identifies people who were deleted out of what the log says of them
// (PR-05): addresses, and the browsers they used. Their ids stay, which stand for nobody any
// more, and the hashes of what was said, so that the log still verifies. What was begun
// and not finished is gone on with at the next call.
func (l *Log) Forget(ctx context.Context) error {
	people, err := l.Store.Read.Events.Forgotten(ctx, 100)
	if err != nil {
		return err
	}
	for _, id := range people {
		if err := l.forget(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) forget(ctx context.Context, userID string) error {
	for after := int64(0); ; {
		page, waiting, err := l.Store.Read.Events.About(ctx, userID, after, eraseStep)
		if err != nil || waiting { // what has no place yet is hashed when it gets one
			return err
		}
		done := len(page) < eraseStep
		if err := l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, e := range page {
				if err := erase(ctx, tx, e); err != nil {
					return err
				}
			}
			if done {
				return tx.Events.Forgot(ctx, userID)
			}
			return nil
		}); err != nil || done {
			return err
		}
		after = page[len(page)-1].Seq
	}
}

// erase takes what identifies a person out of one entry.
func erase(ctx context.Context, tx *store.Tx, e store.Entry) error {
	if len(e.Erased) > 0 {
		return nil
	}
	was := digest(&e)
	for _, member := range personal {
		delete(e.Event.Data, member)
	}
	return tx.Events.Erase(ctx, e, was[:])
}

// bare reports whether nothing identifies a person any more in an entry that says so.
func bare(e *otl.Event) bool {
	for _, member := range personal {
		if _, there := e.Data[member]; there {
			return false
		}
	}
	return e.From == ""
}
