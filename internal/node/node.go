package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/oauth"
	"github.com/onetimelogin/otl/internal/once"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/server"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/surface/native"
	"github.com/onetimelogin/otl/internal/surface/oidc"
	"github.com/onetimelogin/otl/internal/surface/onelogin"
	"github.com/onetimelogin/otl/internal/surface/pages"
	"github.com/onetimelogin/otl/internal/surface/transmit"
	"github.com/onetimelogin/otl/internal/token"
	"github.com/onetimelogin/otl/internal/webhook"
)

// Options are what a node needs from outside.
type Options struct {
	Store store.Options
	// Master gives the master key. It is told whether the database belongs to an
	// installation already, because then a new key must not be made.
	Master    func(initialised bool) (secret.Master, error)
	Now       func() time.Time
	Log       *slog.Logger
	PublicURL string
	Version   string

	Algorithm     token.Algorithm
	KeyRotation   time.Duration
	AccessTTL     time.Duration
	RefreshTTL    time.Duration
	SessionMaxAge time.Duration
	RefreshGrace  time.Duration
	SessionLimit  int

	SMSCountries []string
	SMSDailyCap  int
	Mail         limit.Mail
	Operator     string // address that hears of what he should look at, "" for none
	Foot         otl.Foot
	CodeTTL      time.Duration
	LinkTTL      time.Duration
	CodeLength   int
	CodeTries    int

	AuditRetention   time.Duration // 0: for ever
	AddressRetention time.Duration // in the log and in sessions; 0: as long as those

	Argon2          secret.Argon2
	HashConcurrency int // 0: one for each processor
	Rules           *account.PasswordRules
	Limits          bool // of requests and of failures

	Egress          egress.Policy // of addresses that sites name
	StrictSubdomain *bool         // of the OneLogin wire; nil for where there are several sites
	HostInPath      bool          // of the OneLogin wire: serve it below /<name>.onelogin.com/ too

	AdminHosts     []string // names of the admin listener, besides localhost
	TrustedProxies []netip.Prefix
	TrustedSocket  bool // the peer of a unix socket is a proxy
	Connections    server.Connections
	HTTPS          bool
	Senders        map[otl.Channel][]outbox.Sender // who delivers messages
	Dev            http.Handler                    // of /dev/, nil but for `otl dev`
	PII            string
}

// Node is everything put together.
type Node struct {
	Store        *store.Store
	Master       secret.Master
	Installation *installation.Installation
	Sites        *site.Sites
	Clients      *site.Clients
	Proofs       session.Proofs
	APITokens    *site.APITokens
	Orders       *site.Orders
	Accounts     *account.Accounts
	Members      *account.Members
	SignIn       *signin.SignIn
	Codes        *signin.Codes
	Flows        *signin.Flows
	Factors      *factor.Factors
	Setup        *factor.Setup
	Limits       *limit.Limits
	SMS          limit.SMS
	Feed         *session.Feed
	Messages     *message.Messages
	Once         *once.Keeper
	Events       *event.Log
	Webhooks     *webhook.Webhooks
	Couriers     *outbox.Couriers
	Outbox       *outbox.Queue
	Ledger       *ledger.Ledger
	Egress       *egress.Client // calls what sites name
	Native       *native.Surface
	Server       *server.Server

	log *slog.Logger
}

