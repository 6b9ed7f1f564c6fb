package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// program is a page that is a client by itself: it signs in, reads userinfo, renews its
// tokens and gives them up, each by a call of another origin.
const program = `<!doctype html><html lang=en><title>A program</title><h1>Begins</h1><script src=/lib.js></script><script>
const say = (text) => { document.querySelector("h1").textContent = text }
const m = new oidc.UserManager({ authority: %q, client_id: %q, redirect_uri: location.origin + "/", scope: "openid profile email", loadUserInfo: true, automaticSilentRenew: false })
if (!location.search.includes("code=")) m.signinRedirect().catch((e) => say("Failed: " + e))
else (async () => {
  const first = await m.signinCallback(), next = await m.signinSilent(), refresh_token = next.refresh_token
  await m.revokeTokens()
  const body = new URLSearchParams({ grant_type: "refresh_token", client_id: m.settings.client_id, refresh_token })
  const gone = await (await fetch(await m.metadataService.getTokenEndpoint(), { method: "POST", body })).json()
  say([next.profile.email, first.access_token !== next.access_token ? "renewed" : "kept", gone.error].join(" "))
})().catch((e) => say("Failed: " + e))
</script>`

// TestAProgramInABrowser: oidc-client-ts, in Chromium, with a client that keeps no secret and
// whose tokens are signed with ES256 (AD-11).
func TestAProgramInABrowser(t *testing.T) {
	t.Parallel()
	lib, err := os.ReadFile(filepath.Join("node_modules", "oidc-client-ts", "dist", "browser", "oidc-client-ts.min.js"))
	if err != nil {
		t.Fatalf("%v: run it by make test", err)
	}
	w := newWorld(t)
	var client struct {
		ID string `json:"client_id"`
	}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/lib.js" {
			rw.Header().Set("Content-Type", "text/javascript")
			_, _ = rw.Write(lib)
			return
		}
		rw.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(rw, program, w.url, client.ID)
	}))
	t.Cleanup(srv.Close)
	w.otl(t, &client, "clients", "create", "--site", "notes", "--name", "program", "--public", "--signing-alg", "ES256", "--redirect-uri", srv.URL+"/")
	b := profile(t, chromium(t))
	b.visit(srv.URL + "/")
	b.heading("Sign in")
	b.fill("identifier", w.vars["OTL_USER_EMAIL"])
	b.fill("password", w.vars["OTL_USER_PASSWORD"])
	b.press(`button[value=password]`)
	b.heading(w.vars["OTL_USER_EMAIL"] + " renewed invalid_grant")
	home, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	page, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.quiet(home.Host, page.Host)
}
