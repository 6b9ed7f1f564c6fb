package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/bench"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// benchFlags are the flags of `otl bench`.
type benchFlags struct {
	url, admin, siteKey, email, database string
	seconds, users, nodes, connections   int
	storm                                int
	only                                 []string
}

func benchCommand(a *app) *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use: "bench", Short: "Measure a server, and the machine under it", Args: cobra.NoArgs,
		Long: "Starts a server of its own on free ports and a throw-away directory, puts one load after\n" +
			"the other on it and prints what each came to, beside what the machine can do at most:\n" +
			"the bare password hash, a bare net/http handler, a bare fsync. --url drives a server that\n" +
			"is running instead; it must run with OTL_RATE_LIMITS=off.",
		Example: "  otl bench --seconds 3\n  otl bench --only otp --only login\n  otl bench --users 1000000\n  otl bench --database postgres://otl@127.0.0.1/postgres --nodes 3",
		RunE:    func(c *cobra.Command, _ []string) error { return a.bench(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.seconds, "seconds", 10, "length of each load")
	flags.IntVar(&f.connections, "connections", 64, "connections of each load, one person each")
	flags.IntVar(&f.users, "users", 1000, "people in the database before the loads")
	flags.IntVar(&f.nodes, "nodes", 1, "servers to start on one PostgreSQL")
	flags.IntVar(&f.storm, "storm", 0, "also send that many sign-ins at one moment, such as 5000")
	flags.StringSliceVar(&f.only, "only", nil, `only the loads whose names begin so, such as "login" or "otp"`)
	flags.StringVar(&f.database, "database", "", "PostgreSQL server on which a throw-away database is made (default: SQLite)")
	flags.StringVar(&f.url, "url", "", "drive this server instead of starting one")
	flags.StringVar(&f.admin, "admin", "", "with --url: its admin listener, for processor time and memory")
	flags.StringVar(&f.siteKey, "site-key", "", "with --url: a site key (OTL_SITE_KEY)")
	flags.StringVar(&f.email, "email", "", "with --url: somebody to sign in (OTL_USER_EMAIL)")
	bare := &cobra.Command{
		Use: "bare", Hidden: true, Args: cobra.NoArgs, Short: "Serve the bare handler that bench compares with",
		RunE: func(c *cobra.Command, _ []string) error {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, "http://"+ln.Addr().String())
			return bench.ServeBare(c.Context(), ln)
		},
	}
	c.AddCommand(bare)
	return c
}

