package token_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/token"
)

func set(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestOA15_KeysOfOthers: public keys to verify with are taken, private and symmetric ones
// are an error, and what is of no use is none.
func TestOA15_KeysOfOthers(t *testing.T) {
	t.Parallel()
	good := otltest.NewSigner(t, jose.ES256)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public := jose.JSONWebKey{Key: good.Public(), KeyID: "a"}
	many := make([]jose.JSONWebKey, 21)
	for i := range many {
		many[i] = public
	}
	for name, raw := range map[string][]byte{
		"nothing":      nil,
		"no set":       []byte(`[]`),
		"an empty set": []byte(`{"keys":[]}`),
		"unknown":      []byte(`{"keys":[{"kty":"XYZ"}]}`),
		"private":      set(t, public, jose.JSONWebKey{Key: good.Signer}),
		"symmetric":    set(t, jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef")}),
		"weak":         set(t, jose.JSONWebKey{Key: small.Public()}),
		"to encrypt":   set(t, jose.JSONWebKey{Key: good.Public(), Use: "enc"}),
		"too many":     set(t, many...),
	} {
		if _, err := token.ParseKeys(raw); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	keys, err := token.ParseKeys([]byte(strings.Replace(string(set(t, public)), `{"keys":[`, `{"keys":[{"kty":"XYZ"},`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"sub": "client"}
	c, err := keys.Assertion(good.Sign(t, map[jose.HeaderKey]any{"kid": "a"}, claims), token.ForeignAlgorithms())
	if err != nil || c.Text("sub") != "client" {
		t.Errorf("%v %v", c, err)
	}
	if _, err := keys.Assertion(good.Sign(t, map[jose.HeaderKey]any{"kid": "b"}, claims), token.ForeignAlgorithms()); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("another key's name: %v", err)
	}
	public.KeyID = ""
	for name, raw := range map[string]string{
		"another key":   otltest.NewSigner(t, jose.ES256).Sign(t, nil, claims),
		"its own key":   otltest.NewSigner(t, jose.ES256).Sign(t, map[jose.HeaderKey]any{"jwk": public}, claims),
		"a shared key":  otltest.SignJWT(t, jose.HS256, set(t, public), nil, claims),
		"no object":     good.Sign(t, nil, []string{"sub"}),
		"null":          good.Sign(t, nil, nil),
		"unsigned":      "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjbGllbnQifQ.",
		"cut":           good.Sign(t, nil, claims)[:90],
		"much too long": strings.Repeat("a", token.MaxSize+1),
	} {
		if c, err := keys.Assertion(raw, token.ForeignAlgorithms()); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}

// TestProofs: a proof is signed with the key in it, says so, and holds the thumbprint.
func TestProofs(t *testing.T) {
	t.Parallel()
	key := otltest.NewSigner(t, jose.ES256)
	public := jose.JSONWebKey{Key: key.Public()}
	says := map[string]any{"jti": "1", "htm": "POST", "htu": "https://id.test/oidc/token", "iat": 1700000000, "ath": "x"}
	head := map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": public}
	p, err := token.ReadProof(key.Sign(t, head, says), token.ForeignAlgorithms())
	print, _ := public.Thumbprint(crypto.SHA256)
	if err != nil || p.ID != "1" || p.Method != http.MethodPost || p.URL != "https://id.test/oidc/token" || p.Access != "x" || !p.IssuedAt.Equal(time.Unix(1700000000, 0)) || len(p.Key) != 43 || len(print) != 32 {
		t.Errorf("%+v %v", p, err)
	}
	for name, raw := range map[string]string{
		"another type":  key.Sign(t, map[jose.HeaderKey]any{"typ": "JWT", "jwk": public}, says),
		"no type":       key.Sign(t, map[jose.HeaderKey]any{"jwk": public}, says),
		"no key":        key.Sign(t, map[jose.HeaderKey]any{"typ": "dpop+jwt"}, says),
		"another's key": otltest.NewSigner(t, jose.ES256).Sign(t, head, says),
		"private":       key.Sign(t, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: key.Signer}}, says),
		"shared":        otltest.SignJWT(t, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), head, says),
		"nothing":       "",
	} {
		if p, err := token.ReadProof(raw, token.ForeignAlgorithms()); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// FuzzForeign: no token of others brings a reader down, and none that was not signed with
// a key of the test verifies.
func FuzzForeign(f *testing.F) {
	key := otltest.NewSigner(f, jose.ES256)
	keys, err := token.ParseKeys(set(f, jose.JSONWebKey{Key: key.Public()}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0Iiwiandrp7Ijp7fX0.e30.AAAA")
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		if c, err := keys.Assertion(raw, token.ForeignAlgorithms()); err == nil {
			t.Errorf("%q verifies: %v", raw, c)
		}
		if p, err := token.ReadProof(raw, token.ForeignAlgorithms()); err == nil && p.Key == "" {
			t.Errorf("%q: %+v", raw, p)
		}
		_ = token.Peek(raw, "sub")
		if _, err := token.ParseKeys([]byte(raw)); err == nil && !strings.Contains(raw, "keys") {
			t.Errorf("%q is taken for keys", raw)
		}
	})
}
