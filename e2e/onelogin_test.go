package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// oneLogin calls the OneLogin wire of a development world as a site's server does.
type oneLogin struct {
	http   *http.Client
	url    string
	vars   map[string]string
	bearer string
}

// newOneLogin gets the API token of the world's client.
func newOneLogin(t *testing.T, c *http.Client, vars map[string]string) *oneLogin {
	t.Helper()
	o := &oneLogin{http: c, url: vars["OTL_URL"], vars: vars}
	var token struct {
		Access string `json:"access_token"`
	}
	o.post(t, "/auth/oauth2/v2/token", "client_id:"+vars["OTL_CLIENT_ID"]+", client_secret:"+vars["OTL_CLIENT_SECRET"], map[string]string{"grant_type": "client_credentials"}, &token)
	o.bearer = token.Access
	return o
}

func (o *oneLogin) post(t *testing.T, path, authorization string, body, out any, headers ...string) {
	t.Helper()
	o.call(t, http.MethodPost, path, authorization, body, out, headers...)
}

func (o *oneLogin) call(t *testing.T, method, path, authorization string, body, out any, headers ...string) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, o.url+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", authorization)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := o.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", path, res.Status, answer, err)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatal(err)
	}
}

// sessionToken proves the person of the world and gives a session token.
func (o *oneLogin) sessionToken(t *testing.T, headers ...string) string {
	t.Helper()
	return o.sessionTokenOf(t, o.vars["OTL_USER_USERNAME"], o.vars["OTL_USER_PASSWORD"], headers...)
}

func (o *oneLogin) sessionTokenOf(t *testing.T, name, password string, headers ...string) string {
	t.Helper()
	var out struct {
		Data []struct {
			Token string `json:"session_token"`
		}
	}
	o.post(t, "/api/1/login/auth", "bearer:"+o.bearer,
		map[string]string{"username_or_email": name, "password": password, "subdomain": o.vars["OTL_SUBDOMAIN"]}, &out, headers...)
	return out.Data[0].Token
}

// formPage is the page of seed 001, "Example HTML Form Page", with its two variables.
const formPage = `<!doctype html>
<html>
    <head>
        <meta charset="utf-8">
    </head>
    <body>
        <p>Auth API Test</p>
        <form action=
         "%s/session_via_api_token" method="POST">
            <input type="hidden" name="session_token" value="%s">
            <input type="submit" placeholder="GO">
            <input id="auth_token" type="hidden">
        </form>
    </body>
</html>`

// TestSeedFormInABrowser opens the seed's page at another origin in a real browser, with
// and without scripts, and presses its button: the portal knows the person. A browser
// that is signed in as him already gets a new session, and one that has no cookies yet
// is not asked anything.
func TestSeedFormInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := newOneLogin(t, http.DefaultClient, w.vars)
	var page string
	login := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { // 127.0.0.1, where the world is localhost
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, page)
	}))
	t.Cleanup(login.Close)
	file := filepath.Join(t.TempDir(), "login.html")
	chrome := chromium(t)
	for _, one := range []struct {
		name, address, to string
		tab               *tab
	}{
		{"another origin", login.URL, w.url, profile(t, chrome)},
		{"scripts off", login.URL, w.url, profile(t, chrome).scriptless()},
		{"a file", "file://" + file, w.url, profile(t, chrome)},
		{"the host of the site", login.URL, strings.Replace(w.url, "://", "://"+w.vars["OTL_SUBDOMAIN"]+".", 1), profile(t, chrome)},
	} {
		for range 2 {
			page = fmt.Sprintf(formPage, one.to, o.sessionToken(t))
			if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
				t.Fatal(err)
			}
			one.tab.visit(one.address)
			one.tab.press("input[type=submit]")
			one.tab.at(w.url + "/account")
			one.tab.do(chromedp.WaitVisible(chromedp.CSS("footer")))
			if got := one.tab.text("main"); !strings.Contains(got, "j***@dev.test") {
				t.Errorf("%s: the portal shows %q", one.name, got)
			}
		}
		one.tab.visit(one.address) // the token was used
		one.tab.press("input[type=submit]")
		one.tab.at("/signin?error=session_token")
	}
}

