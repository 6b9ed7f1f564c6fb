package e2e

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// browserTime bounds one step of a browser. It only ends a test that hangs.
const browserTime = time.Minute

// shared is the browser in which tests open profiles of their own: it costs more to start one than
// most of them do. The first that needs it starts it, and it ends with the process.
var shared browser

type browser struct {
	once sync.Once
	ctx  context.Context
	err  error
	end  func()
}

// start gives the browser, running.
func (b *browser) start() (context.Context, error) {
	b.once.Do(func() {
		b.ctx, b.end = launch(context.Background(), filepath.Join(scratch, "chromium"))
		b.err = chromedp.Do(b.ctx)
	})
	return b.ctx, b.err
}

// stop ends the browser if it was started.
func (b *browser) stop() {
	if b.end != nil {
		b.end()
	}
}

// chromium gives a real browser, headless, that other tests use as well.
func chromium(t *testing.T) context.Context {
	t.Helper()
	need(t, "chromium")
	ctx, err := shared.start()
	if err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return ctx
}

// chromiumAlone starts one that ends with the test: with other settings than the others', or where
// the window must be the one in front.
func chromiumAlone(t *testing.T, dir string, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	need(t, "chromium")
	ctx, end := launch(t.Context(), dir, more...)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return ctx
}

// launch prepares a browser that keeps what it writes in a directory; end waits until it is gone.
func launch(parent context.Context, dir string, more ...chromedp.ExecAllocatorOption) (ctx context.Context, end func()) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.Flag("lang", "en-US"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true), chromedp.Env("LANG=en_US.UTF-8"))
	running, stop := chromedp.NewExecAllocator(parent, append(options, more...)...)
	ctx, cancel := chromedp.NewContext(running)
	return ctx, func() { cancel(); stop() }
}

// tab is one tab of a browser.
type tab struct {
	t    *testing.T
	ctx  context.Context
	bare bool // without scripts

	mu    sync.Mutex
	bad   []string // what the browser complained about: scripts that fail, policies that are broken
	hosts map[string]bool
}

// profile opens a tab in a profile of its own: nobody's cookies.
func profile(t *testing.T, browser context.Context) *tab {
	t.Helper()
	return open(t, browser, chromedp.WithNewBrowserContext())
}

func open(t *testing.T, parent context.Context, o ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(parent, o...)
	t.Cleanup(end)
	b := &tab{t: t, ctx: ctx, hosts: map[string]bool{}}
	if err := chromedp.Do(ctx); err != nil { // a context that ended with its first step would take the tab with it
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.watch); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1280, 900), protocol(log.Enable, cdp.Empty{}), protocol(network.Enable, network.EnableParams{}))
	return b
}

// protocol makes a step of a command of the protocol whose answer does not matter.
func protocol[P, R any](c cdp.Command[P, R], p P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, c, p)
		return chromedp.Void{}, err
	}
}

// watch notes what the browser complains about and whom it asks.
func (b *tab) watch(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "Failed to load resource") {
			b.bad = append(b.bad, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil {
			b.hosts[u.Host] = true
		}
	}
}

// quiet fails the test for everything the browser complained about, and for whom
// it asked besides the hosts named.
func (b *tab) quiet(hosts ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.bad {
		b.t.Errorf("the browser says: %s", line)
	}
	for host := range b.hosts {
		if host != "" && !slices.Contains(hosts, host) {
			b.t.Errorf("the browser asked %s", host)
		}
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, done := context.WithTimeout(b.ctx, browserTime)
	defer done()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\n%s", err, b.html())
	}
}

// ask runs a step that gives something.
func ask[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	v, err := look(b, a)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// html gives what the tab shows, for a failure.
func (b *tab) html() string {
	ctx, done := context.WithTimeout(b.ctx, 5*time.Second)
	defer done()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.documentElement.outerHTML`))
	if err != nil {
		return err.Error()
	}
	return s
}

// scriptless switches the scripts of pages off.
func (b *tab) scriptless() *tab {
	b.t.Helper()
	b.bare = true
	b.scripts(false)
	return b
}

// scripts says whether scripts run. What a page has not run when it came it does not run
// later.
func (b *tab) scripts(run bool) {
	b.t.Helper()
	b.do(protocol(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run}))
}

// visit opens an address.
func (b *tab) visit(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// press clicks on what a selector names.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// turn clicks on what leads to another page, and waits until that is there.
func (b *tab) turn(selector string) {
	b.t.Helper()
	ask(b, chromedp.Evaluate[bool](`window.before = true`))
	b.press(selector)
	b.until("another page", func() (bool, string, error) {
		there, err := look(b, chromedp.Evaluate[bool](`document.readyState === "complete" && !window.before`))
		return there, "the one before", err
	})
}

// until asks again and again until what is asked for holds. An error is no answer: a page
// that is being left cannot be asked.
func (b *tab) until(want string, holds func() (bool, string, error)) {
	b.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for limit := time.Now().Add(browserTime); ; <-again.C {
		yes, got, err := holds()
		if err == nil && yes {
			return
		}
		if time.Now().After(limit) {
			b.t.Fatalf("got %q (%v), not %q\n%s", got, err, want, b.html())
		}
	}
}

// look runs a step that gives something, and may fail.
func look[T any](b *tab, a chromedp.Action[T]) (T, error) {
	ctx, done := context.WithTimeout(b.ctx, browserTime)
	defer done()
	return chromedp.Run(ctx, a)
}

// fill types into the field of a name.
func (b *tab) fill(name, value string) {
	b.t.Helper()
	field := chromedp.CSS(`[name="` + name + `"]:not([type=hidden])`)
	b.do(chromedp.WaitVisible(field), chromedp.Clear(field), chromedp.SendKeys(field, value))
}

// heading waits for the page with this heading.
func (b *tab) heading(want string) {
	b.t.Helper()
	b.until(want, func() (bool, string, error) {
		got, err := look(b, chromedp.Evaluate[string](`document.querySelector("h1")?.textContent ?? ""`))
		return strings.Contains(plain(got), want), got, err
	})
}

// text gives what a visible element says.
func (b *tab) text(selector string) (said string) {
	b.t.Helper()
	b.until("words in "+selector, func() (bool, string, error) {
		var err error
		said, err = look(b, chromedp.Text(chromedp.CSS(selector)))
		return err == nil, "none", err
	})
	return plain(said)
}

// plain takes away what keeps names from changing the direction of a text.
func plain(s string) string { return strings.NewReplacer("\u2068", "", "\u2069", "").Replace(s) }

// at waits until the address of the tab contains a text, and gives it.
func (b *tab) at(part string) (address string) {
	b.t.Helper()
	b.until(part, func() (bool, string, error) {
		var err error
		address, err = look(b, chromedp.Location())
		return strings.Contains(address, part), address, err
	})
	return address
}
