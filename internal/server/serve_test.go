package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/server"
)

// running starts a server on a free port and gives its address and what stops
// it and waits.
func running(t *testing.T, s *server.Server, cert *server.Certificate, delay time.Duration) (address string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	ln, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln, cert, delay) }()
	t.Cleanup(cancel)
	return ln.Addr().String(), cancel, ended
}

// TestHT15_NothingUnderWayIsDropped: after the signal /readyz says 503, requests
// under way are answered, and whoever waits is told to.
func TestHT15_NothingUnderWayIsDropped(t *testing.T) {
	t.Parallel()
	var begun sync.WaitGroup
	begun.Add(2)
	release := make(chan struct{})
	s, _ := serve(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			begun.Done()
			<-release
		case "/waits":
			begun.Done()
			<-otl.RequestOf(r.Context()).Stopping
		}
	})
	address, stop, done := running(t, s, nil, 0)
	answers := make(chan int, 2)
	for _, path := range []string{"/slow", "/waits"} {
		go func() {
			res, err := http.Get("http://" + address + path)
			if err != nil {
				t.Error(err)
				answers <- 0
				return
			}
			res.Body.Close()
			answers <- res.StatusCode
		}()
	}
	begun.Wait()
	if rec := ask(s, http.MethodGet, "/readyz"); rec.Code != http.StatusOK {
		t.Errorf("ready is %d before the signal", rec.Code)
	}
	stop()
	if code := <-answers; code != http.StatusOK { // the one that waits
		t.Errorf("%d", code)
	}
	if rec := ask(s, http.MethodGet, "/readyz"); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("ready is %d after the signal", rec.Code)
	}
	close(release)
	if code := <-answers; code != http.StatusOK {
		t.Errorf("%d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("a stopped server takes connections")
	}
}

// TestAnAnswerMayBePatient: a long poll outlives the deadline of other requests
// by asking for it.
func TestAnAnswerMayBePatient(t *testing.T) {
	t.Parallel()
	s, _ := serve(func(_ http.ResponseWriter, r *http.Request) {
		usual, _ := r.Context().Deadline()
		ctx, cancel := otl.RequestOf(r.Context()).Patient(time.Minute)
		defer cancel()
		if patient, ok := ctx.Deadline(); !ok || !patient.After(usual.Add(20*time.Second)) {
			t.Errorf("until %v, usually %v", patient, usual)
		}
	})
	address, stop, done := running(t, s, nil, 0)
	res, err := http.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// certificate writes a self-signed certificate for a name.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestHT01_TLS shakes hands with every version and suite there is, and sees the
// certificate change while the server runs.
func TestHT01_TLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir, "old.test")
	cert, err := server.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := serve(func(http.ResponseWriter, *http.Request) {})
	address, _, _ := running(t, s, cert, 0)
	shake := func(c *tls.Config) (tls.ConnectionState, error) {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", address, c)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		return conn.ConnectionState(), nil
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if _, err := shake(&tls.Config{MinVersion: version, MaxVersion: version}); (err == nil) != ok {
			t.Errorf("version %x: %v", version, err)
		}
	}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		_, err := shake(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if insecure := suite.Insecure || !forward(suite.Name); err == nil && insecure {
			t.Errorf("%s is spoken", suite.Name)
		}
	}
	named := func() string {
		state, err := shake(&tls.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].DNSNames[0]
	}
	certificate(t, dir, "new.test")
	if named() != "old.test" || cert.Reload() != nil || named() != "new.test" {
		t.Error("the certificate did not change on reload")
	}
	if err := os.WriteFile(certFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if cert.Reload() == nil || named() != "new.test" {
		t.Error("a broken certificate replaced a good one")
	}
	if _, err := server.LoadCertificate(certFile, keyFile); err == nil {
		t.Error("a broken certificate was loaded")
	}
}

func forward(suite string) bool { return len(suite) > 9 && suite[:9] == "TLS_ECDHE" }

func TestListenOnASocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "otl.sock")
	ln, err := server.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := server.Listen("unix:" + path); err == nil {
		second.Close()
		t.Error("two servers on one socket")
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // as if the process had been killed
	ln.Close()
	if ln, err = server.Listen("unix:" + path); err != nil {
		t.Fatalf("a socket nobody listens on: %v", err)
	}
	ln.Close()
	if _, err := server.Listen("127.0.0.1:99999"); err == nil {
		t.Error("a port that cannot be")
	}
}

func TestAD09_TheAdminListener(t *testing.T) {
	t.Parallel()
	s, _ := serve(http.NotFound)
	ln, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.ServeAdmin(ctx, ln) }()
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/debug/pprof/": 200, "/debug/pprof/cmdline": 200, "/api": 404} {
		res, err := http.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAD09_PagesReachNoAdminListener: DNS rebinding, and a page of another origin in the browser
// of somebody on the same machine, get nothing of the admin listener; who scrapes it does.
func TestAD09_PagesReachNoAdminListener(t *testing.T) {
	t.Parallel()
	s, _ := serve(http.NotFound)
	s.AdminHosts = []string{"otl", "metrics.internal"}
	get := func(t *testing.T, ln net.Listener, host string, headers map[string]string) int {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.ServeAdmin(ctx, ln) }()
		defer func() { cancel(); <-done }()
		at := ln.Addr()
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial(at.Network(), at.String()) }}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://admin/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	listen := func(t *testing.T, at string) net.Listener {
		t.Helper()
		ln, err := server.Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:9464": 200, "10.0.0.7:9464": 200, "[::1]:9464": 200, "[::1]": 200, "localhost:9464": 200, "LOCALHOST": 200, "otl:9464": 200, "Metrics.Internal": 200,
		"evil.test": 421, "evil.test:9464": 421, "localhost.evil.test": 421, "127.0.0.1.evil.test": 421, "metrics.internal.evil.test": 421, "internal": 421, "2130706433": 421, "0x7f000001": 421, "127.1": 421,
	} {
		if got := get(t, listen(t, "127.0.0.1:0"), host, nil); got != want {
			t.Errorf("%s: %d, want %d", host, got, want)
		}
	}
	for name, one := range map[string]struct {
		headers map[string]string
		want    int
	}{
		"typed in":                {map[string]string{"Sec-Fetch-Site": "none"}, 200},
		"a link of its own":       {map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		"a picture of a page":     {map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a page of a neighbour":   {map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"a script":                {map[string]string{"Origin": "https://evil.test"}, 403},
		"a script of a sandbox":   {map[string]string{"Origin": "null"}, 403},
		"a script on this host":   {map[string]string{"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"}, 403},
		"a form without a word":   {map[string]string{"Origin": ""}, 403},
		"what nobody has thought": {map[string]string{"Sec-Fetch-Site": "elsewhere"}, 403},
	} {
		if got := get(t, listen(t, "127.0.0.1:0"), "127.0.0.1", one.headers); got != one.want {
			t.Errorf("%s: %d, want %d", name, got, one.want)
		}
	}
	socket := "unix:" + filepath.Join(t.TempDir(), "admin")
	for host, want := range map[string]int{"anything": 200, "localhost": 200} {
		if got := get(t, listen(t, socket), host, nil); got != want {
			t.Errorf("by a socket as %s: %d", host, got)
		}
	}
}

// abroad is a listener whose connections came in by an address that other machines reach.
type abroad struct{ net.Listener }

func (l abroad) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return abroadConn{c}, err
}

type abroadConn struct{ net.Conn }

func (abroadConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 9464} }

