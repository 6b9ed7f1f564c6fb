package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// sitesWays sets what people sign in to a site with.
func sitesWays(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "ways SITE WAY…", Short: "Set what people sign in to a site with", Args: cobra.MinimumNArgs(2),
		Long: "Sets what people sign in to a site with: " + strings.ReplaceAll(otl.AllWays().String(), " ", ", ") + ".\n" +
			"All that are not named are refused, by every wire and on the hosted pages.",
		Example: "  otl sites ways notes link passkey",
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := otl.ParseWays("WAY", args[1:]); err != nil {
				return usageError{err, "otl sites ways --help"}
			}
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := n.Sites.Get(ctx, args[0])
				if err != nil {
					return err
				}
				ways := args[1:]
				if s, err = n.Sites.Set(ctx, s.ID, site.Change{Ways: &ways}); err != nil {
					return err
				}
				if shut := (signin.Ways{Codes: n.Codes}).Shut(s); shut != "" {
					fmt.Fprintln(a.stderr, "otl: "+shut)
				}
				return a.print(newSiteJSON(s), func() { fmt.Fprintln(a.stdout, s.Off.Others()) })
			})
		},
	}
}
