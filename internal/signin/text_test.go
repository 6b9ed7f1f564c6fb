package signin_test

import (
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestASiteIsShut where nothing of what it takes works at the server, and open as soon as one
// of its ways does.
func TestASiteIsShut(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	all := *w.Codes
	nothing := all
	second := *all.Second
	factors := *second.Factors
	factors.Keys = nil
	second.Factors = &factors
	nothing.Second, nothing.Messages, nothing.SMS.Numbers = &second, &message.Messages{Ways: map[otl.Channel]bool{}}, nil
	for _, way := range otl.AllWays() {
		s := otl.Site{Off: otl.Ways{way}.Others()}
		if shut := (signin.Ways{Codes: &all}).Shut(s); shut != "" {
			t.Errorf("%s where everything works: %s", way, shut)
		}
		if shut := (signin.Ways{Codes: &nothing}).Shut(s); strings.Contains(shut, "("+string(way)+")") == (way == otl.WayPassword) {
			t.Errorf("%s where nothing works: %q", way, shut)
		}
	}
	if shut := (signin.Ways{Codes: &nothing}).Shut(otl.Site{}); shut != "" {
		t.Errorf("a site that takes everything: %s", shut)
	}
	v := signin.Visit{}
	if (signin.Texts{Arrivals: signin.Arrivals{Flows: w.Flows}}).Offered(v) != (all.SMS.Numbers != nil) {
		t.Error("SMS are not offered as they are sent")
	}
}
