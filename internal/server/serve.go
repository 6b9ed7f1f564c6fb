package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of a connection (HT-02). A body has as long as a whole request.
const (
	headerTime = 5 * time.Second
	idleTime   = 60 * time.Second
	finishTime = 25 * time.Second
	maxStreams = 100 // of HTTP/2
)

// Listen opens a listener on host:port, or on a unix socket for "unix:/path".
// A socket left by a process that is gone is replaced.
func Listen(address string) (net.Listener, error) {
	socket, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	if conn, err := net.Dial("unix", socket); err == nil {
		_ = conn.Close()
		return nil, inUse(socket)
	}
	switch info, err := os.Lstat(socket); {
	case err == nil && info.Mode().Type() != os.ModeSocket:
		return nil, inUse(socket) // somebody's file
	case err == nil:
		if err := os.Remove(socket); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", socket)
}

func inUse(socket string) error {
	return &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: socket, Net: "unix"}, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
}

// Serve answers requests on ln until ctx ends, then stops without dropping any:
// /readyz says 503, after delay no connection is taken, and what is under way is
// finished (HT-15). With a certificate it speaks TLS. No more connections are open than
// Options.Connections allow.
func (s *Server) Serve(ctx context.Context, ln net.Listener, cert *Certificate, delay time.Duration) error {
	srv := newHTTPServer(staying(s), s.Log)
	srv.ConnState, srv.ConnContext = s.crowd.moved, s.crowd.known
	ln = gate{ln, s.crowd}
	serve := func() error { return srv.Serve(ln) }
	if cert != nil {
		srv.TLSConfig = cert.config()
		serve = func() error { return srv.ServeTLS(ln, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if !s.draining.Swap(true) {
		close(s.stopping)
	}
	pause := time.NewTimer(delay)
	defer pause.Stop()
	select {
	case <-pause.C:
	case err := <-failed:
		return err
	}
	done, cancel := context.WithTimeout(context.Background(), finishTime)
	defer cancel()
	if err := srv.Shutdown(done); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

// ServeAdmin answers the admin listener until ctx ends. Pages of others get nothing of it (AD-09).
func (s *Server) ServeAdmin(ctx context.Context, ln net.Listener) error {
	srv := newHTTPServer(s.onPurpose(s.Admin()), s.Log)
	srv.WriteTimeout = 5 * time.Minute // a CPU profile takes its time
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime + headerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Certificate is a TLS certificate that can be read again while it serves.
type Certificate struct {
	certFile, keyFile string
	mu                sync.RWMutex
	pair              *tls.Certificate
}

// LoadCertificate reads a certificate and its key.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	return c, c.Reload()
}

// Reload reads the files again. When that fails the old certificate stays.
func (c *Certificate) Reload() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pair = &pair
	return nil
}

// config allows TLS 1.3, and 1.2 with authenticated encryption only (HT-01).
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.mu.RLock()
			defer c.mu.RUnlock()
			return c.pair, nil
		},
	}
}
