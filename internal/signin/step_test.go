package signin_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

var testDoor = signin.Door{Name: "test"}

// due begins the step of somebody who has an app.
func due(t testing.TB, w *otltest.World, h holder) *signin.Pending {
	t.Helper()
	step, err := w.SignIn.Second.Begin(t.Context(), signin.Proved{
		Standing: store.Standing{User: h.User, Site: w.Notes.Site}, Methods: otl.Methods{otl.MethodPassword},
	}, testDoor)
	if err != nil || step == nil {
		t.Fatal(step, err)
	}
	return step
}

func (h holder) proof(w *otltest.World, token secret.Text) signin.StepProof {
	return signin.StepProof{
		Token: token, Site: w.Notes.Site, Door: testDoor, Kind: otl.FactorTOTP, Proof: secret.NewText(secret.TOTP(h.seed, w.Clock.Now())),
	}
}

// TestMF01_OneCodeOnThreeNodes sends one code in a hundred steps at once, to three
// nodes: one of them gets in.
func TestMF01_OneCodeOnThreeNodes(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.Postgres)
	h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
	nodes := []*otltest.World{w, w.Again(t), w.Again(t)}
	var in atomic.Int32
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 100 {
		sp, n := h.proof(w, due(t, w, h).Token), nodes[i%3]
		wg.Go(func() {
			<-begin
			switch e, err := n.SignIn.Second.Complete(t.Context(), sp); {
			case err == nil && !e.Access.Empty():
				in.Add(1)
			case !otl.Is(err, "totp_reused"):
				t.Error(err)
			}
		})
	}
	close(begin)
	wg.Wait()
	if n := in.Load(); n != 1 {
		t.Errorf("one code let %d in", n)
	}
}

// TestSE06_EveryOtherTokenOfAStepIsRefused tries each prefix and each change of one
// byte of a token, and what is of another door, client or site.
func TestSE06_EveryOtherTokenOfAStepIsRefused(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site, w.Shop.Site)
	token := due(t, w, h).Token.Reveal()
	tried := 0
	for i := range token {
		all := []string{token[:i], token + token[i:i+1], token[:i] + token[i+1:]}
		for c := byte(' '); c <= '~'; c++ {
			all = append(all, token[:i]+string(c)+token[i+1:])
		}
		for _, bad := range all {
			if bad == token {
				continue
			}
			tried++
			if _, err := w.SignIn.Second.Complete(t.Context(), h.proof(w, secret.NewText(bad))); !otl.Is(err, "mfa_token_invalid") {
				t.Fatalf("%q: %v", bad, err)
			}
		}
	}
	for _, change := range []func(*signin.StepProof){
		func(sp *signin.StepProof) { sp.Site = w.Shop.Site },
		func(sp *signin.StepProof) { sp.Door.Name = "other" },
		func(sp *signin.StepProof) { sp.Door.Client = "client" },
	} {
		sp := h.proof(w, secret.NewText(token))
		change(&sp)
		if _, err := w.SignIn.Second.Complete(t.Context(), sp); !otl.Is(err, "mfa_token_invalid") {
			t.Errorf("elsewhere: %v", err)
		}
	}
	if _, err := w.SignIn.Second.Complete(t.Context(), h.proof(w, secret.NewText(token))); err != nil || tried < 4000 {
		t.Errorf("the token itself: %v (%d tried)", err, tried)
	}
}

// TestMF12_NoSeedAndNoCodeInTheLog: what is secret of factors is nowhere in the log of
// the server, nor in its events.
func TestMF12_NoSeedAndNoCodeInTheLog(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	h := hold(t, w, "jane@dev.test", "+491705550101", true, w.Notes.Site)
	codes, _, err := w.Setup.NewCodes(t.Context(), w.Strong(t, h.User))
	if err != nil {
		t.Fatal(err)
	}
	step := due(t, w, h)
	if _, err := w.SignIn.Second.Complete(t.Context(), h.proof(w, step.Token)); err != nil {
		t.Fatal(err)
	}
	said := w.Log.String()
	page, err := w.Store.Read.Events.List(t.Context(), h.ID, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	said += fmt.Sprintf("%+v", page)
	for _, s := range append(codes, step.Token, secret.EncodeTOTPSeed(h.seed), secret.NewText(strings.ReplaceAll(codes[0].Reveal(), "-", ""))) {
		if strings.Contains(said, s.Reveal()) {
			t.Errorf("%q was written down", s.Reveal())
		}
	}
}

// BenchmarkVerifyFactor finishes steps with codes of apps, 64 at once, each of another
// person.
func BenchmarkVerifyFactor(b *testing.B) {
	w := otltest.New(b, otltest.SQLite)
	all := make([]signin.StepProof, b.N)
	for i := range all {
		h := holder{User: w.Person(b, fmt.Sprintf("p%d@dev.test", i), w.Notes.Site), seed: secret.NewTOTPSeed()}
		if _, err := w.Setup.Give(b.Context(), h.User, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: h.seed}); err != nil {
			b.Fatal(err)
		}
		all[i] = h.proof(w, due(b, w, h).Token)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for range 64 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				if _, err := w.SignIn.Second.Complete(context.Background(), all[i]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "verified/s")
}
