package signin_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// stepAt signs somebody in with his password up to the second step of a door.
func stepAt(t *testing.T, w *otltest.World, s site.Registered, h holder, d signin.Door) string {
	t.Helper()
	p, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: s.Site, Email: h.Email.Address, Password: secret.NewText(otltest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	in, err := w.SignIn.Second.Enter(t.Context(), p, &d)
	if err != nil || in.Step == nil {
		t.Fatalf("no step: %v", err)
	}
	return in.Step.Token.Reveal()
}

// mutations gives what differs from a token in one place, in length, in case or in its
// form, each of them once.
func mutations(token string) []string {
	known := map[string]bool{token: true}
	var out []string
	add := func(s string) {
		if !known[s] {
			known[s] = true
			out = append(out, s)
		}
	}
	for i := range token {
		for _, c := range "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_ +/=%.\x00\n" {
			add(token[:i] + string(c) + token[i+1:])
			add(token[:i] + string(c) + token[i:])
		}
		add(token[:i])
		add(token[i:])
		add(token + token[:i+1])
		add(token[:i] + token[i+1:])
	}
	add(strings.ToUpper(token))
	add(strings.ToUpper(token[:1]) + token[1:])
	add(hex.EncodeToString([]byte(token)))
	return out
}

// TestMF03_TenThousandTokensOfNoStep: of ten thousand tokens that are next to a good one,
// over, of another site, door or client, used, or of another kind, none is taken with a
// right code beside it; the good ones then are.
func TestMF03_TenThousandTokensOfNoStep(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		h := hold(t, w, "jane@dev.test", "+491705550100", true, w.Notes.Site, w.Shop.Site)
		state := signin.Door{Name: "onelogin", Client: "c", TTL: signin.SessionTokenTTL}
		named := func() signin.Door {
			d := state
			d.Token = secret.NewText(hex.EncodeToString(secret.Bytes(20)))
			return d
		}
		native := signin.Door{Name: "native"}
		try := func(token string, s site.Registered, d signin.Door) error {
			_, _, err := w.SignIn.Second.Verify(t.Context(), signin.StepProof{
				Token: secret.NewText(token), Site: s.Site, Door: d, Kind: otl.FactorTOTP, Proof: secret.NewText(secret.TOTP(h.seed, w.Clock.Now())),
			})
			return err
		}
		late, lateNative := stepAt(t, w, w.Notes, h, named()), stepAt(t, w, w.Notes, h, native)
		used := stepAt(t, w, w.Notes, h, named())
		if err := try(used, w.Notes, state); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(5 * time.Minute)
		good, goodNative := stepAt(t, w, w.Notes, h, named()), stepAt(t, w, w.Notes, h, native)
		elsewhere := stepAt(t, w, w.Shop, h, named())

		type trial struct {
			token string
			at    site.Registered
			door  signin.Door
		}
		var all []trial
		for _, s := range mutations(good) {
			all = append(all, trial{s, w.Notes, state})
		}
		for _, s := range mutations(goodNative) {
			all = append(all, trial{s, w.Notes, native})
		}
		for _, s := range []string{late, used, lateNative, elsewhere, goodNative, "", "null", w.Notes.Key.Reveal(), secret.NewKey("otl_mt_").Reveal()} {
			all = append(all, trial{s, w.Notes, state})
		}
		other := state
		other.Client = "d"
		all = append(all, trial{good, w.Shop, state}, trial{good, w.Notes, other}, trial{good, w.Notes, native}, trial{goodNative, w.Notes, state}, trial{goodNative, w.Shop, native})
		for len(all) < 10_000 {
			all = append(all, trial{hex.EncodeToString(secret.Bytes(20)), w.Notes, state})
		}
		var next atomic.Int64
		var workers sync.WaitGroup
		for range 32 {
			workers.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
					if err := try(all[i].token, all[i].at, all[i].door); !errors.Is(err, signin.ErrStep) {
						t.Errorf("%q at %s: %v", all[i].token, all[i].door.Name, err)
					}
				}
			})
		}
		workers.Wait()
		for token, d := range map[string]signin.Door{good: state, goodNative: native} {
			w.Clock.Advance(30 * time.Second)
			if err := try(token, w.Notes, d); err != nil {
				t.Errorf("the one that is good: %v", err)
			}
		}
		if len(all) < 10_000 {
			t.Errorf("%d trials", len(all))
		}
	})
}
