package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// mail is one mail as the mail server took it.
type mail struct {
	From    string
	To      []string
	TLS     bool
	User    string
	Headers map[string]string
	Defects []string
	Text    string
	HTML    string

	Failed string // in which way it was not taken, "" if it was
	ID     string // of one that was not, as far as it came
}

// mailServer is a real SMTP server with a certificate of its own.
type mailServer struct {
	url      string // to configure otl with, user and password included
	cert     string // file, to be trusted
	received chan mail
	failed   chan mail
}

const (
	mailUser     = "otl"
	mailPassword = "p@ss/word"
)

// startMail starts a server that speaks STARTTLS, or TLS from the first byte, and fails
// first in each of the ways that smtpd.py knows.
func startMail(t *testing.T, mode string, failures ...string) *mailServer {
	t.Helper()
	need(t, "python3")
	if exec.CommandContext(t.Context(), "python3", "-c", "import aiosmtpd").Run() != nil {
		t.Fatal("this python3 lacks aiosmtpd; `make test` brings one that has it")
	}
	m := &mailServer{received: make(chan mail, 1000), failed: make(chan mail, 10)}
	dir := t.TempDir()
	m.cert = filepath.Join(dir, "cert.pem")
	key := filepath.Join(dir, "key.pem")
	certificate(t, m.cert, key)
	args := append([]string{"-W", "ignore", "smtpd.py", m.cert, key, mode, mailUser, mailPassword}, failures...)
	cmd := exec.CommandContext(t.Context(), "python3", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var first struct{ Port int }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil {
		t.Fatalf("the mail server says %q", lines.Text())
	}
	scheme := map[string]string{"starttls": "smtp", "tls": "smtps"}[mode]
	m.url = fmt.Sprintf("%s://%s:%s@127.0.0.1:%d", scheme, mailUser, "p%40ss%2Fword", first.Port)
	go func() {
		for lines.Scan() {
			var one mail
			switch err := json.Unmarshal(lines.Bytes(), &one); {
			case err != nil:
			case one.Failed != "":
				m.failed <- one
			default:
				m.received <- one
			}
		}
	}()
	return m
}

// take gives the next mail.
func (m *mailServer) take(t *testing.T) mail {
	t.Helper()
	limit := time.NewTimer(time.Minute) // longer than a dead node keeps a message
	defer limit.Stop()
	select {
	case one := <-m.received:
		return one
	case <-limit.C:
		t.Fatal("no mail came")
		panic("unreachable")
	}
}

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, cert, key string, names ...string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: names, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *client) sendCode(email string) (reply, error) {
	return c.do(http.MethodPost, "/api/v1/auth/otp/send", "", map[string]string{"email": email})
}

// TestMailByARealServer sends codes through a mail server that wants encryption and
// a password, in both ways of encrypting.
func TestMailByARealServer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"starttls", "tls"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			m := startMail(t, mode)
			in := newInstallation(t, "")
			in.settings = append(in.settings, "OTL_MAIL_URL="+m.url, "SSL_CERT_FILE="+m.cert, "OTL_MAIL_FROM=login@notes.test", "OTL_MAIL_REPLY_TO=help@notes.test")
			key := in.site(t)
			p := in.serve(t)
			c := newClient(t, p.url, key)
			must(t, http.StatusCreated)(c.register("jane@dev.test", password, "Jane"))
			must(t, http.StatusAccepted)(c.sendCode("jane@dev.test"))
			got := m.take(t)
			code, _, _ := strings.Cut(got.Headers["subject"], " ")
			if got.From != "login@notes.test" || fmt.Sprint(got.To) != "[jane@dev.test]" || !got.TLS || got.User != mailUser || len(got.Defects) > 0 ||
				got.Headers["from"] != `Notes <login@notes.test>` || !strings.Contains(got.Headers["reply-to"], "help@notes.test") || got.Headers["auto-submitted"] != "auto-generated" ||
				!strings.HasPrefix(got.Headers["message-id"], "<msg_") || got.Headers["date"] == "" || !strings.Contains(got.Text, code) || !strings.Contains(got.HTML, code) {
				t.Errorf("%+v", got)
			}
			r := must(t, http.StatusOK)(c.do(http.MethodPost, "/api/v1/auth/otp/verify", "", map[string]string{"email": "jane@dev.test", "code": code}))
			if r.code() != "" {
				t.Errorf("%s", r)
			}
			must(t, http.StatusCreated)(c.register("refused@dev.test", password, ""))
			must(t, http.StatusAccepted)(c.sendCode("refused@dev.test"))
			eventually(t, "the refused mail is given up", func() bool {
				var out struct {
					Data []struct{ State, Problem, To string }
				}
				in.otl(t, &out, "messages", "list", "--state", "dead")
				return len(out.Data) == 1 && out.Data[0].To == "refused@dev.test" && strings.Contains(out.Data[0].Problem, "550")
			})
			p.stop(t)
			p.clean(t)
		})
	}
}

