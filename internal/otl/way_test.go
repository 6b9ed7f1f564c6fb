package otl_test

import (
	"errors"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

// TestWays are read in any order, named once, and never none at all.
func TestWays(t *testing.T) {
	t.Parallel()
	on, err := otl.ParseWays("sign_in_ways", []string{"link", "password", "link"})
	if err != nil || on.String() != "password link" || on.Others().String() != "email_code sms_code passkey" {
		t.Errorf("%v %v %v", on, on.Others(), err)
	}
	for _, bad := range [][]string{nil, {}, {"password", "telepathy"}, {""}, {"password link"}, {" password"}} {
		if _, err := otl.ParseWays("sign_in_ways", bad); otl.As(err).Field != "sign_in_ways" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, w := range otl.AllWays() {
		s := otl.Site{Off: otl.Ways{w}}
		if !errors.Is(s.Opens(w), otl.ErrWay) || s.Opens("") != nil || (otl.Site{}).Opens(w) != nil || otl.StoredWays(s.Off.String()).String() != string(w) {
			t.Errorf("%s: %v", w, s.Opens(w))
		}
	}
}

// TestTheWayOfASession is its first proof: what is added later is no way in.
func TestTheWayOfASession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		methods otl.Methods
		want    otl.Way
	}{
		{nil, ""},
		{otl.Methods{otl.MethodPassword, otl.MethodSMS}, otl.WayPassword},
		{otl.Methods{otl.MethodMailCode}, otl.WayCode},
		{otl.Methods{otl.MethodMailLink, otl.MethodTOTP}, otl.WayLink},
		{otl.Methods{otl.MethodSMS}, otl.WaySMS},
		{otl.Methods{otl.MethodKey, otl.MethodVerified}, otl.WayPasskey},
		{otl.Methods{otl.MethodDirect}, ""},
		{otl.Methods{otl.MethodAdmin}, ""},
	} {
		if got := c.methods.Way(); got != c.want {
			t.Errorf("%v: %q, want %q", c.methods, got, c.want)
		}
	}
}
