package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/surface/dev"
	"github.com/onetimelogin/otl/internal/surface/native"
)

// devData is the data directory of `otl dev`, in the working directory.
const devData = ".otl"

// devClock is the file in it that says how far its clock was moved.
const devClock = "dev.clock"

// devFlags are the flags of `otl dev`.
type devFlags struct {
	listen, envFile string
	reset, memory   bool
}

func devCommand(a *app) *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use: "dev", Short: "Start a seeded, local world", Args: cobra.NoArgs,
		Long: "Runs the real server with people, two sites and their keys already there, and writes\n" +
			"what a script needs to <data>/dev.env. Nothing leaves this machine. A second start on\n" +
			"the same directory finds the same data and keys.",
		RunE: func(c *cobra.Command, _ []string) error { return a.dev(c.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "", "address to listen on (default 127.0.0.1:8787)")
	flags.StringVar(&f.envFile, "env-file", "", "where to write the environment (default <data>/dev.env)")
	flags.BoolVar(&f.reset, "reset", false, "delete the data directory's world and start again")
	flags.BoolVar(&f.memory, "memory", false, "keep nothing: a temporary directory, deleted in the end")
	return c
}

func (a *app) dev(ctx context.Context, f devFlags) error {
	start := time.Now()
	defaults := map[string]string{"sms.countries": "*", "data_dir": devData, "admin_listen": "127.0.0.1:0", "drain_delay": "0s"}
	flags := map[string]string{}
	if f.listen != "" {
		flags["listen"] = f.listen
	}
	if f.memory {
		if a.dataDir != "" || f.reset {
			return usageError{errors.New("--memory cannot go together with --data or --reset"), "otl dev --memory"}
		}
		tmp, err := os.MkdirTemp("", "otl-dev-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		a.dataDir = tmp
	}
	c, err := a.load(defaults, flags)
	if err != nil {
		return err
	}
	if (f.memory || f.reset) && !c.DatabaseURL.Empty() {
		// The key goes with the directory; the database would be lost with it.
		return usageError{errors.New("--memory and --reset are for the database in the data directory, but OTL_DATABASE_URL is set"), "otl dev"}
	}
	if f.reset {
		if err := resetWorld(c.DataDir); err != nil {
			return err
		}
	}
	if f.envFile == "" {
		f.envFile = filepath.Join(c.DataDir, "dev.env")
	}
	var w world
	var demos demoSites
	var now func() time.Time
	return a.serve(ctx, defaults, flags, hooks{
		node: func(o *node.Options) error {
			err := devNode(o, c.DataDir)
			now = o.Now
			return err
		},
		log: func(level *slog.LevelVar) *slog.Logger { return slog.New(newDevHandler(a.stderr, level)) },
		seed: func(ctx context.Context, n *node.Node, base string) (err error) {
			before := demoPorts(f.envFile)
			if err := clearEnv(f.envFile); err != nil {
				return fmt.Errorf("write %s: %w", f.envFile, err)
			}
			if w, err = seed(ctx, n); err != nil {
				return err
			}
			if demos, err = listenDemos(ctx, n, w, before); err != nil {
				return err
			}
			w.url, w.notesURL, w.shopURL = base, demos.notes.url, demos.shop.url
			if err := writeEnv(f.envFile, w.env()); err != nil { // who connects from now on is answered: all listen
				return fmt.Errorf("write %s: %w", f.envFile, err)
			}
			return nil
		},
		ready: func(_ *node.Node, base, admin string) error {
			demos.serve(ctx, base, now, slog.New(newDevHandler(a.stderr, slog.LevelWarn)))
			for _, remark := range w.remarks {
				fmt.Fprintln(a.stderr, "otl: "+remark)
			}
			a.banner(w, f.envFile, c.DataDir, admin, time.Since(start))
			return nil
		},
		close: func(n *node.Node) error { return demos.close(n) },
	})
}

// devNode gives a node the inbox as its provider of mail and SMS, and a clock that
// can be moved.
func devNode(o *node.Options, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	clock, err := dev.NewClock(filepath.Join(dir, devClock))
	if err != nil {
		return err
	}
	inbox := &outbox.Inbox{Now: clock.Now}
	o.Now, o.Dev = clock.Now, dev.New(inbox, clock, native.Fail)
	o.Egress.Loopback = true
	o.Senders = map[otl.Channel][]outbox.Sender{otl.ChannelMail: {inbox}, otl.ChannelSMS: {inbox}}
	return nil
}

// resetWorld deletes what `otl dev` made in a directory, and nothing else. The
// lock file stays: somebody may be waiting for it.
func resetWorld(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "otl.db")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := store.Idle(filepath.Join(dir, "otl.db")); err != nil {
		return err
	}
	names := []string{"otl.db", "otl.db-wal", "otl.db-shm", "secret.key", "dev.env", devClock}
	copies, err := filepath.Glob(filepath.Join(dir, "otl.db.before-*"))
	if err != nil {
		return err
	}
	for _, c := range copies {
		names = append(names, filepath.Base(c))
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// clearEnv removes the environment of an earlier start, so that whoever waits
// for the file waits for this one, and makes the directory for it.
func clearEnv(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeEnv writes the environment so that a reader sees all of it or none.
func writeEnv(path string, vars [][2]string) error {
	var b strings.Builder
	for _, v := range vars {
		fmt.Fprintf(&b, "%s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".dev.env-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(b.String())
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// defaultURL is the address of a server that nobody gave one.
const defaultURL = "http://localhost:8787"

func (a *app) banner(w world, envFile, dir, admin string, took time.Duration) {
	program := os.Args[0]    // as it was called: mostly it is on no search path
	if w.url != defaultURL { // tokens name the address, so commands must know it
		program = "OTL_PUBLIC_URL=" + w.url + " " + program
	}
	fmt.Fprintf(a.stdout, `OneTimeLogin %s  dev mode, nothing leaves this machine      ready in %.1f s

  API        %s/api/v1        described at %s/openapi.json
  Docs       %s/docs
  Inbox      %s/dev/inbox       where mails and SMS end up
  Webhooks   %s/dev/catch       what came to /dev/catch/NAME
  Metrics    http://%s/metrics
  Sites      %s %s and %s %s: partner sites to sign in at, owned by %s
  Person     %s / %s
  Data       %s      keys and ids: source %s
  Commands   %s --data %s sites list

  Try it     set -a; source %s; set +a
             curl -s $OTL_URL/api/auth/login -H "X-OTL-Site-Key: $OTL_SITE_KEY" \
               -H 'Content-Type: application/json' -d '{"email":"%s","password":"%s"}'

`, version(), took.Seconds(), w.url, w.url, w.url, w.url, w.url, admin, w.notes.Site.Name, w.notesURL, w.shop.Site.Name, w.shopURL, w.owner.Email.Address,
		w.user.Email.Address, userPassword, dir, envFile, program, dir, envFile, w.user.Email.Address, userPassword)
}
