package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
)

// keyJSON is a signing key as commands print it.
type keyJSON struct {
	ID          string     `json:"id"`
	Purpose     string     `json:"purpose"` // access, identity or identity_es256
	Algorithm   string     `json:"algorithm"`
	State       string     `json:"state"` // published, signing, verifying, revoked
	CreatedAt   time.Time  `json:"created_at"`
	SignFrom    time.Time  `json:"sign_from"`
	SignUntil   *time.Time `json:"sign_until"`
	VerifyUntil *time.Time `json:"verify_until"`
}

func keysCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Show and rotate the signing keys"}
	list := &cobra.Command{
		Use: "list", Short: "List the signing keys", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.onNode(c, a.listKeys) },
	}
	var now, revoke bool
	rotate := &cobra.Command{
		Use: "rotate", Short: "Make the next signing key", Args: cobra.NoArgs,
		Long: "Makes the next signing key. It is published at once and signs after an hour, when every\n" +
			"verifier knows it. With --revoke-old the older keys stop verifying in the same moment,\n" +
			"for a key that leaked: everybody has to refresh.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				if err := n.Installation.Rotate(ctx, now, revoke); err != nil {
					return err
				}
				return a.listKeys(ctx, n)
			})
		},
	}
	rotate.Flags().BoolVar(&now, "now", false, "sign with the new key at once; verifiers that cache may refuse it for minutes")
	rotate.Flags().BoolVar(&revoke, "revoke-old", false, "void everything the older keys signed")
	jwks := &cobra.Command{
		Use: "export-jwks", Short: "Print the public keys as a JWK set", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(_ context.Context, n *node.Node) error {
				_, err := fmt.Fprintf(a.stdout, "%s\n", n.Installation.Ring.JWKS())
				return err
			})
		},
	}
	c.AddCommand(list, rotate, jwks)
	return c
}

func (a *app) listKeys(ctx context.Context, n *node.Node) error {
	keys, err := n.Installation.SigningKeys(ctx)
	if err != nil {
		return err
	}
	now := n.Installation.Now()
	out := []keyJSON{}
	for _, k := range keys {
		one := keyJSON{
			ID: k.ID, Purpose: k.Purpose, Algorithm: string(k.Algorithm), State: "signing", CreatedAt: k.CreatedAt, SignFrom: k.SignFrom,
			SignUntil: optionalTime(k.SignUntil), VerifyUntil: optionalTime(k.VerifyUntil),
		}
		switch {
		case !k.RevokedAt.IsZero():
			one.State, one.VerifyUntil = "revoked", optionalTime(k.RevokedAt)
		case k.SignFrom.After(now):
			one.State = "published"
		case !k.SignUntil.IsZero() && !k.SignUntil.After(now):
			one.State = "verifying"
		}
		out = append(out, one)
	}
	return a.print(map[string]any{"data": out}, func() {
		table(a.stdout, []string{"ID", "PURPOSE", "ALGORITHM", "STATE", "SIGNS FROM", "VERIFIES UNTIL"}, out, func(k keyJSON) []string {
			signs := moment(k.SignFrom)
			if k.State == "revoked" && k.SignFrom.After(*k.VerifyUntil) {
				signs = "never"
			}
			return []string{k.ID, k.Purpose, k.Algorithm, k.State, signs, momentOr(k.VerifyUntil, "it is replaced")}
		})
	})
}

func tokenCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Issue a first-party access token"}
	var user string
	mint := &cobra.Command{
		Use: "mint", Short: "Open a first-party session for a person and print its access token", Args: cobra.NoArgs,
		Long: "Opens a session at the installation itself for a person, on the authority of whoever\n" +
			"can run this command on the server, and prints its access token: what registering and\n" +
			"managing sites over the API needs. The token says so: its amr is \"admin\". It is good\n" +
			"at the server whose address is OTL_PUBLIC_URL.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, user)
				if err != nil {
					return err
				}
				t, err := n.SignIn.Admin(ctx, u.ID, n.Installation.SiteID)
				if err != nil {
					return err
				}
				return a.print(map[string]any{
					"access_token": t.Access.Reveal(), "token_type": "Bearer", "expires_in": int(t.ExpiresIn.Seconds()),
					"session_id": t.Session.ID, "user_id": u.ID,
				}, func() { fmt.Fprintln(a.stdout, t.Access.Reveal()) })
			})
		},
	}
	mint.Flags().StringVar(&user, "user", "", "user id or e-mail address")
	require(mint, "user")
	c.AddCommand(mint)
	return c
}

// checkLimit checks how many rows a list may have.
func checkLimit(c *cobra.Command, n int) error {
	if n < 1 || n > 1000 {
		return wrongUse(c, "--limit must be a number from 1 to 1000")
	}
	return nil
}
