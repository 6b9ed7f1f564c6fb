package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/onetimelogin/otl/internal/server"
)

// dial connects from an address of this machine; what the server closes before that is done is
// a closed connection.
func dial(t *testing.T, from, to string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", to)
	if errors.Is(err, syscall.ECONNRESET) {
		closed, _ := net.Pipe()
		closed.Close()
		return closed
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // nothing takes that long
	return conn
}

// answered reports whether a request on a connection gets an answer, and fails the test where
// it hangs.
func answered(t *testing.T, conn net.Conn) bool {
	t.Helper()
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: id.test\r\n\r\n")
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, len("HTTP/1.1 200")))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("neither an answer nor an end")
	}
	return err == nil
}

// held reports whether a request on a connection reaches the handler of occupied, where it stays.
func held(t *testing.T, conn net.Conn, began <-chan struct{}) bool {
	t.Helper()
	_, _ = io.WriteString(conn, "GET /held HTTP/1.1\r\nHost: id.test\r\n\r\n")
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = conn.Read(make([]byte, 1))
	}()
	select {
	case <-began:
		return true
	case <-closed:
		return false
	}
}

// occupied is a handler that says when it was asked for /held, and answers that once it may.
func occupied() (h http.HandlerFunc, began chan struct{}, release chan struct{}) {
	began, release = make(chan struct{}), make(chan struct{})
	return func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			began <- struct{}{}
			<-release
		}
	}, began, release
}

// TestHT06_ConnectionsAreBounded: of one address, but for proxies, and in all; what is beyond
// is closed at once while nobody is idle, and the admin listener answers whatever happens here.
func TestHT06_ConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	h, began, release := occupied()
	s, log := serve(h, func(o *server.Options) {
		o.Connections = server.Connections{Total: 6, PerAddress: 2}
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}
	})
	address, _, _ := running(t, s, nil, 0)
	ln, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { _ = s.ServeAdmin(ctx, ln) }()
	for _, one := range []struct {
		from string
		ok   bool
	}{
		{"127.0.0.2", true},
		{"127.0.0.2", true},
		{"127.0.0.2", false},
		{"127.0.0.3", true},
		{"127.0.0.9", true},
		{"127.0.0.9", true},
		{"127.0.0.9", true},
		{"127.0.0.4", false}, // six are there
	} {
		if held(t, dial(t, one.from, address), began) != one.ok {
			t.Errorf("from %s: taken is %v", one.from, !one.ok)
		}
	}
	metrics := func() string {
		res, err := http.Get("http://" + ln.Addr().String() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, line := range []string{
		"otl_http_connections 6\n", `otl_http_connections_refused_total{bound="total"} 1`, `otl_http_connections_refused_total{bound="address"} 1`,
	} {
		if !strings.Contains(metrics(), line) {
			t.Errorf("no %s", line)
		}
	}
	var said []map[string]any
	for _, line := range log.lines(t) {
		if line["msg"] == "too many connections" {
			said = append(said, line)
		}
	}
	if len(said) != 1 || said[0]["bound"] != "address" || said[0]["ip"] != "127.0.0.0/24" || said[0]["refused"] != true {
		t.Errorf("said %v", said)
	}
	close(release) // all are idle in a moment
	for !answered(t, dial(t, "127.0.0.4", address)) {
		runtime.Gosched()
	}
	if text := metrics(); !strings.Contains(text, "otl_http_connections 6\n") || !strings.Contains(text, `otl_http_connections_displaced_total{bound="total"} 1`) {
		t.Error("no connection went for another one")
	}
}

// TestHT06_ABodyThatDoesNotComeHoldsNobodyBack: whether a handler reads it or none does; who
// sends it after all is answered.
func TestHT06_ABodyThatDoesNotComeHoldsNobodyBack(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/read", "/unread", "/long"} {
		asked := make(chan struct{}, 1)
		s, _ := serve(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				return
			}
			asked <- struct{}{}
			switch r.URL.Path {
			case "/read":
				_, _ = io.Copy(io.Discard, r.Body)
			case "/long": // more than net/http keeps until a handler is done
				_, _ = io.WriteString(w, strings.Repeat("a", 10_000))
			}
		}, func(o *server.Options) { o.Connections = server.Connections{Total: 1} })
		address, _, _ := running(t, s, nil, 0)
		// post gives a connection whose request was heard, and what comes on it. One is refused
		// while the connection before is not seen to be idle, or gone, yet.
		post := func() (net.Conn, <-chan error) {
			for {
				conn, first := dial(t, "127.0.0.1", address), make(chan error, 1)
				_, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: id.test\r\nContent-Length: 2\r\n\r\na")
				go func() { _, err := conn.Read(make([]byte, 1)); first <- err }()
				if err == nil {
					select {
					case <-asked:
						return conn, first
					case err = <-first:
					}
				}
				if err == nil { // it was answered before it was noted
					<-asked
					first <- nil
					return conn, first
				}
				conn.Close()
			}
		}
		honest, first := post()
		if _, err := io.WriteString(honest, "b"); err != nil {
			t.Fatal(err)
		}
		if err := <-first; err != nil {
			t.Errorf("%s: whoever sent his body is not answered: %v", path, err)
		}
		honest.Close()
		for {
			conn := dial(t, "127.0.0.1", address)
			if answered(t, conn) {
				conn.Close()
				break
			}
		}
		post()
		for !answered(t, dial(t, "127.0.0.2", address)) { // it waits in a moment
			runtime.Gosched()
		}
	}
}

