package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Proofs checks that whoever makes a request holds a key, to which tokens can be bound
// (DPoP, RFC 9449). A proof is good once and within a minute, so that no nonce of ours is
// needed.
type Proofs struct {
	Store *store.Store
	Now   func() time.Time
}

// ErrProof is the answer to a proof that is none, of another request, too old, from the
// future, or was used before.
var ErrProof = &otl.Error{Kind: otl.Invalid, Code: "invalid_dpop_proof", Text: "The DPoP proof is not good for this request, or was used before."}

// ProofAlgorithms are those that keys may sign proofs with.
func ProofAlgorithms() []string { return token.ForeignAlgorithms() }

const (
	proofAge    = time.Minute      // how old a proof may be
	proofAhead  = 10 * time.Second // how far ahead the clock of a client may be
	maxTokenID  = 256              // bytes of a jti
	longestSeen = proofAge + proofAhead
)

// Request is what a proof has to be about.
type Request struct {
	Proof  secret.Text
	Method string
	URL    string      // without query
	Access secret.Text // that comes along; empty for none
	FAPI   bool        // of a client that is held to that profile
}

// Check uses a proof up and gives the thumbprint of its key. The error is ErrProof.
func (p Proofs) Check(ctx context.Context, r Request) (key string, err error) {
	said, err := token.ReadProof(r.Proof.Reveal(), token.AlgorithmsOf(r.FAPI))
	now := p.Now()
	if err != nil || said.Method != r.Method || !sameURL(said.URL, r.URL) || said.ID == "" || len(said.ID) > maxTokenID ||
		said.IssuedAt.Before(now.Add(-proofAge)) || said.IssuedAt.After(now.Add(proofAhead)) || said.Access != accessDigest(r.Access) {
		return "", ErrProof
	}
	first := false
	err = p.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err = tx.SeenTokens.First(ctx, secret.Digest("proof|"+said.Key+"|"+said.ID), now.Add(longestSeen))
		return err
	})
	if err == nil && !first {
		err = ErrProof
	}
	return said.Key, err
}

// Prune forgets tokens of others that nobody would take any more.
func (p Proofs) Prune(ctx context.Context) error {
	return p.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.SeenTokens.Prune(ctx, p.Now(), store.Batch)
	})
}

// accessDigest is the "ath" of an access token, "" of none.
func accessDigest(raw secret.Text) string {
	if raw.Empty() {
		return ""
	}
	sum := sha256.Sum256([]byte(raw.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameURL compares what a proof names with where the request went: without query and
// fragment, and in one spelling of scheme, host and port (RFC 9449 section 4.3).
func sameURL(named, want string) bool {
	a, errA := url.Parse(named)
	b, errB := url.Parse(want)
	return errA == nil && errB == nil && a.User == nil && strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) &&
		port(a) == port(b) && a.EscapedPath() == b.EscapedPath()
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" || !slices.Contains([]string{"http", "https"}, strings.ToLower(u.Scheme)) {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
}
