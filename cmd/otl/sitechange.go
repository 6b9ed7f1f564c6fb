package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// given runs what goes with each flag that was given to a command: one that was not leaves things as they are.
func given(c *cobra.Command, all map[string]func()) {
	for flag, set := range all {
		if c.Flags().Changed(flag) {
			set()
		}
	}
}

func sitesUpdate(a *app) *cobra.Command {
	var name, domain, region string
	var fields, required, origins []string
	c := &cobra.Command{
		Use: "update SITE", Short: "Change the name, domain, region, fields and origins of a site", Args: cobra.ExactArgs(1),
		Long: "Changes what is named of a site, and leaves the rest as it is. Its short name stays: it stands in addresses.\n" +
			"Who signs in next is asked for fields that are new.",
		Example: "  otl sites update notes --name 'Acme Notes' --fields email,name,phone --require email",
		RunE: func(c *cobra.Command, args []string) error {
			var change site.Change
			given(c, map[string]func(){
				"name": func() { change.Name = &name }, "domain": func() { change.Domain = &domain }, "region": func() { change.Region = &region },
				"fields": func() { change.Requested = &fields }, "require": func() { change.Required = &required }, "origins": func() { change.Origins = &origins },
			})
			if change == (site.Change{}) {
				return wrongUse(c, "nothing to change: name what is to be different")
			}
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := n.Sites.Get(ctx, args[0])
				if err != nil {
					return err
				}
				if s, err = n.Sites.Set(ctx, s.ID, change); err != nil {
					return err
				}
				return a.print(newSiteJSON(s), func() { fmt.Fprintln(a.stdout, "set") })
			})
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "name people see")
	f.StringVar(&domain, "domain", "", "host name of the site; empty for none")
	f.StringVar(&region, "region", "", "eu or us; empty for none")
	f.StringSliceVar(&fields, "fields", nil, "profile fields the site asks for, all of them; empty for none")
	f.StringSliceVar(&origins, "origins", nil, "origins of pages whose scripts may call, such as https://shop.example.com, all of them; empty for none")
	f.StringSliceVar(&required, "require", nil, "those of them without which nobody is signed in; empty for none")
	return c
}

func sitesDelete(a *app) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "delete SITE", Short: "Turn a site off, and delete it after 30 days", Args: cobra.ExactArgs(1),
		Long: "Turns a site off at once: its keys, clients and tokens are refused from the next call on. After 30 days it is\n" +
			"deleted for good with all that is its own; until then otl sites restore turns it on again, by its id. Its owner cannot.\n" +
			"Nor can he from then on where he deleted the site himself: named by its id (otl sites list --deleted), it is held, and\n" +
			"gone when it would have been.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				sites := site.Operator{Sites: n.Sites}
				s, err := sites.Find(ctx, args[0])
				if err != nil {
					return err
				}
				what := "Turn off"
				if !s.DeletedAt.IsZero() {
					what = "Keep off"
				}
				if err := confirm(a, yes, fmt.Sprintf("%s %s (%s, %s)?", what, s.Name, s.Slug, s.ID)); err != nil {
					return err
				}
				until, err := sites.TurnOff(ctx, s.ID)
				return printDeleted(a, s.ID, &until, err)
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func sitesRestore(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "restore ID", Short: "Turn a site on again that was deleted in the last 30 days", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := site.Operator{Sites: n.Sites}.TurnOn(ctx, args[0])
				if err != nil {
					return err
				}
				return a.print(newSiteJSON(s), func() { fmt.Fprintln(a.stdout, "restored "+s.Slug) })
			})
		},
	}
}

// offJSON says of a site that it is turned off, as commands print it.
type offJSON struct {
	DeletedAt time.Time `json:"deleted_at"`
	Until     time.Time `json:"until"` // it can be turned on
	Held      bool      `json:"held"`  // by whoever runs the server: its owner cannot
}

func newOffJSON(s otl.OffSite) *offJSON {
	if s.DeletedAt.IsZero() {
		return nil
	}
	return &offJSON{s.DeletedAt, s.DeletedAt.Add(site.Grace), s.Held}
}

// by says who turned the site off, and can turn it on; whoever runs the server can always.
func (o offJSON) by() string {
	if o.Held {
		return "operator"
	}
	return "owner"
}

// deletedJSON is a site that is turned off, as commands list it.
type deletedJSON struct {
	siteJSON
	Off offJSON `json:"off"`
}

// printDeletedSites lists the sites that are turned off and not yet gone.
func printDeletedSites(ctx context.Context, a *app, n *node.Node) error {
	out := []deletedJSON{}
	for after, full := "", true; full; {
		page, err := site.Operator{Sites: n.Sites}.Off(ctx, after, 200)
		if err != nil {
			return err
		}
		for _, s := range page {
			out = append(out, deletedJSON{newSiteJSON(s.Site), *newOffJSON(s)})
			after = s.ID
		}
		full = len(page) == 200
	}
	return a.print(map[string]any{"data": out}, func() {
		table(a.stdout, []string{"ID", "SLUG", "NAME", "OFF SINCE", "BY", "GONE"}, out, func(s deletedJSON) []string {
			return []string{s.ID, s.Slug, s.Name, moment(s.Off.DeletedAt), s.Off.by(), moment(s.Off.Until)}
		})
	})
}
