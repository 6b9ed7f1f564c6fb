package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Endpoints is the group of statements about where sites are told of events.
type Endpoints struct{ group }

// Secrets are the secrets of an endpoint as they are kept: sealed.
type Secrets struct {
	Current []byte
	Old     []byte // signs too until OldUntil; nil for none
}

// StoredEndpoint is an endpoint with its secrets.
type StoredEndpoint struct {
	otl.Endpoint
	Secrets Secrets
}

const endpointColumns = `p.id, p.site_id, p.url, p.description, p.events, p.state, p.reason, p.old_until, p.failing_since, p.warned_at,
	p.leased_by, p.leased_until, p.created_at, p.updated_at, p.secret, p.old_secret, p.client, p.verified_at, p.asked_at`

func endpointDest(e *StoredEndpoint) []any {
	return []any{
		&e.ID, &e.SiteID, &e.URL, &e.Description, words(&e.Events, otl.StoredEventTypes), &e.State, &e.Reason, at(&e.OldUntil), at(&e.FailingSince),
		at(&e.WarnedAt), &e.LeasedBy, at(&e.LeasedUntil), at(&e.CreatedAt), at(&e.UpdatedAt), &e.Secrets.Current, &e.Secrets.Old, &e.Client, at(&e.VerifiedAt), at(&e.AskedAt),
	}
}

// Insert adds an endpoint.
func (g Endpoints) Insert(ctx context.Context, e StoredEndpoint) error {
	_, err := g.exec(ctx, `INSERT INTO endpoints (id, site_id, url, description, events, secret, state, reason, leased_by, leased_until, created_at, updated_at, client, verified_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', 0, $9, $9, $10, $11)`,
		e.ID, e.SiteID, e.URL, e.Description, e.Events.String(), e.Secrets.Current, string(e.State), e.Reason, millis(e.CreatedAt), e.Client, millis(e.VerifiedAt))
	return err
}

// EndpointChange is what somebody sets of an endpoint. What is nil stays as it is stored at
// that moment, whatever it was read as.
type EndpointChange struct {
	URL, Description, Events, State *string
	Reason                          string    // of the state, if that becomes another
	VerifiedAt                      time.Time // of another URL; zero for one that is still to be asked
}

// Update writes what somebody sets of an endpoint. One that is turned on is not held to have
// failed before, and one with another URL not to have been asked or verified.
func (g Endpoints) Update(ctx context.Context, id string, c EndpointChange, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE endpoints SET url = COALESCE($1, url), description = COALESCE($2, description), events = COALESCE($3, events),
			verified_at = CASE WHEN COALESCE($1, url) = url THEN verified_at ELSE $4 END, asked_at = CASE WHEN COALESCE($1, url) = url THEN asked_at END,
			state = COALESCE($5, state), reason = CASE WHEN COALESCE($5, state) = state THEN reason ELSE $6 END,
			failing_since = CASE WHEN $5 = 'on' AND state <> 'on' THEN NULL ELSE failing_since END,
			warned_at = CASE WHEN $5 = 'on' AND state <> 'on' THEN NULL ELSE warned_at END, updated_at = $7
		WHERE id = $8`, c.URL, c.Description, c.Events, millis(c.VerifiedAt), c.State, c.Reason, millis(now), id)
	return err
}

// Verified notes that an endpoint is the site's, if it still has the URL that showed it,
// and reports whether it has.
func (g Endpoints) Verified(ctx context.Context, id, url string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE endpoints SET verified_at = $1, updated_at = $1 WHERE id = $2 AND url = $3`, millis(now), id, url)
	return n == 1, err
}

// Asked notes that an endpoint is asked to show that it is the site's, and reports whether
// that is the first time since it got its URL.
func (g Endpoints) Asked(ctx context.Context, id, url string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE endpoints SET asked_at = $1 WHERE id = $2 AND url = $3 AND asked_at IS NULL AND verified_at IS NULL AND client = ''`, millis(now), id, url)
	return n == 1, err
}

// Rotate makes the secret of an endpoint its old one, good until a time, and gives
// it a new one.
func (g Endpoints) Rotate(ctx context.Context, id string, next []byte, until, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE endpoints SET old_secret = secret, old_until = $1, secret = $2, updated_at = $3 WHERE id = $4`,
		millis(until), next, millis(now), id)
	return err
}

// Delete removes an endpoint of a site with its deliveries, and reports whether
// there was one.
func (g Endpoints) Delete(ctx context.Context, siteID, id string) (bool, error) {
	n, err := g.exec(ctx, `DELETE FROM endpoints WHERE id = $1 AND site_id = $2`, id, siteID)
	return n == 1, err
}

// DeleteOf removes the endpoint of a client, if it has one.
func (g Endpoints) DeleteOf(ctx context.Context, client string) error {
	_, err := g.exec(ctx, `DELETE FROM endpoints WHERE client = $1 AND client <> ''`, client)
	return err
}

// ByID gives an endpoint of a site, of any for "".
func (g Endpoints) ByID(ctx context.Context, siteID, id string) (StoredEndpoint, error) {
	var e StoredEndpoint
	err := g.one(ctx, `SELECT `+endpointColumns+` FROM endpoints p JOIN sites s ON s.id = p.site_id
		WHERE p.id = $1 AND ($2 = '' OR p.site_id = $2) AND s.deleted_at IS NULL`, []any{id, siteID}, endpointDest(&e)...)
	return e, err
}

// OfSite gives the endpoints of a site, oldest first.
func (g Endpoints) OfSite(ctx context.Context, siteID string) ([]StoredEndpoint, error) {
	return all(ctx, g.group, `SELECT `+endpointColumns+` FROM endpoints p WHERE p.site_id = $1 ORDER BY p.id`, []any{siteID}, endpointDest)
}