// TestAD09_NoPageRunsAProfile: to an address of another machine a browser says not where a picture
// comes from; what costs something asks for a header that no page can send there.
func TestAD09_NoPageRunsAProfile(t *testing.T) {
	t.Parallel()
	s, _ := serve(http.NotFound)
	within, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, ln := range []net.Listener{within, abroad{elsewhere}} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.ServeAdmin(ctx, ln) }()
		defer func() { cancel(); <-done }()
	}
	for _, one := range []struct {
		ln     net.Listener
		path   string
		header string
		want   int
	}{
		{elsewhere, "/debug/pprof/cmdline", "", 403},
		{elsewhere, "/debug/pprof/profile?seconds=1", "", 403},
		{elsewhere, "/debug/pprof", "", 403},
		{elsewhere, "//debug/pprof/cmdline", "", 403},
		{elsewhere, "/x/../debug/pprof/cmdline", "", 403},
		{elsewhere, "/debug/pprof/cmdline", "profile", 200},
		{elsewhere, "/metrics", "", 200},
		{within, "/debug/pprof/cmdline", "", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+one.ln.Addr().String()+one.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if one.header != "" {
			req.Header.Set("X-Otl-Purpose", one.header)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != one.want {
			t.Errorf("%s with %q: %d, want %d", one.path, one.header, res.StatusCode, one.want)
		}
	}
}

// TestHT15_NewConnectionsAreTakenDuringTheDelay: the balancer needs time to see
// that the server is not ready, and meanwhile sends new connections.
func TestHT15_NewConnectionsAreTakenDuringTheDelay(t *testing.T) {
	t.Parallel()
	s, _ := serve(func(http.ResponseWriter, *http.Request) {})
	ln, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln, nil, time.Hour) }()
	stop()
	for ask(s, http.MethodGet, "/readyz").Code == http.StatusOK {
		runtime.Gosched()
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("during the delay: %d", res.StatusCode)
	}
	ln.Close() // the test does not wait for an hour
	if err := <-done; err == nil {
		t.Error("a lost listener is no error")
	}
}

// TestListenLeavesFilesAlone: only a socket nobody listens on is replaced.
func TestListenLeavesFilesAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "otl.db")
	if err := os.WriteFile(path, []byte("people"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		if ln, err := server.Listen("unix:" + p); err == nil {
			ln.Close()
			t.Errorf("listens on %s", p)
		}
		if raw, err := os.ReadFile(p); err != nil || string(raw) != "people" {
			t.Errorf("%s is gone: %v", p, err)
		}
	}
	if ln, err := server.Listen("unix:" + filepath.Join(t.TempDir(), "no", "such", "directory")); err == nil {
		ln.Close()
		t.Error("listens in a directory that is not there")
	}
}

// TestHT08_ServeOnASocket: what comes over a socket has no address, and no header gives it
// one unless its peer is known to be a proxy.
func TestHT08_ServeOnASocket(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		trusted         bool
		forwarded, want string
	}{
		{false, "198.51.100.1", "invalid IP"},
		{true, "198.51.100.1", "198.51.100.1"},
		{true, "203.0.113.9, 198.51.100.1, 10.0.0.7", "198.51.100.1"}, // through another proxy of ours
		{true, "198.51.100.1, x", "invalid IP"},
		{true, "", "invalid IP"},
	} {
		t.Run(one.forwarded, func(t *testing.T) {
			t.Parallel()
			onASocket(t, one.trusted, one.forwarded, one.want)
		})
	}
}

func onASocket(t *testing.T, trusted bool, forwarded, want string) {
	t.Helper()
	var peer netip.Addr
	s, log := serve(func(_ http.ResponseWriter, r *http.Request) { peer = otl.RequestOf(r.Context()).Peer }, func(o *server.Options) {
		o.TrustedProxies, o.TrustedSocket = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, trusted
	})
	path := filepath.Join(t.TempDir(), "otl.sock")
	ln, err := server.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln, nil, 0) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://id.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if forwarded != "" {
		req.Header.Set("X-Forwarded-For", forwarded)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if ip := log.lines(t)[0]["ip"]; peer.String() != want || (ip != nil) != peer.IsValid() {
		t.Errorf("the peer is %v, want %s, logged as %v", peer, want, ip)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// TestHT02_HTTP2IsBounded: HTTP/2 is spoken over TLS, with a bound on the streams
// of one connection.
func TestHT02_HTTP2IsBounded(t *testing.T) {
	t.Parallel()
	certFile, keyFile := certificate(t, t.TempDir(), "id.test")
	cert, err := server.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := serve(func(http.ResponseWriter, *http.Request) {})
	address, _, _ := running(t, s, cert, 0)
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("speaks %q", got)
	}
	framer := http2.NewFramer(conn, conn)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("begins with %v", frame)
	}
	if n, _ := settings.Value(http2.SettingMaxConcurrentStreams); n != 100 {
		t.Errorf("%d streams at once", n)
	}
}
