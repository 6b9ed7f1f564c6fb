package installation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// rig opens installations on one store with one clock.
type rig struct {
	*otltest.Clock
	store  *store.Store
	master secret.Master
}

func newRig(st *store.Store) rig { return rig{otltest.NewClock(), st, secret.NewMaster()} }

func (r rig) open(t *testing.T, change ...func(*installation.Options)) (*installation.Installation, error) {
	t.Helper()
	o := installation.Options{
		Store: r.store, Master: r.master, Now: r.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Algorithm: token.ES256, Rotation: 90 * 24 * time.Hour, AccessTTL: 30 * time.Minute, Serve: true,
	}
	for _, c := range change {
		c(&o)
	}
	return installation.Open(t.Context(), o)
}

func (r rig) mustOpen(t *testing.T, change ...func(*installation.Options)) *installation.Installation {
	t.Helper()
	in, err := r.open(t, change...)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// sign makes an access token of the moment.
func (r rig) sign(t *testing.T, in *installation.Installation) string {
	t.Helper()
	now := r.Now()
	s, err := in.Ring.Sign(token.Access{
		ID: "1", Issuer: "https://id.test", Subject: "u", Audience: "s", Session: "x", SessionVersion: 1,
		Methods: []string{"pwd"}, AuthAt: now, IssuedAt: now, ExpiresAt: now.Add(30 * time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r rig) verify(in *installation.Installation, raw string) error {
	_, err := in.Ring.Verify(raw, "https://id.test", r.Now())
	return err
}

// published gives the ids of the keys in the JWK set.
func published(t *testing.T, in *installation.Installation) (ids []string) {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(in.Ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		if k["d"] != nil || k["p"] != nil || k["use"] != "sig" || k["alg"] == nil {
			t.Errorf("a key is published as %v", k)
		}
		ids = append(ids, k["kid"].(string))
	}
	return ids
}

func (r rig) maintain(t *testing.T, all ...*installation.Installation) {
	t.Helper()
	for _, in := range all {
		if err := in.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSR04_TheMasterKeyIsProven(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		if known, err := installation.Initialised(t.Context(), st); err != nil || known {
			t.Errorf("an empty database: %v %v", known, err)
		}
		first := r.mustOpen(t)
		if known, err := installation.Initialised(t.Context(), st); err != nil || !known {
			t.Errorf("afterwards: %v %v", known, err)
		}
		raw := r.sign(t, first)
		again := r.mustOpen(t)
		if again.SiteID != first.SiteID || r.verify(again, raw) != nil {
			t.Error("a restart is another installation")
		}
		wrong := r
		wrong.master = secret.NewMaster()
		if _, err := wrong.open(t); !errors.Is(err, installation.ErrMasterKey) {
			t.Errorf("a wrong key: %v", err)
		}
		if r.verify(r.mustOpen(t), raw) != nil {
			t.Error("the wrong key changed something")
		}
	})
}

// TestSR04_TheMasterKeyIsReplaced: with the old key beside it once, then alone.
func TestSR04_TheMasterKeyIsReplaced(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		raw := r.sign(t, r.mustOpen(t))
		old, fresh := r.master.Encode().Reveal(), secret.NewMaster().Encode().Reveal()
		both, err := secret.ParseMaster(fresh, old)
		if err != nil {
			t.Fatal(err)
		}
		r.master = both
		for range 2 {
			if r.verify(r.mustOpen(t), raw) != nil {
				t.Error("with both keys")
			}
		}
		if r.master, err = secret.ParseMaster(fresh); err != nil {
			t.Fatal(err)
		}
		if r.verify(r.mustOpen(t), raw) != nil {
			t.Error("with the new key alone")
		}
		if r.master, err = secret.ParseMaster(old); err != nil {
			t.Fatal(err)
		}
		if _, err := r.open(t); !errors.Is(err, installation.ErrMasterKey) {
			t.Errorf("with the old key alone: %v", err)
		}
	})
}

// TestAU01_AReplacedMasterKeyIsInTheLog: once, however many nodes start with the new key at the same
// moment and however often; no start with the same key is.
func TestAU01_AReplacedMasterKeyIsInTheLog(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		r.mustOpen(t)
		entries := func() int {
			found, err := st.Read.Events.Select(t.Context(), store.EventQuery{Type: otl.EventMasterReplaced, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range found {
				if e.By.Kind != otl.ActorSystem || e.SiteID != "" || len(e.Data) != 0 {
					t.Errorf("%+v", e)
				}
			}
			return len(found)
		}
		for want := range 3 {
			if n := entries(); n != want {
				t.Fatalf("%d entries, want %d", n, want)
			}
			var err error
			if r.master, err = secret.ParseMaster(secret.NewMaster().Encode().Reveal(), r.master.Encode().Reveal()); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if _, err := r.open(t); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			r.mustOpen(t)
		}
	})
}

// TestPR07_TheKeyOfPairwiseIdsStays: it is one for all nodes that start at once, in an installation
// that is older than it too, and outlives the master key that it was sealed under.
func TestPR07_TheKeyOfPairwiseIdsStays(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		keys := make([]string, 4)
		var all sync.WaitGroup
		for i := range keys {
			all.Go(func() {
				in, err := r.open(t)
				if err != nil {
					t.Error(err)
					return
				}
				keys[i] = in.Subjects.Reveal()
			})
		}
		all.Wait()
		row, err := st.Read.Installation.Get(t.Context())
		if err != nil || len(keys[0]) != 32 || strings.Contains(string(row.SubjectKey), keys[0]) || len(slices.Compact(keys)) != 1 {
			t.Fatalf("%d keys of %d bytes: %v", len(slices.Compact(keys)), len(keys[0]), err)
		}
		fresh := secret.NewMaster().Encode().Reveal()
		for _, previous := range [][]string{{r.master.Encode().Reveal()}, nil} {
			if r.master, err = secret.ParseMaster(fresh, previous...); err != nil {
				t.Fatal(err)
			}
			if got := r.mustOpen(t).Subjects.Reveal(); got != keys[0] {
				t.Error("people have other ids under another master key")
			}
		}
	})
}

