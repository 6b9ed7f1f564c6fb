package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Deliveries is the group of statements about events on their way to endpoints.
type Deliveries struct{ group }

// Queued is a delivery with the event it brings.
type Queued struct {
	otl.Delivery
	Event otl.SiteEvent
}

const deliveryColumns = `d.endpoint_id, d.seq, d.state, d.tries, d.attempts, d.status, d.problem, d.due_at, d.created_at, d.settled_at`

func deliveryDest(d *otl.Delivery) []any {
	return []any{
		&d.EndpointID, &d.Seq, &d.State, &d.Tries, &d.Attempts, &d.Status, &d.Problem, at(&d.DueAt), at(&d.CreatedAt), at(&d.SettledAt),
	}
}

const (
	queuedColumns = deliveryColumns + `, ` + siteEventColumns
	queuedEvent   = ` JOIN endpoints p ON p.id = d.endpoint_id JOIN site_events l ON l.site_id = p.site_id AND l.seq = d.seq JOIN events e ON e.id = l.event_id `
	queuedFrom    = queuedColumns + ` FROM deliveries d` + queuedEvent
)

func queuedDest(q *Queued) []any {
	return append(deliveryDest(&q.Delivery), siteEventDest(&q.Event)...)
}

// Insert queues events of the logs of sites for endpoints; twice is once. Of each
// delivery it takes the endpoint and the place.
func (g Deliveries) Insert(ctx context.Context, now time.Time, queued []otl.Delivery) error {
	return inFull(queued, func(part []otl.Delivery) error {
		var args []any
		for _, d := range part {
			args = append(args, d.EndpointID, d.Seq, string(otl.DeliveryWaiting), 0, 0, 0, "", millis(now), millis(now))
		}
		_, err := g.exec(ctx, `INSERT INTO deliveries (endpoint_id, seq, state, tries, attempts, status, problem, due_at, created_at) VALUES `+rows(len(part), 9)+`
			ON CONFLICT (endpoint_id, seq) DO NOTHING`, args...)
		return err
	})
}

// Due gives what is to be sent to an endpoint by now, in the order in which it is
// due.
func (g Deliveries) Due(ctx context.Context, endpointID string, now time.Time, limit int) ([]Queued, error) {
	return all(ctx, g.group, `SELECT `+queuedFrom+`WHERE d.endpoint_id = $1 AND d.state = 'waiting' AND d.due_at <= $2 ORDER BY d.due_at, d.seq LIMIT $3`,
		[]any{endpointID, millis(now), limit}, queuedDest)
}

// Settle writes what became of deliveries by their latest attempts, of each if that is
// the next one still, and gives the places of those of which it was. They are all to one
// endpoint.
func (g Deliveries) Settle(ctx context.Context, settled []otl.Delivery) (mine []int64, err error) {
	err = inFull(settled, func(part []otl.Delivery) error {
		var args []any
		for _, d := range part {
			args = append(args, d.EndpointID, d.Seq, string(d.State), d.Tries, d.Attempts, d.Status, d.Problem, millis(d.DueAt), millis(d.SettledAt))
		}
		found, err := all(ctx, g.group, `WITH settled (endpoint_id, seq, state, tries, attempts, status, problem, due_at, settled_at) AS (VALUES `+
			typed("deliveries", "endpoint_id", "seq", "state", "tries", "attempts", "status", "problem", "due_at", "settled_at")+rows(len(part), 9)+`)
			UPDATE deliveries SET state = settled.state, tries = settled.tries, attempts = settled.attempts, status = settled.status, problem = settled.problem,
				due_at = settled.due_at, settled_at = settled.settled_at FROM settled
			WHERE deliveries.endpoint_id = settled.endpoint_id AND deliveries.seq = settled.seq AND deliveries.state = 'waiting'
				AND deliveries.attempts = settled.attempts - 1 RETURNING deliveries.seq`, args, func(n *int64) []any { return []any{n} })
		mine = append(mine, found...)
		return err
	})
	return mine, err
}

