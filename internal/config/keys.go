package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/token"
)

// keys is the one table of everything that can be configured.
func (c *Config) keys() []Key {
	all := []Key{
		key("public_url", "", "Address people and sites reach this server at: issuer of tokens, base of links. The one thing to set in production.", publicURL(&c.PublicURL)),
		key("listen", "127.0.0.1:8787", "Address to listen on, host:port or unix:/path. A public one needs public_url.", text(&c.Listen)),
		key("admin_listen", "127.0.0.1:9464", "Address of /metrics and /debug/pprof; empty switches it off.", text(&c.AdminListen)),
		key("data_dir", "./otl-data", "Directory of the SQLite database and the generated master key.", text(&c.DataDir)),
		concealed(key("database_url", "", "postgres://… for PostgreSQL; empty for SQLite in data_dir.", text(&c.DatabaseURL))),
		key("db.max_conns", "0", "PostgreSQL connections; 0 means 4 for each processor.", number(&c.DBMaxConns, 0, 10000)),
		key("auto_migrate", "true", "Bring an older database to the newest schema at start.", boolean(&c.AutoMigrate)),
		concealed(key("secret_key", "", "Master key, 32 random bytes in base64; empty for one generated in data_dir. Keep a copy: without it the database cannot be opened.", hidden(&c.SecretKey))),
		concealed(key("secret_key_previous", "", "The master key that secret_key replaces; needed once, at the next start.", hidden(&c.SecretKeyPrevious))),
		key("tls.cert", "", "Certificate file; empty to serve http, behind a proxy that ends TLS.", text(&c.TLSCert)),
		key("tls.key", "", "Private key file of tls.cert.", text(&c.TLSKey)),
		key("trusted_proxies", "", "Networks, comma-separated, whose X-Forwarded-For is believed.", prefixes(&c.TrustedProxies)),
		key("drain_delay", "5s", "How long /readyz says 503 before a stopping server takes no more requests.", duration(&c.DrainDelay, 0, 5*time.Minute)),
		key("access_ttl", "30m", "Life of an access token; may only be lowered.", duration(&c.AccessTTL, time.Second, 30*time.Minute)),
		key("refresh_ttl", "720h", "Life of a refresh token, from the latest refresh; may only be lowered.", duration(&c.RefreshTTL, time.Second, 720*time.Hour)),
		key("session_max_age", "2160h", "Life of a session, however often it is refreshed.", duration(&c.SessionMaxAge, time.Second, 8760*time.Hour)),
		key("refresh_reuse_grace", "10s", "How long an exchanged refresh token still gets its unused successor; 0 switches it off.", duration(&c.RefreshGrace, 0, 10*time.Second)),
		key("session_limit", "50", "Live sessions of one person on one site; the oldest makes room.", number(&c.SessionLimit, 1, 1000)),
		key("jwt.alg", "ES256", "Algorithm of access tokens: ES256, EdDSA or RS256.", algorithm(&c.Algorithm)),
		key("key_rotation", "2160h", "How long one signing key signs.", duration(&c.KeyRotation, 25*time.Hour, 8760*time.Hour)),
		key("argon2", secret.DefaultArgon2().String(), "Cost of new password hashes; never weaker than the default.", argon2(&c.Argon2)),
		key("hash_concurrency", "0", "Password hashes computed at once; 0 means one for each processor.", number(&c.HashConcurrency, 0, 1024)),
		key("password_blocklist", "", "File of further passwords to refuse, one a line.", text(&c.PasswordBlocklist)),
		key("log.level", "info", "debug, info, warn or error.", oneOf(&c.LogLevel, "debug", "info", "warn", "error")),
		key("log.format", "auto", "text, json or auto: text on a terminal.", oneOf(&c.LogFormat, "auto", "text", "json")),
		key("log.pii", "mask", "Addresses in the log: mask (network only), full or none.", oneOf(&c.LogPII, "mask", "full", "none")),
	}
	return all
}

func key(path, def, help string, set func(string) error) Key {
	return Key{Path: path, Env: "OTL_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_")), Default: def, Help: help, set: set}
}

func concealed(k Key) Key {
	k.Secret = true
	return k
}

func text(dst *string) func(string) error {
	return func(s string) error { *dst = s; return nil }
}

func hidden(dst *secret.Text) func(string) error {
	return func(s string) error { *dst = secret.NewText(strings.TrimSpace(s)); return nil }
}

func number(dst *int, least, most int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return fmt.Errorf("must be a number from %d to %d", least, most)
		}
		*dst = n
		return nil
	}
}

func boolean(dst *bool) func(string) error {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("must be true or false")
		}
		*dst = b
		return nil
	}
}

func duration(dst *time.Duration, least, most time.Duration) func(string) error {
	return func(s string) error {
		d, err := parseDuration(s)
		if err != nil || d < least || d > most {
			return fmt.Errorf("must be a duration from %s to %s, such as %s", least, most, most)
		}
		*dst = d
		return nil
	}
}

// parseDuration reads a Go duration, or a number of days such as "90d".
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return 0, errors.New("bad number of days")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(s)
}

func oneOf(dst *string, words ...string) func(string) error {
	return func(s string) error {
		for _, w := range words {
			if s == w {
				*dst = s
				return nil
			}
		}
		return errors.New("must be one of " + strings.Join(words, ", "))
	}
}

func algorithm(dst *token.Algorithm) func(string) error {
	return func(s string) (err error) {
		*dst, err = token.ParseAlgorithm(s)
		return err
	}
}

func argon2(dst *secret.Argon2) func(string) error {
	return func(s string) (err error) {
		*dst, err = secret.ParseArgon2(s, false)
		return err
	}
}

func prefixes(dst *[]netip.Prefix) func(string) error {
	return func(s string) error {
		*dst = nil
		for part := range strings.SplitSeq(s, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			p, err := netip.ParsePrefix(part)
			if err != nil {
				ip, ipErr := netip.ParseAddr(part)
				if ipErr != nil {
					return errors.New("must be networks such as 10.0.0.0/8, separated by commas")
				}
				p = netip.PrefixFrom(ip, ip.BitLen())
			}
			*dst = append(*dst, p.Masked())
		}
		return nil
	}
}

// publicURL takes an origin: scheme and host, no path. Plain http is for this
// machine only.
func publicURL(dst *string) func(string) error {
	return func(s string) error {
		if s == "" {
			*dst = ""
			return nil
		}
		u, err := url.Parse(strings.TrimSuffix(s, "/"))
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			return errors.New("must be an address such as https://id.example.com")
		case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			return errors.New("must be scheme and host only, such as https://id.example.com")
		case u.Scheme == "http" && !otl.Loopback(u.Hostname()):
			return errors.New("must be https; plain http is for localhost only")
		}
		*dst = u.Scheme + "://" + strings.ToLower(u.Host)
		return nil
	}
}
