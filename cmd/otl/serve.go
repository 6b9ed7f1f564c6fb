package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/server"
)

func serveCommand(a *app) *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: "Runs the server, configured by otl.yaml and OTL_… variables (list them with `otl config env`).\n" +
			"With nothing set it listens on 127.0.0.1:8787 and keeps SQLite and its keys in ./otl-data.",
		RunE: func(c *cobra.Command, _ []string) error {
			flags := map[string]string{}
			if listen != "" {
				flags["listen"] = listen
			}
			return a.serve(c.Context(), nil, flags, hooks{})
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address to listen on (OTL_LISTEN)")
	return c
}

// hooks are what `otl dev` adds to `otl serve`.
type hooks struct {
	log   func(*slog.LevelVar) *slog.Logger            // instead of the configured one
	seed  func(context.Context, *node.Node) error      // before the first request
	ready func(n *node.Node, base, admin string) error // once requests are answered
}

// serve runs a node until ctx ends.
func (a *app) serve(ctx context.Context, defaults, flags map[string]string, h hooks) error {
	start := time.Now()
	c, err := a.load(defaults, flags)
	if err != nil {
		return err
	}
	if err := safe(c); err != nil {
		return err
	}
	level := new(slog.LevelVar)
	log := a.logger(c, level)
	if h.log != nil {
		log = h.log(level)
	}
	ln, err := server.Listen(c.Listen)
	if err != nil {
		return err
	}
	defer ln.Close()
	if c.PublicURL == "" {
		c.PublicURL = "http://localhost" + portOf(ln.Addr().String())
	}
	opts, err := nodeOptions(c, log, true)
	if err != nil {
		return err
	}
	n, err := node.Open(ctx, opts)
	if err != nil {
		return err
	}
	defer func() {
		if err := n.Close(); err != nil {
			log.Error("close", "err", err)
		}
	}()
	if h.seed != nil {
		if err := h.seed(ctx, n); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
	}
	run := running{a: a, c: c, n: n, log: log, level: level, sources: [2]map[string]string{defaults, flags}}
	return run.serve(ctx, ln, func(admin string) error {
		log.Info("ready", "url", c.PublicURL, "listen", ln.Addr().String(), "admin", admin, "database", n.Store.Stats().Engine,
			"version", version(), "dur_ms", time.Since(start).Milliseconds())
		if h.ready == nil {
			return nil
		}
		return h.ready(n, c.PublicURL, admin)
	})
}

// safe refuses a start that would expose people without anybody having decided
// so.
func safe(c *config.Config) error {
	host, _, err := net.SplitHostPort(c.Listen)
	if strings.HasPrefix(c.Listen, "unix:") {
		host, err = "unix", nil
	}
	if err != nil {
		return &config.Error{Key: "listen", Text: "must be host:port or unix:/path"}
	}
	if c.PublicURL == "" && !otl.Loopback(host) {
		return unsafeError{"listening on " + c.Listen + " needs OTL_PUBLIC_URL: the address people reach this server at",
			"OTL_PUBLIC_URL=https://id.example.com otl serve"}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return unsafeError{"OTL_TLS_CERT and OTL_TLS_KEY go together", ""}
	}
	if c.TLSKey != "" {
		return config.CheckPrivate(c.TLSKey)
	}
	return nil
}

// running is a node with the process around it.
type running struct {
	a       *app
	c       *config.Config
	n       *node.Node
	log     *slog.Logger
	level   *slog.LevelVar
	cert    *server.Certificate
	sources [2]map[string]string
}

// serve starts listeners and jobs, says so, and stops them when ctx ends.
func (r *running) serve(ctx context.Context, ln net.Listener, ready func(admin string) error) error {
	var err error
	if r.c.TLSCert != "" {
		if r.cert, err = server.LoadCertificate(r.c.TLSCert, r.c.TLSKey); err != nil {
			return &config.Error{Key: "tls.cert", Text: err.Error()}
		}
	}
	admin := ""
	if r.c.AdminListen != "" {
		adminLn, err := server.Listen(r.c.AdminListen)
		if err != nil {
			return fmt.Errorf("admin listener: %w", err)
		}
		admin = adminLn.Addr().String()
		go func() {
			if err := r.n.Server.ServeAdmin(ctx, adminLn); err != nil {
				r.log.Error("admin listener", "err", err)
			}
		}()
	}
	jobs, stopJobs := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { r.n.Run(jobs); close(done) }()
	defer func() { stopJobs(); <-done }()
	go r.reloads(ctx)
	failed := make(chan error, 1)
	go func() { failed <- r.n.Server.Serve(ctx, ln, r.cert, r.c.DrainDelay) }()
	if err := ready(admin); err != nil {
		return errors.Join(err, ln.Close())
	}
	err = <-failed
	r.log.Info("stopped")
	return err
}

// reloads reads what may change while the server runs again on SIGHUP: the log
// level and the certificate. Everything else needs a restart, and says so.
func (r *running) reloads(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		if r.cert != nil {
			if err := r.cert.Reload(); err != nil {
				r.log.Error("reload certificate", "err", err)
			}
		}
		c, err := r.a.load(r.sources[0], r.sources[1])
		if err != nil {
			r.log.Error("reload configuration", "err", err)
			continue
		}
		setLevel(r.level, c.LogLevel)
		old := r.c.Values()
		for i, v := range c.Values() {
			if v.Text != old[i].Text && v.Key.Path != "log.level" {
				r.log.Warn("restart needed", "key", v.Key.Path)
			}
		}
		r.log.Info("reloaded")
	}
}
