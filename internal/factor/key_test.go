package factor_test

import (
	"testing"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

func FuzzMF10_WhatABrowserSends(f *testing.F) {
	keys, err := factor.NewKeys("https://id.test")
	if err != nil {
		f.Fatal(err)
	}
	u := otl.User{ID: "01HKZ3M5Q8J9X2V7C4B6N1D0FG", Email: otl.Email{Address: "jane@dev.test", Key: "jane@dev.test"}}
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`))
	f.Add([]byte(`{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"o2NmbXRkbm9uZQ"}}`))
	f.Fuzz(func(t *testing.T, given []byte) {
		if registration, assertion := keys.Foreign(u, given); registration == nil || assertion == nil {
			t.Errorf("%q was taken", given)
		}
	})
}

// TestKeysNeedAName: without a host name there are no passkeys, and everything else
// goes on.
func TestKeysNeedAName(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"https://id.test": true, "http://localhost:8787": true, "https://id.example.com:8443": true, "http://127.0.0.1:8787": false, "http://[::1]:8787": false,
	} {
		keys, err := factor.NewKeys(url)
		if (err == nil) != want || (keys != nil) != want {
			t.Errorf("%s: %v %v", url, keys, err)
		}
	}
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { o.PublicURL = "http://127.0.0.1:8787" })
	u := w.Person(t, jane)
	_, err := w.Setup.Enrol(t.Context(), store.Standing{User: u}, factor.New{Kind: otl.FactorKey})
	if e := otl.As(err); e.Field != "kind" {
		t.Errorf("%v", err)
	}
}
