package site

import (
	"context"
	"errors"
	"strconv"
	"time"

	"golang.org/x/text/currency"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Orders keeps what can be ordered and what was. Only operators write here: nobody who calls
// from outside says what something costs, or that it was paid (OS-01).
type Orders struct {
	Store *store.Store
	Now   func() time.Time
}

// SetPlan makes a plan, or gives one another price. Orders that were made keep theirs.
func (s *Orders) SetPlan(ctx context.Context, p otl.Plan) (otl.Plan, error) {
	bad := faults{}
	bad.note(otl.CheckPlanName("name", p.Name))
	if p.Amount < 0 || p.Amount > otl.MaxAmount {
		bad.note(otl.InvalidField("amount", "out_of_range", "must be 0 to "+strconv.FormatInt(otl.MaxAmount, 10)+", in the smallest unit of the currency"))
	}
	unit, err := currency.ParseISO(p.Currency)
	if err != nil {
		bad.note(otl.InvalidField("currency", "unknown_value", "must be a currency by ISO 4217, such as EUR"))
	}
	if err := bad.err(); err != nil {
		return p, err
	}
	p.Currency, p.UpdatedAt = unit.String(), s.Now()
	return p, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		was, err := tx.Plans.ByName(ctx, p.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		before := planState(was)
		if err != nil {
			before = nil
		}
		if err := tx.Plans.Put(ctx, p); err != nil {
			return err
		}
		return appendEvent(ctx, tx, otl.EventPlanUpdated, "", p.UpdatedAt, map[string]string{otl.DataPlan: p.Name}, otl.Changes(before, planState(p))...)
	})
}

func planState(p otl.Plan) map[string]string {
	return map[string]string{"amount": strconv.FormatInt(p.Amount, 10), "currency": p.Currency}
}

// Plans gives plans behind a name, by name.
func (s *Orders) Plans(ctx context.Context, after string, limit int) ([]otl.Plan, error) {
	return s.Store.Read.Plans.List(ctx, after, limit)
}

// Create has a site order a plan, at the price it has now.
func (s *Orders) Create(ctx context.Context, siteID, plan string) (o otl.Order, err error) {
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		its, err := tx.Sites.ByID(ctx, siteID)
		if errors.Is(err, store.ErrNotFound) || err == nil && its.FirstParty {
			return otl.NoSuch("site")
		}
		if err != nil {
			return err
		}
		p, err := tx.Plans.ByName(ctx, plan)
		if errors.Is(err, store.ErrNotFound) {
			return otl.NoSuch("plan")
		}
		if err != nil {
			return err
		}
		now := s.Now()
		o = otl.Order{ID: secret.NewID(now), SiteID: siteID, Plan: p.Name, Amount: p.Amount, Currency: p.Currency, Status: otl.OrderPending, CreatedAt: now}
		if err := tx.Orders.Insert(ctx, o); err != nil {
			return err
		}
		return noteOrder(ctx, tx, otl.EventOrderCreated, o, now)
	})
	return o, err
}

// Move brings an order one step on: a pending one is paid or fails, one that was paid is paid
// back, and nothing else happens to any (OS-04). That it was paid is told in the same
// transaction, so once for each order whatever dies when (OS-03). The error for one that
// stands otherwise is a conflict.
func (s *Orders) Move(ctx context.Context, id string, to otl.OrderStatus) (o otl.Order, err error) {
	types := map[otl.OrderStatus]otl.EventType{otl.OrderCompleted: otl.EventPaymentDone, otl.OrderFailed: otl.EventOrderFailed, otl.OrderRefunded: otl.EventOrderRefunded}
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, paid := s.Now(), time.Time{}
		if to == otl.OrderCompleted {
			paid = now
		}
		o, err = tx.Orders.Move(ctx, id, to.Before(), to, paid)
		if errors.Is(err, store.ErrNotFound) {
			return standing(ctx, tx, id, to)
		}
		if err != nil {
			return err
		}
		return noteOrder(ctx, tx, types[to], o, now)
	})
	return o, err
}

// standing is the error for an order that cannot get a status, or is none.
func standing(ctx context.Context, tx *store.Tx, id string, to otl.OrderStatus) error {
	o, err := tx.Orders.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return otl.NoSuch("order")
	}
	if err != nil {
		return err
	}
	return &otl.Error{Kind: otl.Conflict, Code: "order_status", Text: "The order is " + string(o.Status) + ", and only one that is " + string(to.Before()) + " can become " + string(to) + "."}
}

func noteOrder(ctx context.Context, tx *store.Tx, t otl.EventType, o otl.Order, now time.Time) error {
	return appendEvent(ctx, tx, t, o.SiteID, now, map[string]string{
		otl.DataOrder: o.ID, otl.DataPlan: o.Plan, otl.DataAmount: strconv.FormatInt(o.Amount, 10), otl.DataCurrency: o.Currency,
	})
}

// Get gives an order, whoever's it is.
func (s *Orders) Get(ctx context.Context, id string) (otl.Order, error) {
	return found(s.Store.Read.Orders.ByID(ctx, id))
}

// List gives orders before an id ("" for the newest), newest first; those of one site, or of
// all for "".
func (s *Orders) List(ctx context.Context, siteID, before string, limit int) ([]otl.Order, error) {
	return s.Store.Read.Orders.List(ctx, siteID, before, limit)
}

// Owned gives an order of a site that a person owns. Any other is as unknown as one that never
// was (TE-01).
func (s *Orders) Owned(ctx context.Context, owner, id string) (otl.Order, error) {
	if !secret.ValidID(id) {
		return otl.Order{}, otl.NoSuch("order")
	}
	return found(s.Store.Read.Orders.Owned(ctx, owner, id))
}

func found(o otl.Order, err error) (otl.Order, error) {
	if errors.Is(err, store.ErrNotFound) {
		err = otl.NoSuch("order")
	}
	return o, err
}

// OwnedBy gives the orders of the sites a person owns, before an id ("" for the newest),
// newest first.
func (s *Orders) OwnedBy(ctx context.Context, owner, before string, limit int) ([]otl.Order, error) {
	return s.Store.Read.Orders.OwnedBy(ctx, owner, before, limit)
}
