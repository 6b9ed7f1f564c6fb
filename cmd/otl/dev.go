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
	"github.com/onetimelogin/otl/internal/store"
)

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
	dir := a.dataDir
	if dir == "" {
		dir = a.getenv("OTL_DATA_DIR")
	}
	if dir == "" {
		dir = ".otl"
	}
	if f.memory {
		tmp, err := os.MkdirTemp("", "otl-dev-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	}
	if f.reset {
		if err := resetWorld(dir); err != nil {
			return err
		}
	}
	if f.envFile == "" {
		f.envFile = filepath.Join(dir, "dev.env")
	}
	a.dataDir = dir
	flags := map[string]string{}
	if f.listen != "" {
		flags["listen"] = f.listen
	}
	var w world
	return a.serve(ctx, map[string]string{"admin_listen": "127.0.0.1:0", "drain_delay": "0s"}, flags, hooks{
		log: func(level *slog.LevelVar) *slog.Logger { return slog.New(newDevHandler(a.stderr, level)) },
		seed: func(ctx context.Context, n *node.Node) (err error) {
			w, err = seed(ctx, n)
			return err
		},
		ready: func(_ *node.Node, base, admin string) error {
			w.url = base
			if err := writeEnv(f.envFile, w.env()); err != nil {
				return err
			}
			a.banner(w, f.envFile, dir, admin, time.Since(start))
			return nil
		},
	})
}

// resetWorld deletes what `otl dev` made in a directory, and nothing else.
func resetWorld(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := store.Idle(filepath.Join(dir, "otl.db")); err != nil {
		return err
	}
	for _, name := range []string{"otl.db", "otl.db-wal", "otl.db-shm", "otl.db.lock", "secret.key", "dev.env"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
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

func (a *app) banner(w world, envFile, dir, admin string, took time.Duration) {
	fmt.Fprintf(a.stdout, `OneTimeLogin %s  dev mode, nothing leaves this machine      ready in %.1f s

  API        %s/api/v1        described at %s/openapi.json
  Docs       %s/docs
  Metrics    http://%s/metrics
  Sites      %s and %s, owned by %s
  Person     %s / %s
  Data       %s      keys and ids: source %s

  Try it     source %s
             curl -s $OTL_URL/api/auth/login -H "X-OTL-Site-Key: $OTL_SITE_KEY" \
               -H 'Content-Type: application/json' -d '{"email":"%s","password":"%s"}'

`, version(), took.Seconds(), w.url, w.url, w.url, admin, w.notes.Site.Name, w.shop.Site.Name, w.owner.Email.Address,
		w.user.Email.Address, userPassword, dir, envFile, envFile, w.user.Email.Address, userPassword)
}
