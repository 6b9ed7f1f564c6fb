package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// wish is one thing a caller wants made, and the answer to it once it came.
type wish struct {
	key    string
	answer []byte
}

// TestHT14_KeyedRequestsSurviveACrash kills a server while roles and people are
// made under Idempotency-Keys, and asks for every one of them again at the next:
// each is there exactly once, and who had an answer gets the same one.
func TestHT14_KeyedRequestsSurviveACrash(t *testing.T) {
	t.Parallel()
	for _, e := range otltest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := ""
			if e == otltest.Postgres {
				url = otltest.EmptyDatabaseURL(t, e)
			}
			in := newInstallation(t, url)
			key := in.site(t)
			cut, done := 0, 0
			for cycle := range (count(t, "OTL_E2E_CYCLES", 20) + 3) / 4 {
				wishes := makeUntilKilled(t, in, key, cycle)
				p := in.serve(t)
				c := newClient(t, p.url, key)
				for _, w := range wishes {
					r := must(t, http.StatusCreated)(c.wish(w.key))
					if w.answer == nil {
						cut++
					} else if done++; !bytes.Equal(w.answer, r.raw) {
						t.Errorf("LOST: %s was %s and is now %s", w.key, w.answer, r.raw)
					}
					if again := must(t, http.StatusCreated)(c.wish(w.key)); !bytes.Equal(again.raw, r.raw) {
						t.Errorf("%s is %s, then %s", w.key, r.raw, again.raw)
					}
				}
				p.stop(t)
				p.clean(t)
			}
			t.Logf("%s: %d answered before the kill, %d cut off, each made once", e, done, cut)
		})
	}
}

// wish makes a person, or asks for the answer to having made him.
func (c *client) wish(key string) (reply, error) {
	return c.send(http.MethodPost, "/api/v1/users", "", key, map[string]string{"email": key + "@dev.test"})
}

// makeUntilKilled lets callers make people until the server is gone, and gives
// everything they asked for.
func makeUntilKilled(t *testing.T, in installation, key string, cycle int) []*wish {
	t.Helper()
	p := in.serve(t)
	var mu sync.Mutex
	var callers sync.WaitGroup
	var all []*wish
	for caller := range 8 {
		c := newClient(t, p.url, key)
		callers.Go(func() {
			for i := 0; ; i++ {
				w := &wish{key: fmt.Sprintf("p-%d-%d-%d", cycle, caller, i)}
				mu.Lock()
				all = append(all, w)
				mu.Unlock()
				r, err := c.wish(w.key)
				if err != nil {
					return
				}
				if r.status != http.StatusCreated {
					t.Errorf("%s: %s", w.key, r)
					return
				}
				w.answer = r.raw
			}
		})
	}
	time.AfterFunc(leastLoad+rand.N(mostLoad-leastLoad)/2, p.kill)
	callers.Wait()
	<-p.ended
	return all
}
