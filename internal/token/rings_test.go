package token_test

import (
	"encoding/json"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/onetimelogin/otl/internal/token"
)

// TestSE08_RingsInOneSet: several rings are published together, and none reads what
// another signed.
func TestSE08_RingsInOneSet(t *testing.T) {
	t.Parallel()
	rsa, ec := ring(t, newKey(t, "r", token.RS256, now)), ring(t, newKey(t, "e", token.ES256, now))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(token.JWKS(rsa, ec, token.NewRing()), &set); err != nil || len(set.Keys) != 2 || set.Keys[0].KeyID != "r" || set.Keys[1].Algorithm != "ES256" {
		t.Fatalf("%+v %v", set, err)
	}
	if got := string(token.JWKS()); got != `{"keys":[]}` {
		t.Errorf("%s", got)
	}
	raw, err := ec.SignClaims(token.TypeID, token.Claims{"iss": issuer, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ec.VerifyClaims(token.TypeID, raw, issuer, now); err != nil {
		t.Error(err)
	}
	if _, err := rsa.VerifyClaims(token.TypeID, raw, issuer, now); err == nil {
		t.Error("read by the keys of another ring")
	}
}
