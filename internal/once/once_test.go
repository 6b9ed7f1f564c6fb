package once_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/onetimelogin/otl/internal/once"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestSR04_AReplacedMasterKeyStillFindsAnswers: what was kept under a master key
// that has been replaced is found and opened under the new one.
func TestSR04_AReplacedMasterKeyStillFindsAnswers(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		clock := otltest.NewClock()
		old := secret.NewMaster()
		r := once.Request{Caller: "site 1", Key: "k", Asked: "a"}
		before := &once.Keeper{Store: st, Master: old, Now: clock.Now}
		o, done, err := before.Begin(r, json.Marshal)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := before.Begin(r, json.Marshal); !errors.Is(err, otl.ErrOnceUnderWay) {
			t.Errorf("begun twice: %v", err)
		}
		if raw, err := before.Answer(t.Context(), o, r); raw != nil || err != nil {
			t.Errorf("before it was done: %s %v", raw, err)
		}
		keep := func() error {
			return st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.Answers.Keep(ctx, o, clock.Now(), "made")
			})
		}
		if err := keep(); err != nil {
			t.Fatal(err)
		}
		if err := keep(); !errors.Is(err, otl.ErrOnceUnderWay) {
			t.Errorf("kept twice: %v", err)
		}
		done()

		fresh, err := secret.ParseMaster(secret.NewMaster().Encode().Reveal(), old.Encode().Reveal())
		if err != nil {
			t.Fatal(err)
		}
		after := &once.Keeper{Store: st, Master: fresh, Now: clock.Now}
		o, done, err = after.Begin(r, json.Marshal)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if raw, err := after.Answer(t.Context(), o, r); string(raw) != `"made"` || err != nil {
			t.Errorf("afterwards: %s %v", raw, err)
		}
		r.Asked = "b"
		if raw, err := after.Answer(t.Context(), o, r); raw != nil || !errors.Is(err, once.ErrOther) {
			t.Errorf("another request: %s %v", raw, err)
		}
		stranger := &once.Keeper{Store: st, Master: secret.NewMaster(), Now: clock.Now}
		r.Asked = "a"
		if raw, err := stranger.Answer(t.Context(), o, r); raw != nil || err == nil {
			t.Errorf("under a strange key: %s %v", raw, err)
		}
	})
}
