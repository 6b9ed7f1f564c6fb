package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/token"
)

const issuer = "https://id.test"

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newKey makes a key that signs from a time on.
func newKey(t testing.TB, id string, alg token.Algorithm, from time.Time) token.Key {
	t.Helper()
	private, err := token.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return token.Key{ID: id, Algorithm: alg, Private: private, SignFrom: from}
}

// ring holds keys.
func ring(t testing.TB, keys ...token.Key) *token.Ring {
	t.Helper()
	r := token.NewRing()
	if err := r.Load(keys); err != nil {
		t.Fatal(err)
	}
	return r
}

// access is a token for half an hour.
func access() token.Access {
	return token.Access{
		ID: "jti", Issuer: issuer, Subject: "user", Audience: "site", Session: "session", SessionVersion: 7, Email: "jane@dev.test", Name: "Jane Ö.",
		Roles: []string{"admin"}, Methods: []string{"pwd"}, AuthAt: now.Add(-time.Hour), IssuedAt: now, ExpiresAt: now.Add(30 * time.Minute),
	}
}

func sign(t testing.TB, r *token.Ring, a token.Access) string {
	t.Helper()
	raw, err := r.Sign(a)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func algorithms() []token.Algorithm {
	return []token.Algorithm{token.ES256, token.RS256, token.EdDSA}
}

func TestATokenSaysWhatWasSigned(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms() {
		r := ring(t, newKey(t, "k1", alg, now))
		raw := sign(t, r, access())
		for range 2 { // the second time it is known
			got, err := r.Verify(raw, issuer, now)
			if err != nil || !reflect.DeepEqual(got, access()) {
				t.Errorf("%s: %+v %v", alg, got, err)
			}
		}
		header, _, _ := strings.Cut(raw, ".")
		if h, err := base64.RawURLEncoding.DecodeString(header); err != nil || string(h) != fmt.Sprintf(`{"alg":%q,"kid":"k1","typ":"at+jwt"}`, alg) {
			t.Errorf("%s %v", h, err)
		}
	}
}

// members gives the JSON of a part of a token.
func members(t *testing.T, part string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// What the person did not grant is not there at all (contract 1.2).
func TestClaimsNotGrantedAreAbsent(t *testing.T) {
	t.Parallel()
	r := ring(t, newKey(t, "k1", token.ES256, now))
	a := access()
	a.Email, a.Name, a.Roles = "", "", nil
	claims := members(t, strings.Split(sign(t, r, a), ".")[1])
	want := map[string]any{
		"iss": issuer, "sub": "user", "aud": "site", "sid": "session", "session_version": 7.0, "jti": "jti", "roles": []any{}, "amr": []any{"pwd"},
		"iat": float64(now.Unix()), "nbf": float64(now.Unix()), "exp": float64(now.Unix() + 1800), "auth_time": float64(now.Unix() - 3600),
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("%v\nwant %v", claims, want)
	}
}

// verifyByHand checks a signature with the JWK set and the standard library
// alone, as somebody else's verifier would.
func verifyByHand(t *testing.T, jwks []byte, raw string) bool {
	t.Helper()
	var set struct {
		Keys []struct{ Kty, Crv, X, Y, N, E, Kid, Alg, Use, D string }
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(raw, ".")
	signed := []byte(parts[0] + "." + parts[1])
	sum := sha256.Sum256(signed)
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	signature := decode(parts[2])
	for _, k := range set.Keys {
		if k.Kid != members(t, parts[0])["kid"] {
			continue
		}
		if k.Use != "sig" || k.D != "" {
			t.Errorf("published as %+v", k)
		}
		switch k.Kty {
		case "EC":
			point := append(append([]byte{4}, decode(k.X)...), decode(k.Y)...)
			pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
			if err != nil {
				t.Fatal(err)
			}
			return ecdsa.Verify(pub, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
		case "RSA":
			pub := &rsa.PublicKey{N: new(big.Int).SetBytes(decode(k.N)), E: int(new(big.Int).SetBytes(decode(k.E)).Int64())}
			return pub.N.BitLen() == 2048 && rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], signature) == nil
		case "OKP":
			return ed25519.Verify(decode(k.X), signed, signature)
		}
	}
	return false
}

func TestAnybodyCanVerify(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms() {
		r := ring(t, newKey(t, "other", alg, now.Add(-time.Hour)), newKey(t, "k1", alg, now))
		raw := sign(t, r, access())
		if !verifyByHand(t, r.JWKS(), raw) {
			t.Errorf("%s does not verify", alg)
		}
		if verifyByHand(t, r.JWKS(), strings.Replace(raw, ".", ".e", 1)) {
			t.Errorf("%s verifies after a change", alg)
		}
	}
}

func TestSE02_ATokenLivesExactlyItsTime(t *testing.T) {
	t.Parallel()
	r := ring(t, newKey(t, "k1", token.ES256, now.Add(-time.Hour)))
	raw := sign(t, r, access())
	for name, one := range map[string]struct {
		at time.Time
		ok bool
	}{
		"when it was issued":         {now, true},
		"on a clock a little behind": {now.Add(-token.Skew), true},
		"on a clock too far behind":  {now.Add(-token.Skew - time.Nanosecond), false},
		"in its last moment":         {now.Add(30*time.Minute - time.Nanosecond), true},
		"at its end":                 {now.Add(30 * time.Minute), false},
		"long after":                 {now.Add(24 * time.Hour), false},
	} {
		for range 2 {
			if _, err := r.Verify(raw, issuer, one.at); (err == nil) != one.ok || err != nil && !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, other := range []string{"", "https://id.test/", "http://id.test", "https://ID.test"} {
		if _, err := r.Verify(raw, other, now); err == nil {
			t.Errorf("taken by %q", other)
		}
	}
}

func TestSE06_EveryChangeOfATokenIsRefused(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \x00"
	for _, alg := range algorithms() {
		r := ring(t, newKey(t, "k1", alg, now))
		raw := sign(t, r, access())
		refused := func(what, s string) {
			if _, err := r.Verify(s, issuer, now); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: %s: %q is taken (%v)", alg, what, s, err)
			}
		}
		for i := range len(raw) {
			refused("prefix", raw[:i])
			refused("suffix", raw[i+1:])
			refused("without one byte", raw[:i]+raw[i+1:])
			for j := i % 7; j < len(alphabet); j += 7 { // every byte is seen by one seventh of the places
				if alphabet[j] != raw[i] {
					refused("another byte", raw[:i]+alphabet[j:j+1]+raw[i+1:])
				}
			}
		}
		last := raw[len(raw)-1]
		for j := range 64 { // the unused bits of the last digit
			if alphabet[j] != last {
				refused("alias", raw[:len(raw)-1]+alphabet[j:j+1])
			}
		}
		payload := strings.Split(raw, ".")[1]
		for j := range 64 {
			if other := payload[:len(payload)-1] + alphabet[j:j+1]; other != payload {
				refused("alias of the payload", strings.Replace(raw, payload, other, 1))
			}
		}
		for _, more := range []string{"=", "==", ".", "A", " ", "\n", ".A", "\x00"} {
			refused("extension", raw+more)
			refused("extension in front", more+raw)
		}
		if _, err := r.Verify(raw, issuer, now); err != nil {
			t.Errorf("%s: the token itself: %v", alg, err)
		}
	}
}

// forge signs a payload with any header.
func forge(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// typed gives the header of our own tokens, with members changed or added.
func typed(more ...any) map[jose.HeaderKey]any {
	h := map[jose.HeaderKey]any{"typ": "at+jwt", "kid": "es"}
	for i := 0; i < len(more); i += 2 {
		h[jose.HeaderKey(more[i].(string))] = more[i+1]
	}
	return h
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestSE08_ForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	es, rs := newKey(t, "es", token.ES256, now), newKey(t, "rs", token.RS256, now)
	other := newKey(t, "es", token.ES256, now)
	r := ring(t, rs, es)
	good := sign(t, r, access())
	parts := strings.Split(good, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	payload := string(raw)
	der, err := x509.MarshalPKIXPublicKey(rs.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	public, err := es.PublicJSON()
	if err != nil {
		t.Fatal(err)
	}
	mine := func(h map[jose.HeaderKey]any, payload string) string {
		return forge(t, jose.ES256, es.Private, h, payload)
	}
	with := func(header string) string { return b64(header) + "." + parts[1] + "." + parts[2] }
	for name, forged := range map[string]string{
		"nothing": "", "one part": "a", "two parts": parts[0] + "." + parts[1], "four parts": good + "." + parts[2], "five parts": good + "." + parts[2] + ".a",
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"alg none":                       b64(`{"alg":"none","kid":"es","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"alg None with a signature":      with(`{"alg":"None","kid":"es","typ":"at+jwt"}`),
		"alg missing":                    with(`{"kid":"es","typ":"at+jwt"}`),
		"alg of another key":             with(`{"alg":"RS256","kid":"es","typ":"at+jwt"}`),
		"kid of another key":             with(`{"alg":"ES256","kid":"rs","typ":"at+jwt"}`),
		"members in another order":       with(`{"kid":"es","alg":"ES256","typ":"at+jwt"}`),
		"blanks in the header":           with(`{"alg": "ES256","kid":"es","typ":"at+jwt"}`),
		"a member twice":                 with(`{"alg":"ES256","alg":"ES256","kid":"es","typ":"at+jwt"}`),
		"an empty header":                "." + parts[1] + "." + parts[2],
		"a header that is no object":     with(`[]`),
		"HS256 under the public key":     forge(t, jose.HS256, der, map[jose.HeaderKey]any{"typ": "at+jwt", "kid": "rs"}, payload),
		"HS256 under the JWK":            forge(t, jose.HS256, []byte(public), typed(), payload),
		"HS256 under nothing":            forge(t, jose.HS256, make([]byte, 32), typed(), payload),
		"a stranger's key":               forge(t, jose.ES256, other.Private, typed(), payload),
		"a stranger's key, named by jwk": forge(t, jose.ES256, other.Private, typed("jwk", other.Public()), payload),
		"PS256 of our RSA key":           forge(t, jose.PS256, rs.Private, map[jose.HeaderKey]any{"typ": "at+jwt", "kid": "rs"}, payload),
		"RS512 of our RSA key":           forge(t, jose.RS512, rs.Private, map[jose.HeaderKey]any{"typ": "at+jwt", "kid": "rs"}, payload),
		"no typ":                         mine(map[jose.HeaderKey]any{"kid": "es"}, payload),
		"typ JWT":                        mine(typed("typ", "JWT"), payload),
		"typ logout+jwt":                 mine(typed("typ", "logout+jwt"), payload),
		"typ application/at+jwt":         mine(typed("typ", "application/at+jwt"), payload),
		"no kid":                         mine(map[jose.HeaderKey]any{"typ": "at+jwt"}, payload),
		"unknown kid":                    mine(typed("kid", "x"), payload),
		"kid of a path":                  mine(typed("kid", "../../dev/null"), payload),
		"jku":                            mine(typed("jku", "https://evil.test/jwks"), payload),
		"x5u":                            mine(typed("x5u", "https://evil.test/cert"), payload),
		"x5c":                            mine(typed("x5c", []string{"MA=="}), payload),
		"jwk":                            mine(typed("jwk", other.Public()), payload),
		"crit":                           mine(typed("crit", []string{"exp"}), payload),
		"zip":                            mine(typed("zip", "DEF"), payload),
		"cty":                            mine(typed("cty", "JWT"), payload),
		"b64":                            b64(`{"alg":"ES256","b64":false,"crit":["b64"],"kid":"es","typ":"at+jwt"}`) + "." + payload + "." + parts[2],
		"JSON serialization":             `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"an encrypted token":             b64(`{"alg":"dir","enc":"A256GCM"}`) + "..AAAA.AAAA.AAAA",
		"another payload":                parts[0] + "." + b64(strings.Replace(payload, `"user"`, `"root"`, 1)) + "." + parts[2],
		"an empty signature of zeros":    parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"a DER signature":                parts[0] + "." + parts[1] + "." + b64("0\x06\x02\x01\x01\x02\x01\x01"),
		"Bearer in front":                "Bearer " + good,
		"too long":                       good + strings.Repeat("A", token.MaxSize),
	} {
		for range 2 {
			if got, err := r.Verify(forged, issuer, now); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: %+v %v", name, got, err)
			}
		}
	}
}

// TestSE09_WhatIsTooLongOrEncryptedIsNotDecoded: of a token of ours that is genuine and longer
// than the cap nothing is read, nor of one that is encrypted or packed.
func TestSE09_WhatIsTooLongOrEncryptedIsNotDecoded(t *testing.T) {
	t.Parallel()
	r := ring(t, newKey(t, "es", token.ES256, now))
	fits := access()
	fits.Name = strings.Repeat("x", token.MaxSize/2)
	if got, err := r.Verify(sign(t, r, fits), issuer, now); err != nil || got.Name != fits.Name {
		t.Errorf("one that fits: %v", err)
	}
	long := fits
	long.Name = strings.Repeat("x", token.MaxSize)
	good := sign(t, r, fits)
	header, rest, _ := strings.Cut(good, ".")
	for name, forged := range map[string]string{
		"genuine and too long": sign(t, r, long), "a megabyte": strings.Repeat("A", 1<<20), "a megabyte of parts": strings.Repeat(".", 1<<20), "five parts": good + ".AAAA.AAAA",
		"encrypted": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)) + "." + rest + ".AAAA.AAAA",
		"packed":    base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"es","typ":"at+jwt","zip":"DEF"}`)) + "." + rest, "a header alone": header,
	} {
		if got, err := r.Verify(forged, issuer, now); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// Signed by a key of ours, and still not one of our tokens.
func TestSE08_ClaimsAreChecked(t *testing.T) {
	t.Parallel()
	es := newKey(t, "es", token.ES256, now)
	r := ring(t, es)
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(sign(t, r, access()), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	payload := string(raw)
	mine := func(h map[jose.HeaderKey]any, payload string) string {
		return forge(t, jose.ES256, es.Private, h, payload)
	}
	for name, forged := range map[string]string{
		"no claims":                 mine(typed(), `{}`),
		"claims that are no object": mine(typed(), `[]`),
		"claims of another type":    mine(typed(), strings.Replace(payload, `"sub":"user"`, `"sub":["user"]`, 1)),
		"null claims":               mine(typed(), `null`),
		"an audience of several":    mine(typed(), strings.Replace(payload, `"aud":"site"`, `"aud":["site","other"]`, 1)),
		"an exp as text":            mine(typed(), strings.Replace(payload, `"exp":`, `"exp":"9","x":`, 1)),
		"another issuer":            mine(typed(), strings.Replace(payload, issuer, "https://evil.test", 1)),
		"no issuer":                 mine(typed(), strings.Replace(payload, `"iss"`, `"isx"`, 1)),
		"no exp":                    mine(typed(), strings.Replace(payload, `"exp"`, `"exq"`, 1)),
		"an exp in the past":        mine(typed(), strings.Replace(payload, fmt.Sprint(now.Unix()+1800), fmt.Sprint(now.Unix()-1), 1)),
		"an iat in the future":      mine(typed(), strings.Replace(payload, `"iat":`+fmt.Sprint(now.Unix()), `"iat":`+fmt.Sprint(now.Unix()+3600), 1)),
	} {
		for range 2 {
			if got, err := r.Verify(forged, issuer, now); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: %+v %v", name, got, err)
			}
		}
	}
	if _, err := r.Verify(mine(typed(), payload), issuer, now); err != nil {
		t.Errorf("the forger himself makes no good token: %v", err)
	}
}

func TestSE16_KeysSignAndVerifyInTheirTime(t *testing.T) {
	t.Parallel()
	old, next := newKey(t, "old", token.ES256, now.Add(-time.Hour)), newKey(t, "next", token.EdDSA, now)
	old.VerifyUntil = now.Add(10 * time.Minute)
	r := ring(t, old, next)
	a := access()
	a.IssuedAt = now.Add(-time.Nanosecond)
	before, after := sign(t, r, a), sign(t, r, access())
	for raw, kid := range map[string]string{before: "old", after: "next"} {
		header, _, _ := strings.Cut(raw, ".")
		if got := members(t, header)["kid"]; got != kid {
			t.Errorf("signed by %v, want %s", got, kid)
		}
	}
	fresh := ring(t, old, next) // which has not seen the token yet
	if _, err := fresh.Verify(before, issuer, old.VerifyUntil); err == nil {
		t.Error("a key verifies after its time")
	}
	if _, err := r.Verify(before, issuer, old.VerifyUntil.Add(-1)); err != nil {
		t.Errorf("a key does not verify in its time: %v", err)
	}
	if err := r.Load([]token.Key{next}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(before, issuer, now); err == nil {
		t.Error("a token is good that was seen before its key went")
	}
	if _, err := r.Verify(after, issuer, now); err != nil {
		t.Error(err)
	}
	if _, err := token.NewRing().Sign(a); err == nil {
		t.Error("signed by no key")
	}
	if empty := token.NewRing(); string(empty.JWKS()) != `{"keys":[]}` || empty.Ready(now) {
		t.Errorf("an empty ring publishes %s", empty.JWKS())
	}
}

func TestKeysAreStoredAndRead(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms() {
		k := newKey(t, "k", alg, now)
		der, err := token.MarshalPrivate(k.Private)
		if err != nil {
			t.Fatal(err)
		}
		read, err := token.ParsePrivate(der)
		if err != nil {
			t.Fatal(err)
		}
		a, b := ring(t, k), ring(t, token.Key{ID: "k", Algorithm: alg, Private: read, SignFrom: now})
		if _, err := b.Verify(sign(t, a, access()), issuer, now); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if public, err := k.PublicJSON(); err != nil || strings.Contains(public, `"d"`) || !strings.Contains(string(a.JWKS()), public) {
			t.Errorf("%s %v", public, err)
		}
		if got, err := token.ParseAlgorithm(string(alg)); err != nil || got != alg {
			t.Error(got, err)
		}
		if _, err := token.ParsePrivate(der[:len(der)-1]); err == nil {
			t.Error("half a key was read")
		}
	}
	for _, s := range []string{"", "none", "HS256", "es256", "ES256 "} {
		if _, err := token.ParseAlgorithm(s); err == nil {
			t.Errorf("%q", s)
		}
		if _, err := token.Generate(token.Algorithm(s)); err == nil {
			t.Errorf("%q", s)
		}
	}
}

// More tokens than are remembered, from many callers, while the keys change.
func TestARingIsUsedByMany(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", token.EdDSA, now)
	r := ring(t, key)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			a := access()
			for i := range 3000 {
				a.ID = fmt.Sprint(w, i)
				raw, err := r.Sign(a)
				if err != nil {
					t.Error(err)
					return
				}
				for range 2 {
					if got, err := r.Verify(raw, issuer, now); err != nil || got.ID != a.ID {
						t.Errorf("%q %v", got.ID, err)
						return
					}
				}
				if i%1000 == w {
					if err := r.Load([]token.Key{key}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// FuzzVerify: nothing is taken but what the ring signed.
func FuzzVerify(f *testing.F) {
	r := ring(f, newKey(f, "k1", token.EdDSA, now))
	good := sign(f, r, access())
	for _, s := range []string{"", good, good + ".", "a.b.c", "..", `{"payload":""}`, strings.Repeat(".", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := r.Verify(raw, issuer, now); err == nil && raw != good {
			t.Fatalf("%q is taken", raw)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range algorithms() {
		b.Run(string(alg), func(b *testing.B) {
			r, a := ring(b, newKey(b, "k", alg, now)), access()
			for b.Loop() {
				_ = sign(b, r, a)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range algorithms() {
		key := newKey(b, "k", alg, now)
		r := ring(b, key)
		raw := sign(b, r, access())
		b.Run(string(alg)+"/known", func(b *testing.B) {
			for b.Loop() {
				_, _ = r.Verify(raw, issuer, now)
			}
		})
		b.Run(string(alg)+"/new", func(b *testing.B) {
			for b.Loop() {
				_ = r.Load([]token.Key{key})
				_, _ = r.Verify(raw, issuer, now)
			}
		})
	}
}

// TestDD07_AClockSetBackLeavesAKey: before any key signs, the oldest does.
func TestDD07_AClockSetBackLeavesAKey(t *testing.T) {
	t.Parallel()
	r := ring(t, newKey(t, "old", token.ES256, now), newKey(t, "next", token.ES256, now.Add(time.Hour)))
	a := access()
	a.IssuedAt = now.Add(-24 * time.Hour)
	raw := sign(t, r, a)
	header, _, _ := strings.Cut(raw, ".")
	if got := members(t, header)["kid"]; got != "old" || !r.Ready(a.IssuedAt) {
		t.Errorf("signed by %v", got)
	}
	if _, err := r.Verify(raw, issuer, a.IssuedAt); err != nil {
		t.Error(err)
	}
}
