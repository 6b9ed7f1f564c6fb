package otltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAU01_TheMatrixFindsWhatIsMissing: a route without an entry is named, one with an
// entry among many is not, and a reason that is no longer true is named too.
func TestAU01_TheMatrixFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "calls")
	all := func(path string) bool { return path != "/other" }
	lines := `{"Route":"POST /other","Logged":false}
{"Route":"POST /a","Logged":false}
{"Route":"POST /a","Logged":true}
{"Route":"POST /b","Logged":false}
{"Route":"POST /c","Logged":false}
{"Route":"POST /d","Logged":true}
`
	if err := os.WriteFile(name, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	faults, err := judge(name, all, map[string]string{"POST /c": "it only looks", "POST /d": "it only looks"})
	if err != nil || len(faults) != 2 || !strings.HasPrefix(faults[0], "POST /b changes") || !strings.HasPrefix(faults[1], "POST /d leaves") {
		t.Errorf("%v %v", faults, err)
	}
	if err := os.WriteFile(name, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := judge(name, all, nil); err == nil {
		t.Error("a broken line is read")
	}
}

// TestAU01_TheMatrixKnowsTheRoutes that sources name, and which call is one of which.
func TestAU01_TheMatrixKnowsTheRoutes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := "package x\nfunc f() {\n\ts.serve(\"POST /v1/token\", s.x)\n\tp.post(\"/l/{token}/deny\", p.y)\n\tp.get(\"/l/{token}\", p.z)\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := registered(dir)
	if err != nil || strings.Join(got, ", ") != "POST /v1/token, POST /l/{}/deny" {
		t.Errorf("%v %v", got, err)
	}
	if !matches("POST /l/{}/deny", "POST /l/abc/deny") || matches("POST /l/{}/deny", "POST /l/abc") || matches("POST /l/{}", "PUT /l/abc") {
		t.Error("a call is taken for another")
	}
}

// TestRoute: what differs from call to call is left out of a path, and the prefixes under
// which the same is served.
func TestRoute(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/account/sites/01HKZ3M5Q8J9X2V7C4B6N1D0FG/disconnect": "/account/sites/{}/disconnect",
		"/cis/v1/users/01HKZ3M5Q8J9X2V7C4B6N1D0FG?x=1":         "/v1/users/{}",
		"/api/1/users/42/logout":                               "/api/1/users/{}/logout",
		"/notes.onelogin.com/session_via_api_token":            "/session_via_api_token",
		"/l/otl_ln_abc": "/l/{}",
		"/signin":       "/signin",
	} {
		if got := route(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
