package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/token"
)

// file writes a configuration file that only its owner can read.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "otl.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, src Sources) *Config {
	t.Helper()
	c, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantRefusal fails unless the error is a refusal that begins with the name of
// what is at fault and says why.
func wantRefusal(t *testing.T, err error, name, why string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a refusal of %s", err, name)
	}
	if e.Key != name || !strings.Contains(e.Text, why) {
		t.Fatalf("got %q, want %q … %q", e, name, why)
	}
	if strings.Contains(e.Error(), "\n") {
		t.Errorf("%q is more than one line", e)
	}
}

func TestDefaultsNeedNothing(t *testing.T) {
	t.Parallel()
	c := load(t, Sources{})
	for _, one := range []struct{ got, want any }{
		{c.PublicURL, ""},
		{c.Listen, "127.0.0.1:8787"},
		{c.AdminListen, "127.0.0.1:9464"},
		{c.DataDir, "./otl-data"},
		{c.DatabaseURL.Empty(), true},
		{c.SecretKey.Empty(), true},
		{c.AutoMigrate, true},
		{c.ConnsTotal, 10000},
		{c.ConnsAddress, 500},
		{c.DrainDelay, 5 * time.Second},
		{c.AccessTTL, 30 * time.Minute},
		{c.RefreshTTL, 720 * time.Hour},
		{c.SessionMaxAge, 2160 * time.Hour},
		{c.RefreshGrace, 10 * time.Second},
		{c.SessionLimit, 50},
		{c.Algorithm, token.ES256},
		{c.KeyRotation, 2160 * time.Hour},
		{c.Argon2, secret.DefaultArgon2()},
		{c.RateLimits, true},
		{c.LogLevel, "info"},
		{c.LogFormat, "auto"},
		{c.LogPII, "mask"},
	} {
		if one.got != one.want {
			t.Errorf("got %v, want %v", one.got, one.want)
		}
	}
	for _, v := range c.Values() {
		if v.Source != "default" || v.Text != v.Key.Default {
			t.Errorf("%s is %q from %s", v.Key.Path, v.Text, v.Source)
		}
	}
}

func TestTheLaterSourceWins(t *testing.T) {
	t.Parallel()
	// Each row adds one source to the one before.
	src := Sources{Defaults: map[string]string{"listen": "127.0.0.1:1"}}
	check := func(port, source string) {
		t.Helper()
		c := load(t, src)
		if c.Listen != "127.0.0.1:"+port {
			t.Errorf("listen is %s, want port %s", c.Listen, port)
		}
		if v := c.values["listen"]; v.Source != source || v.Text != c.Listen {
			t.Errorf("listen is %q from %s, want it from %s", v.Text, v.Source, source)
		}
	}
	check("1", "default")
	src.File = file(t, "listen: 127.0.0.1:2\n")
	check("2", "file")
	src.Environ = []string{"OTL_LISTEN=127.0.0.1:3"}
	check("3", "env")
	src.Flags = map[string]string{"listen": "127.0.0.1:4"}
	check("4", "flag")
}

func TestTheLastOfTwoVariablesCounts(t *testing.T) {
	t.Parallel()
	c := load(t, Sources{Environ: []string{"OTL_SESSION_LIMIT=7", "OTL_SESSION_LIMIT=8"}})
	if c.SessionLimit != 8 {
		t.Errorf("got %d, want that of the last one, as the shell has it", c.SessionLimit)
	}
}

func TestAnEmptyVariableIsAValue(t *testing.T) {
	t.Parallel()
	c := load(t, Sources{
		Environ: []string{"OTL_ADMIN_LISTEN=", "OTL_PUBLIC_URL=", "OTL_TRUSTED_PROXIES="},
		File:    file(t, "public_url: https://id.test\ntrusted_proxies: 10.0.0.0/8\n"),
	})
	if c.AdminListen != "" || c.PublicURL != "" || c.TrustedProxies != nil {
		t.Errorf("got %q %q %v, want all empty", c.AdminListen, c.PublicURL, c.TrustedProxies)
	}
	_, err := Load(Sources{Environ: []string{"OTL_DATA_DIR="}})
	wantRefusal(t, err, "OTL_DATA_DIR", "must not be empty")
}

