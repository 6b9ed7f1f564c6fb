package config

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/onetimelogin/otl/internal/secret"
)

// value sets one key and gives the configuration.
func value(path, text string) (*Config, error) {
	return Load(Sources{Environ: []string{variable(path) + "=" + text}})
}

func variable(path string) string {
	return "OTL_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// TestCapsLimitSomething: one that pays for less than a millisecond would be none.
func TestCapsLimitSomething(t *testing.T) {
	t.Parallel()
	for path, most := range map[string]int{"mail.minute_cap": 60_000, "mail.daily_cap": 80_000_000} {
		if _, err := value(path, fmt.Sprint(most)); err != nil {
			t.Error(err)
		}
		if _, err := value(path, fmt.Sprint(most+1)); err == nil {
			t.Errorf("%s takes %d", path, most+1)
		}
	}
}

// TestCapsOfProviders stand in a row, 0 for none.
func TestCapsOfProviders(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "[]", "500": "[500]", "5000, 0,80000000": "[5000 0 80000000]", ",500": "[0 500]", "5000,,500": "[5000 0 500]", " ": "[]"} {
		mail, err := value("mail.provider_caps", text)
		if err != nil || fmt.Sprint(mail.MailCaps) != want {
			t.Errorf("%q: %v %v", text, mail, err)
		}
		sms, err := value("sms.provider_caps", text)
		if err != nil || fmt.Sprint(sms.SMSCaps) != want {
			t.Errorf("%q: %v %v", text, sms, err)
		}
	}
	for _, bad := range []string{"-1", "many", "1.5", "80000001", "5;6"} {
		if _, err := value("sms.provider_caps", bad); err == nil || !strings.Contains(err.Error(), "OTL_SMS_PROVIDER_CAPS") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range Keys() {
		if k.Env != variable(k.Path) || seen[k.Path] || seen[k.Env] {
			t.Errorf("%s: the variable is %s, or a name is there twice", k.Path, k.Env)
		}
		seen[k.Path], seen[k.Env] = true, true
		if len(k.Help) < 20 || !strings.HasSuffix(k.Help, ".") || strings.ContainsAny(k.Help, "|\n") {
			t.Errorf("%s: %q is not a sentence that fits a table", k.Path, k.Help)
		}
		if foreign(k.Env) || k.Secret && foreign(k.Env+fileSuffix) {
			t.Errorf("%s is ignored as a handle of scripts", k.Env)
		}
		if k.Secret && k.Default != "" {
			t.Errorf("%s: a secret has no default", k.Path)
		}
		if found, err := Find(k.Env); err != nil || found.Path != k.Path {
			t.Errorf("%s is not found by its variable", k.Path)
		}
	}
}

// TestEveryKeyIsDocumented holds docs/configuration.md against the table.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	rows := 0
	for line := range strings.SplitSeq(doc, "\n") {
		if strings.Contains(line, "| `OTL_") {
			rows++
		}
	}
	if rows != len(Keys()) {
		t.Errorf("docs/configuration.md has %d rows for %d keys", rows, len(Keys()))
	}
	for _, k := range Keys() {
		def := ""
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		if row := fmt.Sprintf("| `%s` | `%s` | %s | %s |", k.Path, k.Env, def, k.Help); !strings.Contains(doc, row) {
			t.Errorf("docs/configuration.md lacks\n%s", row)
		}
	}
}

