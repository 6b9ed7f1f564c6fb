package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
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
	node  func(*node.Options) error                                  // before the database is opened
	log   func(*slog.LevelVar) *slog.Logger                          // instead of the configured one
	seed  func(ctx context.Context, n *node.Node, base string) error // before the first request
	ready func(n *node.Node, base, admin string) error               // once requests are answered
	close func(*node.Node) error                                     // after the last request, before the database is closed
}

// gcPercent is how much may be allocated, of what is in use, before the collector runs.
// Little is in use, so the usual 100 has it run all the time: 200 gives a tenth more of
// everything for ten megabytes (GOGC says otherwise).
const gcPercent = 200

// serve runs a node until ctx ends. Whatever can be refused is refused before
// the database is opened, so that a start that fails leaves nothing behind.
func (a *app) serve(ctx context.Context, defaults, flags map[string]string, h hooks) error {
	start := time.Now()
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	c, err := a.load(defaults, flags)
	if err != nil {
		return err
	}
	r := running{a: a, c: c, level: new(slog.LevelVar), sources: [2]map[string]string{defaults, flags}}
	r.log = a.logger(c, r.level)
	if h.log != nil {
		r.log = h.log(r.level)
	}
	cert, exposed := safe(c)
	opts, wrong := nodeOptions(c, r.log, true)
	var moved error
	if h.node == nil { // otl dev goes by its clock
		moved = unmoved(c)
	}
	if err := config.Together(exposed, wrong, moved); err != nil {
		return err
	}
	r.cert = cert
	if err := r.listen(); err != nil {
		return err
	}
	defer r.closeListeners()
	if c.PublicURL == "" {
		c.PublicURL = localURL(c, r.ln.Addr().String())
		reachedAt(&opts, c.PublicURL)
	}
	if h.node != nil {
		if err := h.node(&opts); err != nil {
			return err
		}
	}
	if r.n, err = node.Open(ctx, opts); err != nil {
		return tried(c, err)
	}
	defer func() {
		if h.close != nil {
			if err := h.close(r.n); err != nil {
				r.log.Error("close", "err", err)
			}
		}
		if err := r.n.Close(); err != nil {
			r.log.Error("close", "err", err)
		}
	}()
	if h.seed != nil {
		if err := h.seed(ctx, r.n, c.PublicURL); err != nil {
			return err
		}
	}
	return r.serve(ctx, func() error {
		r.log.Info("ready", "url", c.PublicURL, "listen", r.ln.Addr().String(), "admin", r.admin(), "database", r.n.Store.Stats().Engine,
			"version", version(), "dur_ms", time.Since(start).Milliseconds())
		if h.ready == nil {
			return nil
		}
		return h.ready(r.n, c.PublicURL, r.admin())
	})
}

// safe refuses a start that would expose people without anybody having decided
// so. It gives the certificate to serve with, nil for plain http.
func safe(c *config.Config) (*server.Certificate, error) {
	var exposed error
	if c.PublicURL == "" && !loopback(c.Listen) {
		exposed = c.Refuse("listen", "needs OTL_PUBLIC_URL as well: the address people reach this server at")
	}
	cert, err := keyPair(c)
	return cert, config.Together(exposed, err)
}

// keyPair gives the configured certificate with its key, nil for none.
func keyPair(c *config.Config) (*server.Certificate, error) {
	if c.TLSKey == "" {
		return nil, nil
	}
	if err := config.CheckPrivate(c.TLSKey); err != nil {
		return nil, c.RefuseFile("tls.key", err)
	}
	cert, err := server.LoadCertificate(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, c.Refuse("tls.cert", err.Error())
	}
	return cert, nil
}

// loopback reports whether only this machine can reach an address. A socket is
// there for a proxy, and so for everybody.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && otl.Loopback(host)
}

