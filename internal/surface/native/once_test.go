package native_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// repeated sends a request under an Idempotency-Key.
func repeated(t testing.TB, w *otltest.World, c otltest.Call, key string) otltest.Reply {
	t.Helper()
	c.Method, c.Headers = http.MethodPost, map[string]string{"Idempotency-Key": key}
	return w.Do(t, c)
}

// creations are requests that create something, by operation, and others that
// differ from them.
func creations(t *testing.T, w *otltest.World) map[string][2]otltest.Call {
	bearer := owner(t, w, "owner@dev.test")
	mine := ownSite(t, w, bearer)
	keys := "/api/v1/sites/" + mine.Text("id") + "/keys"
	first := as(t, w, bearer)(http.MethodGet, "/sites/"+mine.Text("id")+"/keys", nil).Items(t)[0]["id"].(string)
	site := func(path string, a, b object) [2]otltest.Call {
		return [2]otltest.Call{{Path: "/api/v1" + path, Key: w.Notes.Key, Body: a}, {Path: "/api/v1" + path, Key: w.Notes.Key, Body: b}}
	}
	his := func(path string, a, b object) [2]otltest.Call {
		return [2]otltest.Call{{Path: path, Bearer: bearer, Body: a}, {Path: path, Bearer: bearer, Body: b}}
	}
	hook := call(t, w, w.Notes, http.MethodPost, "/webhooks", object{"url": "https://notes.test/hook"}).Want(t, http.StatusCreated).Text("id")
	return map[string][2]otltest.Call{
		"createWebhook":       site("/webhooks", object{"url": "https://notes.test/a"}, object{"url": "https://notes.test/b"}),
		"rotateWebhookSecret": site("/webhooks/"+hook+"/rotate-secret", object{"overlap_seconds": 1000}, object{"overlap_seconds": 10}),
		"register":            site("/auth/register", object{"email": "a@dev.test", "password": otltest.Password}, object{"email": "a@dev.test", "password": otltest.Password + "x"}),
		"createUser":          site("/users", object{"email": "b@dev.test"}, object{"email": "b@dev.test", "name": "B"}),
		"createRole":          site("/roles", object{"name": "editor"}, object{"name": "author"}),
		"registerSite": his("/api/v1/sites", object{"name": "Acme", "domain": "acme.test", "callback_url": "https://acme.test/cb"},
			object{"name": "Acme 2", "domain": "acme.test", "callback_url": "https://acme.test/cb"}),
		"createSiteKey": his(keys, object{"name": "one"}, object{"name": "two"}),
		"createClient":  his("/api/v1/sites/"+mine.Text("id")+"/clients", object{"name": "one"}, object{"name": "two"}),
		"rollSiteKey":   his(keys+"/"+first+"/roll", object{"overlap_seconds": 1000}, object{"overlap_seconds": 10}),
	}
}

// TestHT14_WhatCreatesIsDoneOnce takes every operation that answers 201 and asks
// it again, and for something else, under the same key.
func TestHT14_WhatCreatesIsDoneOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		var doc struct {
			Paths map[string]map[string]struct {
				ID         string `json:"operationId"`
				Parameters []struct{ Name string }
				Responses  map[string]any
			}
		}
		if err := json.Unmarshal(w.Native.OpenAPI(), &doc); err != nil {
			t.Fatal(err)
		}
		ways := creations(t, w)
		for path, methods := range doc.Paths {
			o, ok := methods["post"]
			if _, creates := o.Responses["201"]; !ok || !creates {
				continue
			}
			if ways[o.ID][0].Path == "" {
				t.Errorf("POST %s (%s) creates something and is not tested here", path, o.ID)
			}
			if !strings.Contains(fmt.Sprint(o.Parameters), "Idempotency-Key") {
				t.Errorf("%s does not take an Idempotency-Key", o.ID)
			}
		}
		for id, way := range ways {
			first := repeated(t, w, way[0], "key"+id).Want(t, http.StatusCreated)
			again := repeated(t, w, way[0], "key"+id).Want(t, http.StatusCreated)
			if !bytes.Equal(first.Raw, again.Raw) || first.Header.Get("ETag") != again.Header.Get("ETag") {
				t.Errorf("%s: %s, then %s", id, first.Raw, again.Raw)
			}
			if first.Header.Get("Idempotent-Replayed") != "" || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s: replayed %q, then %q", id, first.Header.Get("Idempotent-Replayed"), again.Header.Get("Idempotent-Replayed"))
			}
			other := repeated(t, w, way[1], "key"+id).Want(t, http.StatusUnprocessableEntity, "validation_failed")
			if !strings.HasPrefix(other.Text("detail"), "Idempotency-Key: ") {
				t.Errorf("%s: %s", id, other.Raw)
			}
			w.Clock.Advance(time.Millisecond)
		}
	})
}

