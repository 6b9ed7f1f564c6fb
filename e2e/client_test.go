package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// password is what everybody the rigs register signs in with.
const password = "correct-horse-7"

// client calls one server the way a site's backend does.
type client struct {
	http *http.Client
	url  string
	key  string // site key
}

// newClient makes a client that keeps a connection open for each of the parallel
// calls of the race. Its timeout only ends a test that hangs.
func newClient(t testing.TB, url, key string) *client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 128, MaxIdleConns: 512} // and no proxy
	t.Cleanup(transport.CloseIdleConnections)
	return &client{&http.Client{Transport: transport, Timeout: 60 * time.Second}, url, key}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	raw    []byte
}

// login is the answer to every call that signs somebody in.
type login struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	User    struct {
		ID string `json:"id"`
	} `json:"user"`
}

// into reads the JSON body; a body that is none leaves out as it is.
func (r reply) into(out any) { _ = json.Unmarshal(r.raw, out) }

// code gives the machine word of an error.
func (r reply) code() string {
	var e struct {
		Code string `json:"code"`
	}
	r.into(&e)
	return e.Code
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, bytes.TrimSpace(r.raw)) }

// do sends one request, with a person's access token or else with the site key.
// The error means that no whole answer came, so that
// nobody knows whether the call took effect.
func (c *client) do(method, path, bearer string, body any) (reply, error) {
	return c.send(method, path, bearer, "", body)
}

// send does what do does, under an Idempotency-Key unless it is "".
func (c *client) send(method, path, bearer, once string, body any) (reply, error) {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return reply{}, err
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, c.url+path, content)
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	} else {
		req.Header.Set("X-OTL-Site-Key", c.key)
	}
	if once != "" {
		req.Header.Set("Idempotency-Key", once)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, raw}, err
}

// register adds a person; without a name for "".
func (c *client) register(email, password, name string) (reply, error) {
	body := map[string]string{"email": email, "password": password}
	if name != "" {
		body["name"] = name
	}
	return c.do(http.MethodPost, "/api/v1/auth/register", "", body)
}

func (c *client) login(email, password string) (reply, error) {
	return c.do(http.MethodPost, "/api/v1/auth/login", "", map[string]string{"email": email, "password": password})
}

func (c *client) refresh(token string) (reply, error) {
	return c.do(http.MethodPost, "/api/v1/auth/refresh", "", map[string]string{"refresh_token": token})
}

func (c *client) revoke(session string) (reply, error) {
	return c.do(http.MethodDelete, "/api/v1/sessions/"+session, "", nil)
}

// sessions gives the ids of a person's live sessions at the site.
func (c *client) sessions(user string) (map[string]bool, reply, error) {
	r, err := c.do(http.MethodGet, "/api/v1/sessions?limit=200&user_id="+user, "", nil)
	var page struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	r.into(&page)
	ids := map[string]bool{}
	for _, s := range page.Data {
		ids[s.ID] = true
	}
	return ids, r, err
}

// must gives the reply if it has the status and fails the test otherwise.
func must(t testing.TB, status int) func(reply, error) reply {
	return func(r reply, err error) reply {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if r.status != status {
			t.Fatalf("got %s, want %d", r, status)
		}
		return r
	}
}

// claims is what the rigs read of an access token.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Session  string `json:"sid"`
	Version  int    `json:"session_version"`
	Expires  int64  `json:"exp"`
}

// read takes an access token apart without checking its signature.
func read(access string) (c claims, err error) {
	part := strings.Split(access, ".")
	if len(part) != 3 {
		return c, fmt.Errorf("an access token of %d parts", len(part))
	}
	raw, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(raw, &c)
}
