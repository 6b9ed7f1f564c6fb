// Package internal_test holds the tests that are about the house itself: who may
// import whom, and the measures it keeps.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/onetimelogin/otl/"

// room says what one package may import of ours, and what it must never import
// of anybody's. Imports go down only (ARCHITECTURE.md, "Floors").
type room struct {
	may   []string // rooms, relative to internal/
	never []string // import paths or prefixes ending in "/"
	why   string
}

var wires = []string{"net/http", "encoding/json", "html/template"}

// rooms lists every package. A package that is not listed fails the test: a new
// room is a decision.
func rooms() map[string]room {
	rules := []string{"otl", "secret", "token", "store", "limit", "ledger", "message", "factor", "session"}
	return map[string]room{
		"otl":          {nil, append([]string{"database/sql", "crypto/"}, wires...), "nouns know no storage, no wire and no cryptography"},
		"secret":       {[]string{"otl"}, []string{"net/http", "database/sql"}, "keys are handed in, nothing is stored or sent"},
		"token":        {[]string{"otl", "secret"}, []string{"net/http", "database/sql"}, "a token proves that it was issued; the store is asked above"},
		"store":        {[]string{"otl"}, []string{"net/http"}, "the store knows no rules and no wire"},
		"installation": {[]string{"otl", "secret", "token", "store"}, wires[:1], "rules know no wire"},
		"limit":        {[]string{"otl", "store"}, wires, "rules know no wire"},
		"egress":       {nil, []string{"database/sql"}, "egress knows addresses, and nobody who is called"},
		"event":        {[]string{"otl", "secret", "store"}, wires[:1], "the log knows no wire, and nobody who reads it"},
		"webhook":      {[]string{"otl", "secret", "store", "ledger", "event"}, wires[:1], "what is told and how it is signed; the outbox sends it"},
		"ledger":       {[]string{"otl", "store"}, wires, "what is shown is decided above, and only counted here"},
		"once":         {[]string{"otl", "secret", "store"}, wires, "rules know no wire"},
		"message":      {[]string{"otl", "secret", "store"}, wires[:1], "rules know no wire"},
		"number":       {[]string{"otl", "store"}, wires, "rules know no wire"},
		"factor":       {[]string{"otl", "secret", "store", "limit", "message"}, []string{"net/http", "html/template"}, "rules know no wire; who may open a session is decided here, the session is opened above"},
		"session":      {[]string{"otl", "secret", "token", "store", "limit", "ledger", "message", "factor"}, wires, "rules know no wire"},
		"signin":       {rules, wires, "rules know no wire, and not each other"},
		"site":         {rules, wires, "rules know no wire, and not each other"},
		"account":      {rules, []string{"net/http", "html/template"}, "rules know no wire, and not each other"},
		"config":       {[]string{"otl", "secret", "token"}, []string{"net/http", "database/sql"}, "configuration is values, not behaviour"},
		"surface/native": {
			[]string{"otl", "secret", "wire", "limit", "ledger", "once", "event", "webhook", "factor", "session", "signin", "site", "account"},
			[]string{"database/sql"},
			"a surface translates: it neither stores nor signs, and knows no other surface",
		},
		"surface/transmit": {[]string{"otl", "secret", "wire", "limit", "ledger", "message", "oauth", "session", "signin", "site", "account"}, []string{"database/sql"}, "a surface translates: it neither stores nor signs, and knows no other surface"},
		"surface/oidc":     {[]string{"otl", "secret", "wire", "cookie", "oauth", "session", "signin", "site"}, []string{"database/sql"}, "a surface translates: it neither stores nor signs, and knows no other surface"},
		"surface/onelogin": {[]string{"otl", "secret", "wire", "limit", "ledger", "number", "cookie", "factor", "session", "signin", "site", "account"}, []string{"database/sql"}, "a surface translates: it neither stores nor signs, and knows no other surface"},
		"oauth":            {[]string{"otl", "secret", "wire", "limit", "session", "site"}, []string{"database/sql", "html/template", "encoding/json"}, "how a program shows who it is in a request, for whichever surface asks; the rules decide"},
		"cookie":           {[]string{"secret"}, []string{"database/sql", "encoding/json", "html/template"}, "names and flags of cookies, for whichever surface sets one"},
		"wire":             {[]string{"otl"}, []string{"database/sql", "html/template"}, "what is alike on all wires, and nothing of any one of them"},
		"outbox":           {[]string{"otl", "secret", "store", "message", "webhook", "egress"}, []string{"database/sql", "html/template"}, "the outbox carries and never decides"},
		"surface/dev":      {[]string{"otl", "secret", "outbox"}, []string{"database/sql"}, "a surface translates"},
		"surface/pages":    {[]string{"otl", "secret", "wire", "cookie", "message", "session", "factor", "signin", "site", "account", "webhook", "../docs"}, []string{"database/sql"}, "a surface translates"},
		"server":           {[]string{"otl"}, []string{"database/sql"}, "the server mounts handlers and knows no domain"},
		"demo":             {[]string{"secret", "egress"}, []string{"database/sql"}, "a demo site knows the server from outside only"},
		"bench":            {[]string{"secret"}, []string{"database/sql"}, "a load knows the server from outside only"},
		"node": {[]string{
			"otl", "secret", "token", "store", "installation", "limit", "ledger", "once", "event", "webhook", "message", "egress", "factor", "outbox", "session", "signin", "site", "account", "server",
			"surface/native", "surface/oidc", "surface/pages", "surface/transmit",
			"number", "cookie", "oauth", "surface/onelogin",
		}, []string{"database/sql"}, "the node wires, and does not decide"},
		"otltest": {[]string{"otl", "secret", "token", "store", "installation", "limit", "message", "factor", "session", "signin", "site", "account", "webhook", "egress", "outbox", "server", "node"}, nil, "tests build on the node"},
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T, patterns ...string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports"}, patterns...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	var all []goPackage
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	all := rooms()
	seen := 0
	for _, p := range packages(t, "./internal/...") {
		name := strings.TrimPrefix(p.ImportPath, module+"internal/")
		r, ok := all[name]
		if name == module+"internal" || p.ImportPath == module+"internal" || strings.TrimSuffix(module, "/")+"/internal" == p.ImportPath {
			continue // these tests
		}
		if !ok {
			t.Errorf("internal/%s is no room of the house: list it in rooms() with what it may import and why", name)
			continue
		}
		seen++
		for _, imp := range p.Imports {
			ours, inside := strings.CutPrefix(imp, module)
			if inside {
				ours = strings.TrimPrefix(ours, "internal/")
				if ours == "docs" {
					ours = "../docs"
				}
				if !slices.Contains(r.may, ours) {
					t.Errorf("internal/%s must not import internal/%s: %s", name, ours, r.why)
				}
				continue
			}
			for _, bad := range r.never {
				if imp == bad || strings.HasSuffix(bad, "/") && strings.HasPrefix(imp, bad) {
					t.Errorf("internal/%s must not import %s: %s", name, imp, r.why)
				}
			}
		}
	}
	if seen != len(all) {
		t.Errorf("rooms() lists %d packages, go list finds %d of them", len(all), seen)
	}
}

func TestOnlyTheCommandImportsConfig(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t, "./...") {
		if p.ImportPath != module+"cmd/otl" && slices.Contains(p.Imports, module+"internal/config") {
			t.Errorf("%s must not import config: what a part needs it is given in its fields", p.ImportPath)
		}
	}
}