// Open opens the store and builds a node on it. Close it in the end.
func Open(ctx context.Context, o Options) (*Node, error) {
	st, err := store.Open(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	n, err := build(ctx, st, o)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return n, nil
}

func build(ctx context.Context, st *store.Store, o Options) (*Node, error) {
	initialised, err := installation.Initialised(ctx, st)
	if err != nil {
		return nil, err
	}
	master, err := o.Master(initialised)
	if err != nil {
		return nil, err
	}
	if initialised {
		if err := errors.Join(webhook.Reseal(ctx, st, master), factor.Reseal(ctx, st, master)); err != nil {
			return nil, err
		}
	}
	in, err := installation.Open(ctx, installation.Options{
		Store: st, Master: master, Now: o.Now, Log: o.Log, Algorithm: o.Algorithm, Rotation: o.KeyRotation, AccessTTL: o.AccessTTL,
		Serve: o.Store.Serve,
	})
	if err != nil {
		return nil, err
	}
	var limits *limit.Limits
	if o.Limits {
		limits = &limit.Limits{Store: st, Now: o.Now}
	}
	shown := ledger.New(st, o.Now, o.Log)
	sessions := &session.Sessions{
		Store: st, Now: o.Now, Limits: limits, Ledger: shown, Ring: in.Ring, Refresher: token.NewRefresher(master.DeriveAll("refresh")...), Issuer: o.PublicURL,
		AccessTTL: o.AccessTTL, RefreshTTL: o.RefreshTTL, MaxAge: o.SessionMaxAge, Grace: o.RefreshGrace, PerSite: o.SessionLimit,
	}
	sms := limit.SMS{Limits: limits, Store: st, Now: o.Now, Numbers: o.SMSCountries, DailyCap: o.SMSDailyCap}
	permits := o.HashConcurrency
	if permits == 0 {
		permits = runtime.GOMAXPROCS(0)
	}
	factors := &factor.Factors{
		Store: st, Master: master, Limits: limits, SMS: sms, Now: o.Now,
		Key: master.Derive("factor codes"), Length: o.CodeLength, Tries: o.CodeTries, Home: in.SiteID,
	}
	if factors.Keys, err = factor.NewKeys(o.PublicURL); err != nil {
		o.Log.Warn("passkeys are off", "err", err)
	}
	second := &signin.SecondStep{Store: st, Sessions: sessions, Factors: factors, Limits: limits, Failures: &signin.Failures{Store: st, Now: o.Now, Home: in.SiteID}, Now: o.Now, Tries: o.CodeTries, Home: in.SiteID}
	hasher := secret.NewHasher(o.Argon2, permits)
	messages := &message.Messages{Store: st, Master: master, Now: o.Now, Host: hostOf(o.PublicURL), PublicURL: o.PublicURL, Ways: ways(o.Senders), Operator: o.Operator}
	factors.Messages, sessions.Messages, o.Mail.Limits, o.Mail.Stopped = messages, messages, limits, messages.MailStopped
	n := &Node{
		Store: st, Messages: messages, Once: &once.Keeper{Store: st, Master: master, Now: o.Now}, Master: master, APITokens: &site.APITokens{Store: st, Key: master.Derive("api tokens"), Now: o.Now},
		Events: &event.Log{Store: st, Log: o.Log, Now: o.Now, Keep: o.AuditRetention, KeepAddresses: o.AddressRetention},
		Outbox: &outbox.Queue{Store: st, Messages: messages, Senders: o.Senders, Now: o.Now, Log: o.Log}, Installation: in, Limits: limits, Feed: &session.Feed{Store: st, Now: o.Now}, log: o.Log,
		Sites:    &site.Sites{Store: st, Now: o.Now},
		Orders:   &site.Orders{Store: st, Now: o.Now},
		Clients:  &site.Clients{Store: st, Now: o.Now, Issuer: o.PublicURL},
		Proofs:   session.Proofs{Store: st, Now: o.Now},
		Egress:   egress.New(o.Egress),
		Factors:  factors,
		Setup:    &factor.Setup{Factors: factors},
		Accounts: &account.Accounts{Store: st, Sessions: sessions, Factors: factors, Hasher: hasher, Limits: limits, Ledger: shown, Messages: messages, Rules: o.Rules, Now: o.Now, PublicURL: o.PublicURL, Mail: o.Mail},
		SignIn:   &signin.SignIn{Store: st, Sessions: sessions, Second: second, Hasher: hasher, Limits: limits, Now: o.Now},
		Codes: &signin.Codes{
			Store: st, Sessions: sessions, Second: second, Limits: limits, Messages: messages, Now: o.Now,
			Key: master.Derive("codes"), PublicURL: o.PublicURL, SMS: sms, Mail: o.Mail, TTL: o.CodeTTL, LinkTTL: o.LinkTTL, Length: o.CodeLength, Tries: o.CodeTries,
		},
	}
	n.SMS, n.Ledger = sms, shown
	n.Clients.Fetch, n.Clients.Check = n.fetch, n.Egress.Check
	n.Members = &account.Members{Accounts: n.Accounts, Changes: &account.Changes{
		Store: st, Sessions: sessions, Factors: factors, Limits: limits, Messages: messages, PublicURL: o.PublicURL, Now: o.Now, SMS: sms,
	}}
	n.webhooks(o)
	n.Flows = &signin.Flows{
		Store: st, Sessions: sessions, SignIn: n.SignIn, Second: second, Codes: n.Codes, Limits: limits, Now: o.Now, Issuer: o.PublicURL, FirstParty: in.SiteID,
		Subjects: session.Subjects{Key: in.Subjects}, Pushes: &limit.Pace{Limits: limits, Rate: limit.Pushes, Shared: st.Stats().Engine == "postgres"},
	}
	if err := n.Accounts.LearnSchemes(ctx); err != nil {
		return nil, fmt.Errorf("read password schemes: %w", err)
	}
	n.serve(o, hasher)
	return n, nil
}

// ways gives the channels that somebody delivers.
func ways(senders map[otl.Channel][]outbox.Sender) map[otl.Channel]bool {
	out := map[otl.Channel]bool{}
	for c, list := range senders {
		out[c] = len(list) > 0
	}
	return out
}

// fetch reads what stands at an address that a site named, by connections of that site alone
// (TE-11); an answer that is no 200, or longer than is read, is an error.
func (n *Node) fetch(ctx context.Context, siteID, address string) ([]byte, error) {
	a, err := n.Egress.For(siteID).Do(ctx, http.MethodGet, address, http.Header{"Accept": {"application/json"}}, nil)
	if err == nil && (a.Status != http.StatusOK || a.Cut) {
		err = fmt.Errorf("answered %d with %d bytes", a.Status, len(a.Body))
	}
	return a.Body, err
}

// webhooks puts together what tells sites of events: who has something queued tells
// who delivers it.
func (n *Node) webhooks(o Options) {
	identity := &session.Identity{RS256: n.Installation.Identity, ES256: n.Installation.ES256, Issuer: o.PublicURL, Now: o.Now, Subjects: session.Subjects{Key: n.Installation.Subjects}}
	n.Webhooks = &webhook.Webhooks{Store: n.Store, Ledger: n.Ledger, Master: n.Master, Now: o.Now, Check: n.Egress.Check, Search: n.pace(limit.Searches).Take, LogoutToken: func(ctx context.Context, client, person, session string) (secret.Text, error) {
		c, err := n.Clients.Known(ctx, client)
		if err != nil {
			return secret.Text{}, err
		}
		return identity.Logout(c, person, session)
	}}
	n.Couriers = &outbox.Couriers{
		Store: n.Store, Webhooks: n.Webhooks, Messages: n.Messages, Client: n.Egress, Node: secret.NewID(o.Now()), Now: o.Now, Log: o.Log,
	}
	n.Webhooks.Queued, n.Events.Queued, n.Webhooks.Ask = n.Couriers.Wake, n.Couriers.Wake, n.Couriers.Ask
}

// serve builds the surfaces and the server in front of them.
func (n *Node) serve(o Options, hasher *secret.Hasher) {
	standing := &health{n: n, now: o.Now}
	n.Native = native.New(native.Options{
		SignIn: n.SignIn, Codes: n.Codes, Flows: n.Flows, Second: n.SignIn.Second, Setup: n.Setup, Accounts: n.Accounts, Members: n.Members, Sites: n.Sites, Clients: n.Clients, Roles: &site.Roles{Store: n.Store, Now: o.Now}, Feed: n.Feed, Webhooks: n.Webhooks, Orders: n.Orders, Ledger: n.Ledger, Once: n.Once, Pace: n.pace(limit.Calls), Now: o.Now, JWKS: n.Installation.Ring.JWKS,
		Events: n.Events, JWKSMaxAge: installation.JWKSMaxAge, CursorKey: n.Master.Derive("cursor"), Version: o.Version, Health: standing.look,
	})
	identity := &session.Identity{RS256: n.Installation.Identity, ES256: n.Installation.ES256, Access: o.Algorithm, Issuer: o.PublicURL, Now: o.Now, Ledger: n.Ledger, Subjects: session.Subjects{Key: n.Installation.Subjects}}
	door := oauth.Door{Clients: n.Clients, Proofs: n.Proofs, URL: strings.TrimSuffix(o.PublicURL, "/"), Pace: n.pace(limit.Calls), Limits: n.Limits}
	wire := transmit.New(transmit.Options{
		SignIn: n.SignIn, Codes: n.Codes, Flows: n.Flows, Clients: n.Clients, Door: door, Members: n.Members, Identity: identity, Ledger: n.Ledger,
		Pace: n.pace(limit.Calls), JWKS: n.Installation.Identity.JWKS, Now: o.Now, URL: strings.TrimSuffix(o.PublicURL, "/"),
	})
	hosted := pages.New(pages.Options{
		Flows: n.Flows, Arrivals: signin.Arrivals{Flows: n.Flows}, SetUps: signin.SetUps{Arrivals: signin.Arrivals{Flows: n.Flows}}, Factors: n.Setup, Codes: n.Codes, SignIn: n.SignIn,
		Accounts: n.Accounts, Consents: account.Consents{Accounts: n.Accounts}, Erasures: account.Erasures{Accounts: n.Accounts}, Webhooks: n.Webhooks, Sites: n.Sites, Roles: &site.Roles{Store: n.Store, Now: o.Now}, Clients: n.Clients, Changes: n.Members.Changes, Listeners: n.listeners(o.Connections), PublicURL: o.PublicURL, Now: o.Now, Plain: native.Fail, Health: standing.look, Foot: o.Foot,
	})
	login := onelogin.New(onelogin.Options{
		SignIn: n.SignIn, Second: n.SignIn.Second, Sites: n.Sites, Jar: cookie.Jar{HTTPS: strings.HasPrefix(o.PublicURL, "https:")}, PublicURL: o.PublicURL, Strict: o.StrictSubdomain, Ask: hosted.Switch,
		Roles: &site.Roles{Store: n.Store, Now: o.Now}, Members: n.Members, Ledger: n.Ledger, Factors: n.Setup,
		Tokens: n.APITokens, Clients: n.Clients, Numbers: &number.Numbers{Store: n.Store}, Pace: n.pace(limit.Calls), Now: o.Now,
	})
	provider := oidc.New(oidc.Options{
		Flows: n.Flows, SignIn: n.SignIn, Clients: n.Clients, Door: door, Identity: identity,
		Jar: cookie.Jar{HTTPS: strings.HasPrefix(o.PublicURL, "https:")}, URL: o.PublicURL, Page: hosted.Fail, Mismatch: pages.Mismatch(hosted), Leave: hosted.Leave, Locales: locales(),
	})
	metrics := server.NewMetrics(map[string]string{"version": o.Version, "go": runtime.Version()})
	n.measure(metrics, hasher)
	n.Server = server.New(server.Options{
		Mounts: append(dev(o.Dev), []server.Mount{
			{Patterns: []string{"/"}, Handler: front(hosted, login, o.HostInPath), Fail: hosted.Fail},
			{Patterns: []string{"/cis/", "/cis", "/v1/", "/v1", "/oidc/", "/oidc"}, Handler: wire, Fail: transmit.Fail},
			{Patterns: oidc.Paths(), Handler: provider, Fail: oidc.Fail},
			{Patterns: onelogin.Paths(), Handler: login, Fail: onelogin.Fail},
			{Patterns: []string{"/api/", "/api", "/openapi.json", "/.well-known/jwks.json"}, Handler: n.Native, Fail: native.Fail},
		}...),
		Ready: func(ctx context.Context) error {
			if !n.Installation.Ring.Ready(o.Now()) {
				return errors.New("no signing key is in force")
			}
			return n.Store.Ping(ctx)
		},
		Refused:    n.SignIn.Second.Failures.Refused,
		AdminHosts: o.AdminHosts, TrustedProxies: o.TrustedProxies, TrustedSocket: o.TrustedSocket, Connections: o.Connections, HTTPS: o.HTTPS, PII: o.PII, Log: o.Log, Metrics: metrics,
	})
}

// locales are the languages that pages are shown in (RFC 5646).
func locales() []string {
	var out []string
	for _, one := range message.Languages() {
		out = append(out, one.Tag)
	}
	return out
}

// front is what serves the paths that are no other surface's.
func front(hosted http.Handler, login *onelogin.Surface, hostInPath bool) http.Handler {
	if hostInPath {
		return login.Below(hosted)
	}
	return hosted
}

func dev(h http.Handler) []server.Mount {
	if h == nil {
		return nil
	}
	return []server.Mount{{Patterns: []string{"/dev/"}, Handler: h, Fail: native.Fail}}
}

// hostOf gives the host of the installation's address.
func hostOf(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// pace limits each caller to a rate; on PostgreSQL the nodes share the rate.
func (n *Node) pace(r limit.Rate) *limit.Pace {
	return &limit.Pace{Limits: n.Limits, Rate: r, Shared: n.Store.Stats().Engine == "postgres"}
}

// measure registers what is read from the parts when the metrics are.
func (n *Node) measure(m *server.Metrics, hasher *secret.Hasher) {
	m.Gauge("otl_password_hash_queue_depth", "Sign-ins waiting for a password hash.", nil,
		func() float64 { return float64(hasher.Pool.Stats().Waiting) })
	m.Counter("otl_password_hash_refused_total", "Password hashes refused because the queue was full or took too long.",
		func() float64 { return float64(hasher.Pool.Stats().Refused) })
	for state, read := range map[string]func(store.Stats) int{
		"open": func(s store.Stats) int { return s.Open }, "in_use": func(s store.Stats) int { return s.InUse },
		"idle": func(s store.Stats) int { return s.Idle },
	} {
		m.Gauge("otl_db_conns", "Database connections.", map[string]string{"state": state},
			func() float64 { return float64(read(n.Store.Stats())) })
	}
	m.Gauge("otl_sqlite_wal_bytes", "Size of SQLite's write-ahead log.", nil,
		func() float64 { return float64(n.Store.Stats().WALBytes) })
	n.measureQueues(m)
	m.Counter("otl_webhook_attempts_delivered_total", "Attempts to deliver an event that an endpoint took.", func() float64 { return float64(n.Couriers.Delivered.Load()) })
	m.Counter("otl_webhook_attempts_failed_total", "Attempts to deliver an event that failed.", func() float64 { return float64(n.Couriers.Failed.Load()) })
	m.Counter("otl_sign_ins_failed_total", "Sign-ins that failed.", func() float64 { return float64(n.SignIn.Second.Failures.Total.Load()) })
	m.Counter("otl_codes_wrong_total", "Sign-ins that failed because a one-time code was wrong, used or expired.", func() float64 { return float64(n.SignIn.Second.Failures.Codes.Load()) })
	m.Counter("otl_ledger_lost_total", "Readings of fields that were not counted because too many waited.", func() float64 { return float64(n.Ledger.Lost()) })
	m.Counter("otl_db_commits_total", "Transactions committed.", func() float64 { return float64(n.Store.Stats().Commits) })
	m.Counter("otl_db_statements_total", "Statements run, in transactions and outside.", func() float64 { return float64(n.Store.Stats().Statements) })
	m.Counter("otl_db_writes_total", "Writes those transactions carried.", func() float64 { return float64(n.Store.Stats().Writes) })
}

// measureQueues registers what waits to be sent to people and to sites.
func (n *Node) measureQueues(m *server.Metrics) {
	for _, channel := range []otl.Channel{otl.ChannelMail, otl.ChannelSMS} {
		waiting := func(read func(n int, due time.Time) float64) func() float64 {
			return func() float64 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				n, due, err := n.Store.Read.Messages.Waiting(ctx, channel)
				if err != nil {
					return math.NaN()
				}
				return read(n, due)
			}
		}
		labels := map[string]string{"channel": string(channel)}
		m.Gauge("otl_messages_waiting", "Mails or SMS that are to be sent, now or again later.", labels, waiting(func(n int, _ time.Time) float64 { return float64(n) }))
		m.Gauge("otl_messages_oldest_seconds", "For how long the oldest that is due has been.", labels, waiting(func(_ int, due time.Time) float64 { return max(0, age(n.Couriers.Now(), due)) }))
	}
	queue := func(read func(waiting int, oldest time.Time) float64) func() float64 {
		return func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			waiting, oldest, err := n.Store.Read.Deliveries.Counts(ctx, n.Couriers.Now())
			if err != nil {
				return math.NaN()
			}
			return read(waiting, oldest)
		}
	}
	m.Gauge("otl_webhook_queue_depth", "Deliveries that are due.", nil, queue(func(waiting int, _ time.Time) float64 { return float64(waiting) }))
	m.Gauge("otl_webhook_oldest_seconds", "How long the oldest delivery that is due has waited.", nil, queue(func(_ int, oldest time.Time) float64 { return age(n.Couriers.Now(), oldest) }))
	for _, state := range []otl.EndpointState{otl.EndpointOn, otl.EndpointPaused, otl.EndpointDisabled} {
		m.Gauge("otl_webhook_endpoints", "Endpoints of sites, by whether they are sent to.", map[string]string{"state": string(state)}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			count, err := n.Store.Read.Endpoints.Count(ctx)
			if err != nil {
				return math.NaN()
			}
			return float64(count[state])
		})
	}
}

