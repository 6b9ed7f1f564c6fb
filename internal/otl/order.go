package otl

import (
	"slices"
	"time"
)

// Plan is something a site can order. It grants nothing: every feature is on, and the plan is
// a label on orders.
type Plan struct {
	Name      string
	Amount    int64  // in the smallest unit of the currency, 0 to MaxAmount
	Currency  string // ISO 4217
	UpdatedAt time.Time
}

// CheckPlanName checks the name of a plan: of the letters of a role's.
func CheckPlanName(field, s string) error {
	if CheckRoleName(field, s) != nil {
		return InvalidField(field, "not_a_plan_name", "must be 1 to 64 lower-case letters, digits and _-.:")
	}
	return nil
}

// MaxAmount is the most an order may cost.
const MaxAmount = 1_000_000_000_000

// Order is a plan that a site ordered, at the price the plan had then.
type Order struct {
	ID          string
	SiteID      string
	Plan        string
	Amount      int64 // in the smallest unit of the currency
	Currency    string
	Status      OrderStatus
	CreatedAt   time.Time
	CompletedAt time.Time // when it was paid; zero until then
}

// OrderStatus says how far an order is.
type OrderStatus string

// The statuses of an order (OS-04).
const (
	OrderPending   OrderStatus = "pending"
	OrderCompleted OrderStatus = "completed" // it was paid
	OrderFailed    OrderStatus = "failed"
	OrderRefunded  OrderStatus = "refunded"
)

// Before gives the status an order must have to get this one; "" where it only begins with
// it.
func (s OrderStatus) Before() OrderStatus {
	switch s {
	case OrderCompleted, OrderFailed:
		return OrderPending
	case OrderRefunded:
		return OrderCompleted
	}
	return ""
}

// Known reports whether an order can have this status.
func (s OrderStatus) Known() bool {
	return slices.Contains([]OrderStatus{OrderPending, OrderCompleted, OrderFailed, OrderRefunded}, s)
}