// running is a node with the process around it.
type running struct {
	a       *app
	c       *config.Config
	n       *node.Node
	log     *slog.Logger
	level   *slog.LevelVar
	cert    *server.Certificate // nil for plain http
	ln      net.Listener
	adminLn net.Listener // nil when it is off
	sources [2]map[string]string
}

// listen opens both listeners.
func (r *running) listen() error {
	var err error
	if r.ln, err = server.Listen(r.c.Listen); err != nil {
		return fmt.Errorf("listen on %s: %w", r.c.Listen, err)
	}
	if r.c.AdminListen == "" {
		return nil
	}
	if r.adminLn, err = server.Listen(r.c.AdminListen); err != nil {
		r.closeListeners()
		return fmt.Errorf("listen on %s for administration (OTL_ADMIN_LISTEN): %w", r.c.AdminListen, err)
	}
	return nil
}

func (r *running) closeListeners() {
	for _, ln := range []net.Listener{r.ln, r.adminLn} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// admin gives the address of the admin listener, "" when it is off.
func (r *running) admin() string {
	if r.adminLn == nil {
		return ""
	}
	return r.adminLn.Addr().String()
}

// serve answers requests and does the jobs, says so, and stops when ctx ends.
func (r *running) serve(ctx context.Context, ready func() error) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // before ready: then nobody need wait for it
	defer signal.Stop(hup)
	go r.reloads(ctx, hup)
	r.warn()
	if r.adminLn != nil {
		go func() {
			if err := r.n.Server.ServeAdmin(ctx, r.adminLn); err != nil {
				r.log.Error("admin listener", "err", err)
			}
		}()
	}
	jobs, stopJobs := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { r.n.Run(jobs); close(done) }()
	defer func() { stopJobs(); <-done }()
	failed := make(chan error, 1)
	go func() { failed <- r.n.Server.Serve(ctx, r.ln, r.cert, r.c.DrainDelay) }()
	if err := ready(); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	r.log.Info("stopping", "drain_delay", r.c.DrainDelay.String())
	err := <-failed
	r.log.Info("stopped")
	return err
}

// spareFiles is how many files are open besides connections: the database, logs, calls to others.
const spareFiles = 100

// warn says what an operator should know about the configuration he chose.
func (r *running) warn() {
	if r.adminLn != nil && !loopback(r.c.AdminListen) {
		r.log.Warn("other machines may reach /metrics and /debug/pprof", "admin_listen", r.c.AdminListen)
	}
	if strings.HasPrefix(r.c.Listen, "unix:") && !r.c.TrustedSocket {
		r.log.Warn("nobody who comes over the socket has an address: limits and the log tell them not apart", "trusted_proxies", "has no unix")
	}
	if !r.c.SecretKeyPrevious.Empty() {
		r.log.Warn("the previous master key is needed for one start alone: take it out of the configuration", "secret_key_previous", r.c.Source("secret_key_previous"))
	}
	if !r.c.RateLimits {
		r.log.Warn("rate limits and lockouts are off", "rate_limits", "off")
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && uint64(r.c.ConnsTotal)+spareFiles > files.Cur {
		r.log.Warn("fewer files may be open than connections.total needs: connections fail before they are bounded", "connections.total", r.c.ConnsTotal, "files", files.Cur)
	}
	if r.n.Messages.Reaches(otl.ChannelMail) != nil {
		r.log.Warn("nobody delivers mail: codes, links and new passwords reach nobody", "mail.url", "")
	}
	if len(r.c.SMSCountries) > 0 && r.n.Messages.Reaches(otl.ChannelSMS) != nil {
		r.log.Warn("nobody delivers SMS", "sms.url", "")
	}
}

// reloads reads what may change while the server runs again on SIGHUP: the log
// level and the certificate. Everything else needs a restart, and says so.
func (r *running) reloads(ctx context.Context, hup <-chan os.Signal) {
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
		for _, key := range c.Changed(r.c) {
			if key != "log.level" {
				r.log.Warn("restart needed", "key", key)
			}
		}
		r.log.Info("reloaded")
	}
}
