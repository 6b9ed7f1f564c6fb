package otl_test

import (
	"fmt"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	was, now := map[string]string{"name": "Notes", "region": "eu", "domain": ""}, map[string]string{"name": "Acme", "region": "eu", "domain": "acme.test"}
	for want, got := range map[string][]otl.Change{
		"[{domain  acme.test} {name Notes Acme}]":         otl.Changes(was, now),
		"[{domain acme.test } {name Acme Notes}]":         otl.Changes(now, was),
		"[{name  Notes} {region  eu}]":                    otl.Changes(nil, was), // what is empty did not come
		"[{domain acme.test } {name Acme } {region eu }]": otl.Changes(now, nil),
		"[]": otl.Changes(was, was),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

// TestAU01_WhoActs: what the door proved goes before who was proven on the way, and a
// request that proved nobody is no job.
func TestAU01_WhoActs(t *testing.T) {
	t.Parallel()
	key := otl.Actor{Kind: otl.ActorSiteKey, ID: "k"}
	for want, r := range map[string]otl.Request{
		"system":     {},
		"anybody":    {ID: "r"},
		"person:u":   {ID: "r", UserID: "u"},
		"site_key:k": {ID: "r", UserID: "u", By: key},
		"command:op": {By: otl.Actor{Kind: otl.ActorCommand, ID: "op"}},
	} {
		if got := r.Actor().String(); got != want {
			t.Errorf("%+v is %s", r, got)
		}
	}
	if got := otl.RequestOf(t.Context()).Actor(); got != (otl.Actor{Kind: otl.ActorSystem}) {
		t.Errorf("without a request: %s", got)
	}
}