// TestMailPastAFirstFailure sends codes to as many people as there are ways in which a mail server fails for a
// while. Each try meets one of them as long as there are any; the next is taken, once, and is the same mail.
func TestMailPastAFirstFailure(t *testing.T) {
	t.Parallel()
	for mode, ways := range map[string][]string{"starttls": {"STARTTLS", "RCPT", "DATA", "END"}, "tls": {"RCPT", "DATA", "END"}} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			m := startMail(t, mode, ways...)
			in := newInstallation(t, "")
			in.settings = append(in.settings, "OTL_MAIL_URL="+m.url, "SSL_CERT_FILE="+m.cert)
			key := in.site(t)
			p := in.serve(t)
			c := newClient(t, p.url, key)
			for i := range ways {
				must(t, http.StatusCreated)(c.register(fmt.Sprintf("p%d@dev.test", i), password, ""))
			}
			for i := range ways {
				must(t, http.StatusAccepted)(c.sendCode(fmt.Sprintf("p%d@dev.test", i)))
			}
			got := map[string]string{} // ids by address
			for range ways {
				one := m.take(t)
				got[one.To[0]] = one.Headers["message-id"]
			}
			if len(got) != len(ways) {
				t.Errorf("%v", got)
			}
			failed := map[string]bool{}
			for range ways {
				one := <-m.failed
				failed[one.Failed] = true
				if one.ID != "" && !slices.Contains(slices.Collect(maps.Values(got)), one.ID) {
					t.Errorf("%s of %s, which never came: %v", one.Failed, one.ID, got)
				}
			}
			if len(failed) != len(ways) {
				t.Errorf("met %v, want %v", failed, ways)
			}
			var out struct {
				Data []struct {
					ID, State, To string
					Tries         int
				}
			}
			eventually(t, "each is sent", func() bool {
				in.otl(t, &out, "messages", "list", "--state", "sent")
				return len(out.Data) == len(ways)
			})
			tries := 0
			for _, one := range out.Data {
				if tries += one.Tries; !strings.HasPrefix(got[one.To], "<"+one.ID+"@") {
					t.Errorf("%+v came as %s", one, got[one.To])
				}
			}
			if tries != 2*len(ways) {
				t.Errorf("%d tries of %d mails: %+v", tries, len(ways), out.Data)
			}
			p.stop(t)
			p.clean(t)
			if len(m.received) != 0 {
				t.Errorf("came twice: %+v", <-m.received)
			}
		})
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 200 {
		if so() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("it is not so that %s", what)
}

// TestNoMailIsLostInACrash kills servers between asking for codes and their
// delivery: every mail that was promised arrives, and one that arrives twice has the
// same id.
func TestNoMailIsLostInACrash(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			m := startMail(t, "starttls")
			url := ""
			if e == otltest.Postgres {
				url = otltest.EmptyDatabaseURL(t, e)
			}
			in := newInstallation(t, url)
			in.settings = append(in.settings, "OTL_MAIL_URL="+m.url, "SSL_CERT_FILE="+m.cert)
			key := in.site(t)
			people := 12
			p := in.serve(t)
			c := newClient(t, p.url, key)
			for i := range people {
				must(t, http.StatusCreated)(c.register(fmt.Sprintf("p%d@dev.test", i), password, ""))
			}
			promised := map[string]int{} // by address: codes asked for
			for range (count(t, "OTL_E2E_CYCLES", 20) + 4) / 5 {
				var mu sync.Mutex
				var all sync.WaitGroup
				for i := range people {
					all.Go(func() {
						to := fmt.Sprintf("p%d@dev.test", i)
						if r, err := c.sendCode(to); err == nil && r.status == http.StatusAccepted {
							mu.Lock()
							defer mu.Unlock()
							promised[to]++
						}
					})
				}
				all.Wait()
				p.kill()
				p.clean(t)
				p = in.serve(t)
				c.http.CloseIdleConnections()
				c.url = p.url
			}
			ids, twice := map[string]string{}, 0
			got := map[string]int{}
			total := 0
			for _, n := range promised {
				total += n
			}
			for len(ids) < total {
				one := m.take(t)
				id := one.Headers["message-id"]
				if _, known := ids[id]; known {
					twice++
					continue
				}
				ids[id] = one.Text
				got[one.To[0]]++
			}
			for to, n := range promised {
				if got[to] < n {
					t.Errorf("LOST: %s was promised %d mails and got %d", to, n, got[to])
				}
			}
			t.Logf("%s: %d mails promised, %d arrived, %d of them twice with the same id", e, total, len(ids), twice)
			p.stop(t)
		})
	}
}
