package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// certificate writes a self-signed certificate for localhost with a serial
// number, and its key.
func certificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), dir, "tls.crt")
	writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), dir, "tls.key")
}

// serial gives the number of the certificate that a new connection gets.
func serial(t *testing.T, url string) int64 {
	t.Helper()
	client := browser()
	client.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	res, err := client.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Strict-Transport-Security") == "" {
		t.Error("https without Strict-Transport-Security")
	}
	read(t, res).wantStatus(t, 200)
	return res.TLS.PeerCertificates[0].SerialNumber.Int64()
}

func TestReloadTakesTheCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate(t, dir, 1)
	p := serve(t, dir, "OTL_TLS_CERT=tls.crt", "OTL_TLS_KEY=tls.key")
	url := p.said(t, "url")
	if url[:18] != "https://localhost:" {
		t.Fatalf("a server with a certificate calls itself %s", url)
	}
	if got := serial(t, url); got != 1 {
		t.Errorf("got certificate %d", got)
	}
	certificate(t, dir, 2)
	p.signal(t, syscall.SIGHUP)
	p.stderr.wait(t, `"msg":"reloaded"`)
	if got := serial(t, url); got != 2 {
		t.Errorf("got certificate %d after the reload", got)
	}
	writeFile(t, "half a certif", dir, "tls.crt")
	p.signal(t, syscall.SIGHUP)
	p.stderr.wait(t, `"level":"ERROR","msg":"reload certificate"`)
	if got := serial(t, url); got != 2 {
		t.Errorf("got certificate %d after one that cannot be read", got)
	}
	p.stop(t)
}