func TestHT14_KeysOfOthersAndLaterOnes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		make := func(key secret.Text, body any) otltest.Call {
			return otltest.Call{Path: "/api/v1/roles", Key: key, Body: body}
		}
		notes := make(w.Notes.Key, `{"name":"editor","default":true}`)
		repeated(t, w, notes, "k").Want(t, http.StatusCreated)
		// The order and spacing of members, and the form of the path, are no other request.
		repeated(t, w, make(w.Notes.Key, ` {"default": true, "name":"editor" } `), "k").Want(t, http.StatusCreated)
		short := make(w.Notes.Key, `{"name":"editor","default":true}`)
		short.Path = "/api/roles"
		repeated(t, w, short, "k").Want(t, http.StatusCreated)
		// The same key is another site's own.
		if r := repeated(t, w, make(w.Shop.Key, `{"name":"clerk"}`), "k").Want(t, http.StatusCreated); r.Text("name") != "clerk" {
			t.Errorf("shop got %s", r.Raw)
		}
		// Another operation under the same key is another request.
		repeated(t, w, otltest.Call{Path: "/api/v1/users", Key: w.Notes.Key, Body: object{"email": "x@dev.test"}}, "k").Want(t, http.StatusUnprocessableEntity)
		// Without the key, and under a new one, it is done again.
		repeated(t, w, notes, "k2").Want(t, http.StatusConflict, "role_exists")
		for _, bad := range []string{"", strings.Repeat("k", 256), "a b", "ü"} {
			repeated(t, w, make(w.Notes.Key, object{"name": "other"}), bad).Want(t, http.StatusUnprocessableEntity, "validation_failed")
		}
		// A failure keeps nothing: what was wrong is mended, and the key still good.
		repeated(t, w, make(w.Notes.Key, object{"name": "NO"}), "k3").Want(t, http.StatusUnprocessableEntity)
		repeated(t, w, make(w.Notes.Key, object{"name": "yes"}), "k3").Want(t, http.StatusCreated)
		// Reading does not listen to it.
		w.Do(t, otltest.Call{Path: "/api/v1/roles", Key: w.Notes.Key, Headers: map[string]string{"Idempotency-Key": "a b"}}).Want(t, http.StatusOK)

		w.Clock.Advance(24 * time.Hour)
		repeated(t, w, notes, "k").Want(t, http.StatusCreated)
		w.Clock.Advance(time.Hour)
		repeated(t, w, notes, "k").Want(t, http.StatusConflict, "role_exists")
		// A key that has ended is as good as new, pruned or not.
		repeated(t, w, make(w.Notes.Key, object{"name": "later"}), "k").Want(t, http.StatusCreated)
		w.Clock.Advance(25 * time.Hour)
		if err := w.Once.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		repeated(t, w, make(w.Notes.Key, object{"name": "last"}), "k").Want(t, http.StatusCreated)
	})
}

// TestMN01_OneKeyAskedEverywhereAtOnce: of any number of requests at any number
// of nodes one is done, and whoever gets a success gets the same.
func TestMN01_OneKeyAskedEverywhereAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		nodes := []*otltest.World{w}
		if w.Engine == otltest.Postgres {
			nodes = append(nodes, w.Again(t), w.Again(t))
		}
		for round := range 5 {
			c := otltest.Call{Path: "/api/v1/auth/register", Key: w.Notes.Key, Body: object{"email": fmt.Sprintf("p%d@dev.test", round), "password": otltest.Password}}
			var mu sync.Mutex
			var all sync.WaitGroup
			answers := map[string]int{}
			for i := range 24 {
				all.Go(func() {
					r := repeated(t, nodes[i%len(nodes)], c, fmt.Sprintf("round-%d", round))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case r.Status == http.StatusCreated:
						answers[string(r.Raw)]++
					case r.Status != http.StatusConflict || r.Text("code") != "idempotency_key_in_use" || r.Header.Get("Retry-After") == "":
						t.Errorf("round %d: %d %s", round, r.Status, r.Raw)
					}
				})
			}
			all.Wait()
			if len(answers) != 1 {
				t.Errorf("round %d: %d different answers", round, len(answers))
			}
		}
	})
}

// TestHT14_AnswersAreSealed: an answer holds a key and tokens, and its table none.
func TestHT14_AnswersAreSealed(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		c := otltest.Call{Path: "/api/v1/auth/register", Key: w.Notes.Key, Body: object{"email": "jane@dev.test", "password": otltest.Password}}
		r := repeated(t, w, c, "once").Want(t, http.StatusCreated)
		again := w.Again(t) // and it is opened after a restart, by another node
		if next := repeated(t, again, c, "once").Want(t, http.StatusCreated); !bytes.Equal(next.Raw, r.Raw) {
			t.Errorf("%s, then %s", r.Raw, next.Raw)
		}
		id := sha256.Sum256([]byte("site " + w.Notes.Site.ID + "\x00once"))
		asked, answer, err := again.Store.Read.Answers.Find(t.Context(), id[:], w.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{"jane", r.Text("refresh_token"), r.Text("access_token"), otltest.Password} {
			if bytes.Contains(append(asked, answer...), []byte(hidden)) {
				t.Errorf("%q is in the table of answers", hidden)
			}
		}
	})
}