func (a *app) bench(ctx context.Context, f benchFlags) error {
	if f.storm < 0 || f.storm > 10_000 || f.seconds < 1 || f.connections < 1 || f.users < 1 || f.nodes < 1 || f.users > 10_000_000 {
		return usageError{errors.New("--seconds, --connections, --users and --nodes must be at least 1, --users at most 10,000,000, --storm at most 10,000"), "otl bench --help"}
	}
	if f.database != "" && !store.Postgres(f.database) {
		return usageError{errors.New("--database must begin with postgres://"), "otl bench --database postgres://otl@127.0.0.1/postgres"}
	}
	if f.nodes > 1 && f.database == "" {
		return usageError{errors.New("--nodes needs --database: a SQLite file has one server"), "otl bench --nodes 3 --database postgres://…"}
	}
	dir, err := os.MkdirTemp("", "otl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rep := bench.Report{Machine: bench.ThisMachine(version()), Database: "sqlite", Users: f.users}
	fsync, err := bench.Fsync(dir)
	if err != nil {
		return err
	}
	rep.FsyncMS = float64(fsync.Microseconds()) / 1000
	w := &benchWorld{a: a, f: f, dir: dir}
	defer w.stop()
	opts, err := w.prepare(ctx, &rep)
	if err != nil {
		return err
	}
	opts.Duration, opts.Connections, opts.Storm = time.Duration(f.seconds)*time.Second, f.connections, f.storm
	opts.Only = f.only
	opts.Overload = max(opts.Duration, 5*time.Second)
	opts.Progress = func(name string) { fmt.Fprintln(a.stderr, "…", name) }
	if rep.Results, err = bench.Run(ctx, opts); err != nil {
		return err
	}
	return a.print(rep, func() { err = errors.Join(err, rep.Print(a.stdout)) })
}

// benchWorld is what one run of bench starts, and ends.
type benchWorld struct {
	a       *app
	f       benchFlags
	dir     string
	drop    func()
	started []*exec.Cmd

	receiver *bench.Receiver // nil where none was started
	mailbox  *bench.Mailbox
}

// stop ends what was started, in any state, and removes the database.
func (w *benchWorld) stop() {
	for _, c := range w.started {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	if w.drop != nil {
		w.drop()
	}
	if w.receiver != nil {
		_ = w.receiver.Close()
	}
	if w.mailbox != nil {
		_ = w.mailbox.Close()
	}
}

// prepare gets hold of a server: the one named, or some of its own.
func (w *benchWorld) prepare(ctx context.Context, rep *bench.Report) (bench.Options, error) {
	o := bench.Options{Hash: secret.DefaultArgon2()}
	var err error
	if o.Bare, err = w.bare(ctx); err != nil {
		return o, err
	}
	if w.f.url != "" {
		return w.running(o, rep)
	}
	environ := []string{"OTL_DATA_DIR=" + w.dir, "OTL_RATE_LIMITS=off", "OTL_DRAIN_DELAY=0s"}
	if o.Receiver, err = bench.NewReceiver(); err != nil {
		return o, err
	}
	w.receiver = o.Receiver
	if o.Mailbox, err = bench.NewMailbox(); err != nil {
		return o, err
	}
	w.mailbox = o.Mailbox
	cert := filepath.Join(w.dir, "receiver.pem")
	if err := os.WriteFile(cert, o.Receiver.Cert, 0o600); err != nil {
		return o, err
	}
	environ = append(environ, "SSL_CERT_FILE="+cert, "OTL_EGRESS_ALLOW=127.0.0.0/8", "OTL_EGRESS_PORTS="+o.Receiver.Port(), "OTL_MAIL_URL=webhook:"+o.Mailbox.URL)
	if w.f.database != "" {
		url, drop, err := store.ThrowAway(ctx, w.f.database)
		if err != nil {
			return o, err
		}
		rep.Database, w.drop = "postgres", drop
		environ = append(environ, "OTL_DATABASE_URL="+url)
	}
	var listen, admin []string
	for range w.f.nodes {
		main, err := freePort()
		if err != nil {
			return o, err
		}
		side, err := freePort()
		if err != nil {
			return o, err
		}
		listen, admin = append(listen, main), append(admin, side)
	}
	environ = append(environ, "OTL_PUBLIC_URL=http://localhost"+portOf(listen[0]))
	if err := w.seed(ctx, environ, &o); err != nil {
		return o, err
	}
	for i := range listen {
		took, err := w.serve(ctx, append(environ, "OTL_LISTEN="+listen[i], "OTL_ADMIN_LISTEN="+admin[i]), listen[i])
		if err != nil {
			return o, err
		}
		if i == 0 {
			rep.ColdStartMS = float64(took.Microseconds()) / 1000
		}
		o.Nodes, o.Admin = append(o.Nodes, "http://"+listen[i]), append(o.Admin, "http://"+admin[i])
	}
	rep.IdleMB, err = bench.Memory(ctx, o.Admin[0])
	return o, err
}

// running describes a server that was started by somebody else.
func (w *benchWorld) running(o bench.Options, rep *bench.Report) (bench.Options, error) {
	rep.Database, rep.Users = "unknown", 0
	o.Nodes = []string{strings.TrimSuffix(w.f.url, "/")}
	if w.f.admin != "" {
		o.Admin = []string{"http://" + strings.TrimPrefix(w.f.admin, "http://")}
	}
	key, email, password := w.f.siteKey, w.f.email, w.a.getenv("OTL_USER_PASSWORD")
	if key == "" {
		key = w.a.getenv("OTL_SITE_KEY")
	}
	if email == "" {
		email = w.a.getenv("OTL_USER_EMAIL")
	}
	if key == "" || email == "" || password == "" {
		return o, usageError{errors.New("--url needs a site key, an e-mail address and a password (OTL_USER_PASSWORD)"), "source .otl/dev.env, then otl bench --url $OTL_URL"}
	}
	o.SiteKey = secret.NewText(key)
	// One person has a bounded number of sessions at a site.
	for range min(w.f.connections, 40) {
		o.People = append(o.People, bench.Person{Email: email, Password: secret.NewText(password)})
	}
	return o, nil
}

// start runs this program again.
func (w *benchWorld) start(ctx context.Context, environ []string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, args...) //nolint:gosec // this very program
	c.Env, c.Dir = environ, w.dir
	return c, nil
}

// bare starts the bare handler in a process of its own.
func (w *benchWorld) bare(ctx context.Context) (string, error) {
	c, err := w.start(ctx, nil, "bench", "bare")
	if err != nil {
		return "", err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	w.started = append(w.started, c)
	var address string
	_, err = fmt.Fscanln(out, &address)
	return address, err
}

// serve starts a node and gives the time until it is ready.
func (w *benchWorld) serve(ctx context.Context, environ []string, listen string) (time.Duration, error) {
	log, err := os.OpenFile(filepath.Join(w.dir, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	c, err := w.start(ctx, environ, "serve")
	if err != nil {
		return 0, err
	}
	c.Stderr = log
	begin := time.Now()
	if err := c.Start(); err != nil {
		return 0, err
	}
	w.started = append(w.started, c)
	for time.Since(begin) < 30*time.Second && ctx.Err() == nil {
		if bench.Ready(ctx, "http://"+listen) {
			return time.Since(begin), nil
		}
		time.Sleep(time.Millisecond)
	}
	raw, _ := os.ReadFile(log.Name())
	return 0, fmt.Errorf("the server did not start: %.1000s", raw)
}

// freePort gives an address on loopback that nobody listens at just now.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