// TestAD02_TwoUsersInABrowser: a page of another site that presents the token of somebody
// else than the browser is signed in as puts nobody in his place: the person is asked,
// scripts off too, and stays or changes as he says.
func TestAD02_TwoUsersInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := newOneLogin(t, http.DefaultClient, w.vars)
	var made struct{ Data []map[string]any }
	o.post(t, "/api/1/users", "bearer:"+o.bearer, map[string]string{
		"email": "mallory@dev.test", "firstname": "Mallory", "lastname": "Mall", "password": password, "password_confirmation": password,
	}, &made)
	var page string
	login := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, page)
	}))
	t.Cleanup(login.Close)
	b := profile(t, chromium(t)).scriptless()
	present := func(token string) {
		page = fmt.Sprintf(formPage, w.url, token)
		b.visit(login.URL)
		b.press("input[type=submit]")
	}
	at := func(name string) {
		b.at(w.url + "/account")
		b.do(chromedp.WaitVisible(chromedp.CSS("footer")))
		if got := b.text("main"); !strings.Contains(got, name) {
			t.Errorf("the portal is not %s's: %q", name, got)
		}
	}
	present(o.sessionToken(t))
	at("j***@dev.test")
	present(o.sessionTokenOf(t, "mallory@dev.test", password))
	b.do(chromedp.WaitVisible(chromedp.CSS("#switch button")))
	if got := b.text("main"); !strings.Contains(got, "m***@dev.test") || !strings.Contains(got, "j***@dev.test") {
		t.Errorf("the person is asked %q", got)
	}
	b.press("#stay button")
	at("j***@dev.test")
	present(o.sessionTokenOf(t, "mallory@dev.test", password))
	b.press("#switch button")
	at("m***@dev.test")
}

// corsPage holds the function of seed 001, "Example CORS Post", and a way to see what
// came of it.
const corsPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>login</title><link rel="icon" href="data:,"><body><p id="state">ready</p><script>
function makeCors(session_token) {
   var xhr = new XMLHttpRequest();
   xhr.withCredentials = true;
   method = "POST";
   var url = "%s/session_via_api_token";
   xhr.open(method, url, true);
   xhr.setRequestHeader("Content-Type", "application/json");
   body = {"session_token": session_token};
   xhr.send(JSON.stringify(body));
   xhr.onloadend = function () { document.getElementById("state").textContent = "status " + xhr.status; };
 };
