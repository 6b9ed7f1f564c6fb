package config

import (
	"errors"
	"net/netip"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/token"
)

// Config is everything that can be configured.
type Config struct {
	PublicURL      string
	Listen         string
	AdminListen    string
	AdminHosts     []string // names it is reached by
	DataDir        string
	DatabaseURL    secret.Text
	DBMaxConns     int
	AutoMigrate    bool
	TLSCert        string
	TLSKey         string
	TrustedProxies []netip.Prefix
	TrustedSocket  bool // the peer of a unix socket is a proxy, too
	ConnsTotal     int  // connections open at once
	ConnsAddress   int  // the same from one address
	DrainDelay     time.Duration

	SecretKey         secret.Text
	SecretKeyPrevious secret.Text

	AccessTTL     time.Duration
	RefreshTTL    time.Duration
	SessionMaxAge time.Duration
	RefreshGrace  time.Duration
	SessionLimit  int
	Algorithm     token.Algorithm
	KeyRotation   time.Duration

	CodeTTL    time.Duration
	LinkTTL    time.Duration
	CodeLength int
	CodeTries  int

	RateLimits        bool
	Argon2            secret.Argon2
	HashConcurrency   int
	PasswordBlocklist string

	MailURL     secret.Text
	MailFrom    string
	MailReplyTo string
	SMSURL      secret.Text
	MailMinute  int
	MailDaily   int
	MailCaps    []int // of each provider, in a day; 0 for none
	Operator    string
	HookSecret  secret.Text // of webhook: providers

	SMSCountries []string // calling codes; "*" for all
	SMSDailyCap  int
	SMSCaps      []int // of each provider, in a day; 0 for none

	EgressAllow []netip.Prefix
	EgressPorts []uint16

	StrictSubdomain string // of the OneLogin wire: auto, true or false
	HostInPath      bool   // of the OneLogin wire

	AuditRetention   time.Duration // 0: for ever
	AddressRetention time.Duration // in the log and in sessions; 0: as long as those

	Foot otl.Foot // of pages that are no site's

	LogLevel  string
	LogFormat string
	LogPII    string

	values map[string]Value // by path
}

// Value is where one key got its value.
type Value struct {
	Key    Key
	Text   string // as written; "***" for secrets
	Source string // "default", "file", "env", "flag"

	name    string        // what an error calls it
	written func() string // as written, also for secrets; a function is not printed
}

// Key describes one key.
type Key struct {
	Path    string // in the file, for example "db.max_conns"
	Env     string // for example "OTL_DB_MAX_CONNS"
	Default string
	Help    string
	Flag    string // of the command line, without dashes; "" for none
	Secret  bool
	set     func(string) error
}

// Values gives every key with its value and source, in the order of the table.
func (c *Config) Values() []Value {
	out := make([]Value, 0, len(c.values))
	for _, k := range c.keys() {
		out = append(out, c.values[k.Path])
	}
	return out
}

// Source says where a value comes from: "default", "file", "env" or "flag".
func (c *Config) Source(path string) string { return c.values[path].Source }

// Changed lists the paths whose value differs from that in old.
func (c *Config) Changed(old *Config) []string {
	var out []string
	for _, k := range c.keys() {
		if c.values[k.Path].written() != old.values[k.Path].written() {
			out = append(out, k.Path)
		}
	}
	return out
}

// Keys gives every key there is.
func Keys() []Key { return (&Config{}).keys() }

// Refuse is the error for a value that turned out to be of no use, under the
// name the user gave it.
func (c *Config) Refuse(path, text string) error {
	return c.fault(path, text)
}

// RefuseFile is Refuse for a file that a value names, or that lies where it says; nil for no error.
func (c *Config) RefuseFile(path string, err error) error {
	if err == nil {
		return nil
	}
	e := c.fault(path, err.Error())
	e.Cause = err
	return e
}

// Together is one error of all that Refuse, RefuseFile and Together found, of which some are nil; nil
// where all are. Any other error is given by itself: it is no matter of a value.
func Together(all ...error) error {
	var bad faults
	for _, err := range all {
		var one *Error
		if err != nil && !errors.As(err, &one) {
			return err
		}
		if err != nil {
			first := *one
			first.More = nil
			bad = append(append(bad, &first), one.More...)
		}
	}
	return bad.err()
}

func (c *Config) fault(path, text string) *Error {
	return &Error{Key: c.values[path].name, Text: text, Path: path}
}

// Error is a configuration that is refused. It is meant to be shown as it is.
type Error struct {
	Key   string // the name as the user wrote it
	Text  string
	Path  string   // of the key at fault, "" where it is none
	Cause error    // what is wrong with a file, such as ErrSecretFile, else nil
	More  []*Error // what else is wrong
}

// Unwrap gives the causes of all that is wrong.
func (e *Error) Unwrap() (causes []error) {
	if e.Cause != nil {
		causes = append(causes, e.Cause)
	}
	for _, other := range e.More {
		causes = append(causes, other)
	}
	return causes
}

// Error gives the key and what is wrong with it, and the same of all others.
func (e *Error) Error() string {
	text := e.Key + ": " + e.Text
	for _, other := range e.More {
		text += "; " + other.Error()
	}
	return text
}

// faults are what is wrong with a configuration, told all at once.
type faults []*Error

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	first := *f[0]
	first.More = f[1:]
	return &first
}
