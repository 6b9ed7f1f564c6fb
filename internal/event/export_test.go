package event

import (
	"context"

	"github.com/onetimelogin/otl/internal/store"
)

// Last is what comes last in a commit on SQLite.
func (l *Log) Last(ctx context.Context, tx *store.Tx, held []store.Entry) (after func(), rest bool, err error) {
	return l.last(ctx, tx, held)
}

// Batch is how many events get their places at once.
const Batch = batch

// Link gives the hash of an entry in the log of the installation.
func Link(before []byte, seq int64, e store.Entry) []byte { return link(before, seq, digest(&e)) }

// LinkSite gives the hash of an entry in the log of a site.
func LinkSite(before []byte, seq int64, e store.Entry, told bool, userSeq int64) []byte {
	return linkSite(before, seq, digest(&e), told, userSeq)
}
