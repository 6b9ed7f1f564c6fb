package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/onetimelogin/otl/internal/otl"
)

// Mount is one surface below some paths.
type Mount struct {
	Patterns []string // of http.ServeMux, without a method
	Handler  http.Handler
	// Fail writes an error in the shape of this surface; what goes wrong outside
	// the handlers (a panic, a strange path) ends there.
	Fail func(http.ResponseWriter, *http.Request, error)
}

// Options are what a server is made of.
type Options struct {
	// Mounts are the surfaces. The first one answers paths nobody serves.
	Mounts []Mount
	// Refused is told what was called by each request that ended with an error, which its
	// context says; nil for nobody.
	Refused func(ctx context.Context, operation string)
	// Ready reports why the server cannot work at this moment, or nil.
	Ready func(context.Context) error
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// TrustedSocket says that whoever connects to a unix socket is such a proxy.
	TrustedSocket bool
	// AdminHosts are names that the admin listener is reached by, besides localhost and addresses.
	AdminHosts []string
	// Connections bounds the connections of Serve.
	Connections Connections
	// HTTPS says that people reach the server by https, so that browsers are told
	// to stay with it.
	HTTPS bool
	// PII is how addresses are logged: "mask", "full" or "none".
	PII     string
	Log     *slog.Logger
	Metrics *Metrics
}

// Server is the http.Handler of the whole installation.
type Server struct {
	Options
	mux      *http.ServeMux
	mounts   map[string]Mount // by pattern
	crowd    *crowd
	draining atomic.Bool
	stopping chan struct{} // closed when draining begins
}

// Bounds of a request outside its body (HT-02).
const (
	maxURL      = 8 << 10
	maxHeaders  = 100
	maxHeader   = 32 << 10 // bytes of all headers
	requestTime = 30 * time.Second
)

// New builds a server.
func New(o Options) *Server {
	s := &Server{Options: o, mux: http.NewServeMux(), mounts: map[string]Mount{}, stopping: make(chan struct{})}
	s.crowd = newCrowd(o.Connections, s.trusted, s.crowded(
		o.Metrics.Counters("otl_http_connections_refused_total", "Connections closed at once because there were too many and none was idle.", "bound"),
		o.Metrics.Counters("otl_http_connections_displaced_total", "Idle connections closed for a new one because there were too many.", "bound")))
	o.Metrics.Gauge("otl_http_connections", "Connections that are open.", nil, func() float64 { return float64(s.crowd.size()) })
	for _, m := range o.Mounts {
		for _, p := range m.Patterns {
			s.mux.Handle(p, m.Handler)
			s.mounts[p] = m
		}
	}
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.HandleFunc("GET /readyz", s.ready)
	return s
}

// crowded gives what counts the connections for which there was no room, and says so in the
// log once a minute: of an address that has too many, or of the one that has the most of all.
func (s *Server) crowded(refused, displaced func(bound string)) func(string, netip.Addr, bool) {
	var warned atomic.Int64 // in Unix seconds
	return func(bound string, from netip.Addr, no bool) {
		if no {
			refused(bound)
		} else {
			displaced(bound)
		}
		if last, now := warned.Load(), time.Now().Unix(); now-last >= 60 && warned.CompareAndSwap(last, now) {
			if most := s.crowd.largest(); bound == s.crowd.all.bound && most.IsValid() {
				from = most // who came last is the one who suffers
			}
			s.Log.Warn("too many connections", "bound", bound, "ip", s.logged(from), "refused", no)
		}
	}
}

// ServeHTTP takes every request through the same steps: an id, the caller's
// address, the security headers, a deadline, the surface, and one log line. It
// implements http.Handler.
//
// A body in chunks is the last one of its connection: where its head says a length too, which
// net/http passes over, a proxy that went by it takes what follows for part of the body, and
// it must not be answered as a request (RFC 9112 section 6.3, HT-05).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	peer := s.peer(r)
	req := &otl.Request{ID: uuid.NewString(), Peer: peer, Client: peer, UserAgent: r.UserAgent(), Locales: []string{r.Header.Get("Accept-Language")}, Stopping: s.stopping}
	whole := otl.WithRequest(r.Context(), req)
	req.Patient = func(d time.Duration) (context.Context, context.CancelFunc) { return patient(whole, w, d) }
	ctx, cancel := context.WithTimeout(whole, requestTime)
	defer cancel()
	r = r.WithContext(ctx)
	rec := &recorder{ResponseWriter: w, body: r.Body}
	s.headers(rec.Header(), req.ID)
	if len(r.TransferEncoding) > 0 {
		rec.Header().Set("Connection", "close")
	}
	defer func() { s.finish(rec, r, req, time.Since(start)) }()
	defer func() {
		if p := recover(); p != nil {
			s.caught(rec, r, p)
		}
	}()
	if err := strange(r); err != nil {
		s.fail(rec, r, err)
		return
	}
	s.mux.ServeHTTP(rec, r)
}

// patient moves the deadlines of a connection for one answer that may take d.
func patient(ctx context.Context, w http.ResponseWriter, d time.Duration) (context.Context, context.CancelFunc) {
	c := http.NewResponseController(w)
	until := time.Now().Add(d + headerTime)
	_ = c.SetReadDeadline(until) // a connection that cannot is one without deadlines
	_ = c.SetWriteDeadline(until)
	return context.WithTimeout(ctx, d)
}