// TestHT06_IdleIsSeenThroughTLS: a connection of HTTP/2 too stays while it is of use, and goes
// for another one of its household once it is not.
func TestHT06_IdleIsSeenThroughTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile := certificate(t, t.TempDir(), "id.test")
	cert, err := server.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, h2 := range []bool{false, true} {
		h, began, release := occupied()
		s, _ := serve(h, func(o *server.Options) { o.Connections = server.Connections{PerAddress: 1} })
		address, _, _ := running(t, s, cert, 0)
		get := func() func(path string) bool {
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}
			t.Cleanup(tr.CloseIdleConnections)
			return func(path string) bool {
				res, err := (&http.Client{Transport: tr}).Get("https://" + address + path)
				if err != nil {
					return false
				}
				res.Body.Close()
				return res.ProtoMajor == 2 == h2
			}
		}
		first, second := get(), get()
		answers := make(chan bool)
		go func() { answers <- first("/held") }()
		<-began
		if second("/") {
			t.Errorf("HTTP/2 is %v: a second connection beside one that works", h2)
		}
		close(release)
		if !<-answers {
			t.Errorf("HTTP/2 is %v: the first was cut off", h2)
		}
		for !second("/") { // the first is idle in a moment
			runtime.Gosched()
		}
	}
}

// TestHT02_SlowHeadersHoldNobodyBack: whoever sends his headers a byte at a time has as many
// connections as one address may, and no longer than the headers have; nobody else is refused
// for them, not even behind the same address.
func TestHT02_SlowHeadersHoldNobodyBack(t *testing.T) {
	t.Parallel()
	const most = 50
	s, _ := serve(func(http.ResponseWriter, *http.Request) {}, func(o *server.Options) {
		o.Connections = server.Connections{Total: 1000, PerAddress: most}
	})
	address, _, _ := running(t, s, nil, 0)
	var ends sync.WaitGroup
	for range 3 * most {
		conn := dial(t, "127.0.0.2", address)
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nX-A: "); err != nil {
			continue // cut off already
		}
		ends.Go(func() {
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the server waits for ever")
			}
		})
	}
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} {
		for range 20 {
			if !answered(t, dial(t, from, address)) {
				t.Errorf("somebody else at %s is not answered", from)
			}
		}
	}
	ends.Wait()
}

// second is an HTTP/2 client that is free to do what none does.
type second struct {
	*http2.Framer
	conn net.Conn
	next uint32 // stream
}

func newSecond(t *testing.T, address string) *second {
	t.Helper()
	conn := tls.Client(dial(t, "127.0.0.1", address), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	s := &second{http2.NewFramer(conn, conn), conn, 1}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return s
}

// head encodes a request for / with some bytes of further headers.
func head(more string) []byte { return asking("GET", "/", more) }

// asking encodes a request with some bytes of further headers.
func asking(method, path, more string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "id.test"}, {":path", path}, {"x-a", more}} {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: true}) // to a buffer
	}
	return b.Bytes()
}

// end reads until the server goes away and gives the reason it says, 0 for none.
func (s *second) end(t *testing.T) http2.ErrCode {
	t.Helper()
	for {
		f, err := s.ReadFrame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server goes on")
		}
		if err != nil {
			return 0
		}
		if away, is := f.(*http2.GoAwayFrame); is {
			return away.ErrCode
		}
	}
}

