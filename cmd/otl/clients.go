package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// clientJSON is a client as commands print it.
type clientJSON struct {
	ID           string    `json:"client_id"`
	Secret       string    `json:"client_secret,omitempty"` // only when it was just made
	SiteID       string    `json:"site_id"`
	Name         string    `json:"name"`
	Scopes       []string  `json:"scopes"`
	RedirectURIs []string  `json:"redirect_uris"`
	PostLogout   []string  `json:"post_logout_redirect_uris"`
	Resources    []string  `json:"resources"`
	LinkConfirm  string    `json:"link_confirm"`
	SignUp       bool      `json:"allow_signup"`
	AutoCreate   bool      `json:"auto_create"`
	NoPKCE       bool      `json:"no_pkce"`
	Auth         string    `json:"auth"`
	JWKSURI      string    `json:"jwks_uri"`
	RequirePAR   bool      `json:"require_par"`
	Device       bool      `json:"device"`
	RequireDPoP  bool      `json:"require_dpop"`
	SigningAlg   string    `json:"signing_alg"`
	FAPI         bool      `json:"fapi"`
	SubjectType  string    `json:"subject_type"`
	CreatedAt    time.Time `json:"created_at"`
}

func newClientJSON(c otl.Client) clientJSON {
	return clientJSON{
		ID: c.ID, SiteID: c.SiteID, Name: c.Name, Scopes: strings.Fields(c.Scopes.String()), RedirectURIs: append([]string{}, c.RedirectURIs...), PostLogout: append([]string{}, c.PostLogout...),
		Resources: append([]string{}, c.Resources...), LinkConfirm: string(c.LinkConfirm), SignUp: c.SignUp, AutoCreate: c.AutoCreate, NoPKCE: c.NoPKCE,
		Auth: string(c.Auth), JWKSURI: c.JWKSURI, RequirePAR: c.RequirePAR, RequireDPoP: c.RequireDPoP, Device: c.Device, SigningAlg: string(c.SigningAlg), FAPI: c.FAPI, SubjectType: string(c.SubjectType), CreatedAt: c.CreatedAt,
	}
}

// signUps says when a client has people created.
func (c clientJSON) signUps() string {
	switch {
	case !c.SignUp:
		return "no"
	case c.AutoCreate:
		return "by links"
	}
	return "asked for"
}

func clientsCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "clients", Short: "Programs of a site that prove themselves with an id and a secret"}
	var siteID string
	c.PersistentFlags().StringVar(&siteID, "site", "", "site id or slug")
	on := func(c *cobra.Command, do func(context.Context, *node.Node, string) error) error {
		if siteID == "" {
			return wrongUse(c, "--site is needed: a site id or slug")
		}
		return a.onNode(c, func(ctx context.Context, n *node.Node) error {
			s, err := n.Sites.Get(ctx, siteID)
			if err != nil {
				return err
			}
			return do(ctx, n, s.ID)
		})
	}
	c.AddCommand(clientsCreate(a, on), clientsList(a, on), clientsUpdate(a, on), clientsRevoke(a, on))
	return c
}

type onClients func(*cobra.Command, func(context.Context, *node.Node, string) error) error