func TestErrorsNameWhatTheUserWrote(t *testing.T) {
	t.Parallel()
	path := file(t, "session_limit: none\n")
	for _, one := range []struct {
		src  Sources
		name string
	}{
		{Sources{File: path}, path + ": session_limit"},
		{Sources{Environ: []string{"OTL_SESSION_LIMIT=none"}}, "OTL_SESSION_LIMIT"},
		{Sources{Environ: []string{"OTL_SESSION_LIMIT=none"}, File: path}, "OTL_SESSION_LIMIT"},
		{Sources{Flags: map[string]string{"listen": "none"}}, "--listen"},
		{Sources{Flags: map[string]string{"data_dir": ""}}, "--data"},
		{Sources{Defaults: map[string]string{"session_limit": "none"}}, "session_limit"},
	} {
		_, err := Load(one.src)
		wantRefusal(t, err, one.name, "must")
	}
}

func TestUnknownNamesAreRefusedWithTheNearest(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]string{
		"OTL_PUBLC_URL":        "did you mean OTL_PUBLIC_URL?",
		"OTL_SECRET_KEY_FILES": "did you mean OTL_SECRET_KEY_FILE?",
		"OTL_DB_MAX_CONN":      "did you mean OTL_DB_MAX_CONNS?",
		"OTL_LOGLEVEL":         "did you mean OTL_LOG_LEVEL?",
		"OTL_":                 "list them with: otl config env",
		"OTL_SOMETHING_ELSE":   "list them with: otl config env",
		"OTL_LISTEN_FILE":      "list them with: otl config env", // no secret
		"OTL_SITES":            "is not a setting",               // near a handle, but none
		"OTL_USER_NAME":        "is not a setting",
	} {
		_, err := Load(Sources{Environ: []string{"PATH=/bin", name + "=x"}})
		wantRefusal(t, err, name, why)
	}
	for text, want := range map[string][2]string{
		"publc_url: x":                {"publc_url", "did you mean public_url?"},
		"db: {max_con: 3}":            {"db.max_con", "did you mean db.max_conns?"},
		"OTL_LISTEN: 127.0.0.1:1":     {"OTL_LISTEN", "is not a setting"},
		"tls: on":                     {"tls", "is not a setting"},
		"listen: {host: a, port: 80}": {"listen.host", "is not a setting"},
		"zebra: 1\naardvark: 2\n":     {"aardvark", "list them with"}, // the same one every time
		"Public_URL: https://id.test": {"Public_URL", "is not a setting"},
	} {
		path := file(t, text)
		_, err := Load(Sources{File: path})
		wantRefusal(t, err, path+": "+want[0], want[1])
	}
}

// TestAllFaultsAreNamedAtOnce: of the file, of names, of files with secrets, of values and of what
// values are beside others.
func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	path := file(t, "lissten: x\naccess_ttl: 30\nsession_limit: many\n")
	_, err := Load(Sources{File: path, Environ: []string{"OTL_LITSEN=x", "OTL_SECRET_KEY_FILE=/none", "OTL_JWT_ALG=none", "OTL_RATE_LIMITS=off", "OTL_PUBLIC_URL=https://id.test", "OTL_TLS_KEY=a.pem", "OTL_LOG_LEVEL=loud", "OTL_SESSION_LIMIT=5"}, Flags: map[string]string{"listen": "nowhere"}})
	wantRefusal(t, err, path+": lissten", "did you mean listen?")
	var e *Error
	if !errors.As(err, &e) || len(e.More) != 8 || !errors.Is(err, ErrSecretFile) {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"OTL_LITSEN", "OTL_SECRET_KEY_FILE", "--listen", path + ": access_ttl", "OTL_JWT_ALG", "OTL_LOG_LEVEL", "OTL_RATE_LIMITS", "OTL_TLS_KEY"} {
		if e.More[i].Key != want || !strings.Contains(err.Error(), "; "+want+": ") {
			t.Errorf("%d is %s, want %s: %v", i, e.More[i].Key, want, err)
		}
	}
}