func TestValuesThatAreTaken(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		path, text string
		get        func(*Config) any
		want       any
	}{
		{"db.max_conns", "10000", func(c *Config) any { return c.DBMaxConns }, 10000},
		{"auto_migrate", "false", func(c *Config) any { return c.AutoMigrate }, false},
		{"auto_migrate", "0", func(c *Config) any { return c.AutoMigrate }, false},
		{"auto_migrate", "TRUE", func(c *Config) any { return c.AutoMigrate }, true},
		{"drain_delay", "0", func(c *Config) any { return c.DrainDelay }, time.Duration(0)},
		{"drain_delay", "5m", func(c *Config) any { return c.DrainDelay }, 5 * time.Minute},
		{"access_ttl", "90s", func(c *Config) any { return c.AccessTTL }, 90 * time.Second},
		{"access_ttl", "0h15m0.5s", func(c *Config) any { return c.AccessTTL }, 15*time.Minute + 500*time.Millisecond},
		{"refresh_ttl", "30d", func(c *Config) any { return c.RefreshTTL }, 720 * time.Hour},
		{"session_max_age", "365d", func(c *Config) any { return c.SessionMaxAge }, 8760 * time.Hour},
		{"key_rotation", "25h", func(c *Config) any { return c.KeyRotation }, 25 * time.Hour},
		{"refresh_reuse_grace", "0s", func(c *Config) any { return c.RefreshGrace }, time.Duration(0)},
		{"session_limit", "+7", func(c *Config) any { return c.SessionLimit }, 7},
		{"jwt.alg", "EdDSA", func(c *Config) any { return string(c.Algorithm) }, "EdDSA"},
		{"argon2", "m=65536,t=3,p=4", func(c *Config) any { return c.Argon2.String() }, "m=65536,t=3,p=4"},
		{"rate_limits", "off", func(c *Config) any { return c.RateLimits }, false},
		{"hash_concurrency", "1024", func(c *Config) any { return c.HashConcurrency }, 1024},
		{"egress.allow", "10.0.0.0/8, fd00::1", func(c *Config) any { return fmt.Sprint(c.EgressAllow) }, "[10.0.0.0/8 fd00::1/128]"},
		{"egress.ports", "443, 9000", func(c *Config) any { return fmt.Sprint(c.EgressPorts) }, "[443 9000]"},
		{"audit.retention", "400d", func(c *Config) any { return c.AuditRetention }, 9600 * time.Hour},
		{"audit.address_retention", "40d", func(c *Config) any { return c.AddressRetention }, 960 * time.Hour},
		{"audit.retention", "0", func(c *Config) any { return c.AuditRetention }, time.Duration(0)},
		{"admin_hosts", "otl, otl.internal", func(c *Config) any { return fmt.Sprint(c.AdminHosts) }, "[otl otl.internal]"},
		{"log.level", "debug", func(c *Config) any { return c.LogLevel }, "debug"},
		{"log.format", "text", func(c *Config) any { return c.LogFormat }, "text"},
		{"log.pii", "none", func(c *Config) any { return c.LogPII }, "none"},
		{"password_blocklist", "/etc/otl/words", func(c *Config) any { return c.PasswordBlocklist }, "/etc/otl/words"},
	} {
		c, err := value(one.path, one.text)
		if err != nil {
			t.Errorf("%s=%s: %v", one.path, one.text, err)
		} else if got := one.get(c); got != one.want {
			t.Errorf("%s=%s: got %v, want %v", one.path, one.text, got, one.want)
		}
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	for path, texts := range map[string][]string{
		"db.max_conns":        {"", "-1", "10001", "3.0", "1e3", "0x10", " 3", "3 ", "99999999999999999999", "٣"},
		"auto_migrate":        {"", "yes", "on", "2", "true "},
		"drain_delay":         {"", "5", "-1s", "5m1ns", "5 s", "1y", "301s", "d", "1.5d", "0.5"},
		"access_ttl":          {"0s", "999ms", "30m1s", "1h", "-5m", "999999999h", "99999999999999999999d", "NaN"},
		"refresh_ttl":         {"721h", "31d", "0", "-1d"},
		"session_max_age":     {"8761h", "366d", "36501d", "0d"},
		"refresh_reuse_grace": {"11s", "-1s", ""},
		"session_limit":       {"0", "1001", "fifty", ""},
		"key_rotation":        {"24h", "1d", "366d", ""},
		"jwt.alg":             {"", "HS256", "none", "es256", "ES256 "},
		"argon2":              {"", "m=19456", "m=64,t=1,p=1", "m=19455,t=2,p=1", "m=999999999,t=2,p=1", "m=19456,t=2,p=0", "t=2,m=19456,p=1", "strong"},
		"rate_limits":         {"", "false", "no", "OFF"},
		"hash_concurrency":    {"-1", "1025", ""},
		"egress.allow":        {"x", "10.0.0.0/99", "localhost"},
		"egress.ports":        {"", "0", "65536", "443,", "https", "-1"},
		"audit.retention":     {"", "30d", "-1d", "1", "forever"},
		"admin_hosts":         {"otl:9464", "http://otl", "*.internal", "[::1]"},
		"log.level":           {"", "INFO", "trace"},
		"log.format":          {"", "xml"},
		"log.pii":             {"", "hash"},
	} {
		for _, text := range texts {
			_, err := value(path, text)
			if err == nil {
				t.Errorf("%s=%q is taken", path, text)
				continue
			}
			wantRefusal(t, err, variable(path), "")
			if e := err.Error(); len(e) > 140 || !unicode.IsLetter(rune(e[len(e)-1])) && !unicode.IsDigit(rune(e[len(e)-1])) {
				t.Errorf("%s=%q: %q is no short hint", path, text, e)
			}
		}
	}
}

