package token

import (
	"encoding/json"
	"time"
)

// Claims is what a token of an OpenID client says. Times are whole seconds.
type Claims map[string]any

// Text gives a claim that is a string, "" for any other.
func (c Claims) Text(name string) string {
	s, _ := c[name].(string)
	return s
}

// Number gives a claim that is a whole number, 0 for any other.
func (c Claims) Number(name string) int64 {
	f, _ := c[name].(float64)
	return int64(f)
}

// SignClaims issues a token of one type with the key that signs at the time of its
// "iat".
func (r *Ring) SignClaims(typ string, c Claims, issuedAt time.Time) (string, error) {
	key, err := r.signer(issuedAt)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return key.compact(typ, payload)
}

// VerifyClaims reads a token of one type that this installation issued for the
// given issuer and that is valid at the given time. Every failure is ErrInvalid.
func (r *Ring) VerifyClaims(typ, raw, issuer string, now time.Time) (Claims, error) {
	c, err := r.VerifyPast(typ, raw, issuer, now)
	if err != nil || now.Unix() >= c.Number("exp") {
		return nil, ErrInvalid
	}
	return c, nil
}

// VerifyPast reads a token as VerifyClaims does, but for its expiry: as a hint of whom
// it was issued to, which is no proof of anything (OpenID Connect RP-Initiated Logout).
func (r *Ring) VerifyPast(typ, raw, issuer string, now time.Time) (Claims, error) {
	if len(raw) > MaxSize {
		return nil, ErrInvalid
	}
	payload, err := r.open(typ, raw, now)
	if err != nil {
		return nil, err
	}
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, ErrInvalid
	}
	if c.Text("iss") != issuer || time.Unix(c.Number("iat"), 0).After(now.Add(Skew)) {
		return nil, ErrInvalid
	}
	return c, nil
}
