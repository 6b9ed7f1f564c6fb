package event

import (
	"context"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	// window is how many entries are looked at for one page of what a filter lets pass: a
	// page may have none, and still lead on.
	window = 10_000
	// slack is by how many places the order of a log may differ from that of clocks.
	slack = 256
)

// Page gives the next entries of a site's log that a filter wants, those it is told of where
// told is true, the place to go on from, and whether there are more.
func Page(ctx context.Context, st *store.Store, siteID string, told bool, f otl.LogFilter) (found []otl.SiteEvent, last int64, more bool, err error) {
	if f.Plain() {
		if found, err = st.Read.Logs.Of(ctx, siteID, f.At, told, f.Limit+1); err != nil || len(found) == 0 {
			return nil, f.At, false, err
		}
		if more = len(found) > f.Limit; more {
			found = found[:f.Limit]
		}
		return found, found[len(found)-1].Seq, more, nil
	}
	first, head, err := ends(ctx, st, siteID, f)
	if err != nil {
		return nil, f.At, false, err
	}
	from, to := max(f.At+1, first), head
	if f.Newest {
		if from = first; f.At > 0 {
			to = f.At - 1
		}
	}
	span := [2]int64{from, min(to, from+window-1)}
	if f.Newest {
		span = [2]int64{max(from, to-window+1), to}
	}
	if span[0] > span[1] {
		return nil, f.At, false, nil
	}
	if found, err = st.Read.Logs.Find(ctx, siteID, told, f, span); err != nil {
		return nil, f.At, false, err
	}
	switch {
	case len(found) > f.Limit:
		found = slices.Clip(found[:f.Limit])
		return found, found[f.Limit-1].Seq, true, nil
	case f.Newest:
		return found, span[0], span[0] > from, nil
	}
	return found, span[1], span[1] < to, nil
}

// From gives the first place of a site's log at which something of a moment or later may be.
func From(ctx context.Context, st *store.Store, siteID string, since time.Time) (int64, error) {
	first, _, err := ends(ctx, st, siteID, otl.LogFilter{Since: since})
	return first, err
}

// ends gives the first place at which a filter may want something, and the last of the log.
func ends(ctx context.Context, st *store.Store, siteID string, f otl.LogFilter) (first, head int64, err error) {
	if head, err = st.Read.Logs.Newest(ctx, siteID); err != nil || f.Since.IsZero() {
		return 1, head, err
	}
	first, err = st.Read.Logs.Since(ctx, siteID, "evt_"+secret.FirstID(f.Since))
	if first == 0 {
		first = head + 1 + slack
	}
	return max(1, first-slack), head, err
}
