package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// stopJSON is a range of numbers to which a site sends no more SMS, as commands print it.
type stopJSON struct {
	SiteID string    `json:"site_id"`
	Range  string    `json:"range"`
	At     time.Time `json:"stopped_at"`
}

func smsCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "sms", Short: "Ranges of numbers to which SMS were stopped"}
	stops := &cobra.Command{
		Use: "stops", Short: "List the ranges that were stopped because hardly any code sent there was entered", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				found, err := n.SMS.Stops(ctx)
				if err != nil {
					return err
				}
				out := []stopJSON{}
				for _, s := range found {
					out = append(out, stopJSON{s.SiteID, s.Prefix, s.At})
				}
				return a.print(map[string]any{"data": out}, func() {
					table(a.stdout, []string{"SITE", "RANGE", "STOPPED AT"}, out, func(s stopJSON) []string {
						return []string{s.SiteID, s.Range, s.At.Format(time.RFC3339)}
					})
				})
			})
		},
	}
	lift := &cobra.Command{
		Use: "lift SITE RANGE", Short: "Let a site send SMS to a range again", Args: cobra.ExactArgs(2), Example: "  otl sms lift notes +49170",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := n.Sites.Get(ctx, args[0])
				if err != nil {
					return err
				}
				now := n.SMS.Now()
				e := otl.Event{ID: "evt_" + secret.NewID(now), Type: otl.EventSMSResumed, SiteID: s.ID, Data: map[string]string{"range": args[1]}, CreatedAt: now}
				if err := n.SMS.Lift(ctx, s.ID, args[1], e); err != nil {
					return err
				}
				return a.print(map[string]any{"lifted": true, "site_id": s.ID, "range": args[1]}, func() { fmt.Fprintln(a.stdout, "lifted") })
			})
		},
	}
	c.AddCommand(stops, lift)
	return c
}
