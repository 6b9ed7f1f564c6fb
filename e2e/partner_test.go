package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// partner is a site of a development world: its callback URL is served by the test.
type partner struct {
	*client
	id       string
	name     string
	callback string
	world    *world
}

// world is `otl dev` as a browser sees it.
type world struct {
	url  string
	dir  string
	vars map[string]string
}

// newWorld runs the development world, with settings, until the test ends.
func newWorld(t *testing.T, settings ...string) *world {
	t.Helper()
	dir := t.TempDir()
	devAt(t, binary(t), dir, "127.0.0.1:0", settings...)
	vars := sourced(t, dir)
	return &world{url: vars["OTL_URL"], dir: dir, vars: vars}
}

// otl runs a command of the binary beside the world and reads what it prints.
func (w *world) otl(t *testing.T, out any, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), append(args, "--json")...)
	cmd.Dir, cmd.Env = w.dir, environ("OTL_DATA_DIR=.otl")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("otl %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
}

// partner registers a site whose callback URL answers.
func (w *world) partner(t *testing.T, name string, more ...string) *partner {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte("<!doctype html><html lang=en><title>back</title><h1>Back at the site</h1>"))
	}))
	t.Cleanup(srv.Close)
	p := &partner{name: name, callback: srv.URL + "/callback", world: w}
	var made struct {
		ID  string `json:"id"`
		Key string `json:"site_key"`
	}
	w.otl(t, &made, append([]string{"sites", "create", "--name", name, "--callback", p.callback, "--scopes", "auth,users,admin,otp:direct"}, more...)...)
	p.id, p.client = made.ID, newClient(t, w.url, made.Key)
	return p
}

// host is where the partner listens.
func (p *partner) host() string {
	u, _ := url.Parse(p.callback)
	return u.Host
}

// host is where the world listens.
func (w *world) host() string {
	u, _ := url.Parse(w.url)
	return u.Host
}

// letter is a message of the inbox of the development world.
type letter struct {
	ID   string `json:"id"`
	Code string `json:"code"`
	Link string `json:"link"`
	Text string `json:"text"`
}

// letter waits for a message to somebody that has a code or a link in it, gives the newest and empties the inbox.
func (w *world) letter(t *testing.T, to string) letter {
	t.Helper()
	l := w.arrives(t, to)
	if _, err := newClient(t, w.url, "").do(http.MethodDelete, "/dev/inbox.json", "", nil); err != nil {
		t.Fatal(err)
	}
	return l
}

// arrives waits for such a message and leaves it where it is. Those that tell of something may come before it.
func (w *world) arrives(t *testing.T, to string) letter {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	c := newClient(t, w.url, "")
	for limit := time.Now().Add(browserTime); time.Now().Before(limit); <-again.C {
		var inbox struct{ Messages []letter }
		must(t, http.StatusOK)(c.do(http.MethodGet, "/dev/inbox.json?to="+url.QueryEscape(to), "", nil)).into(&inbox)
		if i := slices.IndexFunc(inbox.Messages, func(l letter) bool { return l.Code+l.Link != "" }); i >= 0 {
			return inbox.Messages[i]
		}
	}
	t.Fatalf("no message to %s came", to)
	panic("unreachable")
}

// member adds a person of a partner and gives the address.
func (w *world) member(t *testing.T, p *partner) string {
	t.Helper()
	const who = "mia@dev.test"
	must(t, http.StatusCreated)(p.register(who, password, "Mia Member"))
	return who
}