// TestHandlesOfScriptsAreIgnored names every handle, so that one that is lost
// from the list is noticed: with `set -a; source .otl/dev.env` they are all in
// the environment of the next `otl serve`.
func TestHandlesOfScriptsAreIgnored(t *testing.T) {
	t.Parallel()
	var environ []string
	for _, name := range strings.Fields(`URL SITE_ID SITE_KEY SITE2_ID SITE2_KEY CALLBACK_URL SITE2_CALLBACK_URL CLIENT_ID CLIENT_SECRET
		REDIRECT_URI SUBDOMAIN USER_ID USER_EMAIL USER_PASSWORD USER_USERNAME USER_PHONE MFA_EMAIL MFA_PASSWORD MFA_TOTP_SECRET MFA_PHONE
		OWNER_EMAIL OWNER_PASSWORD OWNER_TOTP_SECRET OPERATOR_EMAIL OPERATOR_PASSWORD OPERATOR_TOTP_SECRET
		API_KEY WEBHOOK_SECRET PROFILE CONFIG TEST_POSTGRES TEST_ANYTHING`) {
		environ = append(environ, "OTL_"+name+"=x")
	}
	environ = append(environ, "HOTL_LISTEN=x", "otl_listen=x", "XDG_CONFIG_HOME=x")
	c := load(t, Sources{Environ: environ})
	for _, v := range c.Values() {
		if v.Source != "default" {
			t.Errorf("%s came from %s", v.Key.Path, v.Source)
		}
	}
}

func TestGroupsMayBeEmpty(t *testing.T) {
	t.Parallel()
	load(t, Sources{File: file(t, "db:\n  # max_conns: 5\ntls: {}\nlog: ~\n")})
}

func TestKeysThatBelongTogether(t *testing.T) {
	t.Parallel()
	key := secret.NewMaster().Encode().Reveal()
	for _, one := range []struct {
		environ   []string
		name, why string
	}{
		{[]string{"OTL_TLS_CERT=a.pem"}, "OTL_TLS_CERT", "needs OTL_TLS_KEY"},
		{[]string{"OTL_TLS_KEY=a.pem"}, "OTL_TLS_KEY", "needs OTL_TLS_CERT"},
		{[]string{"OTL_SECRET_KEY=" + key, "OTL_SECRET_KEY_PREVIOUS= " + key + "\n"}, "OTL_SECRET_KEY_PREVIOUS", "predecessor"},
		{[]string{"OTL_RATE_LIMITS=off", "OTL_PUBLIC_URL=https://id.test"}, "OTL_RATE_LIMITS", "https"},
	} {
		_, err := Load(Sources{Environ: one.environ})
		wantRefusal(t, err, one.name, one.why)
	}
	load(t, Sources{Environ: []string{"OTL_RATE_LIMITS=off", "OTL_PUBLIC_URL=http://localhost:8787"}})
}

func TestRefuseUsesTheUsersName(t *testing.T) {
	t.Parallel()
	c := load(t, Sources{Environ: []string{"OTL_PASSWORD_BLOCKLIST=/none"}})
	err := c.Refuse("password_blocklist", "no such file")
	wantRefusal(t, err, "OTL_PASSWORD_BLOCKLIST", "no such file")
	if e := new(Error); !errors.As(err, &e) || e.Path != "password_blocklist" {
		t.Errorf("%+v does not tell the key", err)
	}
}