// strange refuses requests no client of ours sends, before any surface sees
// them. A path that is not in its clean form would be answered with a redirect,
// which a POST must never get.
func strange(r *http.Request) error {
	if len(r.RequestURI) > maxURL {
		return &otl.Error{Kind: otl.Malformed, Code: "url_too_long", Text: "The URL is longer than 8192 bytes."}
	}
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	if n > maxHeaders {
		return &otl.Error{Kind: otl.Malformed, Code: "too_many_headers", Text: "The request has more than 100 headers."}
	}
	if clean := path.Clean("/" + r.URL.Path); r.URL.Path != clean && (clean == "/" || r.URL.Path != clean+"/") {
		return &otl.Error{Kind: otl.NotFound, Code: "no_such_path", Text: "No such path."}
	}
	return nil
}

func (s *Server) headers(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if s.HTTPS {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}

// fail writes an error in the shape of the surface the path belongs to.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	m := s.Mounts[0]
	if _, pattern := s.mux.Handler(r); s.mounts[pattern].Fail != nil {
		m = s.mounts[pattern]
	}
	m.Fail(w, r, err)
}

// caught turns a panic into a 500, unless the answer has begun: then the
// connection is cut, so that nobody takes half an answer for a whole one
// (HT-11).
func (s *Server) caught(rec *recorder, r *http.Request, p any) {
	err := fmt.Errorf("panic: %v", p)
	otl.RequestOf(r.Context()).Err = err
	if p == http.ErrAbortHandler { //nolint:errorlint // it is a value to compare with
		panic(p)
	}
	s.Log.Error("panic", "request_id", otl.RequestOf(r.Context()).ID, "err", err, "stack", string(debug.Stack()))
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.fail(rec, r, err)
}

// finish writes the one log line of a request and counts it.
func (s *Server) finish(rec *recorder, r *http.Request, req *otl.Request, took time.Duration) {
	rec.begin(http.StatusOK)
	route := r.Pattern
	if route == "" || route == "/" {
		route = "none"
	}
	s.Metrics.observe(route, r.Method, rec.status, took)
	if req.Err != nil && s.Refused != nil {
		s.Refused(r.Context(), r.Method+" "+route[strings.LastIndexByte(route, ' ')+1:])
	}
	level := slog.LevelInfo
	switch {
	case rec.status >= 500 && rec.status != http.StatusServiceUnavailable:
		level = slog.LevelError
	case strings.HasSuffix(route, "/healthz"), strings.HasSuffix(route, "/readyz"):
		level = slog.LevelDebug
	}
	if !s.Log.Enabled(r.Context(), level) {
		return
	}
	ip := req.Client
	if !ip.IsValid() {
		ip = req.Peer
	}
	attrs := []slog.Attr{
		slog.String("request_id", req.ID), slog.String("route", route), slog.String("method", r.Method), slog.Int("status", rec.status),
		slog.Float64("dur_ms", float64(took.Microseconds())/1000), slog.Int64("bytes", rec.bytes),
	}
	for _, a := range []struct{ name, value string }{
		{"site_id", req.SiteID}, {"key_id", req.SiteKeyID}, {"user_id", req.UserID}, {"ip", s.logged(ip)},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, a.value))
		}
	}
	if req.Err != nil {
		attrs = append(attrs, slog.String("err", req.Err.Error()))
	}
	s.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// logged gives an address as it may stand in the log: by default its network
// only, /24 or /48.
func (s *Server) logged(ip netip.Addr) string {
	if !ip.IsValid() || s.PII == "none" {
		return ""
	}
	if s.PII == "full" {
		return ip.String()
	}
	bits := 24
	if ip.Is6() {
		bits = 48
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
}

// ready answers 200 when requests can be served: the database answers, a key
// signs and the server is not about to stop.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	err := errors.New("stopping")
	if !s.draining.Load() {
		err = s.Ready(ctx)
	}
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		otl.RequestOf(r.Context()).Err = err
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// peer gives the address the request came from. X-Forwarded-For counts only
// from a trusted proxy, and then its right-most entry that is no proxy of ours;
// with an entry on the way that cannot be read, none counts (HT-08).
func (s *Server) peer(r *http.Request) netip.Addr {
	near := direct(r.RemoteAddr)
	ip := near
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(ip); i-- {
		hop, ok := parseHop(strings.Trim(hops[i], " \t"))
		if !ok {
			return near
		}
		ip = hop.Unmap().WithZone("")
	}
	return ip
}

// direct gives the address at the other end of a connection; it is invalid for a unix
// socket.
func direct(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}

// parseHop reads one entry of X-Forwarded-For: an address, which some proxies
// write with its port or in brackets.
func parseHop(s string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip, true
	}
	if both, err := netip.ParseAddrPort(s); err == nil {
		return both.Addr(), true
	}
	inner, found := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	ip, err := netip.ParseAddr(inner)
	return ip, found && closed && err == nil && ip.Is6()
}

// trusted reports whether an address is that of a proxy of ours; the peer of a unix socket has
// none.
func (s *Server) trusted(ip netip.Addr) bool {
	if !ip.IsValid() {
		return s.TrustedSocket
	}
	for _, p := range s.TrustedProxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	body   io.Reader // of the request
	status int
	bytes  int64
}

// begin notes the status of an answer that is about to begin, if it has not.
func (r *recorder) begin(status int) {
	if r.status == 0 {
		r.status = status
		drain(r.body)
	}
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(code int) {
	r.begin(code)
	r.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.begin(http.StatusOK)
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
