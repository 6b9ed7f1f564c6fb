package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// siteJSON is a site as commands print it.
type siteJSON struct {
	ID           string    `json:"id"`
	Slug         string    `json:"slug"`
	Name         string    `json:"name"`
	Domain       string    `json:"domain"`
	Region       string    `json:"region"`
	CallbackURLs []string  `json:"callback_urls"`
	MFAPolicy    string    `json:"mfa_policy"`
	MFARoles     []string  `json:"mfa_roles"`
	TrustDays    int       `json:"trust_days"`
	SignInWays   []string  `json:"sign_in_ways"`
	Requested    []string  `json:"requested_fields"`
	Required     []string  `json:"required_fields"`
	Origins      []string  `json:"allowed_origins"`
	CreatedAt    time.Time `json:"created_at"`
	SiteKey      string    `json:"site_key,omitempty"` // only when it was just made
	SiteKeyID    string    `json:"site_key_id,omitempty"`
	Scopes       []string  `json:"scopes,omitempty"` // of that key
}

func newSiteJSON(s otl.Site) siteJSON {
	return siteJSON{
		ID: s.ID, Slug: s.Slug, Name: s.Name, Domain: s.Domain, Region: s.Region, CallbackURLs: append([]string{}, s.CallbackURLs...),
		MFAPolicy: string(s.MFA), MFARoles: append([]string{}, s.MFARoles...), TrustDays: s.TrustDays, SignInWays: s.Off.Others().Strings(),
		Requested: strings.Fields(s.Requested.String()), Required: strings.Fields(s.Required.String()), Origins: append([]string{}, s.Origins...), CreatedAt: s.CreatedAt,
	}
}

func sitesCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "sites", Short: "Register, show, change and delete partner sites"}
	c.AddCommand(sitesList(a), sitesCreate(a), sitesUpdate(a), sitesBrand(a), sitesShow(a), sitesPolicy(a), sitesWays(a), callbackCommand(a), sitesDelete(a), sitesRestore(a))
	return c
}

func sitesList(a *app) *cobra.Command {
	var deleted bool
	c := &cobra.Command{
		Use: "list", Short: "List sites", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				if deleted {
					return printDeletedSites(ctx, a, n)
				}
				out := []siteJSON{}
				for after := ""; ; {
					page, err := n.Sites.List(ctx, "", after, 200)
					if err != nil {
						return err
					}
					for _, s := range page {
						out = append(out, newSiteJSON(s))
						after = s.ID
					}
					if len(page) < 200 {
						break
					}
				}
				return a.print(map[string]any{"data": out}, func() {
					table(a.stdout, []string{"ID", "SLUG", "NAME", "CALLBACK URLS"}, out, func(s siteJSON) []string {
						return []string{s.ID, s.Slug, s.Name, strings.Join(s.CallbackURLs, " ")}
					})
				})
			})
		},
	}
	c.Flags().BoolVar(&deleted, "deleted", false, "those that are turned off and not yet gone, instead")
	return c
}

func sitesCreate(a *app) *cobra.Command {
	var r site.Registration
	var owner string
	var fields, required, scopes []string
	c := &cobra.Command{
		Use: "create", Short: "Register a site and show its first key, once", Args: cobra.NoArgs,
		Example: "  otl sites create --name Notes --callback https://notes.example.com/auth/callback",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withNode(c, opening{create: true}, func(ctx context.Context, n *node.Node) error {
				var err error
				if r.Requested, err = otl.ParseFields("fields", fields); err != nil {
					return err
				}
				if r.Required, err = otl.ParseFields("require", required); err != nil {
					return err
				}
				if r.Scopes, err = otl.ParseScopes(scopes); err != nil {
					return err
				}
				if owner != "" {
					u, err := n.Accounts.Find(ctx, owner)
					if err != nil {
						return err
					}
					r.Owner = u.ID
				}
				done, err := n.Sites.Register(ctx, r)
				if err != nil {
					return err
				}
				out := newSiteJSON(done.Site)
				out.SiteKey, out.SiteKeyID, out.Scopes = done.Key.Reveal(), done.KeyRow.ID, strings.Fields(done.KeyRow.Scopes.String())
				if want := site.Slug(out.Name); r.Slug == "" && out.Slug != want {
					fmt.Fprintf(a.stderr, "otl: another site is called %s already; this one is %s\n", want, out.Slug)
				}
				return a.print(out, func() {
					fmt.Fprintf(a.stdout, "Site      %s (%s)\nSite ID   %s\nSite key  %s\nScopes    %s\n\nThe key is shown this once. Keep it in your server's secret store.\n",
						out.Name, out.Slug, out.ID, out.SiteKey, strings.Join(out.Scopes, " "))
				})
			})
		},
	}
	f := c.Flags()
	f.StringVar(&r.Name, "name", "", "name people see")
	require(c, "name")
	f.StringArrayVar(&r.Callbacks, "callback", nil, "callback URL: https, or http on localhost; repeat for more")
	f.StringVar(&r.Slug, "slug", "", "short unique name (default: from the name)")
	f.StringVar(&r.Domain, "domain", "", "host name of the site")
	f.StringVar(&r.Region, "region", "", "eu or us")
	f.StringVar(&owner, "owner", "", "user id or e-mail address of the owner")
	f.StringSliceVar(&fields, "fields", nil, "profile fields the site asks for (default email,name)")
	f.StringSliceVar(&required, "require", nil, "those of them without which nobody is signed in")
	f.StringSliceVar(&scopes, "scopes", otl.DefaultScopes().Strings(), "scopes of the key: auth, users, admin, otp:direct")
	return c
}

func callbackCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "callback", Short: "Add and remove callback URLs"}
	for _, one := range []struct {
		use, short string
		do         func(context.Context, *node.Node, string, string) error
	}{
		{"add SITE URL", "Register a callback URL", func(ctx context.Context, n *node.Node, id, url string) error {
			return n.Sites.AddCallback(ctx, id, url)
		}},
		{"rm SITE URL", "Unregister a callback URL", func(ctx context.Context, n *node.Node, id, url string) error {
			return n.Sites.RemoveCallback(ctx, id, url)
		}},
	} {
		c.AddCommand(&cobra.Command{
			Use: one.use, Short: one.short, Args: cobra.ExactArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				return a.onNode(c, func(ctx context.Context, n *node.Node) error {
					s, err := n.Sites.Get(ctx, args[0])
					if err != nil {
						return err
					}
					if err := one.do(ctx, n, s.ID, args[1]); err != nil {
						return err
					}
					if s, err = n.Sites.Get(ctx, s.ID); err != nil {
						return err
					}
					return a.print(newSiteJSON(s), func() { fmt.Fprintln(a.stdout, strings.Join(s.CallbackURLs, "\n")) })
				})
			},
		})
	}
	return c
}
