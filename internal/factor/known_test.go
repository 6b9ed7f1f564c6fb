package factor_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestPW13_WhereASessionWasOpened: what a site says of where that is, is the site's place.
func TestPW13_WhereASessionWasOpened(t *testing.T) {
	t.Parallel()
	f := factor.Places{Factors: &factor.Factors{Home: "home"}}
	here, there, peer := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		from otl.Request
		of   otl.Session
		want string
	}{
		{otl.Request{Client: here, Peer: here}, otl.Session{SiteID: "home", IP: "198.51.100.7"}, "198.51.100.7"},
		{otl.Request{Client: there, Peer: there}, otl.Session{SiteID: "home", IP: "198.51.100.7"}, ""},
		{otl.Request{Client: here, Peer: peer}, otl.Session{SiteID: "home", IP: "198.51.100.7"}, "site home"},
		{otl.Request{Client: here, Peer: here}, otl.Session{SiteID: "home", IP: "198.51.100.7", HandedBy: "notes"}, "site notes"},
		{otl.Request{Client: here, Peer: here}, otl.Session{SiteID: "notes", IP: "198.51.100.7"}, "site notes"},
		{otl.Request{Client: there, Peer: peer}, otl.Session{SiteID: "notes", IP: "198.51.100.7"}, ""},
		{otl.Request{Peer: peer}, otl.Session{SiteID: "notes"}, ""},
		{otl.Request{Client: here, Peer: here, SiteKeyID: "key"}, otl.Session{SiteID: "home", IP: "198.51.100.7"}, "site home"},
	} {
		if got := f.Opened(otl.WithRequest(t.Context(), &c.from), c.of); got != c.want {
			t.Errorf("%v from %v: %q, want %q", c.of, c.from.Client, got, c.want)
		}
	}
}

// TestPW13_ADeviceIsAPlaceWhateverTheDays of a site: those are about the second step (MF-13).
func TestPW13_ADeviceIsAPlaceWhateverTheDays(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		f := factor.Places{Factors: w.Factors}
		var token secret.Text
		if err := write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
			token, err = w.Factors.Trust(ctx, tx, u.ID, w.Notes.Site.ID, time.Hour)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		ctx := otl.WithRequest(t.Context(), &otl.Request{Device: factor.DeviceDigest(token)})
		for _, c := range []struct {
			st           store.Standing
			place, spare bool
		}{
			{store.Standing{User: u, Site: w.Notes.Site}, true, true},
			{store.Standing{User: u, Site: otl.Site{ID: w.Notes.Site.ID}}, true, false}, // of no days
			{store.Standing{User: u, Site: w.Shop.Site}, false, false},
			{store.Standing{User: w.Person(t, "john@dev.test"), Site: w.Notes.Site}, false, false},
			{store.Standing{Site: w.Notes.Site}, false, false},
		} {
			knows, err := f.Knows(ctx, w.Store.Read, c.st)
			if err != nil {
				t.Fatal(err)
			}
			trusts, err := f.Trusts(ctx, w.Store.Read, c.st)
			if err != nil {
				t.Fatal(err)
			}
			spared, err := w.Factors.Trusted(ctx, w.Store.Read, c.st, otl.RequestOf(ctx).Device)
			if err != nil || knows != c.place || trusts != c.place || (spared.ID != "") != c.spare {
				t.Errorf("%s at %s: known %v, trusted %v, spared %q, %v", c.st.User.ID, c.st.Site.ID, knows, trusts, spared.ID, err)
			}
		}
	})
}
