package native

import (
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// orders are the operations of owners on what their sites ordered (contract 1.6). They only
// look: orders are kept by operators.
type orders struct{ *Surface }

type orderOut struct {
	ID          string     `json:"id"`
	SiteID      string     `json:"site_id"`
	Plan        string     `json:"plan" doc:"A label: nothing depends on it."`
	Amount      int64      `json:"amount" doc:"In the smallest unit of the currency."`
	Currency    string     `json:"currency" doc:"ISO 4217."`
	Status      string     `json:"status" enum:"pending,completed,failed,refunded"`
	CreatedAt   time.Time  `json:"created_at"`
	CompletedAt *time.Time `json:"completed_at" doc:"When it was paid; null until then."`
}

func newOrderOut(o otl.Order) orderOut {
	return orderOut{o.ID, o.SiteID, o.Plan, o.Amount, o.Currency, string(o.Status), o.CreatedAt, seen(o.CompletedAt)}
}

type listOrdersIn struct {
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"next_cursor of the page before."`
}

type ordersOut struct {
	Data       []orderOut `json:"data"`
	NextCursor *string    `json:"next_cursor" doc:"null on the last page."`
}

func (s orders) list(c *call, in *listOrdersIn) (*ordersOut, error) {
	list := "orders|" + c.bearer.User.ID
	before, limit, err := s.after(paging{in.Limit, in.Cursor}, list)
	if err != nil {
		return nil, err
	}
	found, err := s.Orders.OwnedBy(c.ctx, c.bearer.User.ID, before, limit+1)
	if err != nil {
		return nil, err
	}
	out := &ordersOut{Data: []orderOut{}}
	for i, o := range found {
		if i == limit {
			out.NextCursor = s.next(true, found[limit-1].ID, list)
			break
		}
		out.Data = append(out.Data, newOrderOut(o))
	}
	return out, nil
}

type orderIn struct {
	ID string `path:"id" json:"-" doc:"Order id."`
}

func (s orders) get(c *call, in *orderIn) (*orderOut, error) {
	o, err := s.Orders.Owned(c.ctx, c.bearer.User.ID, in.ID)
	if err != nil {
		return nil, err
	}
	return ptr(newOrderOut(o)), nil
}

func (s orders) routes() {
	sample := orderOut{ID: sampleSession, SiteID: sampleSite, Plan: "pro", Amount: 4900, Currency: "EUR", Status: "completed", CreatedAt: sampleTime(), CompletedAt: ptr(sampleTime())}
	route(s.Surface, operation{
		id: "listOrders", method: http.MethodGet, path: "/payments/orders", tag: tagSites,
		summary: "List orders", text: "What one's sites ordered, newest first. The operator of this server makes orders and says when they are paid, which the site is told of by payment.completed.",
		access: byOwner, success: http.StatusOK, answer: ordersOut{Data: []orderOut{sample}},
	}, s.list)
	route(s.Surface, operation{
		id: "getOrder", method: http.MethodGet, path: "/payments/orders/{id}", tag: tagSites,
		summary: "Read an order", text: "One order of a site of one's own.",
		access: byOwner, success: http.StatusOK, errors: []int{404}, answer: sample,
	}, s.get)
}
