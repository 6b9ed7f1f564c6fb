package otltest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Issuer is the public URL of servers under test.
const Issuer = "https://id.test"

// Password is what people of a test sign in with.
const Password = "correct-horse-7"

// World is a server under test with two sites.
type World struct {
	*node.Node
	Engine Engine
	URL    string // where it listens
	Clock  *Clock
	Log    *Log
	Inbox  *outbox.Inbox // where mails and SMS end up
	Notes  site.Registered
	Shop   site.Registered

	options node.Options
	acts    *acts
}

// weak makes a password hash that takes no time.
func weak() secret.Argon2 { return secret.Argon2{Memory: 64, Time: 1, Threads: 1} }

// New runs a server on one engine until the test ends. Change may set any
// option first.
func New(t testing.TB, e Engine, change ...func(*node.Options)) *World {
	t.Helper()
	master := secret.NewMaster()
	w := &World{Engine: e, Clock: NewClock(), Log: &Log{}, acts: &acts{}}
	w.Inbox = &outbox.Inbox{Now: w.Clock.Now}
	w.options = node.Options{
		Senders: map[otl.Channel][]outbox.Sender{otl.ChannelMail: {w.Inbox}, otl.ChannelSMS: {w.Inbox}},
		Store:   store.Options{URL: DatabaseURL(t, e), MaxConns: 8, Serve: true},
		Master:  func(bool) (secret.Master, error) { return master, nil },
		Now:     w.Clock.Now, Log: slog.New(slog.NewJSONHandler(w.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		PublicURL: Issuer, Version: "test",
		Algorithm: token.ES256, KeyRotation: 90 * 24 * time.Hour, AccessTTL: 30 * time.Minute, RefreshTTL: 30 * 24 * time.Hour,
		SessionMaxAge: 90 * 24 * time.Hour, AddressRetention: 90 * 24 * time.Hour, RefreshGrace: 10 * time.Second, SessionLimit: 50,
		SMSCountries: []string{"49"}, SMSDailyCap: 200, Mail: limit.Mail{PerMinute: 600, PerDay: 20000}, CodeTTL: 5 * time.Minute, LinkTTL: 15 * time.Minute, CodeLength: 6, CodeTries: 5,
		Egress: egress.Policy{Loopback: true},
		Argon2: weak(), Rules: &account.PasswordRules{}, PII: "mask",
	}
	for _, c := range change {
		c(&w.options)
	}
	w.Node = open(t, w.options)
	t.Cleanup(func() { w.settle(t) })
	w.Notes = w.Register(t, site.Registration{Name: "Notes", Callbacks: []string{"https://notes.test/callback"}})
	w.Shop = w.Register(t, site.Registration{Name: "Shop", Callbacks: []string{"https://shop.test/callback"}})
	w.URL = w.listen(t, w.Server)
	return w
}

// Each runs a test on a server of each engine, in parallel.
func Each(t *testing.T, test func(*testing.T, *World), change ...func(*node.Options)) {
	t.Helper()
	for _, e := range Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			test(t, New(t, e, change...))
		})
	}
}

