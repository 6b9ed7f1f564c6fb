package once

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// kept is how long an answer can be asked for again: a day, and an hour for
// clocks that differ.
const kept = 25 * time.Hour

// Maximum length of a key in bytes.
const maxKey = 255

// ErrOther means that the key stands for another request.
var ErrOther = otl.InvalidField("Idempotency-Key", "idempotency_key_reused", "was sent before with another request; use a new one")

// Keeper finds the answers that are kept.
type Keeper struct {
	Store  *store.Store
	Master secret.Master
	Now    func() time.Time

	mu    sync.Mutex
	under map[string]bool // ids of what this node is doing
}

// Request is one request as its caller may repeat it.
type Request struct {
	Caller string // whose key it is: nobody can ask for another's answer
	Key    string // 1 to 255 visible ASCII characters
	Asked  string // everything that was asked for
}

// Begin starts an act. Seal makes the bytes to keep of its result. While the same
// act is under way at this node the error is otl.ErrOnceUnderWay; done ends it.
func (k *Keeper) Begin(r Request, seal func(result any) ([]byte, error)) (o *otl.Once, done func(), err error) {
	if r.Key == "" || len(r.Key) > maxKey || strings.ContainsFunc(r.Key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, nil, otl.InvalidField("Idempotency-Key", "malformed", "must be 1 to 255 visible ASCII characters")
	}
	id := sha256.Sum256([]byte(r.Caller + "\x00" + r.Key))
	o = &otl.Once{ID: id[:], Asked: k.asked(r)[0], Expires: k.Now().Add(kept)}
	place := place(o.ID)
	o.Seal = func(result any) ([]byte, error) {
		plain, err := seal(result)
		if err != nil {
			return nil, err
		}
		return k.Master.Seal(plain, place), nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.under[place] {
		return nil, nil, otl.ErrOnceUnderWay
	}
	if k.under == nil {
		k.under = map[string]bool{}
	}
	k.under[place] = true
	return o, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.under, place)
	}, nil
}

// Answer gives the answer that is kept for the act of a request, nil where it was
// not done. ErrOther means that something else was asked for under the same key.
func (k *Keeper) Answer(ctx context.Context, o *otl.Once, r Request) ([]byte, error) {
	asked, sealed, err := k.Store.Read.Answers.Find(ctx, o.ID, k.Now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !slices.ContainsFunc(k.asked(r), func(a []byte) bool { return hmac.Equal(a, asked) }):
		return nil, ErrOther
	}
	return k.Master.Open(sealed, place(o.ID))
}

// Prune deletes answers that nobody may ask for any more.
func (k *Keeper) Prune(ctx context.Context) error {
	return k.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.Answers.Prune(ctx, k.Now(), store.Batch)
	})
}

// asked gives the digest of what a request asks for, and those it had under
// master keys that were replaced. It is keyed, because there may be a password
// in it.
func (k *Keeper) asked(r Request) (all [][]byte) {
	for _, key := range k.Master.DeriveAll("once") {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(r.Asked))
		all = append(all, h.Sum(nil))
	}
	return all
}

func place(id []byte) string { return "answers|" + hex.EncodeToString(id) + "|answer" }
