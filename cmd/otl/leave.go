package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
)

// confirm asks whether something that cannot be taken back lightly is meant, unless --yes said so.
// Where nobody answers it is not.
func confirm(a *app, yes bool, question string) error {
	if yes {
		return nil
	}
	fmt.Fprint(a.stderr, oneLine(question)+" (yes/no) ")
	line, err := bufio.NewReader(io.LimitReader(a.stdin, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read standard input: %w", err)
	}
	if !strings.HasSuffix(line, "\n") {
		fmt.Fprintln(a.stderr)
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "yes" && answer != "y" {
		return usageError{errors.New("nothing was done: nobody said yes"), "the same with --yes"}
	}
	return nil
}

func usersReset(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "reset ID|EMAIL", Short: "Mail a person a link to choose a new password", Args: cobra.ExactArgs(1),
		Long: "Mails a person a link to choose a new password, which is good for 30 minutes. Until it is used the password he\n" +
			"has goes on; otl sessions revoke-all ends his sessions. A running server sends the mail.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				if err := (account.Resets{Accounts: n.Accounts}).Send(ctx, n.Installation.SiteID, u); err != nil {
					return err
				}
				return a.print(map[string]any{"queued": true, "id": u.ID, "to": u.Email.Address}, func() { fmt.Fprintln(a.stdout, "queued a mail to "+u.Email.Address) })
			})
		},
	}
}

func usersDelete(a *app) *cobra.Command {
	var yes, now bool
	c := &cobra.Command{
		Use: "delete ID|EMAIL", Short: "Delete a person, after 14 days or at once", Args: cobra.ExactArgs(1),
		Long: "Ends all sessions of a person and deletes him after 14 days, as if he had asked for it at /account/data: he gets\n" +
			"a mail, no site lets him in, and he can sign in at the server itself to keep his account. With --now it is\n" +
			"done at once and for good, and nobody gets a mail. Sites that know him are told when he is gone.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				when := "in 14 days"
				if now {
					when = "now and for good"
				}
				if err := confirm(a, yes, fmt.Sprintf("Delete %s %s (%s) %s?", u.Name, u.Email.Address, u.ID, when)); err != nil {
					return err
				}
				if now {
					return printDeleted(a, u.ID, nil, n.Accounts.Delete(ctx, u.ID))
				}
				at, err := account.Erasures{Accounts: n.Accounts}.Ask(ctx, u, n.Installation.SiteID)
				return printDeleted(a, u.ID, &at, err)
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&now, "now", false, "at once and for good")
	return c
}

// printDeleted says that something was deleted, and until when that can be taken back: nil for never.
func printDeleted(a *app, id string, until *time.Time, err error) error {
	if err != nil {
		return err
	}
	return a.print(map[string]any{"deleted": true, "id": id, "until": until}, func() {
		if until == nil {
			fmt.Fprintln(a.stdout, "deleted")
			return
		}
		fmt.Fprintf(a.stdout, "deleted; until %s it can be taken back\n", moment(*until))
	})
}

func usersKeep(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "keep ID|EMAIL", Short: "Keep a person who is to be deleted", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				if err := (account.Erasures{Accounts: n.Accounts}).TakeBack(ctx, u.ID); err != nil {
					return err
				}
				return a.print(map[string]any{"kept": true, "id": u.ID}, func() { fmt.Fprintln(a.stdout, "kept") })
			})
		},
	}
}
