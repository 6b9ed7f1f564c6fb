package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// bare starts the bare handler and gives its address.
func bare(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServeBare(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// someone adds people, some of them with an authenticator app. Their addresses are proven:
// else the first code that is mailed there takes the password away (OT-16).
func someone(t *testing.T, w *otltest.World) (people, second []Person) {
	t.Helper()
	add := func(email string) (Person, otl.User) {
		m, err := w.Accounts.Create(t.Context(), account.Creation{Email: email, Password: secret.NewText(otltest.Password), Site: &w.Notes.Site, Verified: true})
		if err != nil {
			t.Fatal(err)
		}
		return Person{Email: email, Password: secret.NewText(otltest.Password)}, m.User
	}
	for i := range 8 {
		p, _ := add(fmt.Sprintf("p%d@dev.test", i))
		people = append(people, p)
	}
	for i := range 500 { // a code is good once
		p, u := add(fmt.Sprintf("s%d@dev.test", i))
		p.Seed = secret.NewTOTPSeed()
		if _, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: p.Seed}); err != nil {
			t.Fatal(err)
		}
		second = append(second, p)
	}
	return people, second
}

func TestEveryLoadSucceedsAgainstAServer(t *testing.T) {
	t.Parallel()
	box, err := NewMailbox()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	mailer, err := outbox.NewWebhook(box.URL, "", outbox.Post{})
	if err != nil {
		t.Fatal(err)
	}
	receivers, roots := map[otltest.Engine]*Receiver{}, x509.NewCertPool()
	for _, e := range otltest.Engines() {
		r, err := NewReceiver()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		roots.AppendCertsFromPEM(r.Cert)
		receivers[e] = r
	}
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		people, second := someone(t, w)
		nodes := []string{w.URL}
		if w.Engine == otltest.Postgres {
			nodes = append(nodes, w.Again(t).URL)
		}
		ctx, stop := context.WithCancel(t.Context())
		delivering := make(chan struct{})
		go func() { w.Run(ctx); close(delivering) }()
		t.Cleanup(func() { stop(); <-delivering })
		admin := httptest.NewServer(w.Server.Admin())
		t.Cleanup(admin.Close)
		made, err := w.Clients.Create(t.Context(), w.Notes.Site.ID, site.NewClient{Name: "bench", Scopes: otl.AllScopes()})
		if err != nil {
			t.Fatal(err)
		}
		// Each code takes the clock on: whose turn comes again, after the 333 others, has not used the code of now, however fast the machine is.
		now := func() time.Time {
			w.Clock.Advance(100 * time.Millisecond)
			return w.Clock.Now()
		}
		var told []string
		results, err := Run(t.Context(), Options{
			Nodes: nodes, Admin: []string{admin.URL}, Bare: bare(t), SiteKey: w.Notes.Key, Sites: []secret.Text{w.Shop.Key}, People: people,
			Hash: secret.DefaultArgon2(), Duration: 200 * time.Millisecond, Overload: 200 * time.Millisecond, Connections: 4, Receiver: receivers[w.Engine],
			Second: second, Now: now, Mailbox: box, Client: Client{made.ID, made.Secret, w.Notes.Site.Slug},
			Progress: func(name string) { told = append(told, name) },
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]Result{}
		for _, r := range results {
			seen[r.Name] = r
			if r.Ops <= 0 || r.Errors > 0 || r.P50 <= 0 && r.Name != "webhooks delivered" || r.P99 < r.P50 || r.Max < r.P99 {
				t.Errorf("%+v", r)
			}
		}
		for _, name := range []string{"login", "refresh", "introspect", "me", "jwks", "login with a second factor", "login with a second factor on OneLogin's wire", "otp by mail", "otp on Transmit's wire", "hosted pages"} {
			if r := seen[name]; r.RawLimit <= 0 || r.Ratio <= 0 || r.ServerMB <= 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if h := seen["login"].Hash; h != "argon2id m=19456,t=2,p=1" {
			t.Errorf("the hash is %q", h)
		}
		if len(told) == 0 || len(seen) != len(results) {
			t.Errorf("told %v, %d names for %d results", told, len(seen), len(results))
		}
		if r := seen["refresh while events are delivered"]; r.RawLimitOf != "refresh" || r.Ratio <= 0 || seen["webhooks delivered"].Ops <= 0 {
			t.Errorf("%+v", r)
		}
	}, func(o *node.Options) {
		o.Senders[otl.ChannelMail] = []outbox.Sender{mailer}
		o.Egress = egress.Policy{Loopback: true, Roots: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	})
}

func TestOnlyTheLoadsThatWereAskedForRun(t *testing.T) {
	t.Parallel()
	o := Options{Only: []string{"login", "otp"}}
	for name, want := range map[string]bool{
		"raw limits": true, "sessions": true, "login": true, "login with a second factor": true, "otp send and verify": true, "refresh": false, "me": false,
	} {
		if o.wanted(name) != want || !(Options{}).wanted(name) {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

func TestARunNeedsAServerThatAnswers(t *testing.T) {
	t.Parallel()
	o := Options{
		Nodes: []string{"http://127.0.0.1:1"}, People: []Person{{Email: "a@dev.test", Password: secret.NewText("x")}}, Hash: secret.DefaultArgon2(),
		Duration: time.Millisecond, Overload: time.Millisecond, Connections: 1, Progress: func(string) {},
	}
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("a server that is not there was measured")
	}
	o.Nodes = nil
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("no server was measured")
	}
	for _, base := range []string{"https://id.test", "id.test:80", "http://id.test", "::"} {
		if _, err := newClient(base); err == nil {
			t.Errorf("%q was taken for an address", base)
		}
	}
}

// steps is a worker that plays a list of outcomes again and again.
type steps struct {
	done   atomic.Int64
	closed atomic.Bool
}

func (s *steps) step() (bool, error) {
	switch s.done.Add(1) % 4 {
	case 1:
		return false, nil
	case 2:
		return false, errors.New("no")
	}
	return true, nil
}

func (s *steps) close() { s.closed.Store(true) }

func TestOutcomesAreCountedApart(t *testing.T) {
	t.Parallel()
	one, two := &steps{}, &steps{}
	driven := drive(t.Context(), []worker{one, two}, 50*time.Millisecond)
	flooded := flood(t.Context(), 2000, 50*time.Millisecond, func() worker { return two })
	for name, l := range map[string]load{"driven": driven, "flooded": flooded} {
		if len(l.good) == 0 || len(l.refused) == 0 || l.failed == 0 || l.err == nil || l.rate() <= 0 {
			t.Errorf("%s: %d good, %d refused, %d failed, %v", name, len(l.good), len(l.refused), l.failed, l.err)
		}
	}
	if !one.closed.Load() || !two.closed.Load() {
		t.Error("a worker was not closed")
	}
}

// slow takes an hour for each step.
type slow struct{}

func (slow) step() (bool, error) { time.Sleep(time.Hour); return true, nil }
func (slow) close()              {}

// A rate of zero would make flood start everything at once and never end.
func TestASlowMachineHasARateToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := drive(t.Context(), []worker{slow{}, slow{}}, time.Second)
		if perHour := l.rate() * 3600; perHour < 1.9 || perHour > 2.1 {
			t.Errorf("%.2f steps an hour, want 2", perHour)
		}
	})
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	sorted := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 6, 0.99: 10, 1: 10} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("of nothing")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := Report{
		Machine: ThisMachine("v1"), Database: "sqlite", Users: 5, FsyncMS: 0.2, ColdStartMS: 12, IdleMB: 25,
		Results: []Result{{Name: "login", Ops: 90, RawLimit: 100, Ratio: 0.9, Hash: "argon2id m=1,t=1,p=1"}},
	}
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"sqlite with 5 people", "one fsync 0.20 ms", "cold start 12 ms", "90 % of 100", "password hash: argon2id m=1,t=1,p=1"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("%q is missing in\n%s", part, b.String())
		}
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"machine", "fsync_ms", "results", "ops_per_s", "p50_ms", "p99_ms", "cpu_ms_per_op", "raw_limit_ops_per_s", "ratio", "hash"} {
		if !strings.Contains(string(raw), `"`+member+`":`) {
			t.Errorf("no member %s in %s", member, raw)
		}
	}
}