// TestWhatIsFoundLaterIsNamedTogether: each fault by itself, in their order; none is no error, and what is
// no matter of a value is told alone.
func TestWhatIsFoundLaterIsNamedTogether(t *testing.T) {
	t.Parallel()
	c := load(t, Sources{Environ: []string{"OTL_TLS_KEY=a.pem", "OTL_TLS_CERT=b.pem"}})
	if err := Together(nil, c.RefuseFile("tls.key", nil), Together(nil)); err != nil {
		t.Errorf("nothing is wrong, got %v", err)
	}
	file := fmt.Errorf("%w: a.pem: no such file", ErrSecretFile)
	err := Together(nil, Together(c.Refuse("listen", "is bad"), c.RefuseFile("tls.key", file)), c.Refuse("tls.cert", "is none"))
	if want := "listen: is bad; OTL_TLS_KEY: secret file refused: a.pem: no such file; OTL_TLS_CERT: is none"; err == nil || err.Error() != want || !errors.Is(err, ErrSecretFile) {
		t.Errorf("got %v, want %s", err, want)
	}
	other := errors.New("the disk is full")
	if err := Together(c.Refuse("listen", "is bad"), other); !errors.Is(err, other) || err.Error() != other.Error() {
		t.Errorf("got %v", err)
	}
}

func TestChangedSeesSecretsToo(t *testing.T) {
	t.Parallel()
	with := func(environ ...string) *Config { return load(t, Sources{Environ: environ}) }
	old := with("OTL_DATABASE_URL=postgres://a:one@db.test/otl", "OTL_LOG_LEVEL=info")
	if got := old.Changed(old); got != nil {
		t.Errorf("nothing changed, got %v", got)
	}
	now := with("OTL_DATABASE_URL=postgres://a:two@db.test/otl", "OTL_LOG_LEVEL=debug", "OTL_SESSION_LIMIT=9")
	if got := fmt.Sprint(now.Changed(old)); got != "[database_url session_limit log.level]" {
		t.Errorf("got %s", got)
	}
}

// TestSU06_DumpHidesSecrets prints a configuration in every way there is and
// looks for the secrets in it.
func TestSU06_DumpHidesSecrets(t *testing.T) {
	t.Parallel()
	key, previous := secret.NewMaster().Encode().Reveal(), secret.NewMaster().Encode().Reveal()
	c := load(t, Sources{
		Environ: []string{"OTL_SECRET_KEY=" + key, "OTL_DATABASE_URL=postgres://otl:canary@db.test/otl"},
		File:    file(t, "secret_key_previous: "+previous+"\n"),
	})
	if c.SecretKey.Reveal() != key || c.SecretKeyPrevious.Reveal() != previous || !strings.Contains(c.DatabaseURL.Reveal(), "canary") {
		t.Fatal("the secrets were not read")
	}
	hidden := 0
	for _, v := range c.Values() {
		if v.Key.Secret && v.Text == "***" {
			hidden++
		}
	}
	if hidden != 3 {
		t.Errorf("%d values are hidden, want 3", hidden)
	}
	dump := fmt.Sprintf("%v %+v %#v %s", c, *c, *c, fmt.Sprint(c.Values()))
	for _, s := range []string{key, previous, "canary"} {
		if strings.Contains(dump, s) {
			t.Errorf("%q stands in the dump", s)
		}
	}
}

func TestKeyOfAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"secret_key", "OTL_SECRET_KEY", "OTL_SECRET_KEY_FILE"} {
		if k, err := Find(name); err != nil || k.Path != "secret_key" {
			t.Errorf("%s: got %s, %v", name, k.Path, err)
		}
	}
	_, err := Find("jwt.algo")
	wantRefusal(t, err, "jwt.algo", "did you mean jwt.alg?")
	_, err = Find("OTL_JWT_ALGO")
	wantRefusal(t, err, "OTL_JWT_ALGO", "did you mean OTL_JWT_ALG?")
	_, err = Find("")
	wantRefusal(t, err, "", "otl config env")
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"ab", "ba", 2}, {"listen", "lisen", 1}} {
		if got := editDistance(one.a, one.b); got != one.want {
			t.Errorf("%q to %q takes %d, got %d", one.a, one.b, one.want, got)
		}
	}
}