// All gives endpoints after an id, whoever's they are.
func (g Endpoints) All(ctx context.Context, after string, limit int) ([]StoredEndpoint, error) {
	return all(ctx, g.group, `SELECT `+endpointColumns+` FROM endpoints p WHERE p.id > $1 ORDER BY p.id LIMIT $2`, []any{after, limit}, endpointDest)
}

// Seal replaces the sealed secrets of an endpoint, if they still are what they were
// read as.
func (g Endpoints) Seal(ctx context.Context, id string, was, now Secrets) error {
	_, err := g.exec(ctx, `UPDATE endpoints SET secret = $1, old_secret = $2 WHERE id = $3 AND secret = $4`, now.Current, now.Old, id, was.Current)
	return err
}

// Hearing gives the sites one of whose endpoints hears of a type of event.
func (g Endpoints) Hearing(ctx context.Context, t otl.EventType) ([]string, error) {
	return all(ctx, g.group, `SELECT DISTINCT p.site_id FROM endpoints p JOIN sites s ON s.id = p.site_id
		WHERE s.deleted_at IS NULL AND p.state <> 'disabled' AND (p.events = '' OR ' ' || p.events || ' ' LIKE $1) ORDER BY p.site_id`,
		[]any{"% " + string(t) + " %"}, func(s *string) []any { return []any{s} })
}

// Ready gives endpoints that are on, have a delivery that is due or are still to be asked
// whether they are the site's, and are sent to by no node: at most limit of them, those
// first whose lease ended first.
func (g Endpoints) Ready(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return all(ctx, g.group, `SELECT p.id FROM endpoints p JOIN sites s ON s.id = p.site_id
		WHERE p.state = 'on' AND p.leased_until <= $1 AND s.deleted_at IS NULL
		AND (p.asked_at IS NULL AND p.verified_at IS NULL AND p.client = ''
			OR EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = p.id AND d.state = 'waiting' AND d.due_at <= $1))
		ORDER BY p.leased_until, p.id LIMIT $2`, []any{millis(now), limit}, func(s *string) []any { return []any{s} })
}

// Lease has a node send to an endpoint that is on, until a time, and reports
// whether it may: no other one does.
func (g Endpoints) Lease(ctx context.Context, id, node string, until, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE endpoints SET leased_by = $1, leased_until = $2 WHERE id = $3 AND state = 'on' AND (leased_by = $1 OR leased_until <= $4)`,
		node, millis(until), id, millis(now))
	return n == 1, err
}

// Release gives up a lease.
func (g Endpoints) Release(ctx context.Context, id, node string) error {
	_, err := g.exec(ctx, `UPDATE endpoints SET leased_by = '', leased_until = 0 WHERE id = $1 AND leased_by = $2`, id, node)
	return err
}

// ReleaseAll ends every lease.
func (g Endpoints) ReleaseAll(ctx context.Context) error {
	_, err := g.exec(ctx, `UPDATE endpoints SET leased_by = '', leased_until = 0 WHERE leased_until > 0`)
	return err
}

// Answered notes that an endpoint takes what it is sent again.
func (g Endpoints) Answered(ctx context.Context, id string) error {
	_, err := g.exec(ctx, `UPDATE endpoints SET failing_since = NULL, warned_at = NULL WHERE id = $1 AND failing_since IS NOT NULL`, id)
	return err
}

// Failed notes that a try failed and gives since when all did, and when its owners
// were told so.
func (g Endpoints) Failed(ctx context.Context, id string, now time.Time) (since, warned time.Time, err error) {
	err = g.one(ctx, `UPDATE endpoints SET failing_since = COALESCE(failing_since, $1) WHERE id = $2 RETURNING failing_since, warned_at`,
		[]any{millis(now), id}, at(&since), at(&warned))
	return since, warned, err
}

// Warned notes that the owners of an endpoint that fails were told so.
func (g Endpoints) Warned(ctx context.Context, id string, now time.Time) error {
	_, err := g.exec(ctx, `UPDATE endpoints SET warned_at = $1 WHERE id = $2`, millis(now), id)
	return err
}

// Full gives endpoints of sites that there are for which more deliveries wait than so many.
// No more are counted than that.
func (g Endpoints) Full(ctx context.Context, most int) ([]StoredEndpoint, error) {
	return all(ctx, g.group, `SELECT `+endpointColumns+` FROM endpoints p JOIN sites s ON s.id = p.site_id WHERE s.deleted_at IS NULL AND p.state <> 'disabled'
		AND EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = p.id AND d.state = 'waiting' LIMIT 1 OFFSET $1) ORDER BY p.id`,
		[]any{most}, endpointDest)
}

// Count gives how many endpoints of sites that there are stand how.
func (g Endpoints) Count(ctx context.Context) (map[otl.EndpointState]int, error) {
	type standing struct {
		state otl.EndpointState
		n     int
	}
	found, err := all(ctx, g.group, `SELECT p.state, count(*) FROM endpoints p JOIN sites s ON s.id = p.site_id WHERE s.deleted_at IS NULL GROUP BY p.state`,
		nil, func(s *standing) []any { return []any{&s.state, &s.n} })
	out := map[otl.EndpointState]int{}
	for _, s := range found {
		out[s.state] = s.n
	}
	return out, err
}

// Stop turns an endpoint off that is not disabled, nor as it is to be already, and reports
// whether it was.
func (g Endpoints) Stop(ctx context.Context, id string, state otl.EndpointState, reason string, now time.Time) (bool, error) {
	n, err := g.exec(ctx, `UPDATE endpoints SET state = $1, reason = $2, updated_at = $3 WHERE id = $4 AND state <> 'disabled' AND state <> $1`,
		string(state), reason, millis(now), id)
	return n == 1, err
}
