package oidc

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// FuzzClaims: whatever a client sends as claims, what is kept of it is names of ours, or
// the client is told what is wrong.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{"", "{}", `{"userinfo":{"email":null,"x":{"essential":true}}}`, `{"id_token":{"acr":{"essential":true,"values":["2",3]},"sub":{"value":"01HKZ3M5Q8J9X2V7C4B6N1D0FG"}}}`, "[]", "null", strings.Repeat(" ", maxClaims)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a := otl.Asked{More: map[string]string{}}
		if no := claims(raw, &a); no != nil {
			if no.word == "" || no.text == "" {
				t.Errorf("%q: %+v", raw, no)
			}
			return
		}
		for one := range strings.FieldsSeq(a.More[signin.MoreClaims]) {
			if !strings.HasPrefix(one, "userinfo.") && !strings.HasPrefix(one, "id_token.") {
				t.Errorf("%q keeps %q", raw, one)
			}
		}
		if a.Factors != 0 && a.Factors != 2 {
			t.Errorf("%q asks for %d factors", raw, a.Factors)
		}
	})
}
