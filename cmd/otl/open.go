package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/server"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/surface/dev"
)

// load reads the configuration of a command.
func (a *app) load(defaults, flags map[string]string) (*config.Config, error) {
	file := a.configFile
	if file == "" {
		file = a.getenv("OTL_CONFIG")
	}
	if flags == nil {
		flags = map[string]string{}
	}
	if a.dataDir != "" {
		flags["data_dir"] = a.dataDir
	}
	return config.Load(config.Sources{File: file, Environ: a.environ, Flags: flags, Defaults: defaults})
}

func (a *app) getenv(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(a.environ[i], "="); k == name {
			return v
		}
	}
	return ""
}

// databaseFile gives the SQLite file of a configuration, "" on PostgreSQL.
func databaseFile(c *config.Config) string {
	switch {
	case store.Postgres(c.DatabaseURL.Reveal()):
		return ""
	case !c.DatabaseURL.Empty():
		return strings.TrimPrefix(c.DatabaseURL.Reveal(), "sqlite:")
	}
	return filepath.Join(c.DataDir, "otl.db")
}

// nodeOptions turns a configuration into what a node needs. What can be refused
// without opening the database is refused here, all of it at once.
func nodeOptions(c *config.Config, log *slog.Logger, serve bool) (node.Options, error) {
	noDir := checkDataDir(c)
	url, noStore := databaseURL(c)
	master, noKey := masterKey(c, log)
	if noDir != nil {
		noKey = nil // its file would lie there
	}
	rules, noList := passwordRules(c)
	post, noSender := senders(c, log)
	if err := config.Together(noDir, noStore, c.RefuseFile("data_dir", noKey), noList, noSender); err != nil {
		return node.Options{}, err
	}
	opts := node.Options{
		StrictSubdomain: strictSubdomain(c), HostInPath: c.HostInPath,
		Senders: post,
		Store:   store.Options{URL: url, MaxConns: c.DBMaxConns, Serve: serve, Migrate: c.AutoMigrate, Log: log},
		Master:  master, Now: now, Log: log, Version: version(),
		Algorithm: c.Algorithm, KeyRotation: c.KeyRotation, AccessTTL: c.AccessTTL, RefreshTTL: c.RefreshTTL,
		SessionMaxAge: c.SessionMaxAge, RefreshGrace: c.RefreshGrace, SessionLimit: c.SessionLimit,
		SMSCountries: c.SMSCountries, SMSDailyCap: c.SMSDailyCap, Mail: limit.Mail{PerMinute: c.MailMinute, PerDay: c.MailDaily}, Operator: c.Operator, Foot: c.Foot, CodeTTL: c.CodeTTL, LinkTTL: c.LinkTTL, CodeLength: c.CodeLength, CodeTries: c.CodeTries,
		Argon2: c.Argon2, HashConcurrency: c.HashConcurrency, Rules: rules, Limits: c.RateLimits,
		AuditRetention: c.AuditRetention, AddressRetention: c.AddressRetention, Egress: egress.Policy{Networks: c.EgressAllow, Ports: c.EgressPorts}, AdminHosts: c.AdminHosts, TrustedProxies: c.TrustedProxies, TrustedSocket: c.TrustedSocket, Connections: connections(c), PII: c.LogPII,
	}
	reachedAt(&opts, c.PublicURL)
	return opts, nil
}

// reachedAt says at which address people and sites reach a node.
func reachedAt(o *node.Options, url string) {
	o.PublicURL, o.HTTPS = url, strings.HasPrefix(url, "https:")
}

func checkDataDir(c *config.Config) error {
	switch info, err := os.Stat(c.DataDir); {
	case err == nil && !info.IsDir():
		return c.Refuse("data_dir", c.DataDir+" is not a directory")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return c.Refuse("data_dir", err.Error())
	}
	return nil
}

// databaseURL gives where the database is: the file of SQLite, which others may not read, or an address
// of PostgreSQL.
func databaseURL(c *config.Config) (string, error) {
	url, file := c.DatabaseURL.Reveal(), databaseFile(c)
	if file == "" {
		if err := store.CheckURL(url); err != nil {
			return "", c.Refuse("database_url", err.Error())
		}
		return url, nil
	}
	key := "data_dir"
	if url != "" {
		key = "database_url"
	}
	err := config.CheckPrivate(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		err = nil // it is made, or what is wrong with its directory is said
	}
	return file, c.RefuseFile(key, err)
}