// TestSE16_Rotation: a key is published an hour before it signs, signs for its
// time, and verifies until a day after its last token has expired.
func TestSE16_Rotation(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		in := r.mustOpen(t)
		old := published(t, in)
		r.Advance(90*24*time.Hour - time.Hour - time.Millisecond)
		r.maintain(t, in)
		if got := published(t, in); !slices.Equal(got, old) {
			t.Errorf("more than an hour before: %v", got)
		}
		r.Advance(time.Millisecond)
		r.maintain(t, in)
		both := published(t, in)
		if len(both) != 2 || !slices.Contains(both, old[0]) {
			t.Fatalf("an hour before: %v", both)
		}
		last := r.sign(t, in) // still by the old key
		r.Advance(time.Hour)
		r.maintain(t, in)
		fresh := r.sign(t, in)
		if r.verify(in, fresh) != nil {
			t.Error("the new key's token")
		}
		keys, err := accessKeys(t, in)
		if err != nil || len(keys) != 2 || !keys[0].SignUntil.Equal(keys[1].SignFrom) || !keys[1].SignUntil.IsZero() {
			t.Errorf("%+v %v", keys, err)
		}
		if in.Ring.Ready(r.Now()) != true || r.verify(in, last) == nil {
			t.Error("the old token has expired by now, and is good") // 30 minutes are over
		}
		r.Advance(24*time.Hour + 30*time.Minute)
		r.maintain(t, in)
		if got := published(t, in); len(got) != 2 {
			t.Errorf("at the end of the overlap: %v", got)
		}
		r.Advance(time.Millisecond)
		r.maintain(t, in)
		if got := published(t, in); len(got) != 1 || got[0] == old[0] {
			t.Errorf("after the overlap: %v", got)
		}
	})
}

func TestRotateByHand(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		in := r.mustOpen(t)
		before := r.sign(t, in)
		if err := in.Rotate(t.Context(), false, false); err != nil {
			t.Fatal(err)
		}
		if len(published(t, in)) != 2 || r.verify(in, before) != nil {
			t.Error("with lead")
		}
		r.Advance(time.Minute)
		if err := in.Rotate(t.Context(), true, true); err != nil { // a key was stolen
			t.Fatal(err)
		}
		if r.verify(in, before) == nil || len(published(t, in)) != 1 {
			t.Errorf("the old keys still verify: %v", published(t, in))
		}
		if r.verify(in, r.sign(t, in)) != nil {
			t.Error("no key signs")
		}
	})
}

