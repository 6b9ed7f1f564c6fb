package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// userJSON is a person as commands print him.
type userJSON struct {
	ID             string     `json:"id"`
	Email          string     `json:"email"`
	EmailVerified  bool       `json:"email_verified"`
	Username       string     `json:"username"`
	Name           string     `json:"name"`
	Phone          string     `json:"phone"`
	SessionVersion int        `json:"session_version"`
	Disabled       bool       `json:"disabled"`
	CreatedAt      time.Time  `json:"created_at"`
	LastLoginAt    *time.Time `json:"last_login_at"`
	DeleteAt       *time.Time `json:"delete_at"` // where he is to be deleted
}

func newUserJSON(u otl.User) userJSON {
	return userJSON{
		u.ID, u.Email.Address, !u.EmailVerifiedAt.IsZero(), u.Username.Name, u.Name, u.Phone, u.SessionVersion, !u.DisabledAt.IsZero(),
		u.CreatedAt, optionalTime(u.LastLoginAt), optionalTime(u.DeleteAt),
	}
}

func usersCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "users", Short: "Add, show, disable and delete people"}
	c.AddCommand(usersList(a), usersCreate(a), usersShow(a), usersExport(a), usersDisable(a, "suspend", "Disable a person and end all his sessions", true),
		usersDisable(a, "enable", "Let a disabled person sign in again", false), usersUnlock(a), usersReset(a), usersDelete(a), usersKeep(a))
	return c
}

func usersList(a *app) *cobra.Command {
	var after string
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List people, oldest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cmp.Or(checkLimit(c, limit), checkPlace(c, "after", "", after)); err != nil {
				return err
			}
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				page, err := n.Store.Read.Users.List(ctx, after, limit)
				if err != nil {
					return err
				}
				out := []userJSON{}
				for _, u := range page {
					out = append(out, newUserJSON(u))
				}
				return a.print(map[string]any{"data": out}, func() {
					table(a.stdout, []string{"ID", "EMAIL", "NAME", "DISABLED"}, out, func(u userJSON) []string {
						return []string{u.ID, u.Email, u.Name, strconv.FormatBool(u.Disabled)}
					})
				})
			})
		},
	}
	c.Flags().StringVar(&after, "after", "", "go on behind this id")
	c.Flags().IntVar(&limit, "limit", 100, "how many, 1 to 1000")
	return c
}

func usersCreate(a *app) *cobra.Command {
	var cr account.Creation
	var siteID, name, phone, username string
	var password, hash bool
	c := &cobra.Command{
		Use: "create", Short: "Add a person", Args: cobra.NoArgs,
		Example: "  printf '%s' \"$PASSWORD\" | otl users create --site notes --email jane@example.com --password-stdin",
		RunE: func(c *cobra.Command, _ []string) error {
			if password && hash {
				return wrongUse(c, "--password-stdin and --password-hash-stdin cannot go together")
			}
			if err := a.readPassword(&cr, password, hash); err != nil {
				return err
			}
			if name != "" {
				cr.Profile.Name = &name
			}
			if username != "" {
				cr.Profile.Username = &username
			}
			if phone != "" {
				cr.Profile.Phone = &phone
			}
			return a.withNode(c, opening{create: true}, func(ctx context.Context, n *node.Node) error {
				if siteID != "" {
					s, err := n.Sites.Get(ctx, siteID)
					if err != nil {
						return err
					}
					cr.Site = &s
				}
				m, err := n.Accounts.Create(ctx, cr)
				if err != nil {
					return err
				}
				return a.printUser(m.User)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&cr.Email, "email", "", "e-mail address")
	f.StringVar(&siteID, "site", "", "site id or slug the person joins")
	f.BoolVar(&cr.Verified, "verified", false, "you know that the address and the number are his")
	f.StringVar(&name, "name", "", "name")
	f.StringVar(&username, "username", "", "a name to sign in with, besides the address")
	f.StringVar(&phone, "phone", "", "phone number in E.164 form")
	f.BoolVar(&password, "password-stdin", false, "read the password from the first line of standard input")
	f.BoolVar(&hash, "password-hash-stdin", false, "read a password hash (argon2, bcrypt or scrypt) from the first line of standard input")
	require(c, "email")
	return c
}

// readPassword reads the first line of standard input, which keeps a password
// out of the process list.
func (a *app) readPassword(c *account.Creation, password, hash bool) error {
	if !password && !hash {
		return nil
	}
	line, err := bufio.NewReader(io.LimitReader(a.stdin, 8<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read standard input: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return otl.InvalidField("password", "required", "nothing came on standard input")
	}
	if hash {
		c.Hash = line
	} else {
		c.Password = secret.NewText(line)
	}
	return nil
}

func (a *app) printUser(u otl.User) error {
	out := newUserJSON(u)
	return a.print(out, func() {
		fmt.Fprintf(a.stdout, "User      %s\nName      %s\nEmail     %s\nPhone     %s\nDisabled  %v\nCreated   %s\nSigned in %s\n",
			out.ID, out.Name, out.Email, out.Phone, out.Disabled, moment(out.CreatedAt), momentOr(out.LastLoginAt, "never"))
	})
}

func usersShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show ID|EMAIL", Short: "Show one person", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				return a.printUser(u)
			})
		},
	}
}

func usersExport(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "export ID|EMAIL", Short: "Write everything that is kept of a person, but for secrets, as JSON", Args: cobra.ExactArgs(1),
		Long: "Writes everything that is kept of a person, but for secrets, as JSON. It is what the person finds at /account/data;\n" +
			"that it was written is an entry of the log.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				out, err := account.Consents{Accounts: n.Accounts}.Export(ctx, u.ID)
				if err != nil {
					return err
				}
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(out)
			})
		},
	}
}

func usersDisable(a *app, use, short string, disable bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " ID|EMAIL", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				if err := n.Accounts.SetDisabled(ctx, u.ID, disable); err != nil {
					return err
				}
				if u, err = n.Accounts.Find(ctx, u.ID); err != nil {
					return err
				}
				return a.printUser(u)
			})
		},
	}
}

func usersUnlock(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "unlock ID|EMAIL", Short: "Forget what failed in a row: a person's passwords, codes and second factors", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				u, err := n.Accounts.Find(ctx, args[0])
				if err != nil {
					return err
				}
				if err := (account.Locks{Accounts: n.Accounts}).Unlock(ctx, u.ID); err != nil {
					return err
				}
				return a.print(map[string]any{"unlocked": true, "id": u.ID}, func() { fmt.Fprintln(a.stdout, "unlocked") })
			})
		},
	}
}
