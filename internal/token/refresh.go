package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/onetimelogin/otl/internal/secret"
)

// RefreshPrefix starts every refresh token, so that a leaked one is recognised.
const RefreshPrefix = "otl_rt_"

// The parts of a refresh token in bytes: session id, generation, 256 random or
// derived bits, a tag over all of it.
const (
	refreshID     = 16
	refreshGen    = 4
	refreshRandom = 32
	refreshTag    = 16
	refreshBody   = refreshID + refreshGen + refreshRandom
	refreshSize   = refreshBody + refreshTag
)

// Refresher makes and reads refresh tokens under a key of the installation.
//
// The tag lets a token of any earlier generation be told from a forgery without
// storing one row for each exchange: only a token that was really issued can
// count as reused. The successor is derived from the token presented, a stored
// nonce and the key, so that a repeated request can be given the same successor
// while nothing that could be used is stored (decision D6).
type Refresher struct{ keys [][]byte }

// NewRefresher makes a refresher. The first key makes tokens; the others are
// former keys whose tokens are still good.
func NewRefresher(keys ...[]byte) Refresher { return Refresher{keys} }

// ErrMalformed means that a string is no refresh token at all.
var ErrMalformed = errors.New("malformed refresh token")

// Refresh is a refresh token taken apart.
type Refresh struct {
	Session    string
	Generation int
	Genuine    bool // the tag is right: this installation issued it
	raw        string
}

// Digest gives what is stored of the token.
func (r Refresh) Digest() []byte { return secret.Digest(r.raw) }

// Text gives the token as it was presented.
func (r Refresh) Text() secret.Text { return secret.NewText(r.raw) }

// First makes the first refresh token of a session. The id must be a ULID.
func (f Refresher) First(session string) (secret.Text, error) {
	return f.build(f.keys[0], session, 0, secret.Bytes(refreshRandom))
}

// Successors gives the token that follows the one presented, derived with the
// nonce. With several keys there are several candidates, the one of the current
// key first; the store's digest tells which was handed out.
func (f Refresher) Successors(r Refresh, nonce []byte) ([]secret.Text, error) {
	return f.derive("successor", nonce, []byte(r.raw), r.Session, r.Generation)
}

// Following gives, in the same way, the token that follows one of a generation that nobody presents: it is
// derived from the digest that is stored of it.
func (f Refresher) Following(session string, generation int, digest, nonce []byte) ([]secret.Text, error) {
	return f.derive("following", nonce, digest, session, generation)
}

func (f Refresher) derive(what string, nonce, from []byte, session string, generation int) ([]secret.Text, error) {
	var out []secret.Text
	for _, key := range f.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(what + "\x00"))
		mac.Write(nonce)
		mac.Write(from)
		next, err := f.build(key, session, generation+1, mac.Sum(nil))
		if err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	return out, nil
}

func (f Refresher) build(key []byte, session string, generation int, random []byte) (secret.Text, error) {
	id, err := ulid.ParseStrict(session)
	if err != nil {
		return secret.Text{}, err
	}
	b := make([]byte, 0, refreshSize)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(generation))
	b = append(b, random...)
	b = append(b, tag(key, b)...)
	return secret.NewText(RefreshPrefix + base64.RawURLEncoding.EncodeToString(b)), nil
}

func tag(key, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("tag\x00"))
	mac.Write(body)
	return mac.Sum(nil)[:refreshTag]
}

// Read takes a refresh token apart. The error is ErrMalformed. A token that is
// not Genuine proves nothing.
func (f Refresher) Read(raw secret.Text) (Refresh, error) {
	body, ok := strings.CutPrefix(raw.Reveal(), RefreshPrefix)
	if !ok || len(body) != base64.RawURLEncoding.EncodedLen(refreshSize) || !canonical(body) {
		return Refresh{}, ErrMalformed
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || len(b) != refreshSize {
		return Refresh{}, ErrMalformed
	}
	r := Refresh{
		Session:    ulid.ULID(b[:refreshID]).String(),
		Generation: int(binary.BigEndian.Uint32(b[refreshID:])),
		raw:        raw.Reveal(),
	}
	for _, key := range f.keys {
		if subtle.ConstantTimeCompare(tag(key, b[:refreshBody]), b[refreshBody:]) == 1 {
			r.Genuine = true
		}
	}
	return r, nil
}