// TestHintsAreExact reads as a user would: the bounds stand in the error.
func TestHintsAreExact(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ path, text, want string }{
		{"access_ttl", "31m", "OTL_ACCESS_TTL: must be a duration from 1s to 30m, such as 30m"},
		{"refresh_ttl", "x", "OTL_REFRESH_TTL: must be a duration from 1s to 720h, such as 720h"},
		{"drain_delay", "6m", "OTL_DRAIN_DELAY: must be a duration from 0s to 5m, such as 5m"},
		{"refresh_reuse_grace", "x", "OTL_REFRESH_REUSE_GRACE: must be a duration from 0s to 10s, such as 10s"},
		{"session_limit", "0", "OTL_SESSION_LIMIT: must be a number from 1 to 1000"},
		{"log.level", "x", "OTL_LOG_LEVEL: must be one of debug, info, warn, error"},
		{"auto_migrate", "x", "OTL_AUTO_MIGRATE: must be true or false"},
		{"jwt.alg", "HS256", "OTL_JWT_ALG: must be ES256, RS256 or EdDSA"},
	} {
		if _, err := value(one.path, one.text); err == nil || err.Error() != one.want {
			t.Errorf("got %v, want %s", err, one.want)
		}
	}
}

func TestSR05_MasterKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString
	good := secret.Bytes(32)
	for name, text := range map[string]string{
		"one byte short":       b64(good[:31]),
		"one byte long":        b64(append(append([]byte{}, good...), 1)),
		"zeros":                b64(make([]byte, 32)),
		"one byte repeated":    b64([]byte(strings.Repeat("\xa5", 32))),
		"few different bytes":  b64([]byte(strings.Repeat("\x00\x9f\xfe\x81\x07\xe3\xd2\x99", 4))),
		"a sentence":           b64([]byte("correct horse battery staple 123")),
		"hex of 16 bytes":      b64([]byte("0123456789abcdef0123456789abcdef")),
		"a password":           "changeme",
		"hex":                  fmt.Sprintf("%x", good),
		"the URL alphabet":     "-_" + base64.URLEncoding.EncodeToString(good)[2:],
		"no padding":           base64.RawStdEncoding.EncodeToString(good),
		"something behind it":  b64(good) + " # key",
		"quotes":               `"` + b64(good) + `"`,
		"the command, unrun":   "$(openssl rand -base64 32)",
		"a placeholder":        "<your key here>",
		"the path of the file": "/run/secrets/otl",
	} {
		for _, path := range []string{"secret_key", "secret_key_previous"} {
			_, err := value(path, text)
			wantRefusal(t, err, variable(path), "openssl rand -base64 32")
			if strings.Contains(err.Error(), text) {
				t.Errorf("%s: the error repeats the key", name)
			}
		}
	}
	for _, text := range []string{b64(good), " " + b64(good) + "\n"} {
		if c, err := value("secret_key", text); err != nil || c.SecretKey.Reveal() != b64(good) {
			t.Errorf("%q is refused: %v", text, err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"0", "5m", "90d", "1h2m3.5s", "-1s", "1d", "d", "36500d", "36501d", "1e9s", "µs", "106751d", "9223372036854775807ns"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDuration(s)
		if err != nil {
			return
		}
		// What is shown as a bound must be readable as one.
		if again, err := parseDuration(brief(d)); err != nil || again != d {
			t.Errorf("%q is %s, shown as %q, read as %s, %v", s, d, brief(d), again, err)
		}
	})
}