// age gives how many seconds ago something was, 0 for nothing.
func age(now, then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return now.Sub(then).Seconds()
}

// Run does the work beside the requests until ctx ends: keys rotate, expired
// sessions go, what requests only noted is stored. A job that fails is logged
// and tried again at its next turn.
func (n *Node) Run(ctx context.Context) {
	jobs := []struct {
		name  string
		every int // seconds
		do    func(context.Context) error
	}{
		{"maintain signing keys", 1, n.Installation.Maintain},
		{"store when site keys were used", 5, n.Sites.Flush},
		{"store which sign-ins failed", 1, n.SignIn.Second.Failures.Flush},
		{"learn password schemes", 60, n.Accounts.LearnSchemes},
		{"let people in again who were locked out for a time", 5, n.Members.Unlock},
		{"prune counters", 300, n.Limits.Prune},
		{"prune one-time secrets", 300, n.Accounts.PruneTickets},
		{"prune counts of SMS", 3600, n.SMS.Prune},
		{"prune signed tokens of others", 60, n.Proofs.Prune},
		{"prune kept answers", 300, n.Once.Prune},
		{"prune visits to the pages", 60, n.Flows.Prune},
		{"prune messages", 300, n.Outbox.Prune},
		{"prune API tokens", 3600, n.APITokens.Prune},
		{"prune deliveries", 3600, n.Webhooks.Prune},
		{"bound what waits for endpoints", 60, func(ctx context.Context) error { return n.Couriers.Bound(ctx, outbox.MaxWaiting) }},
		{"purge deleted sites", 3600, n.Sites.Purge},
		{"prune the ledger", 3600, n.Ledger.Prune},
		{"delete people who asked for it", 60, account.Erasures{Accounts: n.Accounts}.Due},
		{"prune the revocation feed", 3600, n.Feed.Prune},
		{"erase what the log says of deleted people", 60, n.Events.Forget},
		{"prune the log of events", 3600, n.Events.Prune},
		{"take old addresses out of the log", 3600, n.Events.Fade},
		{"take old addresses out of sessions", 3600, func(ctx context.Context) error { return n.SignIn.Fade(ctx, n.Events.KeepAddresses) }},
		{"prune sessions", 3600, n.SignIn.Prune},
	}
	if err := n.Installation.Maintain(ctx); err != nil && ctx.Err() == nil { // what starting did not wait for
		n.log.Error("job failed", "job", "maintain signing keys", "err", err)
	}
	var beside sync.WaitGroup
	beside.Go(func() { n.Events.Run(ctx) })
	beside.Go(func() { n.Ledger.Run(ctx) })
	beside.Go(func() { n.Outbox.Run(ctx) })
	beside.Go(func() { n.Couriers.Run(ctx) })
	defer beside.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := 1; ; second++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, j := range jobs {
			if second%j.every != 0 {
				continue
			}
			if err := j.do(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("job failed", "job", j.name, "err", err)
			}
		}
	}
}

// Close stores what is only noted and closes the store.
func (n *Node) Close() error {
	n.Egress.Close()
	return errors.Join(n.Sites.Flush(context.Background()), n.SignIn.Second.Failures.Close(context.Background()), n.Ledger.Flush(context.Background()), n.Store.Close())
}