// TestAnotherNodesKeysAreLoaded: what one node or command does, another knows
// after its next turn.
func TestAnotherNodesKeysAreLoaded(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		one, two := r.mustOpen(t), r.mustOpen(t)
		old := r.sign(t, two)
		if err := one.Rotate(t.Context(), true, true); err != nil {
			t.Fatal(err)
		}
		fresh := r.sign(t, one)
		if r.verify(two, fresh) == nil {
			t.Error("it knew before its turn")
		}
		r.maintain(t, two)
		if r.verify(two, fresh) != nil || r.verify(two, old) == nil || fmt.Sprint(published(t, one)) != fmt.Sprint(published(t, two)) {
			t.Error("it does not know")
		}
	})
}

// TestManyNodesStartOnOneEmptyDatabase: they are one installation with one key.
func TestManyNodesStartOnOneEmptyDatabase(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		nodes := make([]*installation.Installation, 6)
		var wg sync.WaitGroup
		for i := range nodes {
			wg.Go(func() {
				in, err := r.open(t)
				if err != nil {
					t.Error(err)
					return
				}
				nodes[i] = in
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		r.maintain(t, nodes...)
		for _, in := range nodes[1:] {
			if in.SiteID != nodes[0].SiteID || r.verify(in, r.sign(t, nodes[0])) != nil || len(published(t, in)) != 1 {
				t.Errorf("%s and %s, %d keys", in.SiteID, nodes[0].SiteID, len(published(t, in)))
			}
		}
	})
}

// TestMN12_NodesRotateAtOnce: of several that maintain their keys in the same moment one makes
// the next key, and all publish it.
func TestMN12_NodesRotateAtOnce(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		nodes := []*installation.Installation{r.mustOpen(t), r.mustOpen(t), r.mustOpen(t)}
		r.maintain(t, nodes...)
		r.Advance(90*24*time.Hour - time.Hour)
		var all sync.WaitGroup
		for _, in := range nodes {
			all.Go(func() {
				if err := in.Maintain(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		r.maintain(t, nodes...)
		want := published(t, nodes[0])
		for _, in := range nodes {
			if got := published(t, in); len(got) != 2 || !slices.Equal(got, want) {
				t.Errorf("published %v, want %v", got, want)
			}
		}
	})
}

// TestACommandRotatesNothing: its configuration may be another than the servers'.
func TestACommandRotatesNothing(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		command := func(o *installation.Options) { o.Algorithm, o.Serve = token.EdDSA, false }
		server := r.mustOpen(t)
		r.Advance(365 * 24 * time.Hour)
		if in := r.mustOpen(t, command); len(published(t, in)) != 1 || r.verify(in, r.sign(t, server)) != nil {
			t.Errorf("a command left %d keys", len(published(t, in)))
		}
	})
}

// TestTheAlgorithmChanges: the next key has the new one, after the usual lead.
func TestTheAlgorithmChanges(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		r := newRig(st)
		old := r.sign(t, r.mustOpen(t))
		in := r.mustOpen(t, func(o *installation.Options) { o.Algorithm = token.EdDSA })
		if r.verify(in, old) != nil || len(published(t, in)) != 2 {
			t.Error("the old key is gone, or the new one not there")
		}
		r.Advance(time.Hour)
		keys, err := accessKeys(t, in)
		if err != nil || len(keys) != 2 || keys[1].Algorithm != token.EdDSA || r.verify(in, r.sign(t, in)) != nil {
			t.Errorf("%+v %v", keys, err)
		}
		r.maintain(t, in, r.mustOpen(t, func(o *installation.Options) { o.Algorithm = token.EdDSA }))
		if len(published(t, in)) != 2 {
			t.Error("one more key at each start")
		}
	})
}

// accessKeys gives the keys of access tokens; those of the other chain live in the
// same way.
func accessKeys(t *testing.T, in *installation.Installation) ([]installation.SigningKey, error) {
	t.Helper()
	all, err := in.SigningKeys(t.Context())
	return slices.DeleteFunc(all, func(k installation.SigningKey) bool { return k.Purpose != "access" }), err
}
