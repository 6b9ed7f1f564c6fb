package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// siteKeyJSON is a site key as commands print it.
type siteKeyJSON struct {
	ID         string     `json:"id"`
	SiteID     string     `json:"site_id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	SiteKey    string     `json:"site_key,omitempty"` // only when it was just made
}

func newSiteKeyJSON(k otl.SiteKey, key secret.Text) siteKeyJSON {
	return siteKeyJSON{
		ID: k.ID, SiteID: k.SiteID, Name: k.Name, Prefix: site.KeyPrefix + k.Prefix, CreatedAt: k.CreatedAt,
		Scopes: k.Scopes.Strings(), LastUsedAt: optionalTime(k.LastUsedAt), ExpiresAt: optionalTime(k.ExpiresAt), SiteKey: key.Reveal(),
	}
}

func siteKeysCommand(a *app) *cobra.Command {
	var siteID string
	c := &cobra.Command{Use: "site-keys", Short: "List, make, roll and revoke the keys of a site"}
	c.PersistentFlags().StringVar(&siteID, "site", "", "site id or slug")
	if err := c.MarkPersistentFlagRequired("site"); err != nil { // the flag is defined above
		panic(err)
	}
	// onSite runs an action on the site named by --site.
	onSite := func(c *cobra.Command, do func(context.Context, *site.Sites, string) error) error {
		return a.onNode(c, func(ctx context.Context, n *node.Node) error {
			s, err := n.Sites.Get(ctx, siteID)
			if err != nil {
				return err
			}
			return do(ctx, n.Sites, s.ID)
		})
	}
	c.AddCommand(siteKeysList(a, onSite), siteKeysCreate(a, onSite), siteKeysRoll(a, onSite), siteKeysRevoke(a, onSite))
	return c
}

type onSite func(*cobra.Command, func(context.Context, *site.Sites, string) error) error

func siteKeysList(a *app, on onSite) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys of a site", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return on(c, func(ctx context.Context, s *site.Sites, id string) error {
				keys, err := s.Keys(ctx, id)
				if err != nil {
					return err
				}
				out := []siteKeyJSON{}
				for _, k := range keys {
					out = append(out, newSiteKeyJSON(k, secret.Text{}))
				}
				return a.print(map[string]any{"data": out}, func() {
					table(a.stdout, []string{"ID", "KEY", "NAME", "SCOPES", "LAST USED", "EXPIRES"}, out, func(k siteKeyJSON) []string {
						return []string{k.ID, k.Prefix + "…", k.Name, strings.Join(k.Scopes, " "), momentOr(k.LastUsedAt, "never"), momentOr(k.ExpiresAt, "never")}
					})
				})
			})
		},
	}
}

func siteKeysCreate(a *app, on onSite) *cobra.Command {
	var name string
	var scopes []string
	var expires time.Duration
	c := &cobra.Command{
		Use: "create", Short: "Make a key and show it, once", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("expires-in") && expires <= 0 {
				return wrongUse(c, "--expires-in must be more than 0, such as 720h")
			}
			return on(c, func(ctx context.Context, s *site.Sites, id string) error {
				set, err := otl.ParseScopes(scopes)
				if err != nil {
					return err
				}
				n := site.NewKey{Name: name, Scopes: set}
				if expires > 0 {
					n.ExpiresAt = s.Now().Add(expires)
				}
				made, err := s.CreateKey(ctx, id, n)
				if err != nil {
					return err
				}
				return a.printKey(made)
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "what the key is for")
	c.Flags().StringSliceVar(&scopes, "scopes", otl.DefaultScopes().Strings(), "auth, users, admin, otp:direct")
	c.Flags().DurationVar(&expires, "expires-in", 0, "life of the key, such as 720h (default: no end)")
	return c
}

func (a *app) printKey(made site.MadeKey) error {
	return a.print(newSiteKeyJSON(made.SiteKey, made.Key), func() {
		fmt.Fprintf(a.stdout, "Key ID    %s\nSite key  %s\n\nThe key is shown this once. Keep it in your server's secret store.\n", made.ID, made.Key.Reveal())
	})
}

func siteKeysRoll(a *app, on onSite) *cobra.Command {
	var overlap time.Duration
	c := &cobra.Command{
		Use: "roll KEY_ID", Short: "Make a successor; the old key works on for the overlap", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if overlap < 0 {
				return wrongUse(c, "--overlap must not be less than 0")
			}
			return on(c, func(ctx context.Context, s *site.Sites, id string) error {
				made, err := s.RollKey(ctx, id, args[0], overlap)
				if err != nil {
					return err
				}
				return a.printKey(made)
			})
		},
	}
	c.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the old key still works")
	return c
}

func siteKeysRevoke(a *app, on onSite) *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY_ID", Short: "End a key at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return on(c, func(ctx context.Context, s *site.Sites, id string) error {
				if err := s.RevokeKey(ctx, id, args[0]); err != nil {
					return err
				}
				return a.print(map[string]any{"revoked": true, "id": args[0]}, func() { fmt.Fprintln(a.stdout, "revoked") })
			})
		},
	}
}
