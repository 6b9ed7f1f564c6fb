package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Receiver is where a run has its events sent.
type Receiver struct {
	URL  string // https, on loopback
	Cert []byte // what the server must believe, as PEM

	server *http.Server
	mu     sync.Mutex
	late   []time.Duration // from each event to its arrival
	heard  chan struct{}   // a value after some arrived
}

// NewReceiver starts one. Close it in the end.
func NewReceiver() (*Receiver, error) {
	cert, raw, err := selfSigned()
	if err != nil {
		return nil, err
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, err
	}
	r := &Receiver{URL: "https://" + ln.Addr().String() + "/", Cert: raw, heard: make(chan struct{}, 1)}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: callTime}
	go func() { _ = r.server.Serve(ln) }() // until it is closed
	return r, nil
}

// hanging is the path at which no request is answered.
const hanging = "/hanging"

// Close ends it.
func (r *Receiver) Close() error { return r.server.Close() }

// Port is the one it listens at.
func (r *Receiver) Port() string {
	_, port, _ := net.SplitHostPort(r.URL[len("https://") : len(r.URL)-1])
	return port
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == hanging {
		_, _ = io.Copy(io.Discard, req.Body) // or the end of the connection goes unnoticed
		<-req.Context().Done()
		return
	}
	var e struct {
		At time.Time `json:"created_at"`
	}
	if err := json.NewDecoder(req.Body).Decode(&e); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.late = append(r.late, time.Since(e.At))
	r.mu.Unlock()
	select {
	case r.heard <- struct{}{}:
	default:
	}
}

// take gives the delays of what arrived since the last call.
func (r *Receiver) take() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	late := r.late
	r.late = nil
	return late
}

// await collects delays until there are n, or none came for a while.
func (r *Receiver) await(n int) ([]time.Duration, error) {
	var all []time.Duration
	for {
		if all = append(all, r.take()...); len(all) >= n {
			slices.Sort(all)
			return all, nil
		}
		select {
		case <-r.heard:
		case <-time.After(callTime):
			return all, errors.New("events do not arrive")
		}
	}
}

func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
