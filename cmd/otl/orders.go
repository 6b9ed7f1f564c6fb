package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
)

// planJSON is a plan as commands print it.
type planJSON struct {
	Name      string    `json:"name"`
	Amount    int64     `json:"amount"` // in the smallest unit of the currency
	Currency  string    `json:"currency"`
	UpdatedAt time.Time `json:"updated_at"`
}

func planCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "plan", Short: "What sites can order; a label on orders, on which nothing depends"}
	c.AddCommand(planSet(a), planShow(a))
	return c
}

func planSet(a *app) *cobra.Command {
	var p otl.Plan
	c := &cobra.Command{
		Use: "set NAME", Short: "Make a plan, or give it another price; orders that were made keep theirs", Args: cobra.ExactArgs(1),
		Example: "  otl plan set pro --amount 4900 --currency EUR",
		RunE: func(c *cobra.Command, args []string) error {
			p.Name = args[0]
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				set, err := n.Orders.SetPlan(ctx, p)
				if err != nil {
					return err
				}
				out := planJSON(set)
				return a.print(out, func() { planTable(a.stdout, []planJSON{out}) })
			})
		},
	}
	c.Flags().Int64Var(&p.Amount, "amount", 0, "price in the smallest unit of the currency, such as cents")
	c.Flags().StringVar(&p.Currency, "currency", "", "currency by ISO 4217, such as EUR")
	require(c, "amount")
	require(c, "currency")
	return c
}

func planShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show the plans", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				out := []planJSON{}
				for after := ""; ; {
					page, err := n.Orders.Plans(ctx, after, 200)
					if err != nil {
						return err
					}
					if len(page) == 0 {
						return a.print(map[string]any{"data": out}, func() { planTable(a.stdout, out) })
					}
					for _, p := range page {
						out, after = append(out, planJSON(p)), p.Name
					}
				}
			})
		},
	}
}

func planTable(to io.Writer, all []planJSON) {
	table(to, []string{"PLAN", "AMOUNT", "CURRENCY", "SINCE"}, all, func(p planJSON) []string {
		return []string{p.Name, strconv.FormatInt(p.Amount, 10), p.Currency, moment(p.UpdatedAt)}
	})
}

// orderJSON is an order as commands print it.
type orderJSON struct {
	ID          string     `json:"id"`
	SiteID      string     `json:"site_id"`
	Plan        string     `json:"plan"`
	Amount      int64      `json:"amount"` // in the smallest unit of the currency
	Currency    string     `json:"currency"`
	Status      string     `json:"status"`
	CreatedAt   time.Time  `json:"created_at"`
	CompletedAt *time.Time `json:"completed_at"`
}

func newOrderJSON(o otl.Order) orderJSON {
	return orderJSON{o.ID, o.SiteID, o.Plan, o.Amount, o.Currency, string(o.Status), o.CreatedAt, optionalTime(o.CompletedAt)}
}

func ordersCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "orders", Short: "What sites ordered, kept by hand"}
	c.AddCommand(
		ordersCreate(a), ordersList(a),
		orderStep(a, "show", "Show an order", ""),
		orderStep(a, "mark-paid", "Note that an order was paid, which its site is told of once", otl.OrderCompleted),
		orderStep(a, "fail", "Note that an order will not be paid", otl.OrderFailed),
		orderStep(a, "refund", "Note that an order was paid back", otl.OrderRefunded),
	)
	return c
}

func ordersCreate(a *app) *cobra.Command {
	var siteID, plan string
	c := &cobra.Command{
		Use: "create", Short: "Have a site order a plan, at the price it has now", Args: cobra.NoArgs,
		Example: "  otl orders create --site notes --plan pro",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := n.Sites.Get(ctx, siteID)
				if err != nil {
					return err
				}
				o, err := n.Orders.Create(ctx, s.ID, plan)
				if err != nil {
					return err
				}
				return printOrder(a, o)
			})
		},
	}
	c.Flags().StringVar(&siteID, "site", "", "site id or slug")
	c.Flags().StringVar(&plan, "plan", "", "name of the plan")
	require(c, "site")
	require(c, "plan")
	return c
}

func ordersList(a *app) *cobra.Command {
	var siteID, before string
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List orders, newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cmp.Or(checkLimit(c, limit), checkPlace(c, "before", "", before)); err != nil {
				return err
			}
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				if siteID != "" {
					s, err := n.Sites.Get(ctx, siteID)
					if err != nil {
						return err
					}
					siteID = s.ID
				}
				found, err := n.Orders.List(ctx, siteID, before, limit)
				if err != nil {
					return err
				}
				out := []orderJSON{}
				for _, o := range found {
					out = append(out, newOrderJSON(o))
				}
				return a.print(map[string]any{"data": out}, func() { orderTable(a.stdout, out) })
			})
		},
	}
	c.Flags().StringVar(&siteID, "site", "", "only those of this site, by id or slug")
	c.Flags().StringVar(&before, "before", "", "go on behind this order id")
	c.Flags().IntVar(&limit, "limit", 50, "how many, 1 to 1000")
	return c
}

// orderStep is a command on one order, which brings it to a status, or shows it for "".
func orderStep(a *app, use, short string, to otl.OrderStatus) *cobra.Command {
	return &cobra.Command{
		Use: use + " ORDER", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) (err error) {
				var o otl.Order
				if to == "" {
					o, err = n.Orders.Get(ctx, args[0])
				} else {
					o, err = n.Orders.Move(ctx, args[0], to)
				}
				if err != nil {
					return err
				}
				return printOrder(a, o)
			})
		},
	}
}

func printOrder(a *app, o otl.Order) error {
	out := newOrderJSON(o)
	return a.print(out, func() { orderTable(a.stdout, []orderJSON{out}) })
}

func orderTable(to io.Writer, all []orderJSON) {
	table(to, []string{"ORDER", "SITE", "PLAN", "AMOUNT", "STATUS", "MADE", "PAID"}, all, func(o orderJSON) []string {
		return []string{o.ID, o.SiteID, o.Plan, fmt.Sprintf("%d %s", o.Amount, o.Currency), o.Status, moment(o.CreatedAt), momentOr(o.CompletedAt, "-")}
	})
}