// Withdraw ends a delivery of which nothing may be told any more.
func (g Deliveries) Withdraw(ctx context.Context, endpointID string, seq int64, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE deliveries SET state = 'withdrawn', settled_at = $1 WHERE endpoint_id = $2 AND seq = $3 AND state = 'waiting'`,
		millis(now), endpointID, seq)
	return err
}

// GiveUp ends what waits for an endpoint that is disabled, for all such for "": at most limit
// deliveries, and says how many they were.
func (g Deliveries) GiveUp(ctx context.Context, endpointID string, now time.Time, limit int) (int, error) {
	return g.exec(ctx, `UPDATE deliveries SET state = 'dead', problem = 'the endpoint was disabled', settled_at = $1 WHERE state = 'waiting' AND (endpoint_id, seq) IN (
		SELECT d.endpoint_id, d.seq FROM endpoints p JOIN deliveries d ON d.endpoint_id = p.id AND d.state = 'waiting'
		WHERE p.state = 'disabled' AND ($2 = '' OR p.id = $2) LIMIT $3)`, millis(now), endpointID, limit)
}

// Attempted is an attempt with the delivery it was for.
type Attempted struct {
	otl.Delivery
	Attempt otl.Attempt
}

// Attempted writes attempts; twice is once.
func (g Deliveries) Attempted(ctx context.Context, made []Attempted) error {
	return inFull(made, func(part []Attempted) error {
		var args []any
		for _, m := range part {
			a := m.Attempt
			request, err := json.Marshal(a.Request)
			if err != nil {
				return err
			}
			response, err := json.Marshal(a.Response)
			if err != nil {
				return err
			}
			if a.Body == nil {
				a.Body = []byte{}
			}
			args = append(args, m.EndpointID, m.Seq, a.Number, millis(a.StartedAt), a.Took.Milliseconds(), a.Status, a.Problem, string(request), string(response), a.Body,
				a.Timing.Lookup.Milliseconds(), a.Timing.Connect.Milliseconds(), a.Timing.Handshake.Milliseconds(), a.Timing.Wait.Milliseconds())
		}
		_, err := g.exec(ctx, `INSERT INTO attempts (endpoint_id, seq, number, started_at, took, status, problem, request, response, body, lookup_ms, connect_ms, handshake_ms, wait_ms) VALUES `+
			rows(len(part), 14)+` ON CONFLICT (endpoint_id, seq, number) DO NOTHING`, args...)
		return err
	})
}

// Attempts gives the attempts of a delivery, the first one first.
func (g Deliveries) Attempts(ctx context.Context, endpointID string, seq int64) ([]otl.Attempt, error) {
	return all(ctx, g.group, `SELECT number, started_at, took, status, problem, request, response, body, lookup_ms, connect_ms, handshake_ms, wait_ms FROM attempts
		WHERE endpoint_id = $1 AND seq = $2 ORDER BY number`, []any{endpointID, seq}, func(a *otl.Attempt) []any {
		return []any{
			&a.Number, at(&a.StartedAt), words(&a.Took, storedMillis), &a.Status, &a.Problem, words(&a.Request, storedHead), words(&a.Response, storedHead), &a.Body,
			words(&a.Timing.Lookup, storedMillis), words(&a.Timing.Connect, storedMillis), words(&a.Timing.Handshake, storedMillis), words(&a.Timing.Wait, storedMillis),
		}
	})
}

func storedMillis(s string) time.Duration {
	d, _ := time.ParseDuration(s + "ms") // an integer, by the type of its column
	return d
}

func storedHead(s string) map[string][]string {
	var h map[string][]string
	_ = json.Unmarshal([]byte(s), &h) // written by Attempted
	return h
}

// List gives deliveries of an endpoint that a filter wants, newest first: those of events
// from a place of the log on, and before the filter's, in one state or all for "". It looks
// at so many of them.
func (g Deliveries) List(ctx context.Context, endpointID string, state otl.DeliveryState, f otl.LogFilter, from int64, window int) ([]Queued, error) {
	return all(ctx, g.group, `SELECT `+queuedColumns+` FROM (SELECT endpoint_id, seq FROM deliveries
			WHERE endpoint_id = $1 AND seq >= $2 AND ($3 = 0 OR seq < $3) ORDER BY seq DESC LIMIT $4) page
		JOIN deliveries d ON d.endpoint_id = page.endpoint_id AND d.seq = page.seq`+queuedEvent+`
		WHERE ($5 = '' OR d.state = $5) AND ($6 = '' OR e.type = $6) AND ($7 = '' OR e.user_id = $7) AND e.created_at >= $8 ORDER BY d.seq DESC LIMIT $9`,
		[]any{endpointID, from, f.At, window, string(state), string(f.Type), f.UserID, f.Since.UnixMilli(), f.Limit}, queuedDest)
}

// Edge gives the place of the delivery that List looks at last, ErrNotFound where it looks at
// all there are.
func (g Deliveries) Edge(ctx context.Context, endpointID string, before, from int64, window int) (seq int64, err error) {
	err = g.one(ctx, `SELECT seq FROM deliveries WHERE endpoint_id = $1 AND seq >= $2 AND ($3 = 0 OR seq < $3) ORDER BY seq DESC LIMIT 1 OFFSET $4`,
		[]any{endpointID, from, before, window - 1}, &seq)
	return seq, err
}

// Of gives the deliveries of one event of a site, by endpoint.
func (g Deliveries) Of(ctx context.Context, siteID, eventID string) ([]Queued, error) {
	return all(ctx, g.group, `SELECT `+queuedFrom+`WHERE p.site_id = $1 AND e.id = $2 ORDER BY d.endpoint_id`, []any{siteID, eventID}, queuedDest)
}

// Between gives the deliveries of events of a site from one place of its log to
// another.
func (g Deliveries) Between(ctx context.Context, siteID string, from, to int64) ([]otl.Delivery, error) {
	return all(ctx, g.group, `SELECT `+deliveryColumns+` FROM deliveries d JOIN endpoints p ON p.id = d.endpoint_id
		WHERE p.site_id = $1 AND d.seq >= $2 AND d.seq <= $3 ORDER BY d.endpoint_id, d.seq`, []any{siteID, from, to}, deliveryDest)
}

// Again has a delivery sent again, from the first try on, unless it waits.
func (g Deliveries) Again(ctx context.Context, endpointID string, seq int64, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE deliveries SET state = 'waiting', tries = 0, due_at = $1, settled_at = NULL WHERE endpoint_id = $2 AND seq = $3`,
		millis(now), endpointID, seq)
	return err
}

