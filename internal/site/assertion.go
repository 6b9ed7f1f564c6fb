package site

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// AssertionType is the client_assertion_type of a signed assertion (RFC 7523 section 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Bounds of an assertion.
const (
	longestAssertion = time.Hour // from now until it expires
	assertionSkew    = 30 * time.Second
	maxAssertionID   = 256 // bytes of its jti
)

// Proof is what a client shows in one request: a secret, an assertion that it signed, or
// neither where it is public. It never shows two.
type Proof struct {
	ID        string // "" where the assertion says it
	Secret    secret.Text
	Assertion secret.Text
}

// Prove finds the client of a proof, with its site. Whatever is wrong the error is
// ErrClient (OA-15).
func (s *Clients) Prove(ctx context.Context, p Proof) (otl.Client, otl.Site, error) {
	if p.Assertion.Empty() {
		if !p.Secret.Empty() {
			return s.Authenticate(ctx, p.ID, p.Secret)
		}
		c, of, err := s.Find(ctx, p.ID)
		if err == nil && c.Auth != otl.AuthNone {
			err = ErrClient
		}
		return c, of, err
	}
	id := token.Peek(p.Assertion.Reveal(), "sub")
	if !p.Secret.Empty() || p.ID != "" && p.ID != id {
		return otl.Client{}, otl.Site{}, ErrClient
	}
	c, of, err := s.Find(ctx, id)
	if err != nil {
		return c, of, err
	}
	if c.Auth != otl.AuthKey {
		return otl.Client{}, otl.Site{}, ErrClient
	}
	return c, of, s.assert(ctx, c, p.Assertion)
}

// assert uses up an assertion of a client: signed with one of its keys, by itself, about
// itself, for this server alone, for an hour at most, and once.
func (s *Clients) assert(ctx context.Context, c otl.Client, raw secret.Text) error {
	said, err := s.signed(ctx, c, raw)
	if err != nil {
		return err
	}
	now, exp := s.Now(), time.Unix(said.Number("exp"), 0)
	jti, audience := said.Text("jti"), said.Text("aud")
	if one, ok := said["aud"].([]any); ok && len(one) == 1 && !c.FAPI { // whose profile knows a string alone (OA-23)
		audience, _ = one[0].(string)
	}
	switch {
	case said.Text("iss") != c.ID, said.Text("sub") != c.ID, audience != s.Issuer, jti == "", len(jti) > maxAssertionID,
		!now.Before(exp.Add(assertionSkew)), exp.After(now.Add(longestAssertion)),
		time.Unix(said.Number("iat"), 0).After(now.Add(assertionSkew)), time.Unix(said.Number("nbf"), 0).After(now.Add(assertionSkew)):
		return ErrClient
	}
	first := false
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err = tx.SeenTokens.First(ctx, secret.Digest("assertion|"+c.ID+"|"+jti), exp.Add(assertionSkew))
		return err
	})
	if err == nil && !first {
		err = ErrClient
	}
	return err
}

// signed reads an assertion that was signed with one of a client's keys. Where they are
// read from an address, one that is not known yet has them read again.
func (s *Clients) signed(ctx context.Context, c otl.Client, raw secret.Text) (token.Claims, error) {
	if c.JWKSURI == "" {
		keys, err := token.ParseKeys([]byte(c.JWKS))
		if err != nil {
			return nil, err
		}
		return claimsOrNone(keys.Assertion(raw.Reveal(), token.AlgorithmsOf(c.FAPI)))
	}
	keys, err := s.fetched.keys(ctx, s, source{c.SiteID, c.JWKSURI}, keysKept)
	if err != nil {
		return nil, err
	}
	said, err := keys.Assertion(raw.Reveal(), token.AlgorithmsOf(c.FAPI))
	if errors.Is(err, token.ErrUnknownKey) {
		if keys, err = s.fetched.keys(ctx, s, source{c.SiteID, c.JWKSURI}, keysAgain); err == nil {
			said, err = keys.Assertion(raw.Reveal(), token.AlgorithmsOf(c.FAPI))
		}
	}
	return claimsOrNone(said, err)
}

func claimsOrNone(c token.Claims, err error) (token.Claims, error) {
	if err != nil {
		return nil, ErrClient
	}
	return c, nil
}

const (
	// keysKept is how long keys that were read from an address are taken for what is
	// there, keysAgain how long where one of them is missing: nobody makes us read an
	// address more often (OA-12).
	keysKept  = time.Hour
	keysAgain = 5 * time.Minute
	// failedKept is how long an address is left alone that gave no keys.
	failedKept = 30 * time.Second
	// staleKept is how long keys are good that could not be read again.
	staleKept = 24 * time.Hour
	// mostSources bounds how many are remembered.
	mostSources = 1000
)

// source is where a site keeps keys of its clients. What others read there counts for none of
// its own: how long it takes would tell of them (TE-11).
type source struct{ site, address string }

// fetched remembers the keys of clients that name an address for them.
type fetched struct {
	mu      sync.Mutex
	all     map[source]fetchedKeys
	reading singleflight.Group // by site and address: however many ask, one reads
}

type fetchedKeys struct {
	keys token.Keys
	read time.Time // when keys were; zero for never
	at   time.Time // when it was last tried
	err  error
}

// keys gives the keys of a source, not older than a time. The error is ErrClient where
// there are none.
func (f *fetched) keys(ctx context.Context, s *Clients, from source, oldest time.Duration) (token.Keys, error) {
	have := f.known(from)
	if have.err != nil {
		oldest = failedKept
	}
	if !have.at.IsZero() && s.Now().Sub(have.at) < oldest {
		return have.keys, have.err
	}
	got, _, _ := f.reading.Do(from.site+" "+from.address, func() (any, error) {
		k := fetch(context.WithoutCancel(ctx), s, from, have) // whoever asked first may leave
		f.keep(from, k)
		return k, nil
	})
	have, _ = got.(fetchedKeys)
	return have.keys, have.err
}

// fetch reads keys. Those that were there before stay good for a while where they cannot
// be read again: who makes that fail keeps no client out.
func fetch(ctx context.Context, s *Clients, from source, before fetchedKeys) fetchedKeys {
	now := s.Now()
	raw, err := s.Fetch(ctx, from.site, from.address)
	var keys token.Keys
	if err == nil {
		keys, err = token.ParseKeys(raw)
	}
	switch {
	case err == nil:
		return fetchedKeys{keys: keys, read: now, at: now}
	case !before.read.IsZero() && now.Sub(before.read) < staleKept:
		return fetchedKeys{keys: before.keys, read: before.read, at: now}
	}
	return fetchedKeys{at: now, err: fmt.Errorf("%w: read %s: %w", ErrClient, from.address, err)}
}

func (f *fetched) known(from source) fetchedKeys {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[from]
}

// keep remembers what was read, in the place of what was tried longest ago where there is
// no more room.
func (f *fetched) keep(from source, k fetchedKeys) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[source]fetchedKeys{}
	}
	if _, there := f.all[from]; !there && len(f.all) >= mostSources {
		delete(f.all, slices.MinFunc(slices.Collect(maps.Keys(f.all)), func(a, b source) int { return f.all[a].at.Compare(f.all[b].at) }))
	}
	f.all[from] = k
}
