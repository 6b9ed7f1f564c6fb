package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestHT02_TheLimitsOfAConnection: no default of net/http, which waits for ever.
func TestHT02_TheLimitsOfAConnection(t *testing.T) {
	t.Parallel()
	srv := newHTTPServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	for name, c := range map[string]struct{ got, most time.Duration }{
		"header": {srv.ReadHeaderTimeout, 5 * time.Second}, "body": {srv.ReadTimeout, 30 * time.Second},
		"write": {srv.WriteTimeout, 35 * time.Second}, "idle": {srv.IdleTimeout, 60 * time.Second},
	} {
		if c.got <= 0 || c.got > c.most {
			t.Errorf("%s: %v, at most %v", name, c.got, c.most)
		}
	}
	if srv.MaxHeaderBytes != 32<<10 || srv.HTTP2.MaxConcurrentStreams != 100 || srv.ErrorLog == nil {
		t.Errorf("%d bytes of headers, %+v", srv.MaxHeaderBytes, srv.HTTP2)
	}
}

// slowly serves what waits for its client: /read for a body, /write for somebody to read what
// has no end. Each says when it began, and the error it ended with.
func slowly(began chan<- struct{}, ended chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			return
		}
		began <- struct{}{}
		var err error
		if r.URL.Path == "/read" {
			_, err = io.Copy(io.Discard, r.Body)
		}
		for r.URL.Path == "/write" && err == nil {
			_, err = w.Write(make([]byte, 64<<10))
		}
		ended <- err
	}
}

// TestHT02_SlowBodiesAndSlowReadersAreCutOff: whoever sends half a body, or never reads his
// answer, is held no longer than the limits say, here a hundredth of them, and everybody else is
// answered meanwhile.
func TestHT02_SlowBodiesAndSlowReadersAreCutOff(t *testing.T) {
	t.Parallel()
	const slow = 10
	began, ended := make(chan struct{}, 2*slow), make(chan error, 2*slow)
	s := New(Options{
		Mounts: []Mount{{Patterns: []string{"/"}, Handler: slowly(began, ended)}}, Ready: func(context.Context) error { return nil },
		Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(map[string]string{"version": "test"}),
	})
	srv := newHTTPServer(s, s.Log)
	srv.ReadTimeout, srv.WriteTimeout = srv.ReadTimeout/100, srv.WriteTimeout/100
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	for range slow {
		for _, half := range []string{"POST /read HTTP/1.1\r\nHost: id.test\r\nContent-Length: 100\r\n\r\na", "GET /write HTTP/1.1\r\nHost: id.test\r\n\r\n"} {
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			_ = conn.(*net.TCPConn).SetReadBuffer(4096) // what the kernel keeps is soon enough
			if _, err := io.WriteString(conn, half); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 * slow {
		<-began
	}
	for range 20 {
		res, err := http.Get("http://" + ln.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	for range 2 * slow {
		if err := <-ended; err == nil {
			t.Error("a body that did not come, or an answer that nobody read, was taken for whole")
		}
	}
}
