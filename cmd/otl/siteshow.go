package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// siteShownJSON is a site with what belongs to it, as commands print it.
type siteShownJSON struct {
	siteJSON
	Brand   brandJSON         `json:"branding"`
	Owners  []ownerJSON       `json:"owners"`
	Clients []clientShortJSON `json:"clients"`
	Off     *offJSON          `json:"off,omitempty"`
}

// ownerJSON is somebody who owns a site.
type ownerJSON struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// clientShortJSON is a client as one of a site's.
type clientShortJSON struct {
	ID   string `json:"client_id"`
	Name string `json:"name"`
}

func sitesShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show ID|SLUG", Short: "Show one site, one that is turned off by its id", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := site.Operator{Sites: n.Sites}.Find(ctx, args[0])
				if err != nil {
					return err
				}
				owners, err := n.Store.Read.Businesses.Owners(ctx, s.ID)
				if err != nil {
					return err
				}
				clients, err := n.Clients.List(ctx, s.ID)
				if err != nil {
					return err
				}
				return printSite(a, s, owners, clients)
			})
		},
	}
}

func printSite(a *app, s otl.OffSite, owners []otl.User, clients []otl.Client) error {
	out := siteShownJSON{newSiteJSON(s.Site), newBrandJSON(s.Site), []ownerJSON{}, []clientShortJSON{}, newOffJSON(s)}
	for _, u := range owners {
		out.Owners = append(out.Owners, ownerJSON{u.ID, u.Email.Address})
	}
	for _, c := range clients {
		out.Clients = append(out.Clients, clientShortJSON{c.ID, c.Name})
	}
	return a.print(out, func() {
		for _, line := range out.lines() {
			between := "\n" + strings.Repeat(" ", 15)
			fmt.Fprintln(a.stdout, strings.TrimRight(fmt.Sprintf("%-13s  %s", line[0], strings.Join(line[1:], between)), " "))
		}
	})
}

// lines gives what is shown of a site, each with its name before its values.
func (s siteShownJSON) lines() [][]string {
	second := s.MFAPolicy
	if len(s.MFARoles) > 0 {
		second += ": " + strings.Join(s.MFARoles, " ")
	}
	owners, clients := []string{"Owners"}, []string{"Clients"}
	for _, o := range s.Owners {
		owners = append(owners, o.ID+" "+o.Email)
	}
	for _, c := range s.Clients {
		clients = append(clients, c.ID+" "+c.Name)
	}
	lines := [][]string{
		{"Site", s.Name + " (" + s.Slug + ")"},
		{"Site ID", s.ID},
		{"Domain", s.Domain},
		{"Region", s.Region},
		append([]string{"Callbacks"}, s.CallbackURLs...), append([]string{"Origins"}, s.Origins...),
		{"Fields", strings.Join(s.Requested, " ")},
		{"Required", strings.Join(s.Required, " ")},
		{"Ways", strings.Join(s.SignInWays, " ")},
		{"Second factor", second},
		{"Trusted for", fmt.Sprintf("%d days", s.TrustDays)},
		append([]string{"Mails"}, s.Brand.lines()...), owners, clients,
		{"Created", moment(s.CreatedAt)},
	}
	if s.Off != nil {
		lines = append(lines, []string{"Turned off", moment(s.Off.DeletedAt) + " by its " + s.Off.by() + "; gone " + moment(s.Off.Until)})
	}
	return lines
}
