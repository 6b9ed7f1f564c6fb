package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// relying runs the Python program of relying parties beside a world.
func relying(t *testing.T, w *world, what string, env ...string) {
	t.Helper()
	need(t, "python3")
	program, err := filepath.Abs("relying.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", program, what)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), append(env, "OTL_TEST_BINARY="+binary(t), "OTL_DATA_DIR=.otl")...)
	for k, v := range w.vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "done") {
		t.Errorf("relying.py %s: %v\n%s", what, err, out)
	}
}

// TestOA10_Authlib signs in by Authlib, by a secret and by a key.
func TestOA10_Authlib(t *testing.T) {
	t.Parallel()
	relying(t, newWorld(t), "authlib")
}

// apacheConfig is an httpd that serves one page to whoever signs in here.
const apacheConfig = `
ServerRoot %[1]s
ServerName 127.0.0.1
PidFile %[1]s/httpd.pid
ErrorLog %[1]s/error.log
Mutex file:%[1]s default
DocumentRoot %[1]s/pages
Listen %[2]s
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authn_core_module %[3]s/mod_authn_core.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule authz_user_module %[3]s/mod_authz_user.so
LoadModule dir_module %[3]s/mod_dir.so
LoadModule auth_openidc_module %[3]s/mod_auth_openidc.so
DirectoryIndex index.html
OIDCProviderMetadataURL %[4]s/.well-known/openid-configuration
OIDCClientID %[5]s
OIDCClientSecret %[6]s
OIDCRedirectURI http://%[2]s/oidc/callback
OIDCCryptoPassphrase for-this-test-alone
OIDCScope "openid email"
OIDCPKCEMethod S256
OIDCResponseMode form_post
OIDCCookieSameSite Off
<Location "/">
  AuthType openid-connect
  Require claim email:%[7]s
</Location>
`

// TestOA10_Apache signs in to an httpd behind mod_auth_openidc, as Debian ships it.
func TestOA10_Apache(t *testing.T) {
	t.Parallel()
	const modules = "/usr/lib/apache2/modules"
	httpd := "/usr/sbin/apache2"
	if _, err := os.Stat(modules + "/mod_auth_openidc.so"); err != nil {
		t.Fatalf("this test needs Debian's libapache2-mod-auth-openidc: run it by `make test`, which installs it: %v", err)
	}
	w, dir := newWorld(t), t.TempDir()
	home := "http://" + freePort(t)
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	w.otl(t, &made, "clients", "create", "--site", w.vars["OTL_SITE_ID"], "--redirect-uri", home+"/oidc/callback")
	if err := os.MkdirAll(filepath.Join(dir, "pages"), 0o755); err != nil { // httpd may run as somebody else
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"pages/index.html": "<title>in</title>behind the door",
		"httpd.conf":       fmt.Sprintf(apacheConfig, dir, strings.TrimPrefix(home, "http://"), modules, w.url, made.ID, made.Secret, w.vars["OTL_USER_EMAIL"]),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, httpd, "-D", "FOREGROUND", "-f", filepath.Join(dir, "httpd.conf"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // there may be none
			t.Logf("httpd: %s\n%s", said.Bytes(), log)
		}
	})
	reachable(t, home)
	relying(t, w, "apache", "OTL_TEST_APACHE="+home)
}

// reachable waits until something answers at an address.
func reachable(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); <-again.C {
		r, err := client.Get(url)
		if err == nil {
			_ = r.Body.Close()
			return
		}
	}
	t.Fatalf("nothing answers at %s", url)
}
