package pages_test

import (
	"context"
	"crypto/sha256"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/onetimelogin/otl/internal/otltest"
)

// watching notes what runs on a page that should not, and what its policy refuses.
const watching = `window.ran = [];
for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = (...said) => ran.push(name + " " + said);
document.addEventListener("securitypolicyviolation", (e) => ran.push("policy: " + e.violatedDirective + " " + e.blockedURI));`

// TestAD04_NothingThatIsStoredRunsInABrowser opens the pages that show a payload in a real browser,
// under their own policies: no payload runs, none leads away, and none needs the policy to be
// kept from it. OTL_E2E_LOOKS takes all sixty through every field; without it, it is two.
func TestAD04_NothingThatIsStoredRunsInABrowser(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatal("this test needs chromium, which is not in PATH; `make test` installs Node.js, Python and Chromium")
	}
	all, turns := payloads(), 2
	if os.Getenv("OTL_E2E_LOOKS") != "" {
		turns = len(all)
	}
	shelf := newShelf(t)
	for from := 0; from < turns; from += 6 {
		w := otltest.New(t, otltest.SQLite)
		for turn := from; turn < min(from+6, turns); turn++ {
			s, email := dressed(t, w, all, turn)
			everyPage(t, w, s, email, func(_ *otltest.Browser, p otltest.Page) { shelf.put(p, all) })
		}
	}
	if len(shelf.pages) < 20*turns {
		t.Fatalf("only %d pages show a payload", len(shelf.pages))
	}
	t.Logf("%d pages", len(shelf.pages))
	shelf.open(t)
}

// shelf serves pages again as they were.
type shelf struct {
	*httptest.Server
	pages []otltest.Page
	known map[[sha256.Size]byte]bool
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{known: map[[sha256.Size]byte]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/static/", http.FileServer(http.Dir(".")))
	mux.HandleFunc("GET /page/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n >= len(s.pages) {
			http.NotFound(w, r)
			return
		}
		h := s.pages[n].Header.Clone()
		h.Del("Set-Cookie")
		maps.Copy(w.Header(), h)
		_, _ = w.Write(s.pages[n].Raw)
	})
	mux.HandleFunc("GET /hostile", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'")
		_, _ = w.Write([]byte(`<script>alert(1)</script><img src=/x>`)) // one runs, one is refused
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }) // whatever a page asks for by itself
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// put keeps a page that shows a payload, unless it is there.
func (s *shelf) put(p otltest.Page, all []string) {
	text := html.UnescapeString(string(p.Raw))
	sum := sha256.Sum256(p.Raw)
	for _, one := range all {
		if strings.Contains(text, one) && !s.known[sum] && len(one) > len("{{.}}") {
			s.known[sum] = true
			s.pages = append(s.pages, p)
		}
	}
}

// open opens all of them in one tab, one after the other.
func (s *shelf) open(t *testing.T) {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("no-proxy-server", true))
	running, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, end := chromedp.NewContext(running)
	t.Cleanup(func() { end(); stop() })
	watch := func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: watching})
		return chromedp.Void{}, err
	}
	if err := chromedp.Do(ctx, watch); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(s.URL+"/hostile")); err != nil {
		t.Fatal(err)
	}
	if seen, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`ran`)); err != nil || len(seen) != 2 {
		t.Fatalf("what runs is not seen: %q %v", seen, err)
	}
	for n, p := range s.pages {
		at := s.URL + "/page/" + strconv.Itoa(n)
		if err := chromedp.Do(ctx, chromedp.Navigate(at)); err != nil {
			t.Fatal(err)
		}
		ran, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`ran.concat(location.href)`))
		if err != nil || len(ran) != 1 || ran[0] != at {
			t.Errorf("%s (%s): %q %v\n%.3000s", p.Path, p.Title, ran, err, p.Raw)
		}
	}
}