// TestSU05_BannedInAuthCode keeps out what has no place near secrets (SU-05).
func TestSU05_BannedInAuthCode(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"internal/store":  "math/rand/v2", // jitter of retries
		"internal/secret": "crypto/sha1",  // in the HMAC of authenticator apps
	}
	for _, p := range packages(t, "./internal/...", "./cmd/...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, bad := range []string{"math/rand", "math/rand/v2", "text/template", "crypto/md5", "crypto/sha1", "unsafe"} {
			if slices.Contains(p.Imports, bad) && allowed[name] != bad {
				t.Errorf("%s must not import %s", name, bad)
			}
		}
	}
}

// TestDependencies holds go.mod against docs/dependencies.md: every direct
// dependency has its line there, and the version of modernc.org/libc is the one
// its SQLite was generated for.
func TestDependencies(t *testing.T) {
	t.Parallel()
	doc := read(t, "docs/dependencies.md")
	mod := read(t, "go.mod")
	for line := range strings.SplitSeq(mod, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.Contains(fields[0], ".") || !strings.HasPrefix(fields[1], "v") || strings.Contains(line, "// indirect") {
			continue
		}
		if !strings.Contains(doc, "`"+fields[0]+"`") {
			t.Errorf("docs/dependencies.md does not say why %s is here", fields[0])
		}
		if !strings.Contains(doc, fields[1]) {
			t.Errorf("docs/dependencies.md does not name %s %s", fields[0], fields[1])
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := version(t, readAbsolute(t, strings.TrimSpace(string(out))), "modernc.org/libc"); want != version(t, mod, "modernc.org/libc") {
		t.Errorf("modernc.org/libc must be %s, the version SQLite was generated for", want)
	}
}

func version(t *testing.T, mod, module string) string {
	t.Helper()
	for line := range strings.SplitSeq(mod, "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == module {
			return f[1]
		}
	}
	t.Fatalf("go.mod does not name %s", module)
	return ""
}
