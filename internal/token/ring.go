package token

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Ring is the set of signing keys in force. It is safe for concurrent use; Load
// swaps the whole set at once.
type Ring struct {
	keys atomic.Pointer[loaded]
	seen *seen
}

type loaded struct {
	ordered  []ready                     // by SignFrom
	byHeader map[string]map[string]ready // by the type of their tokens and the header these carry
	set      jose.JSONWebKeySet
	jwks     []byte
}

type ready struct {
	Key
	sign map[string]jose.Signer // by the type of token
}

// NewRing makes a ring without keys.
func NewRing() *Ring {
	r := &Ring{seen: newSeen()}
	r.keys.Store(&loaded{jwks: []byte(`{"keys":[]}`)})
	return r
}

// Load replaces the keys. They are given in the order they sign. Tokens that
// were verified under keys no longer given stop verifying at once.
func (r *Ring) Load(keys []Key) error {
	l := &loaded{byHeader: map[string]map[string]ready{}}
	for _, typ := range types {
		l.byHeader[typ] = map[string]ready{}
	}
	l.set.Keys = []jose.JSONWebKey{}
	for _, k := range keys {
		one := ready{Key: k, sign: map[string]jose.Signer{}}
		for _, typ := range types {
			opts := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", k.ID)
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k.Private}, opts)
			if err != nil {
				return fmt.Errorf("signing key %s: %w", k.ID, err)
			}
			one.sign[typ] = signer
			l.byHeader[typ][k.header(typ)] = one
		}
		l.ordered = append(l.ordered, one)
		l.set.Keys = append(l.set.Keys, k.Public())
	}
	var err error
	if l.jwks, err = json.Marshal(l.set); err != nil {
		return err
	}
	r.keys.Store(l)
	r.seen.clear()
	return nil
}

// JWKS gives the public keys as the JSON of a JWK set (RFC 7517 section 5):
// those that sign, those that will, and those whose tokens are still about.
func (r *Ring) JWKS() []byte { return r.keys.Load().jwks }

// JWKS gives the public keys of several rings as one JWK set, in their order.
func JWKS(rings ...*Ring) []byte {
	all := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, r := range rings {
		all.Keys = append(all.Keys, r.keys.Load().set.Keys...)
	}
	raw, err := json.Marshal(all)
	if err != nil { // each ring wrote its own when it was loaded
		panic(err)
	}
	return raw
}

// Ready reports whether a key signs at the given time.
func (r *Ring) Ready(now time.Time) bool {
	_, err := r.signer(now)
	return err == nil
}

var errNoKey = errors.New("no signing key is in force")

// signer gives the newest key that signs at the given time. Before all of them it is the oldest: the clock
// was set back, and nobody could sign in until it is there again. Verifiers have known that key longest.
func (r *Ring) signer(at time.Time) (ready, error) {
	keys := r.keys.Load().ordered
	for i := len(keys) - 1; i >= 0; i-- {
		if !keys[i].SignFrom.After(at) {
			return keys[i], nil
		}
	}
	if len(keys) > 0 {
		return keys[0], nil
	}
	return ready{}, errNoKey
}

func (r *Ring) verifier(typ, header string, now time.Time) (ready, bool) {
	key, ok := r.keys.Load().byHeader[typ][header]
	if !ok || !key.VerifyUntil.IsZero() && !now.Before(key.VerifyUntil) {
		return ready{}, false
	}
	return key, true
}

// seen remembers tokens whose signature was found right, because checking one
// costs more than everything else a cheap call does. It holds two generations
// of at most seenSize tokens by their digest; the older is dropped when the
// newer is full. It says nothing about sessions: those are asked for each time.
type seen struct {
	mu       sync.RWMutex
	now, old map[[sha256.Size]byte]Access
}

const seenSize = 8192

func newSeen() *seen { return &seen{now: map[[sha256.Size]byte]Access{}} }

func (s *seen) get(raw string) (Access, bool) {
	key := sha256.Sum256([]byte(raw))
	s.mu.RLock()
	a, ok := s.now[key]
	old := false
	if !ok {
		a, old = s.old[key]
	}
	s.mu.RUnlock()
	if old {
		s.add(key, a)
	}
	return a, ok || old
}

func (s *seen) put(raw string, a Access) { s.add(sha256.Sum256([]byte(raw)), a) }

func (s *seen) add(key [sha256.Size]byte, a Access) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.now) >= seenSize {
		s.old, s.now = s.now, map[[sha256.Size]byte]Access{}
	}
	s.now[key] = a
}

func (s *seen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.old = map[[sha256.Size]byte]Access{}, nil
}
