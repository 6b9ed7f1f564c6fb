package server

import (
	"log/slog"
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
