package event

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Audit gives the entries of a site's log that a filter wants, as the site may read them
// (AU-06), the place to go on from, and whether there are more. Who read them is noted (AU-05).
func (l *Log) Audit(ctx context.Context, siteID string, f otl.LogFilter) (found []otl.SiteEvent, last int64, more bool, err error) {
	if found, last, more, err = Page(ctx, l.Store, siteID, false, f); err != nil {
		return nil, 0, false, err
	}
	if err := l.noteReading(ctx, siteID, found); err != nil {
		return nil, 0, false, err
	}
	for i := range found {
		if found[i], err = l.view(ctx, found[i]); err != nil {
			return nil, 0, false, err
		}
	}
	return found, last, more, nil
}

// noteReading notes that entries were read, unless they tell of nothing but earlier
// readings by the same: who follows the log must come to its end.
func (l *Log) noteReading(ctx context.Context, siteID string, found []otl.SiteEvent) error {
	by, news := otl.RequestOf(ctx).Actor(), false
	for _, e := range found {
		news = news || e.Type != otl.EventAuditRead || e.By != by
	}
	if !news {
		return nil
	}
	from, to := found[0].Seq, found[len(found)-1].Seq
	return l.Note(ctx, otl.EventAuditRead, siteID, min(from, to), max(from, to))
}

// Note writes that entries of a log, of the installation for site "", were read or
// exported.
func (l *Log) Note(ctx context.Context, t otl.EventType, siteID string, from, to int64) error {
	now := l.Now()
	return l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Events.Append(ctx, otl.Event{
			ID: "evt_" + secret.NewID(now), Type: t, SiteID: siteID, CreatedAt: now,
			Data: map[string]string{"from": strconv.FormatInt(from, 10), "to": strconv.FormatInt(to, 10)},
		})
	})
}

// view leaves out of an entry what the site whose log it is has no business with:
// keys, addresses and requests of others (TE-11), and names of fields it was not
// granted.
func (l *Log) view(ctx context.Context, e otl.SiteEvent) (otl.SiteEvent, error) {
	its := e.Via == e.SiteID
	here := e.Event.SiteID == e.SiteID
	if foreign := e.By.Kind == otl.ActorSiteKey || e.By.Kind == otl.ActorClient; !its && (foreign || !here) {
		e.By = otl.Actor{}
	}
	if !its && (!here || e.UserID != "") {
		e.From, e.RequestID = "", ""
	}
	if !its {
		e.Via = ""
	}
	switch e.Type {
	case otl.EventUserDeleted:
		e.Data = maps.Clone(e.Data)
		delete(e.Data, otl.DataSites)
	case otl.EventSignInFailed:
		return l.failed(ctx, e)
	case otl.EventUserUpdated:
		g, err := l.Store.Read.Grants.Of(ctx, e.UserID, e.SiteID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return e, err
		}
		if !g.Live() {
			g.Fields = nil
		}
		e.Data = map[string]string{otl.DataChanged: strings.Join(Seen(g.Fields, e.Event), " ")}
	}
	return e, nil
}

// failed leaves of a sign-in that failed what the answer said: whether there is such a
// person, and what is the matter with him, is known of the site's own people alone (PW-09).
func (l *Log) failed(ctx context.Context, e otl.SiteEvent) (otl.SiteEvent, error) {
	e.Data = maps.Clone(e.Data)
	e.Data[otl.DataReason] = e.Data[otl.DataAnswer]
	delete(e.Data, otl.DataAnswer)
	if e.UserID == "" {
		return e, nil
	}
	g, err := l.Store.Read.Grants.Of(ctx, e.UserID, e.SiteID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return e, err
	}
	if !g.Live() {
		e.UserID = ""
		if e.By.ID != "" && e.By.Kind == otl.ActorPerson {
			e.By = otl.Actor{Kind: otl.ActorAnybody}
		}
	}
	return e, nil
}
