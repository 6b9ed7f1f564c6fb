package otl_test

import (
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

func TestOperatorsOfAttributes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attr otl.Attribute
		op   otl.Op
		want bool
	}{
		{otl.AttrEmail, otl.OpContains, true},
		{otl.AttrEmail, otl.OpAfter, false},
		{otl.AttrID, otl.OpContains, false}, // engines disagree on the case
		{otl.AttrExternalID, otl.OpEqual, true},
		{otl.AttrActive, otl.OpEqual, true},
		{otl.AttrActive, otl.OpBegins, false},
		{otl.AttrCreated, otl.OpNotLate, true},
		{otl.AttrCreated, otl.OpContains, false},
		{otl.AttrName, "", false},
		{otl.AttrName, "eq ne", false},
	} {
		if got := c.attr.Takes(c.op); got != c.want {
			t.Errorf("%s %s: %t", c.attr, c.op, got)
		}
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	u := otl.User{HeldFor: "notes", HeldChannel: otl.ChannelMail, HeldUntil: now.Add(time.Second)}
	switch {
	case !u.Held(otl.ChannelMail, "shop", now), u.Held(otl.ChannelMail, "notes", now), u.Held(otl.ChannelSMS, "shop", now),
		u.Held(otl.ChannelMail, "shop", now.Add(time.Second)), (otl.User{}).Held("", "shop", now):
		t.Errorf("%+v", u)
	}
}
