package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
)

// messageJSON is a message as commands print it: never what is in it.
type messageJSON struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Channel   string     `json:"channel"`
	To        string     `json:"to"`
	State     string     `json:"state"`
	Tries     int        `json:"tries"`
	Provider  string     `json:"provider"`
	Problem   string     `json:"problem"`
	CreatedAt time.Time  `json:"created_at"`
	DueAt     *time.Time `json:"due_at"`
	SettledAt *time.Time `json:"settled_at"`
}

func newMessageJSON(m otl.Message) messageJSON {
	out := messageJSON{
		ID: m.ID, Kind: string(m.Kind), Channel: string(m.Channel), To: m.Recipient, State: string(m.State), Tries: m.Tries,
		Provider: m.Provider, Problem: m.Problem, CreatedAt: m.CreatedAt,
	}
	if m.State == otl.MessageWaiting {
		out.DueAt = &m.DueAt
	} else {
		out.SettledAt = &m.SettledAt
	}
	return out
}

func messagesCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "messages", Short: "Mails and SMS: what became of them, and whether they go"}
	var state string
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List the newest messages", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if state != "" && state != string(otl.MessageWaiting) && state != string(otl.MessageSent) && state != string(otl.MessageDead) {
				return wrongUse(c, "--state must be waiting, sent or dead")
			}
			if limit < 1 || limit > 1000 {
				return wrongUse(c, "--limit must be from 1 to 1000")
			}
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				found, err := n.Store.Read.Messages.List(ctx, otl.MessageState(state), "", limit)
				if err != nil {
					return err
				}
				out := []messageJSON{}
				for _, m := range found {
					out = append(out, newMessageJSON(m.Message))
				}
				return a.print(map[string]any{"data": out}, func() { a.printMessages(out) })
			})
		},
	}
	list.Flags().StringVar(&state, "state", "", "waiting, sent or dead (default all)")
	list.Flags().IntVar(&limit, "limit", 50, "how many")
	retry := &cobra.Command{
		Use: "retry ID", Short: "Send a message again that was given up", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				if err := n.Outbox.Retry(ctx, args[0]); err != nil {
					return err
				}
				return a.print(map[string]any{"queued": true, "id": args[0]}, func() { fmt.Fprintln(a.stdout, "queued") })
			})
		},
	}
	c.AddCommand(list, retry, messagesTest(a))
	return c
}

func (a *app) printMessages(all []messageJSON) {
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tKIND\tCHANNEL\tTO\tSTATE\tTRIES\tPROVIDER\tPROBLEM")
	for _, m := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", m.ID, m.Kind, m.Channel, m.To, m.State, m.Tries, m.Provider, oneLine(m.Problem))
	}
	_ = t.Flush() // what follows says whether the output is gone
}