makeCors("%s");
</script></body></html>`

// TestSeedCORSInABrowser runs the seed's function at another registrable name, over
// https: afterwards the browser is signed in at ours. From an origin that the site did
// not name nothing happens.
func TestSeedCORSInABrowser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certificate(t, cert, key, "id.network.test")
	listen := freePort(t)
	public := "https://id.network.test:" + portOf(t, listen)
	devAt(t, binary(t), dir, listen, "OTL_PUBLIC_URL="+public, "OTL_TLS_CERT="+cert, "OTL_TLS_KEY="+key)
	local := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, listen)
		},
	}}
	o := newOneLogin(t, local, sourced(t, dir))
	var page string
	login := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, page)
	}))
	t.Cleanup(login.Close)
	port := portOf(t, strings.TrimPrefix(login.URL, "https://"))
	// Browsers that refuse cookies across sites, as Debian's does unless it is told
	// otherwise, leave a site the form.
	user := t.TempDir()
	if err := os.MkdirAll(filepath.Join(user, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(user, "Default", "Preferences"), []byte(`{"profile":{"cookie_controls_mode":0}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	chrome := chromiumAlone(t, user, chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"), chromedp.Flag("ignore-certificate-errors", true))
	named := "https://login.notes.test:" + port

	stranger := open(t, chrome)
	page = fmt.Sprintf(corsPage, public, o.sessionToken(t, "Custom-Allowed-Origin-Header-1", named))
	stranger.visit("https://evil.test:" + port)
	stranger.do(chromedp.WaitVisible(chromedp.CSS("#state")))
	for stranger.text("#state") == "ready" {
		continue
	}
	if got := stranger.text("#state"); got != "status 0" {
		t.Errorf("an origin that was not named got %q", got)
	}
	stranger.visit(public + "/account")
	stranger.at("/signin")

	person := open(t, chrome)
	page = fmt.Sprintf(corsPage, public, o.sessionToken(t, "Custom-Allowed-Origin-Header-1", named))
	person.visit(named)
	for person.text("#state") == "ready" {
		continue
	}
	if got := person.text("#state"); got != "status 200" {
		t.Fatalf("the call ended with %q", got)
	}
	person.visit(public + "/account")
	person.do(chromedp.WaitVisible(chromedp.CSS("footer")))
	if got := person.text("main"); !strings.Contains(got, "j***@dev.test") {
		t.Errorf("the portal shows %q", got)
	}
	person.quiet("id.network.test:"+portOf(t, listen), "login.notes.test:"+port)
}

// TestOneLoginPythonSDK runs the vendor's own SDK against the world: tokens, rate limit,
// people, second factors, invite links.
func TestOneLoginPythonSDK(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	w := newWorld(t)
	cmd := exec.CommandContext(t.Context(), "python3", "-W", "ignore", "onelogin.py",
		w.url, w.vars["OTL_CLIENT_ID"], w.vars["OTL_CLIENT_SECRET"], w.vars["OTL_USER_EMAIL"], w.vars["OTL_USER_USERNAME"])
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestOneLoginPythonSDK2 runs the SDK before that one, which also signs people in, with
// and without a second factor. It knows no host but <name>.onelogin.com.
func TestOneLoginPythonSDK2(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	dir := t.TempDir()
	devAt(t, binary(t), dir, "127.0.0.1:0", "OTL_ONELOGIN_HOST_IN_PATH=true")
	cmd := exec.CommandContext(t.Context(), "python3", "-W", "ignore", "onelogin2.py", filepath.Join(dir, ".otl", "dev.env"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// secureDev starts a development world over https, and gives its directory, its settings
// and the certificate.
func secureDev(t *testing.T, settings ...string) (dir string, vars map[string]string, cert string) {
	t.Helper()
	dir = t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certificate(t, cert, key, "localhost")
	listen := freePort(t)
	devAt(t, binary(t), dir, listen, append(settings, "OTL_PUBLIC_URL=https://localhost:"+portOf(t, listen), "OTL_TLS_CERT="+cert, "OTL_TLS_KEY="+key)...)
	return dir, sourced(t, dir), cert
}

// TestOneLoginGoSDK runs the vendor's Go SDK, which knows no host but https at
// <name>.onelogin.com: that is a path of the server.
func TestOneLoginGoSDK(t *testing.T) {
	t.Parallel()
	dir, vars, cert := secureDev(t, "OTL_ONELOGIN_HOST_IN_PATH=true")
	program := filepath.Join(dir, "onelogin-go")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "onelogin-go", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, filepath.Join(dir, ".otl", "dev.env"))
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+cert, "ONELOGIN_SUBDOMAIN="+strings.TrimPrefix(vars["OTL_URL"], "https://")+"/otl",
		"ONELOGIN_CLIENT_ID="+vars["OTL_CLIENT_ID"], "ONELOGIN_CLIENT_SECRET="+vars["OTL_CLIENT_SECRET"])
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestOneLoginNodeSDK calls the wire through the vendor's packages for Node.js, which
// know no other scheme than https.
func TestOneLoginNodeSDK(t *testing.T) {
	t.Parallel()
	need(t, "node")
	_, vars, cert := secureDev(t)
	for _, program := range []string{"onelogin.mjs", "onelogin2.mjs"} {
		cmd := exec.CommandContext(t.Context(), "node", program)
		cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+cert)
		for k, v := range vars {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "done") {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
}

// freePort gives an address of this machine that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
