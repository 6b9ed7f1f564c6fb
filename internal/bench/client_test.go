package bench

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAClientReadsWhatComesInChunks(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			_, _ = w.Write([]byte(long)) // net/http knows no length beforehand
			return
		}
		_, _ = w.Write([]byte("short"))
	}))
	t.Cleanup(s.Close)
	c, err := newClient(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	for path, want := range map[string]string{"/long": long, "/": "short"} {
		for range 2 { // on one connection, of which nothing is left unread
			if status, err := c.do(c.request(http.MethodGet, path, "", nil)); err != nil || status != http.StatusOK || string(c.body) != want {
				t.Errorf("%s: %d %v, %d bytes", path, status, err, len(c.body))
			}
		}
	}
}

func TestAMailboxHandsOutTheCodeOfTheNextMail(t *testing.T) {
	t.Parallel()
	m, err := NewMailbox()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	post := func(body string, want int) {
		t.Helper()
		res, err := http.Post(m.URL, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d", body, res.StatusCode)
		}
	}
	arrives := m.next("a@dev.test")
	post(`{"to":"b@dev.test","text":"Your code is 111111."}`, http.StatusOK)
	post(`{"to":"a@dev.test","text":"Your code is 123456, until 2026."}`, http.StatusOK)
	post(`{"to":"a@dev.test","text":"Your code is 654321."}`, http.StatusOK) // nobody waits for it
	post(`{`, http.StatusBadRequest)
	if code := <-arrives; code != "123456" {
		t.Errorf("%q", code)
	}
}