func TestFsyncMeasures(t *testing.T) {
	t.Parallel()
	if d, err := Fsync(t.TempDir()); err != nil || d <= 0 {
		t.Errorf("%v %v", d, err)
	}
	if _, err := Fsync("/nowhere"); err == nil {
		t.Error("a directory that is not there")
	}
}

func TestReadyAndMemory(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	if !Ready(t.Context(), w.URL) || Ready(t.Context(), "http://127.0.0.1:1") {
		t.Error("readiness")
	}
	admin := httptest.NewServer(w.Server.Admin())
	t.Cleanup(admin.Close)
	if mb, err := Memory(t.Context(), admin.URL); err != nil || mb <= 0 {
		t.Errorf("%v MB, %v", mb, err)
	}
	if _, err := Memory(t.Context(), w.URL+"/nowhere"); err == nil {
		t.Error("no metrics, no error")
	}
}

// FuzzAnswer gives the client what a server could send: it takes it as net/http
// does, or not at all.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 503 Service Unavailable\r\ncontent-length:0\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200", "HTTP/1.0 200 OK\r\n\r\n", "",
		"HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &client{r: bufio.NewReaderSize(strings.NewReader(string(raw)), 8<<10)}
		status, err := c.read()
		if err != nil {
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(raw))), nil)
		if err != nil {
			return // stricter than a tool for ourselves needs to be
		}
		defer res.Body.Close()
		if res.StatusCode != status && status >= 100 {
			t.Errorf("status %d, net/http says %d", status, res.StatusCode)
		}
	})
}
