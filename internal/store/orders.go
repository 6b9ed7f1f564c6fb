package store

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Plans is the group of statements about what can be ordered.
type Plans struct{ group }

const planColumns = `name, amount, currency, updated_at`

func planDest(p *otl.Plan) []any { return []any{&p.Name, &p.Amount, &p.Currency, at(&p.UpdatedAt)} }

// Put writes a plan, new or in the place of the one of its name.
func (g Plans) Put(ctx context.Context, p otl.Plan) error {
	_, err := g.exec(ctx, `INSERT INTO plans (name, amount, currency, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET amount = $2, currency = $3, updated_at = $4`, p.Name, p.Amount, p.Currency, millis(p.UpdatedAt))
	return err
}

// ByName gives one plan.
func (g Plans) ByName(ctx context.Context, name string) (otl.Plan, error) {
	var p otl.Plan
	err := g.one(ctx, `SELECT `+planColumns+` FROM plans WHERE name = $1`, []any{name}, planDest(&p)...)
	return p, err
}

// List gives plans behind a name, by name.
func (g Plans) List(ctx context.Context, after string, limit int) ([]otl.Plan, error) {
	return all(ctx, g.group, `SELECT `+planColumns+` FROM plans WHERE name > $1 ORDER BY name LIMIT $2`, []any{after, limit}, planDest)
}

// Orders is the group of statements about what was ordered.
type Orders struct{ group }

const orderColumns = `o.id, o.site_id, o.plan, o.amount, o.currency, o.status, o.created_at, o.completed_at`

func orderDest(o *otl.Order) []any {
	return []any{&o.ID, &o.SiteID, &o.Plan, &o.Amount, &o.Currency, &o.Status, at(&o.CreatedAt), at(&o.CompletedAt)}
}

// Insert adds an order.
func (g Orders) Insert(ctx context.Context, o otl.Order) error {
	_, err := g.exec(ctx, `INSERT INTO orders (id, site_id, plan, amount, currency, status, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		o.ID, o.SiteID, o.Plan, o.Amount, o.Currency, string(o.Status), millis(o.CreatedAt))
	return err
}

// Move gives an order a status if it has another one, and the time of its payment where that
// is none yet and paid is not zero. The error is ErrNotFound where it has not.
func (g Orders) Move(ctx context.Context, id string, from, to otl.OrderStatus, paid time.Time) (otl.Order, error) {
	var o otl.Order
	err := g.one(ctx, `UPDATE orders SET status = $1, completed_at = COALESCE(completed_at, $2) WHERE id = $3 AND status = $4
		RETURNING id, site_id, plan, amount, currency, status, created_at, completed_at`,
		[]any{string(to), millis(paid), id, string(from)}, orderDest(&o)...)
	return o, err
}

// ByID gives one order.
func (g Orders) ByID(ctx context.Context, id string) (otl.Order, error) {
	var o otl.Order
	err := g.one(ctx, `SELECT `+orderColumns+` FROM orders o WHERE o.id = $1`, []any{id}, orderDest(&o)...)
	return o, err
}

// List gives orders before an id ("" for the newest), newest first; those of one site, or of
// all for "".
func (g Orders) List(ctx context.Context, siteID, before string, limit int) ([]otl.Order, error) {
	if before == "" {
		before = "~" // behind every id
	}
	if siteID == "" {
		return all(ctx, g.group, `SELECT `+orderColumns+` FROM orders o WHERE id < $1 ORDER BY id DESC LIMIT $2`, []any{before, limit}, orderDest)
	}
	return all(ctx, g.group, `SELECT `+orderColumns+` FROM orders o WHERE o.site_id = $1 AND o.id < $2 ORDER BY o.id DESC LIMIT $3`, []any{siteID, before, limit}, orderDest)
}

// OwnedBy gives the orders of the sites a person owns, before an id ("" for the newest),
// newest first.
func (g Orders) OwnedBy(ctx context.Context, userID, before string, limit int) ([]otl.Order, error) {
	if before == "" {
		before = "~"
	}
	return all(ctx, g.group, `SELECT `+orderColumns+` FROM business_members m JOIN sites s ON s.business_id = m.business_id AND s.deleted_at IS NULL AND NOT s.first_party
		JOIN orders o ON o.site_id = s.id WHERE m.user_id = $1 AND m.role = 'owner' AND o.id < $2 ORDER BY o.id DESC LIMIT $3`, []any{userID, before, limit}, orderDest)
}

// Owned gives one order of a site that a person owns.
func (g Orders) Owned(ctx context.Context, userID, id string) (otl.Order, error) {
	var o otl.Order
	err := g.one(ctx, `SELECT `+orderColumns+` FROM orders o JOIN sites s ON s.id = o.site_id AND s.deleted_at IS NULL AND NOT s.first_party
		JOIN business_members m ON m.business_id = s.business_id AND m.role = 'owner' WHERE o.id = $1 AND m.user_id = $2`, []any{id, userID}, orderDest(&o)...)
	return o, err
}