// Replayable gives places of the log of a site, after one, of events in a span of
// time of which it is told. With failed true they are those of the endpoint's deliveries
// that were given up.
func (g Deliveries) Replayable(ctx context.Context, r otl.Replay, after int64, limit int) ([]otl.SiteEvent, error) {
	if r.Failed {
		return all(ctx, g.group, `SELECT `+siteEventColumns+` FROM deliveries d JOIN site_events l ON l.site_id = $1 AND l.seq = d.seq JOIN events e ON e.id = l.event_id
			WHERE d.endpoint_id = $2 AND d.state = 'dead' AND d.seq > $3 AND e.created_at >= $4 AND e.created_at < $5 ORDER BY d.seq LIMIT $6`,
			[]any{r.SiteID, r.EndpointID, after, millis(r.Since), millis(r.Until), limit}, siteEventDest)
	}
	return all(ctx, g.group, `SELECT `+siteEventColumns+` FROM site_events l JOIN events e ON e.id = l.event_id
		WHERE l.site_id = $1 AND l.seq > $2 AND l.told AND e.created_at >= $3 AND e.created_at < $4 ORDER BY l.seq LIMIT $5`,
		[]any{r.SiteID, after, millis(r.Since), millis(r.Until), limit}, siteEventDest)
}

// Counts gives how many deliveries are due to endpoints that are on, and since when the
// oldest of them is due.
func (g Deliveries) Counts(ctx context.Context, now time.Time) (waiting int, oldest time.Time, err error) {
	err = g.one(ctx, `SELECT count(*), min(d.due_at) FROM endpoints p JOIN sites s ON s.id = p.site_id AND s.deleted_at IS NULL
		JOIN deliveries d ON d.endpoint_id = p.id AND d.state = 'waiting' AND d.due_at <= $1 WHERE p.state = 'on'`, []any{millis(now)}, &waiting, at(&oldest))
	return waiting, oldest, err
}

// Late gives how many endpoints that are on have something waiting that was due before a time.
func (g Deliveries) Late(ctx context.Context, before time.Time) (endpoints int, err error) {
	err = g.one(ctx, `SELECT count(DISTINCT p.id) FROM endpoints p JOIN sites s ON s.id = p.site_id AND s.deleted_at IS NULL
		JOIN deliveries d ON d.endpoint_id = p.id AND d.state = 'waiting' AND d.due_at <= $1 WHERE p.state = 'on'`, []any{millis(before)}, &endpoints)
	return endpoints, err
}

// Prune deletes deliveries that were queued before a time, and do not wait for anything
// later, with their attempts, at most limit of them, and says how many.
func (g Deliveries) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM deliveries WHERE (endpoint_id, seq) IN (SELECT endpoint_id, seq FROM deliveries WHERE created_at < $1 AND (state <> 'waiting' OR due_at < $1) LIMIT $2)`,
		millis(before), limit)
}
