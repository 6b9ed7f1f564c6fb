package event

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Report is what became of the check of one log.
type Report struct {
	SiteID string    // "" for the installation
	First  int64     // the place the log begins at: 1, or behind what retention took
	Since  time.Time // when its first entry was written; zero without one
	Head   otl.Head
	Faults []Fault
}

// Fault is a place at which a log is not what it was.
type Fault struct {
	Seq     int64
	EventID string // "" for one that is gone
	What    string
}

// verifyPage is how many entries are read at once.
const verifyPage = 2000

// Verify goes through a log, that of the installation for "", and says where an
// entry was changed, removed, moved or put in (AU-03). Only who can also write
// every later entry and the head anew escapes it: keep the head of a Report
// elsewhere, and compare.
func (l *Log) Verify(ctx context.Context, siteID string) (Report, error) {
	span, err := l.Store.Read.Logs.Span(ctx, siteID)
	if err != nil {
		return Report{}, fmt.Errorf("read the ends of the log: %w", err)
	}
	c := checker{Report: Report{SiteID: siteID, First: span.Pruned.Length + 1, Head: span.Head}, at: span.Pruned, erased: map[string]int64{}}
	for more := true; more; {
		before := c.at.Length
		if siteID == "" {
			err = c.installation(ctx, l.Store.Read)
		} else {
			err = c.site(ctx, l.Store.Read)
		}
		if err != nil {
			return c.Report, err
		}
		more = c.at.Length > before
	}
	c.end()
	return c.Report, nil
}

// checker is how far a check has come.
type checker struct {
	Report
	at     otl.Head
	erased map[string]int64 // of people of whose deletion nothing was read yet: where an entry about them lost something
	faded  int64            // up to where the log says that entries lost their addresses
}

// At gives the hash at a place of the installation's log, or false where there is no
// entry any more or yet.
func (l *Log) At(ctx context.Context, seq int64) ([]byte, bool, error) {
	found, err := l.Store.Read.Events.Stored(ctx, seq-1, seq, 1)
	if err != nil {
		return nil, false, err
	}
	if len(found) == 1 {
		return found[0].Hash, true, nil
	}
	span, err := l.Store.Read.Logs.Span(ctx, "")
	return span.Pruned.Hash, err == nil && seq > 0 && span.Pruned.Length == seq, err
}

func (c *checker) installation(ctx context.Context, tx *store.Tx) error {
	return tx.Events.Through(ctx, c.at.Length, c.Head.Length, verifyPage, func(e *store.Entry) {
		c.erasure(e)
		c.entry(&e.Event, e.Seq, e.Hash, link(c.at.Hash, e.Seq, said(e)))
	})
}

func (c *checker) site(ctx context.Context, tx *store.Tx) error {
	return tx.Logs.Through(ctx, c.SiteID, c.at.Length, c.Head.Length, verifyPage, func(e *store.SiteEntry) {
		what := said(&store.Entry{Event: e.Event, Data: e.Data, Changes: e.Changes})
		c.entry(&e.Event, e.SiteEvent.Seq, e.SiteEvent.Hash, linkSite(c.at.Hash, e.SiteEvent.Seq, what, e.Told, e.UserSeq))
	})
}

// entry looks at one entry: it stands right behind the one before, and its hash is
// what follows from both.
func (c *checker) entry(e *otl.Event, seq int64, have, want []byte) {
	c.gap(seq)
	if c.Since.IsZero() {
		c.Since = e.CreatedAt
	}
	if len(have) != sha256.Size || !bytes.Equal(have, want) {
		c.fault(Fault{seq, e.ID, "the entry was changed, or is not the one that stood here"})
	}
	c.at = otl.Head{Length: seq, Hash: have}
}

// erasure looks at an entry that lost what identifies a person: it has, and he was deleted, or
// the log says that it was old.
func (c *checker) erasure(e *store.Entry) {
	if len(e.Erased) > 0 {
		read := e.Read()
		if !bare(&read.Event) {
			c.fault(Fault{e.Seq, e.ID, "the entry was changed where it was erased"})
		}
		c.erased[e.UserID] = e.Seq
	}
	switch e.Type {
	case otl.EventUserDeleted:
		delete(c.erased, e.UserID)
	case otl.EventAddressesGone:
		if to, err := strconv.ParseInt(e.Read().Event.Data["to"], 10, 64); err == nil {
			c.faded = max(c.faded, to)
		}
	}
}

// gap names the entries missing before a place.
func (c *checker) gap(seq int64) {
	switch missing := seq - c.at.Length - 1; {
	case missing == 1:
		c.fault(Fault{seq - 1, "", "the entry is missing"})
	case missing > 1:
		c.fault(Fault{c.at.Length + 1, "", fmt.Sprintf("the entries up to %d are missing", seq-1)})
	}
}

// end compares where the log ends with where it says it does.
func (c *checker) end() {
	for _, seq := range c.erased {
		if seq > c.faded {
			c.fault(Fault{seq, "", "the entry was erased, and nobody was deleted"})
		}
	}
	c.gap(c.Head.Length + 1)
	if c.at.Length == c.Head.Length && !bytes.Equal(c.at.Hash, c.Head.Hash) {
		c.fault(Fault{c.Head.Length, "", "the log does not end with this entry"})
	}
}

func (c *checker) fault(f Fault) { c.Faults = append(c.Faults, f) }
