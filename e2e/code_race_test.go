package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestCodeRace presents one code a thousand times at the same moment (a hundred in
// the short run): one is let in, all others get the same refusal (MN-01). On
// PostgreSQL also through three servers on one database.
func TestCodeRace(t *testing.T) {
	t.Parallel()
	for _, world := range []struct {
		engine otltest.Engine
		nodes  int
	}{{otltest.SQLite, 1}, {otltest.Postgres, 1}, {otltest.Postgres, 3}} {
		t.Run(fmt.Sprintf("%s, %d nodes", world.engine, world.nodes), func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			r := newRace(t, world.engine, world.nodes)
			rounds, consumers := count(t, "OTL_E2E_ROUNDS", 20), count(t, "OTL_E2E_CONSUMERS", parallel)
			for round := range rounds {
				r.codeRound(t, round, consumers)
			}
			t.Logf("%s, %d nodes: %d rounds of %d consumers of one code, 1 winner each, %.1f s",
				world.engine, world.nodes, rounds, consumers, time.Since(begin).Seconds())
		})
	}
}

func (r *race) codeRound(t *testing.T, round, consumers int) {
	t.Helper()
	var sent struct{ Code string }
	must(t, http.StatusAccepted)(r.nodes[0].do(http.MethodPost, "/api/v1/auth/otp/send", "", map[string]string{"email": "jane@dev.test", "channel": "direct"})).into(&sent)
	statuses := make([]int, consumers)
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	for i := range statuses {
		ready.Add(1)
		done.Go(func() {
			c := r.nodes[i%len(r.nodes)]
			ready.Done()
			<-start
			one, err := c.do(http.MethodPost, "/api/v1/auth/otp/verify", "", map[string]string{"email": "jane@dev.test", "code": sent.Code})
			if err != nil {
				t.Errorf("round %d: %v", round, err)
				return
			}
			if statuses[i] = one.status; one.status != http.StatusOK && one.code() != "code_invalid" {
				t.Errorf("round %d: %s", round, one)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	won := 0
	for _, s := range statuses {
		if s == http.StatusOK {
			won++
		}
	}
	if won != 1 {
		t.Fatalf("round %d: %d winners", round, won)
	}
}
