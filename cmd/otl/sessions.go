package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// sessionJSON is a session as commands print it.
type sessionJSON struct {
	ID         string    `json:"id"`
	UserID     string    `json:"user_id"`
	SiteID     string    `json:"site_id"`
	AMR        []string  `json:"amr"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	IP         string    `json:"ip"`
	UserAgent  string    `json:"user_agent"`
}

func sessionsCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "sessions", Short: "Show and end sessions"}
	var user string
	list := &cobra.Command{
		Use: "list", Short: "List the live sessions of a person", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error { return a.listSessions(ctx, n, user) })
		},
	}
	list.Flags().StringVar(&user, "user", "", "user id or e-mail address")
	require(list, "user")
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "End one session and void the person's access tokens", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				version, err := n.SignIn.Revoke(ctx, signin.Scope{}, args[0], otl.EndAdmin)
				return a.printRevoked(version, err)
			})
		},
	}
	c.AddCommand(list, revoke, sessionsRevokeAll(a))
	return c
}

func sessionsRevokeAll(a *app) *cobra.Command {
	var everybody, yes bool
	c := &cobra.Command{
		Use: "revoke-all USER | --everybody", Short: "End every session of a person, or of everybody",
		Long: "Ends every session of a person, with the devices he trusts, and mails him that it was done. With --everybody all people\n" +
			"are signed out of everything, and the codes and links that were sent to sign in with or to choose a password are void:\n" +
			"after a backup was restored, which knows nothing of what ended since. Nobody is mailed then.",
		Args: func(c *cobra.Command, args []string) error {
			if everybody {
				return cobra.NoArgs(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				if everybody {
					return a.endEverybody(ctx, n, yes)
				}
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				version, err := n.SignIn.RevokeAll(ctx, u.ID)
				return a.printRevoked(version, err)
			})
		},
	}
	c.Flags().BoolVar(&everybody, "everybody", false, "of all people")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask about --everybody")
	return c
}

func (a *app) endEverybody(ctx context.Context, n *node.Node, yes bool) error {
	if err := confirm(a, yes, "Sign everybody out of everything?"); err != nil {
		return err
	}
	ended, err := session.Everybody{Sessions: n.SignIn.Sessions}.End(ctx, otl.EndAdmin)
	if err != nil {
		return fmt.Errorf("after %d people, which stands; run it again: %w", ended.People, err)
	}
	return a.print(map[string]any{"revoked": true, "people": ended.People, "sessions": ended.Sessions}, func() {
		fmt.Fprintf(a.stdout, "ended %d sessions of %d people\n", ended.Sessions, ended.People)
	})
}

func (a *app) listSessions(ctx context.Context, n *node.Node, user string) error {
	u, err := n.Accounts.Find(ctx, user)
	if err != nil {
		return err
	}
	found, err := n.SignIn.List(ctx, signin.Scope{UserID: u.ID}, "", 1000)
	if err != nil {
		return err
	}
	out := []sessionJSON{}
	for _, s := range found {
		out = append(out, sessionJSON{s.ID, s.UserID, s.SiteID, s.Methods.Strings(), s.CreatedAt, s.LastSeenAt, s.RefreshBy, s.IP, s.UserAgent})
	}
	return a.print(map[string]any{"data": out}, func() {
		table(a.stdout, []string{"ID", "SITE", "SINCE", "LAST SEEN", "IP", "USER AGENT"}, out, func(s sessionJSON) []string {
			return []string{s.ID, s.SiteID, moment(s.CreatedAt), moment(s.LastSeenAt), s.IP, s.UserAgent}
		})
	})
}

func (a *app) printRevoked(version int, err error) error {
	if err != nil {
		return err
	}
	return a.print(map[string]any{"revoked": true, "session_version": version}, func() { fmt.Fprintln(a.stdout, "revoked") })
}
