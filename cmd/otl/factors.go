package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// factorJSON is a second factor as commands print it.
type factorJSON struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`
	Label      string     `json:"label"`
	Hint       string     `json:"hint"`
	Default    bool       `json:"default"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func newFactorJSON(o factor.Offer) factorJSON {
	return factorJSON{o.ID, string(o.Kind), o.Label, o.Hint, o.Default, o.CreatedAt, optionalTime(o.LastUsedAt)}
}

func factorsCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "factors", Short: "Show and take away second factors"}
	c.AddCommand(&cobra.Command{
		Use: "list USER", Short: "List the second factors of a person", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				has, err := n.Setup.List(ctx, u)
				if err != nil {
					return err
				}
				out := []factorJSON{}
				for _, o := range has.Factors {
					out = append(out, newFactorJSON(o))
				}
				return a.print(map[string]any{"data": out, "recovery_codes_left": has.CodesLeft}, func() {
					table(a.stdout, []string{"ID", "KIND", "LABEL", "SINCE"}, out, func(f factorJSON) []string {
						return []string{f.ID, f.Kind, f.Label, moment(f.CreatedAt)}
					})
				})
			})
		},
	}, &cobra.Command{
		Use: "reset USER", Short: "Take all second factors away from a person who has lost them", Args: cobra.ExactArgs(1),
		Long: "Takes away every second factor, recovery code and trusted device of a person, and voids his access tokens.\n" +
			"He is told by mail. Make sure that it is he who asks.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				version, err := n.Setup.Reset(ctx, u)
				if err != nil {
					return err
				}
				return a.print(map[string]any{"reset": true, "session_version": version}, func() {
					fmt.Fprintf(a.stdout, "%s signs in without a second factor until he sets one up.\n", u.Email.Address)
				})
			})
		},
	}, factorsDevices(a), factorsForget(a))
	return c
}

// deviceJSON is a trusted device as commands print it.
type deviceJSON struct {
	ID         string     `json:"id"`
	SiteID     string     `json:"site_id"`
	Device     string     `json:"device"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
}

func factorsDevices(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "devices USER", Short: "List the devices a person trusts", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				all, err := factor.Devices{Factors: n.Setup.Factors}.List(ctx, u.ID, "")
				if err != nil {
					return err
				}
				out := []deviceJSON{}
				for _, d := range all {
					out = append(out, deviceJSON{d.ID, d.Site.ID, d.Agent, d.CreatedAt, optionalTime(d.LastUsedAt), d.ExpiresAt})
				}
				return a.print(map[string]any{"data": out}, func() {
					table(a.stdout, []string{"ID", "DEVICE", "SINCE", "UNTIL"}, out, func(d deviceJSON) []string {
						return []string{d.ID, d.Device, moment(d.CreatedAt), moment(d.ExpiresAt)}
					})
				})
			})
		},
	}
}

func factorsForget(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "forget USER DEVICE", Short: "Have a person's device trusted no more", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				if err := (factor.Devices{Factors: n.Setup.Factors}).Forget(ctx, u.ID, args[1]); err != nil {
					return err
				}
				return a.print(map[string]any{"deleted": true}, func() {
					fmt.Fprintf(a.stdout, "%s takes a second step there again.\n", u.Email.Address)
				})
			})
		},
	}
}

// sitesPolicy sets when a site asks for a second factor.
func sitesPolicy(a *app) *cobra.Command {
	var roles []string
	var days int
	c := &cobra.Command{
		Use: "mfa SITE off|optional|required|roles", Short: "Set when a site asks for a second factor", Args: cobra.ExactArgs(2),
		Long: "Sets when a site asks for a second factor: never, of people who have one, of everybody, or of everybody with\n" +
			"one of the roles named, which the site must have (POST /api/v1/roles makes them). With --trust-days, also for how many days a device that somebody trusts spares him that\n" +
			"(0 for never); fewer days hold at once for devices that are trusted already.",
		Example: "  otl sites mfa notes roles --roles admin,editor",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := n.Sites.Get(ctx, args[0])
				if err != nil {
					return err
				}
				change := site.Change{MFA: &args[1], MFARoles: &roles}
				if c.Flags().Changed("trust-days") {
					change.TrustDays = &days
				}
				if s, err = n.Sites.Set(ctx, s.ID, change); err != nil {
					return err
				}
				return a.print(newSiteJSON(s), func() {
					fmt.Fprintln(a.stdout, strings.TrimSpace(string(s.MFA)+" "+strings.Join(s.MFARoles, " ")))
				})
			})
		},
	}
	c.Flags().StringSliceVar(&roles, "roles", nil, "who must have one under the policy roles")
	c.Flags().IntVar(&days, "trust-days", otl.DefaultTrustDays, "for how many days a device can be trusted; where it is left out, what the site has stays")
	return c
}
