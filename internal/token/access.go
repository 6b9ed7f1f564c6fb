package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Access is what an access token says (contract 1.2).
type Access struct {
	ID             string // jti
	Issuer         string
	Subject        string // user id
	Audience       string // site id, or the issuer for first-party tokens
	Session        string // sid
	SessionVersion int
	Email, Name    string // only where the person granted them to the site
	Roles          []string
	Methods        []string // amr
	AuthAt         time.Time
	IssuedAt       time.Time
	ExpiresAt      time.Time
}

// claims is the JSON of an access token. Times are whole seconds (RFC 7519
// section 2, NumericDate).
type claims struct {
	Issuer         string   `json:"iss"`
	Subject        string   `json:"sub"`
	Audience       string   `json:"aud"`
	Session        string   `json:"sid"`
	SessionVersion int      `json:"session_version"`
	IssuedAt       int64    `json:"iat"`
	NotBefore      int64    `json:"nbf"`
	Expires        int64    `json:"exp"`
	ID             string   `json:"jti"`
	Email          string   `json:"email,omitempty"`
	Name           string   `json:"name,omitempty"`
	Roles          []string `json:"roles"`
	Methods        []string `json:"amr"`
	AuthAt         int64    `json:"auth_time"`
}

// MaxSize is the longest token that is looked at, in bytes (SE-09).
const MaxSize = 8 << 10

// Skew is how far the clock of another node may be ahead: a token from the
// future by more is refused.
const Skew = 30 * time.Second

// ErrInvalid means that a token was not issued here, was altered, or is outside
// its time. Which of them is nobody's business.
var ErrInvalid = errors.New("invalid access token")

// Sign issues an access token with the key that signs at a.IssuedAt.
func (r *Ring) Sign(a Access) (string, error) {
	key, err := r.signer(a.IssuedAt)
	if err != nil {
		return "", err
	}
	roles := a.Roles
	if roles == nil {
		roles = []string{}
	}
	payload, err := json.Marshal(claims{
		Issuer: a.Issuer, Subject: a.Subject, Audience: a.Audience, Session: a.Session, SessionVersion: a.SessionVersion,
		IssuedAt: a.IssuedAt.Unix(), NotBefore: a.IssuedAt.Unix(), Expires: a.ExpiresAt.Unix(), ID: a.ID,
		Email: a.Email, Name: a.Name, Roles: roles, Methods: a.Methods, AuthAt: a.AuthAt.Unix(),
	})
	if err != nil {
		return "", err
	}
	return key.compact(TypeAccess, payload)
}

// Verify reads an access token this installation issued for the given issuer
// and that is valid at the given time. Every failure is ErrInvalid. A token that
// verified before is not verified again until the keys change.
func (r *Ring) Verify(raw, issuer string, now time.Time) (Access, error) {
	if len(raw) > MaxSize {
		return Access{}, ErrInvalid
	}
	a, known := r.seen.get(raw)
	if !known {
		var err error
		if a, err = r.read(raw, now); err != nil {
			return Access{}, err
		}
		r.seen.put(raw, a)
	}
	if a.Issuer != issuer || a.IssuedAt.After(now.Add(Skew)) || !now.Before(a.ExpiresAt) {
		return Access{}, ErrInvalid
	}
	return a, nil
}

// read gives what an access token says.
func (r *Ring) read(raw string, now time.Time) (Access, error) {
	signed, err := r.open(TypeAccess, raw, now)
	if err != nil {
		return Access{}, err
	}
	var c claims
	if err := json.Unmarshal(signed, &c); err != nil {
		return Access{}, ErrInvalid
	}
	return Access{
		ID: c.ID, Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience, Session: c.Session,
		SessionVersion: c.SessionVersion, Email: c.Email, Name: c.Name, Roles: c.Roles, Methods: c.Methods,
		AuthAt: time.Unix(c.AuthAt, 0).UTC(), IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(c.Expires, 0).UTC(),
	}, nil
}

// open checks form and signature and gives the payload. The header must be, byte for byte, the one
// some key of ours writes: that pins algorithm, key and type, and leaves no room
// for jku, jwk, x5u, crit, zip or b64 (SE-08). Payload and signature must be the
// one spelling of their bytes (SE-06).
func (r *Ring) open(typ, raw string, now time.Time) ([]byte, error) {
	header, rest, ok1 := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	key, known := r.verifier(typ, header, now)
	if !ok1 || !ok2 || !known || !canonical(payload) || !canonical(signature) {
		return nil, ErrInvalid
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm)})
	if err != nil {
		return nil, ErrInvalid
	}
	signed, err := jws.Verify(key.Private.Public())
	if err != nil {
		return nil, ErrInvalid
	}
	return signed, nil
}

// compact signs a payload as a token of one type (RFC 7515 section 3.1).
func (k ready) compact(typ string, payload []byte) (string, error) {
	jws, err := k.sign[typ].Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// canonical reports whether s is the one base64url spelling of its bytes.
func canonical(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && base64.RawURLEncoding.EncodeToString(b) == s
}