// TestHT02_FloodsOfFrames: requests that are taken back as soon as they are made, and headers
// without an end, cost their own connection and keep nobody else waiting.
func TestHT02_FloodsOfFrames(t *testing.T) {
	t.Parallel()
	certFile, keyFile := certificate(t, t.TempDir(), "id.test")
	cert, err := server.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	var now, most atomic.Int64
	release := make(chan struct{})
	s, _ := serve(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-A") == "" {
			return // somebody else
		}
		most.Store(max(most.Load(), now.Add(1)))
		<-release // it does not notice that nobody listens any more
		now.Add(-1)
	})
	address, _, _ := running(t, s, cert, 0)
	t.Cleanup(func() { close(release) })
	reset := newSecond(t, address)
	go func() {
		for range 2000 {
			if reset.WriteHeaders(http2.HeadersFrameParam{StreamID: reset.next, BlockFragment: head("reset"), EndStream: true, EndHeaders: true}) != nil ||
				reset.WriteRSTStream(reset.next, http2.ErrCodeCancel) != nil {
				return
			}
			reset.next += 2
		}
	}()
	if why := reset.end(t); why != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("2,000 requests taken back end with %v", why)
	}
	if most.Load() > 100 {
		t.Errorf("%d requests of one connection at once", most.Load())
	}
	endless := newSecond(t, address)
	go func() {
		err := endless.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head("a"), EndStream: true})
		for range 4000 {
			if err != nil {
				return
			}
			err = endless.WriteContinuation(1, false, head(strings.Repeat("a", 16000)))
		}
		endless.conn.Close()
		t.Error("64 MB of headers were taken")
	}()
	endless.end(t)
	if !answeredTLS(t, address) {
		t.Error("somebody else is not answered")
	}
}

func answeredTLS(t *testing.T, address string) bool {
	t.Helper()
	return answered(t, tls.Client(dial(t, "127.0.0.1", address), &tls.Config{InsecureSkipVerify: true}))
}

