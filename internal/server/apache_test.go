package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// proxyConfig is an httpd that hands everything on, and logs the path of each request.
const proxyConfig = `
ServerRoot %[1]s
ServerName 127.0.0.1
PidFile %[1]s/httpd.pid
ErrorLog %[1]s/error.log
LogFormat "%%U" path
CustomLog %[1]s/access.log path
Mutex file:%[1]s default
Listen %[2]s
Timeout 3
KeepAliveTimeout 1
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule proxy_module %[3]s/mod_proxy.so
LoadModule proxy_http_module %[3]s/mod_proxy_http.so
ProxyPass / http://%[4]s/
`

// apache runs Debian's httpd as a proxy that leads to an address. Stop lets it end what is under
// way and gives how often it was asked for each path.
func apache(t *testing.T, to string) (address string, stop func() map[string]int) {
	t.Helper()
	const modules = "/usr/lib/apache2/modules"
	if _, err := os.Stat(modules + "/mod_proxy_http.so"); err != nil {
		t.Fatalf("this test needs Debian's apache2-bin: run it by `make test`, which installs it: %v", err)
	}
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = ln.Addr().String()
	ln.Close()
	config := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, proxyConfig, dir, address, modules, to), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command("/usr/sbin/apache2", "-D", "FOREGROUND", "-f", config)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	for conn, err := net.Dial("tcp", address); ; conn, err = net.Dial("tcp", address) {
		if err == nil {
			conn.Close()
			break
		}
		select {
		case <-ended:
			log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // there may be none
			t.Fatalf("httpd: %s\n%s", said.Bytes(), log)
		default:
		}
	}
	return address, func() map[string]int {
		_ = cmd.Process.Signal(syscall.SIGWINCH)
		<-ended
		log, err := os.ReadFile(filepath.Join(dir, "access.log"))
		if err != nil {
			t.Fatal(err)
		}
		asked := map[string]int{}
		for path := range strings.FieldsSeq(string(log)) {
			asked[path]++
		}
		return asked
	}
}

// TestHT05_NothingIsSmuggledThroughApache: of what is in doubt, the server behind a real proxy,
// which keeps its connections to it, is asked for nothing that the proxy was not.
func TestHT05_NothingIsSmuggledThroughApache(t *testing.T) {
	t.Parallel()
	var got heard
	s, _ := serve(func(_ http.ResponseWriter, r *http.Request) {
		got.add(r.URL.Path)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	behind, _, _ := running(t, s, nil, 0)
	address, stop := apache(t, behind)
	send := func(raw string) {
		conn := dial(t, "127.0.0.1", address)
		_, _ = io.WriteString(conn, raw+"GET /last HTTP/1.1\r\nHost: id.test\r\nConnection: close\r\n\r\n")
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("nobody answers %q", raw)
		}
		conn.Close()
	}
	all := smuggled()
	all["not"] = "POST /seen HTTP/1.1\r\nHost: id.test\r\nContent-Length: 0\r\n\r\n"
	var done sync.WaitGroup
	for name, raw := range all {
		done.Go(func() { send(raw + "GET /smuggled/" + name + " HTTP/1.1\r\nHost: id.test\r\n\r\n") })
	}
	done.Wait()
	asked := stop()
	got.mu.Lock()
	defer got.mu.Unlock()
	for path, n := range got.paths {
		if n > asked[path] {
			t.Errorf("%s was asked for %d times, behind a proxy that was %d times", path, n, asked[path])
		}
	}
	if got.paths["/seen"] == 0 || got.paths["/last"] == 0 || got.paths["/smuggled/not"] != 1 {
		t.Errorf("came through: %v", got.paths)
	}
}