// passwordRules are the rules with the passwords that an operator refuses besides.
func passwordRules(c *config.Config) (*account.PasswordRules, error) {
	rules := &account.PasswordRules{}
	if c.PasswordBlocklist == "" {
		return rules, nil
	}
	f, err := os.Open(c.PasswordBlocklist)
	if err != nil {
		return nil, c.Refuse("password_blocklist", err.Error())
	}
	defer f.Close()
	if err := rules.ReadBlocklist(f); err != nil {
		return nil, c.Refuse("password_blocklist", err.Error())
	}
	return rules, nil
}

// connections are how many may be open; a load program is one address and needs them all.
func connections(c *config.Config) server.Connections {
	if !c.RateLimits {
		return server.Connections{Total: c.ConnsTotal}
	}
	return server.Connections{Total: c.ConnsTotal, PerAddress: c.ConnsAddress}
}

// strictSubdomain is nil where the number of sites decides.
func strictSubdomain(c *config.Config) *bool {
	if c.StrictSubdomain == "auto" {
		return nil
	}
	strict := c.StrictSubdomain == "true"
	return &strict
}

// now gives the time as it is stored, so that a thing looks the same when it is
// made and when it is read.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// clock gives the time by which a command acts: of the server of `otl dev`, which may have been moved, where the
// database or the key to it is the one of its directory. What is made by another time is of no use there.
func clock(c *config.Config) (func() time.Time, error) {
	moved, err := movedClock(c)
	if err != nil || moved == nil {
		return now, err
	}
	return moved.Now, nil
}

// movedClock gives that clock, and nil where the directory is not what counts.
func movedClock(c *config.Config) (*dev.Clock, error) {
	if !c.DatabaseURL.Empty() && !c.SecretKey.Empty() {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	moved, err := dev.NewClock(filepath.Join(c.DataDir, devClock))
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, nil //nolint:nilnil // whoever opens the database says what is wrong
	}
	if err != nil {
		return nil, fmt.Errorf("read how far the clock of otl dev was moved: %w", err)
	}
	return moved, nil
}

// unmoved refuses what is served by the time it is and was made by a clock that was moved: its sessions and links would be of
// another time, and commands, which go by that clock, would act at a time that is not the server's.
func unmoved(c *config.Config) error {
	moved, err := movedClock(c)
	if err != nil || moved == nil || moved.Moved() == 0 {
		return err
	}
	return c.Refuse("data_dir", fmt.Sprintf("%s is of otl dev, whose clock is %s ahead there: run otl dev, or remove %s to have the time it is",
		c.DataDir, moved.Moved(), filepath.Join(c.DataDir, devClock)))
}

// opening says how a command opens the database.
type opening struct {
	create  bool // make one where there is none, and bring an older one up to date
	migrate bool // the latter even where auto_migrate is off
}

// openNode opens the configured database for a command.
func (a *app) openNode(ctx context.Context, how opening) (*node.Node, error) {
	c, err := a.load(nil, nil)
	if err != nil {
		return nil, err
	}
	if missing(c) {
		switch err := noDatabase(); {
		case !how.create, !how.migrate && errors.Is(err, errDevDatabase) && c.Source("data_dir") == "default":
			return nil, err // what is made in another database than that of the server is of no use to it
		}
	}
	if c.PublicURL == "" {
		c.PublicURL = localURL(c, c.Listen)
	}
	opts, err := nodeOptions(c, slog.New(slog.DiscardHandler), false)
	if err != nil {
		return nil, err
	}
	// Who only looks does not change the schema under running servers.
	opts.Store.Migrate = how.migrate || how.create && c.AutoMigrate
	if opts.Now, err = clock(c); err != nil {
		return nil, err
	}
	n, err := node.Open(ctx, opts)
	return n, tried(c, err)
}

// onNode runs an action on the configured database, which must be there.
func (a *app) onNode(c *cobra.Command, do func(context.Context, *node.Node) error) error {
	return a.withNode(c, opening{}, do)
}