// TestHT06_BodiesOfHTTP2ThatDoNotComeHoldNobodyBack: a connection whose requests all wait for their bodies
// makes room, however many they are; one that has an answer coming stays.
func TestHT06_BodiesOfHTTP2ThatDoNotComeHoldNobodyBack(t *testing.T) {
	t.Parallel()
	certFile, keyFile := certificate(t, t.TempDir(), "id.test")
	cert, err := server.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	h, began, release := occupied()
	asked := make(chan struct{})
	s, _ := serve(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			asked <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body)
		}
		h(w, r)
	}, func(o *server.Options) { o.Connections = server.Connections{Total: 1} })
	address, _, _ := running(t, s, cert, 0)
	slow := newSecond(t, address)
	open := func(method, path string) {
		if err := slow.WriteHeaders(http2.HeadersFrameParam{StreamID: slow.next, BlockFragment: asking(method, path, ""), EndStream: method == "GET", EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
		slow.next += 2
	}
	open("GET", "/held")
	<-began
	for range 20 {
		open("POST", "/")
		<-asked
	}
	if answeredTLS(t, address) {
		t.Error("whoever has an answer coming had to go")
	}
	close(release)
	for !answeredTLS(t, address) { // the others wait in a moment
		runtime.Gosched()
	}
}

// smuggled are requests whose end is not where another program sees it; each hides one for
// /smuggled/ and its name.
func smuggled() map[string]string {
	post := func(headers, body string) string {
		return "POST /seen HTTP/1.1\r\nHost: id.test\r\n" + headers + "\r\n\r\n" + body
	}
	return map[string]string{
		"length-before-chunks":   post("Content-Length: 46\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
		"length-after-chunks":    post("Transfer-Encoding: chunked\r\nContent-Length: 46", "0\r\n\r\n"),
		"chunks-that-hide":       post("Content-Length: 5\r\nTransfer-Encoding : chunked", "0\r\n\r\n"),
		"two-lengths":            post("Content-Length: 0\r\nContent-Length: 41", ""),
		"a-list-of-lengths":      post("Content-Length: 0, 41", ""),
		"a-signed-length":        post("Content-Length: +0", ""),
		"a-hexadecimal-length":   post("Content-Length: 0x0", ""),
		"a-folded-length":        post("Content-Length: 41\r\n 0", ""),
		"chunked-twice":          post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
		"chunked-and-identity":   post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
		"an-unknown-coding":      post("Transfer-Encoding: xchunked\r\nContent-Length: 0", ""),
		"a-coding-by-tab":        post("Transfer-Encoding:\tchunked\r\nContent-Length: 5", "0\r\n\r\n"),
		"a-folded-coding":        post("Transfer-Encoding:\r\n chunked\r\nContent-Length: 5", "0\r\n\r\n"),
		"a-vertical-tab":         post("Transfer-Encoding: \x0bchunked\r\nContent-Length: 5", "0\r\n\r\n"),
		"lines-by-LF":            strings.ReplaceAll(post("Transfer-Encoding: chunked", "0\r\n\r\n"), "\r\n", "\n"),
		"a-chunk-by-LF":          post("Transfer-Encoding: chunked", "0\n\n"),
		"a-chunk-by-CR":          post("Transfer-Encoding: chunked", "0\r\r\n\r\n"),
		"an-extension-by-LF":     post("Transfer-Encoding: chunked", "0;x\n\r\n"),
		"a-chunk-too-long":       post("Transfer-Encoding: chunked", "1\r\naX\r\n0\r\n\r\n"),
		"a-chunk-in-hexadecimal": post("Transfer-Encoding: chunked", "0x0\r\n\r\n"),
		"a-chunk-that-overflows": post("Transfer-Encoding: chunked", "10000000000000000\r\n\r\n0\r\n\r\n"),
		"a-length-in-a-trailer":  post("Transfer-Encoding: chunked", "0\r\nContent-Length: 41\r\n\r\n"),
		"a-NUL":                  post("Transfer\x00-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
		"a-CR":                   post("X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
		"an-older-version":       strings.Replace(post("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 46", "0\r\n\r\n"), "HTTP/1.1", "HTTP/1.0", 1),
	}
}

// heard counts the paths that were asked for.
type heard struct {
	mu    sync.Mutex
	paths map[string]int
}

func (h *heard) add(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.paths == nil {
		h.paths = map[string]int{}
	}
	h.paths[path]++
}

// front is a proxy that leads to an address and counts what it was asked for.
func front(t *testing.T, to string, of *heard) *httptest.Server {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		of.add(r.URL.Path)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// TestHT05_NothingIsSmuggled: what stands behind a request whose end is in doubt is answered by
// nobody, whichever end the one in front saw; and behind two proxies the server is asked for
// nothing that they were not.
func TestHT05_NothingIsSmuggled(t *testing.T) {
	t.Parallel()
	var alone, got, outer, inner heard
	behind := func(of *heard) string {
		s, _ := serve(func(_ http.ResponseWriter, r *http.Request) {
			of.add(r.URL.Path)
			_, _ = io.Copy(io.Discard, r.Body)
		})
		address, _, _ := running(t, s, nil, 0)
		return address
	}
	near := behind(&alone)
	second := front(t, behind(&got), &inner)
	first := front(t, second.Listener.Addr().String(), &outer)
	send := func(to, raw string) {
		conn := dial(t, "127.0.0.1", to)
		_, _ = io.WriteString(conn, raw+"GET /last HTTP/1.1\r\nHost: id.test\r\nConnection: close\r\n\r\n")
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the server waits for more than %q", raw)
		}
		conn.Close()
	}
	hidden := func(name string) string { return "GET /smuggled/" + name + " HTTP/1.1\r\nHost: id.test\r\n\r\n" }
	for name, raw := range smuggled() {
		send(near, raw+hidden(name))
		send(first.Listener.Addr().String(), raw+hidden(name))
	}
	send(near, "POST /seen HTTP/1.1\r\nHost: id.test\r\nContent-Length: 0\r\n\r\n"+hidden("not"))
	first.Close()
	second.Close() // they have answered everything
	for path := range alone.paths {
		if strings.HasPrefix(path, "/smuggled/") && path != "/smuggled/not" {
			t.Errorf("%s was answered", path)
		}
	}
	if alone.paths["/smuggled/not"] != 1 {
		t.Error("of two honest requests on one connection the second was not answered")
	}
	for path, n := range got.paths {
		if n > inner.paths[path] || n > outer.paths[path] {
			t.Errorf("%s was asked for %d times, behind proxies that were %d and %d", path, n, inner.paths[path], outer.paths[path])
		}
	}
	if got.paths["/seen"] == 0 {
		t.Error("nothing came through both proxies")
	}
}
