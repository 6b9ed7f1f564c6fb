package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
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
	case store.Postgres(c.DatabaseURL):
		return ""
	case c.DatabaseURL != "":
		return strings.TrimPrefix(c.DatabaseURL, "sqlite:")
	}
	return filepath.Join(c.DataDir, "otl.db")
}

// nodeOptions turns a configuration into what a node needs.
func nodeOptions(c *config.Config, log *slog.Logger, serve bool) (node.Options, error) {
	url := c.DatabaseURL
	if file := databaseFile(c); file != "" {
		url = file
		if err := config.CheckPrivate(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return node.Options{}, err
		}
	}
	rules := &account.PasswordRules{}
	if c.PasswordBlocklist != "" {
		f, err := os.Open(c.PasswordBlocklist)
		if err != nil {
			return node.Options{}, &config.Error{Key: "password_blocklist", Text: err.Error()}
		}
		defer f.Close()
		if err := rules.ReadBlocklist(f); err != nil {
			return node.Options{}, &config.Error{Key: "password_blocklist", Text: err.Error()}
		}
	}
	return node.Options{
		Store:  store.Options{URL: url, MaxConns: c.DBMaxConns, Serve: serve, Migrate: c.AutoMigrate, Log: log},
		Master: func(initialised bool) (secret.Master, error) { return masterKey(c, initialised) },
		Now:    time.Now, Log: log, PublicURL: c.PublicURL, Version: version(),
		Algorithm: c.Algorithm, KeyRotation: c.KeyRotation, AccessTTL: c.AccessTTL, RefreshTTL: c.RefreshTTL,
		SessionMaxAge: c.SessionMaxAge, RefreshGrace: c.RefreshGrace, SessionLimit: c.SessionLimit,
		Argon2: c.Argon2, HashConcurrency: c.HashConcurrency, Rules: rules,
		TrustedProxies: c.TrustedProxies, HTTPS: strings.HasPrefix(c.PublicURL, "https:"), PII: c.LogPII,
	}, nil
}

// openNode opens the configured database for a command.
func (a *app) openNode(ctx context.Context) (*node.Node, *config.Config, error) {
	c, err := a.load(nil, nil)
	if err != nil {
		return nil, nil, err
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://localhost" + portOf(c.Listen)
	}
	opts, err := nodeOptions(c, slog.New(slog.DiscardHandler), false)
	if err != nil {
		return nil, nil, err
	}
	n, err := node.Open(ctx, opts)
	return n, c, err
}

func portOf(listen string) string {
	i := strings.LastIndexByte(listen, ':')
	if i < 0 || strings.HasPrefix(listen, "unix:") {
		return ""
	}
	return listen[i:]
}

// masterKey gives the configured master key, or the one in the data directory,
// which is made for a database that has none yet.
func masterKey(c *config.Config, initialised bool) (secret.Master, error) {
	var previous []string
	if !c.SecretKeyPrevious.Empty() {
		previous = []string{c.SecretKeyPrevious.Reveal()}
	}
	parse := func(name, key string) (secret.Master, error) {
		m, err := secret.ParseMaster(key, previous...)
		if err != nil {
			return m, fmt.Errorf("%w: %s or its predecessor %w", config.ErrSecretFile, name, err)
		}
		return m, nil
	}
	if !c.SecretKey.Empty() {
		return parse("OTL_SECRET_KEY", c.SecretKey.Reveal())
	}
	path := filepath.Join(c.DataDir, "secret.key")
	raw, err := config.ReadSecretFile(path)
	switch {
	case err == nil:
		return parse(path, string(raw))
	case !errors.Is(err, fs.ErrNotExist):
		return secret.Master{}, err
	case initialised:
		return secret.Master{}, installation.ErrMasterKey
	}
	return newMasterKey(path)
}

// newMasterKey writes a fresh key that only its owner can read. Another process
// that is a moment faster wins, and its key is used.
func newMasterKey(path string) (secret.Master, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return secret.Master{}, err
	}
	m := secret.NewMaster()
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret.key-*") // mode 0600
	if err != nil {
		return m, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(m.Encode().Reveal() + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return m, err
	}
	err = os.Link(tmp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		raw, err := config.ReadSecretFile(path)
		if err != nil {
			return m, err
		}
		return secret.ParseMaster(string(raw))
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

// print writes a result: as one JSON object with --json, else as text.
func (a *app) print(result any, text func()) error {
	if !a.json {
		text()
		return nil
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(result)
}