func (a *app) withNode(c *cobra.Command, how opening, do func(context.Context, *node.Node) error) error {
	ctx := otl.WithRequest(c.Context(), &otl.Request{By: otl.Actor{Kind: otl.ActorCommand, ID: systemUser()}})
	n, err := a.openNode(ctx, how)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, n), n.Close())
}

// systemUser names who runs a command, as far as the operating system tells.
func systemUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return oneLine(u.Username)
}

// missing reports whether the configured database is a file that does not exist.
func missing(c *config.Config) bool {
	file := databaseFile(c)
	if file == "" {
		return false
	}
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// localURL is the address of a server that nobody gave a public one.
func localURL(c *config.Config, listen string) string {
	if c.TLSCert != "" {
		return "https://localhost" + portOf(listen)
	}
	return "http://localhost" + portOf(listen)
}

func portOf(listen string) string {
	i := strings.LastIndexByte(listen, ':')
	if i < 0 || strings.HasPrefix(listen, "unix:") {
		return ""
	}
	return listen[i:]
}

// masterKey gives what finds the master key: the configured one, else the one in
// the data directory, which is made for a database that has none yet. A key that
// is there but no good is refused at once, before a database is opened.
func masterKey(c *config.Config, log *slog.Logger) (func(initialised bool) (secret.Master, error), error) {
	var previous []string
	if !c.SecretKeyPrevious.Empty() {
		previous = []string{c.SecretKeyPrevious.Reveal()}
	}
	if !c.SecretKey.Empty() {
		m, err := secret.ParseMaster(c.SecretKey.Reveal(), previous...)
		return func(bool) (secret.Master, error) { return m, err }, err
	}
	path := filepath.Join(c.DataDir, "secret.key")
	m, err := readMasterKey(path, previous)
	if !errors.Is(err, fs.ErrNotExist) {
		return func(bool) (secret.Master, error) { return m, err }, err
	}
	return func(initialised bool) (secret.Master, error) {
		m, err := readMasterKey(path, previous) // another process may have made it meanwhile
		switch {
		case !errors.Is(err, fs.ErrNotExist):
			return m, err
		case initialised:
			return m, fmt.Errorf("there is no %s: %w", path, installation.ErrMasterKey)
		}
		m, err = newMasterKey(path)
		if err == nil && log != nil {
			log.Warn("made the master key; keep a copy of it apart from the database, and give it to every other node", "file", path)
		}
		return m, err
	}, nil
}

// tried adds to the error of a master key that does not open the database which key it was.
func tried(c *config.Config, err error) error {
	if !errors.Is(err, installation.ErrMasterKey) || strings.Contains(err.Error(), "there is no ") {
		return err
	}
	where := filepath.Join(c.DataDir, "secret.key")
	if !c.SecretKey.Empty() {
		where = "secret_key (" + c.Source("secret_key") + ")"
	}
	return fmt.Errorf("%w; tried %s", err, where)
}

func readMasterKey(path string, previous []string) (secret.Master, error) {
	raw, err := config.ReadSecretFile(path)
	if err != nil {
		return secret.Master{}, err
	}
	m, err := secret.ParseMaster(string(raw), previous...)
	if err != nil {
		return m, fmt.Errorf("%w: the key in %s %w", config.ErrSecretFile, path, err)
	}
	return m, nil
}

// newMasterKey writes a fresh key that only its owner can read. Another process
// that is a moment faster wins, and its key is used.
func newMasterKey(path string) (secret.Master, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return secret.Master{}, fmt.Errorf("write the master key: %w", err)
	}
	m := secret.NewMaster()
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret.key-*") // mode 0600
	if err != nil {
		return m, fmt.Errorf("write the master key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(m.Encode().Reveal() + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return m, err
	}
	err = os.Link(tmp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return readMasterKey(path, nil)
	}
	return m, err
}

// logger makes the logger a configuration asks for.
func (a *app) logger(c *config.Config, level *slog.LevelVar) *slog.Logger {
	setLevel(level, c.LogLevel)
	opts := &slog.HandlerOptions{Level: level}
	f, isFile := a.stderr.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	if c.LogFormat == "text" || c.LogFormat == "auto" && terminal {
		return slog.New(slog.NewTextHandler(a.stderr, opts))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, opts))
}

func setLevel(level *slog.LevelVar, name string) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err == nil { // the names were checked
		level.Set(l)
	}
}
