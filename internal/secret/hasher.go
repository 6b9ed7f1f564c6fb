package secret

import (
	"context"
	"sync"
	"time"
)

// Hasher hashes and checks passwords in a bounded pool, and makes every failed
// check take as long as the costliest kind of hash the installation holds, so
// that time tells nobody whether an account exists or how old its hash is
// (PW-09, PW-10).
type Hasher struct {
	Pool *Pool
	cost Argon2

	mu      sync.Mutex
	schemes map[string]pace // seen in the store
	costly  Hash            // a sham of the costliest scheme
}

// pace is how long one computation of a scheme takes: an estimate, and once it
// was measured a moving average.
type pace struct {
	took     time.Duration
	measured bool
}

// NewHasher makes a hasher that writes argon2id hashes of the given cost, as many at once as
// there are permits.
func NewHasher(cost Argon2, permits int) *Hasher {
	reserve(permits, cost)
	h := &Hasher{Pool: NewPool(permits), cost: cost, schemes: map[string]pace{}}
	if err := h.Learn(cost.scheme()); err != nil { // the cost was checked when it was configured
		panic(err)
	}
	return h
}

// Stored is a password hash as the store holds it. An empty one belongs to
// nobody and matches nothing, in the usual time.
type Stored struct {
	Hash     string
	Imported bool // made elsewhere: may not have been normalised
}

// Checked is the outcome of a check.
type Checked struct {
	Match  bool
	Rehash bool // it matched, and the hash should be replaced by one of ours
}

// Hash makes the stored form of a new password and names its scheme.
func (h *Hasher) Hash(ctx context.Context, owner string, password Text) (stored, scheme string, err error) {
	err = h.Pool.Do(ctx, owner, func() { stored = h.cost.hash(password.Reveal()) })
	return stored, h.cost.scheme(), err
}

// Check compares a password with a stored hash. A hash that is empty, unknown
// or out of bounds matches nothing and takes as long as any other. The error is
// otl.Busy, or the context's.
func (h *Hasher) Check(ctx context.Context, owner string, stored Stored, password Text) (Checked, error) {
	hash, err := ParseHash(stored.Hash)
	known := err == nil
	if known {
		err = h.Learn(hash.Scheme) // it may have been stored by another node a moment ago
	} else {
		hash, err = h.pretend(), nil
	}
	if err != nil {
		return Checked{}, err
	}
	var match bool
	var took time.Duration
	err = h.Pool.Do(ctx, owner, func() {
		start := time.Now()
		match = hash.Match(password.Reveal(), stored.Imported)
		took = time.Since(start)
	})
	if err != nil {
		return Checked{}, err
	}
	n := time.Duration(rounds(password.Reveal()))
	if n == 1 || !match { // of two computations a match may have saved the second
		h.measured(hash.Scheme, took/n)
	}
	if match && known {
		return Checked{Match: true, Rehash: stored.Imported || hash.Scheme != h.cost.scheme()}, nil
	}
	return Checked{}, level(ctx, h.floor()*n-took)
}

// Learn tells the hasher that the store holds hashes of this scheme, as Hash
// named it.
func (h *Hasher) Learn(scheme string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.schemes[scheme]; known {
		return nil
	}
	sham, err := shamHash(scheme)
	if err != nil {
		return err
	}
	h.schemes[scheme] = pace{took: sham.work}
	if sham.work > h.costly.work {
		h.costly = sham
	}
	return nil
}

func (h *Hasher) pretend() Hash {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.costly
}

func (h *Hasher) measured(scheme string, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.schemes[scheme]; old.measured {
		took = old.took + (took-old.took)/8
	}
	h.schemes[scheme] = pace{took, true}
}

// floor is how long a failed check takes at least. With one scheme in the store
// every check does the same work and nothing is added; with several, all of them
// are stretched to a common length somewhat above the slowest on this machine,
// which need not be the one that does most work: argon2 shares its work between
// cores.
func (h *Hasher) floor() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.schemes) < 2 {
		return 0
	}
	var slowest time.Duration
	for _, p := range h.schemes {
		slowest = max(slowest, p.took)
	}
	return slowest * 13 / 10
}

// level waits for what a failed check has left to be as long as any other.
func level(ctx context.Context, left time.Duration) error {
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
