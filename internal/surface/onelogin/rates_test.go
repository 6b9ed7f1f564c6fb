package onelogin_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// tooMany fails the test unless the answer says that a rate is used up, and until when.
func tooMany(t *testing.T, r otltest.Reply) {
	t.Helper()
	failed(t, r, http.StatusTooManyRequests, "Too Many Requests", "Too many requests. Wait as long as Retry-After says.")
	if r.Header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", r.Header)
	}
}

// TestContract21_SignInsBeyondTheRate (D15): whoever asks too often is told so, somebody like nobody; a right
// password is not called a wrong one.
func TestContract21_SignInsBeyondTheRate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for range limit.LoginPerIdentifier.Uses {
			x.login(t, nil).Want(t, http.StatusOK)
		}
		tooMany(t, x.login(t, nil))
		tooMany(t, x.login(t, object{"password": "wrong-horse-7"}))
		x.Clock.Advance(time.Minute)

		replies := make([]otltest.Reply, 8) // those on their way count as if they failed, until they succeed
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() { replies[i] = x.login(t, nil) })
		}
		all.Wait()
		for _, r := range replies {
			if r.Status != http.StatusOK {
				tooMany(t, r)
			}
		}
	}, func(o *node.Options) { o.Limits = true })
}

// TestPW11_APauseAndALockOnThisWire: between wrong passwords there are pauses, which say so, of somebody as of
// nobody. A hundred lock him, which is told like a wrong password (contract 5 B9).
func TestPW11_APauseAndALockOnThisWire(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		for name, account := range map[string]limit.Account{"jane@dev.test": limit.Person(x.jane.ID, ""), "nobody@dev.test": limit.Unknown("nobody@dev.test")} {
			change := object{"username_or_email": name, "password": "wrong-horse-7"}
			for range 5 {
				failed(t, x.login(t, change), http.StatusUnauthorized, unauthorized, invalidUser)
			}
			tooMany(t, x.login(t, change))
			x.Clock.Advance(time.Minute)
			x.lock(t, account, 95)
			for _, password := range []string{"wrong-horse-7", otltest.Password} {
				r := x.login(t, object{"username_or_email": name, "password": password})
				failed(t, r, http.StatusUnauthorized, unauthorized, invalidUser)
				if r.Header.Get("Retry-After") == "" {
					t.Errorf("%s is locked: no Retry-After", name)
				}
			}
		}
	}, func(o *node.Options) { o.Limits = true })
}

// lock counts wrong guesses of an account.
func (x *tenant) lock(t *testing.T, a limit.Account, times int) {
	t.Helper()
	if err := x.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for range times {
			if err := limit.TryFactor(ctx, tx, a, x.Clock.Now()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestMF11_CodesBeyondTheRate: who asks for another SMS too often is told so, and not that a code was wrong.
func TestMF11_CodesBeyondTheRate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.telephone(t, x.jane)
		state, devices := x.due(t)
		ask := func() otltest.Reply { return x.verify(t, object{"device_id": devices[sms], "state_token": state}) }
		for range limit.Prompts.Uses {
			ask().Want(t, http.StatusOK)
		}
		tooMany(t, ask())
	}, func(o *node.Options) { o.Limits = true })
}

// TestOT08_ALockedFactorOnThisWire: a hundred wrong codes lock a factor, which is told like a wrong one.
func TestOT08_ALockedFactorOnThisWire(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		seed := x.app(t, x.jane)
		x.lock(t, limit.Factors(x.jane.ID), 100)
		state, devices := x.due(t)
		r := x.verify(t, object{"device_id": devices[app], "state_token": state, "otp_token": secret.TOTP(seed, x.Clock.Now())})
		failed(t, r, http.StatusUnauthorized, unauthorized, wrongCode)
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}