func clientsCreate(a *app, on onClients) *cobra.Command {
	var n site.NewClient
	var scopes []string
	var public bool
	var keys string
	c := &cobra.Command{
		Use: "create", Short: "Make a client and show its secret, once", Args: cobra.NoArgs,
		Example: "  otl clients create --site notes --redirect-uri https://notes.example.com/auth/callback\n" +
			"  otl clients create --site notes --scopes auth   # it signs people in, and sees and changes none",
		RunE: func(c *cobra.Command, _ []string) error {
			return on(c, func(ctx context.Context, nd *node.Node, id string) error {
				var err error
				switch {
				case len(scopes) > 0:
					n.Scopes, err = otl.ParseScopes(scopes)
				case !public && n.SubjectType != string(otl.SubjectPairwise): // of these there is one choice
					n.Scopes = otl.Scopes{otl.ScopeAuth, otl.ScopeUsers, otl.ScopeAdmin} // to be handed codes is asked for by name (OT-22)
				}
				if err != nil {
					return err
				}
				if err := authOf(&n, public, keys); err != nil {
					return err
				}
				made, err := nd.Clients.Create(ctx, id, n)
				if err != nil {
					return err
				}
				out := newClientJSON(made.Client)
				out.Secret = made.Secret.Reveal()
				return a.print(out, func() {
					if out.Secret == "" {
						fmt.Fprintf(a.stdout, "Client ID      %s\n\nThere is no secret: the client proves itself by %s.\n", out.ID, map[bool]string{true: "nothing but PKCE", false: "its key"}[public])
						return
					}
					fmt.Fprintf(a.stdout, "Client ID      %s\nClient secret  %s\n\nThe secret is shown this once. Keep it in your server's secret store.\n", out.ID, out.Secret)
				})
			})
		},
	}
	f := c.Flags()
	f.StringVar(&n.Name, "name", "client", "what the program is")
	f.StringArrayVar(&n.RedirectURIs, "redirect-uri", nil, "where people may be sent back to; may be repeated")
	f.StringArrayVar(&n.PostLogout, "post-logout-uri", nil, "where people may be sent who signed out, besides the redirect URIs; may be repeated")
	f.StringArrayVar(&n.Resources, "resource", nil, "audience it may ask tokens for; may be repeated")
	f.StringVar(&n.LinkConfirm, "link-confirm", "", "whether the page of a one-time link asks for a press: auto, always or never (default auto)")
	f.BoolVar(&n.SignUp, "allow-signup", false, "let it have people created whom nobody knows")
	f.BoolVar(&n.AutoCreate, "auto-create", false, autoCreateText)
	f.BoolVar(&n.NoPKCE, "no-pkce", false, "let it do without PKCE at /oidc/authorize; for programs that know none")
	f.BoolVar(&public, "public", false, "it keeps no secret: an app that people hold in their hands; PKCE only")
	f.StringVar(&keys, "jwks", "", "file with its public keys, a JWK set: it proves itself by private_key_jwt")
	f.StringVar(&n.JWKSURI, "jwks-uri", "", "where its public keys are read instead")
	f.BoolVar(&n.RequirePAR, "require-par", false, "take requests from it only that it sent ahead (RFC 9126)")
	f.BoolVar(&n.Device, "device", false, "let it sign people in on devices without a browser (RFC 8628)")
	f.StringVar(&n.LogoutURI, "logout-uri", "", "told of its sessions that end (OpenID Connect Back-Channel Logout)")
	f.BoolVar(&n.RequireDPoP, "require-dpop", false, "bind the access tokens of its people to a key of its own (RFC 9449)")
	f.StringVar(&n.SigningAlg, "signing-alg", "", "how the tokens it reads are signed: RS256, which every library reads, or ES256 (default RS256)")
	f.BoolVar(&n.FAPI, "fapi", false, "hold it to FAPI 2.0's security profile: --jwks or --jwks-uri, --require-par, --require-dpop, ES256, refresh tokens that stay")
	f.StringVar(&n.SubjectType, "subject", "", "by which ids it knows people: public, the same at every site, or pairwise, of this site alone, with scope auth only (default public)")
	f.StringSliceVar(&scopes, "scopes", nil, "auth, which is enough to sign people in, users, admin, otp:direct (default all but otp:direct, or what it may have)")
	return c
}

// authOf says how a client is to prove itself.
func authOf(n *site.NewClient, public bool, keys string) error {
	if keys != "" {
		raw, err := os.ReadFile(keys)
		if err != nil {
			return err
		}
		n.JWKS = string(raw)
	}
	switch {
	case public:
		n.Auth = string(otl.AuthNone)
	case n.JWKS != "" || n.JWKSURI != "":
		n.Auth = string(otl.AuthKey)
	}
	return nil
}

