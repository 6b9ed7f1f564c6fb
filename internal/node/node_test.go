package node_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// options are those of a server on a database, which asks ask for its key.
func options(url string, clock *otltest.Clock, ask func(initialised bool) (secret.Master, error)) node.Options {
	return node.Options{
		Store: store.Options{URL: url, MaxConns: 4, Serve: true}, Master: ask, Now: clock.Now, Log: slog.New(slog.DiscardHandler),
		PublicURL: otltest.Issuer, Version: "v1.2.3", Algorithm: token.ES256, KeyRotation: 90 * 24 * time.Hour, AccessTTL: 30 * time.Minute,
		RefreshTTL: 30 * 24 * time.Hour, SessionMaxAge: 90 * 24 * time.Hour, SessionLimit: 50, Argon2: secret.Argon2{Memory: 64, Time: 1, Threads: 1},
		Rules: &account.PasswordRules{}, Limits: true, PII: "mask",
	}
}

// each runs a test on a URL of each engine.
func each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			test(t, otltest.DatabaseURL(t, e))
		})
	}
}

// SR-04: a database that has a key is never given another one.
func TestSR04_AWrongKeyLeavesTheDatabaseAsItWas(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		clock, master := otltest.NewClock(), secret.NewMaster()
		var told []bool
		right := func(initialised bool) (secret.Master, error) { told = append(told, initialised); return master, nil }
		for range 2 {
			n, err := node.Open(t.Context(), options(url, clock, right))
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if len(told) != 2 || told[0] || !told[1] {
			t.Errorf("the key was asked for with %v", told)
		}
		wrong := func(bool) (secret.Master, error) { return secret.NewMaster(), nil }
		if _, err := node.Open(t.Context(), options(url, clock, wrong)); !errors.Is(err, installation.ErrMasterKey) {
			t.Error(err)
		}
		no := errors.New("no key")
		if _, err := node.Open(t.Context(), options(url, clock, func(bool) (secret.Master, error) { return secret.Master{}, no })); !errors.Is(err, no) {
			t.Error(err)
		}
		n, err := node.Open(t.Context(), options(url, clock, right)) // the lock was given back, nothing was altered
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatWasNotedIsStoredAtTheEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		clock, master := otltest.NewClock(), secret.NewMaster()
		n, err := node.Open(t.Context(), options(url, clock, func(bool) (secret.Master, error) { return master, nil }))
		if err != nil {
			t.Fatal(err)
		}
		made, err := n.Sites.Register(t.Context(), site.Registration{Name: "Notes", Callbacks: []string{"https://notes.test/cb"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := n.Sites.Authenticate(t.Context(), made.Key); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		st, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := st.Read.SiteKeys.OfSite(t.Context(), made.Site.ID)
		if err != nil || len(keys) != 1 || !keys[0].LastUsedAt.Equal(clock.Now()) {
			t.Errorf("%+v %v", keys, err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}

// failures tells the jobs whose failure was logged.
type failures struct {
	slog.Handler
	jobs chan string
}

func (f failures) Enabled(context.Context, slog.Level) bool { return true }

func (f failures) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "job" {
			f.jobs <- a.Value.String()
		}
		return true
	})
	return nil
}

// The work beside the requests goes on after a failure, and ends when it is told.
func TestAJobThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		told := failures{slog.DiscardHandler, make(chan string, 10)}
		o := options(url, otltest.NewClock(), func(bool) (secret.Master, error) { return secret.NewMaster(), nil })
		o.Log = slog.New(told)
		n, err := node.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil { // now nothing succeeds
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { n.Run(ctx); close(ended) }()
		for range 2 {
			if job := <-told.jobs; job != "maintain signing keys" {
				t.Errorf("%q failed", job)
			}
		}
		cancel()
		<-ended
	})
}

func TestANodeIsMeasured(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		n, err := node.Open(t.Context(), options(url, otltest.NewClock(), func(bool) (secret.Master, error) { return secret.NewMaster(), nil }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		rec := httptest.NewRecorder()
		n.Server.Admin().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for _, name := range []string{
			`version="v1.2.3"`, "otl_password_hash_queue_depth 0", "otl_password_hash_refused_total 0", `otl_db_conns{state="in_use"}`, "otl_sqlite_wal_bytes", "otl_webhook_queue_depth 0", `otl_messages_waiting{channel="email"} 0`, `otl_messages_oldest_seconds{channel="sms"} 0`, "otl_webhook_oldest_seconds 0", `otl_webhook_endpoints{state="paused"} 0`, "otl_sign_ins_failed_total 0", "otl_codes_wrong_total 0", "otl_db_commits_total", "otl_db_statements_total", "otl_db_writes_total",
		} {
			if !strings.Contains(rec.Body.String(), name) {
				t.Errorf("no %s in the metrics", name)
			}
		}
	})
}