// Again opens a further node on the same database, as a restart or a second
// node would, and gives the address it listens at. On SQLite the first node is
// closed before: a file has one server.
func (w *World) Again(t testing.TB, change ...func(*node.Options)) *World {
	t.Helper()
	next := *w
	if w.Engine == SQLite {
		if err := w.Node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range change {
		c(&next.options)
	}
	next.Node = open(t, next.options)
	t.Cleanup(func() { next.settle(t) })
	next.URL = next.listen(t, next.Server)
	return &next
}

func open(t testing.TB, o node.Options) *node.Node {
	t.Helper()
	n, err := node.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // a test may have closed it before
	return n
}

func (w *World) listen(t testing.TB, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// Register adds a site.
func (w *World) Register(t testing.TB, r site.Registration) site.Registered {
	t.Helper()
	done, err := w.Sites.Register(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// Person adds a person who has joined the given sites, with Password.
func (w *World) Person(t testing.TB, email string, sites ...otl.Site) otl.User {
	t.Helper()
	m, err := w.Accounts.Create(t.Context(), account.Creation{
		Email: email, Password: secret.NewText(Password),
		Profile: account.Profile{Name: ptr("Jane Doe")},
	})
	if err != nil {
		t.Fatal(err)
	}
	u := m.User
	for _, s := range sites {
		g := otl.Grant{UserID: u.ID, SiteID: s.ID, Fields: otl.MinimalFields(), CreatedAt: w.Clock.Now(), UpdatedAt: w.Clock.Now()}
		if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Grants.Put(ctx, g) }); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// Strong gives a session of a person at our own site in which he may change what he proves
// himself with, as an operator opens one.
func (w *World) Strong(t testing.TB, u otl.User) store.Standing {
	t.Helper()
	in, err := w.SignIn.Admin(t.Context(), u.ID, w.Flows.FirstParty)
	if err != nil {
		t.Fatal(err)
	}
	return in.Standing
}

func ptr[T any](v T) *T { return &v }

// Letters delivers what is due and gives the letters to an address or number, or
// all for "", newest first.
func (w *World) Letters(t testing.TB, to string) []outbox.Received {
	t.Helper()
	for {
		n, err := w.Outbox.Deliver(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return w.Inbox.Letters(to)
		}
	}
}

// Newest is the newest of Letters that has a code or a link in it. Those that only tell of something may come at the
// same moment.
func (w *World) Newest(t testing.TB, to string) outbox.Received {
	t.Helper()
	all := w.Letters(t, to)
	i := slices.IndexFunc(all, func(l outbox.Received) bool { return l.Code+l.Link != "" })
	if i < 0 {
		t.Fatalf("no code or link came to %s", to)
	}
	return all[i]
}

// Deliver gives events their places and delivers to endpoints what is due, until
// nothing is left to do at this moment.
func (w *World) Deliver(t testing.TB) {
	t.Helper()
	for {
		placed, err := w.Events.Place(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		called, err := w.Couriers.Deliver(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if placed+called == 0 {
			return
		}
	}
}

// Call is one request to a server under test.
type Call struct {
	Method  string // POST where there is a body, else GET
	Path    string
	Key     secret.Text // site key
	Bearer  string
	Body    any // marshalled, unless it is a string or []byte
	Headers map[string]string
}

// Reply is what came back.
type Reply struct {
	Status int
	Header http.Header
	Raw    []byte
	JSON   map[string]any // nil where the body is no JSON object
}

// Do sends a request.
func (w *World) Do(t testing.TB, c Call) Reply {
	t.Helper()
	var body io.Reader
	switch b := c.Body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	case []byte:
		body = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	if c.Method == "" {
		c.Method = http.MethodGet
		if body != nil {
			c.Method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), c.Method, w.URL+c.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.Key.Empty() {
		req.Header.Set("X-OTL-Site-Key", c.Key.Reveal())
	}
	if c.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.Bearer)
	}
	for k, v := range c.Headers {
		req.Header.Set(k, v)
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	r := send(t, req)
	w.acts.note(c.Method, c.Path, r)
	return r
}

func send(t testing.TB, req *http.Request) Reply {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := Reply{Status: res.StatusCode, Header: res.Header, Raw: raw}
	_ = json.Unmarshal(raw, &r.JSON)
	return r
}

// Want fails the test unless the reply has the status, and for errors the code.
func (r Reply) Want(t testing.TB, status int, code ...string) Reply {
	t.Helper()
	if r.Status != status || len(code) > 0 && r.Text("code") != code[0] {
		t.Fatalf("got %d %s, want %d %v", r.Status, r.Raw, status, code)
	}
	return r
}

// Text gives a member of the answer by its path, "" if there is none.
func (r Reply) Text(path ...string) string {
	var v any = r.JSON
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	s, _ := v.(string)
	return s
}

// Items gives the entries of a list.
func (r Reply) Items(t testing.TB) []map[string]any {
	t.Helper()
	data, ok := r.JSON["data"].([]any)
	if r.Status != http.StatusOK || !ok {
		t.Fatalf("no list: %d %s", r.Status, r.Raw)
	}
	out := make([]map[string]any, len(data))
	for i, one := range data {
		out[i], _ = one.(map[string]any)
	}
	return out
}

// Login signs a person in at a site with Password and gives the reply.
func (w *World) Login(t testing.TB, s site.Registered, email string) Reply {
	t.Helper()
	return w.Do(t, Call{Path: "/api/v1/auth/login", Key: s.Key, Body: map[string]string{"email": email, "password": Password}}).Want(t, http.StatusOK)
}

// Refresh exchanges a refresh token at a site.
func (w *World) Refresh(t testing.TB, s site.Registered, token string) Reply {
	t.Helper()
	return w.Do(t, Call{Path: "/api/v1/auth/refresh", Key: s.Key, Body: map[string]string{"refresh_token": token}})
}

// Log keeps what a server under test wrote to its log.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String gives everything written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