func clientsList(a *app, on onClients) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the clients of a site", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return on(c, func(ctx context.Context, n *node.Node, id string) error {
				found, err := n.Clients.List(ctx, id)
				if err != nil {
					return err
				}
				out := []clientJSON{}
				for _, one := range found {
					out = append(out, newClientJSON(one))
				}
				return a.print(map[string]any{"data": out}, func() {
					table(a.stdout, []string{"ID", "NAME", "SCOPES", "SIGN-UPS", "REDIRECT URIS"}, out, func(c clientJSON) []string {
						return []string{c.ID, c.Name, strings.Join(c.Scopes, " "), c.signUps(), strings.Join(c.RedirectURIs, " ")}
					})
				})
			})
		},
	}
}

func clientsUpdate(a *app, on onClients) *cobra.Command {
	var name, confirm string
	var scopes, redirects, landings []string
	var signUp, autoCreate bool
	c := &cobra.Command{
		Use: "update CLIENT_ID", Short: "Change the name, scopes, addresses and switches of a client", Args: cobra.ExactArgs(1),
		Long: "Changes what is named of a client, and leaves the rest as it is. How it proves itself stays: another way is another client.\n" +
			"What it may do no more is refused from the next call on.",
		Example: "  otl clients update --site notes 01HKZ3M5Q8J9X2V7C4B6N1D0FG --scopes auth --link-confirm always",
		RunE: func(c *cobra.Command, args []string) error {
			var change site.ClientChange
			given(c, map[string]func(){
				"name": func() { change.Name = &name }, "link-confirm": func() { change.LinkConfirm = &confirm }, "scopes": func() { change.Scopes = &scopes },
				"redirect-uri": func() { change.RedirectURIs = &redirects }, "post-logout-uri": func() { change.PostLogout = &landings },
				"allow-signup": func() { change.SignUp = &signUp }, "auto-create": func() { change.AutoCreate = &autoCreate },
			})
			if change == (site.ClientChange{}) {
				return wrongUse(c, "nothing to change: name what is to be different")
			}
			return on(c, func(ctx context.Context, n *node.Node, id string) error {
				changed, err := n.Clients.Update(ctx, id, args[0], change)
				if err != nil {
					return err
				}
				return a.print(newClientJSON(changed), func() { fmt.Fprintln(a.stdout, "set") })
			})
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "what the program is")
	f.StringVar(&confirm, "link-confirm", "", "whether the page of a one-time link asks for a press: auto, always or never")
	f.StringSliceVar(&scopes, "scopes", nil, "what it may do, all of it: auth, users, admin, otp:direct")
	f.StringSliceVar(&redirects, "redirect-uri", nil, "where people may be sent back to, all of them; empty for none")
	f.StringSliceVar(&landings, "post-logout-uri", nil, "where people may be sent who signed out, besides those, all of them; empty for none")
	f.BoolVar(&signUp, "allow-signup", false, "let it have people created whom nobody knows; =false for no longer")
	f.BoolVar(&autoCreate, "auto-create", false, autoCreateText+"; =false for no longer")
	return c
}

// autoCreateText says what --auto-create does.
const autoCreateText = "with --allow-signup: a link that it sends to an address of none of the site's people adds whoever opens it (Transmit's link/email/send)"

func clientsRevoke(a *app, on onClients) *cobra.Command {
	return &cobra.Command{
		Use: "revoke CLIENT_ID", Short: "End a client at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return on(c, func(ctx context.Context, n *node.Node, id string) error {
				if err := n.Clients.Revoke(ctx, id, args[0]); err != nil {
					return err
				}
				return a.print(map[string]any{"revoked": true, "client_id": args[0]}, func() { fmt.Fprintln(a.stdout, "revoked") })
			})
		},
	}
}
