package signin_test

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/store"
)

// TestOT14_EveryOpeningOfALinkIsRecorded: by whom, from where, and why a link that no longer works does not; of one
// that nobody knows there is nothing to say.
func TestOT14_EveryOpeningOfALinkIsRecorded(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		ctx := otl.WithRequest(t.Context(), &otl.Request{Client: netip.MustParseAddr("203.0.113.9"), UserAgent: "Browser/1"})
		look := func(link, how string, works bool) {
			t.Helper()
			if _, err := w.Codes.Look(ctx, link, how); (err == nil) != works || !works && !otl.Is(err, signin.ErrLink.Code) {
				t.Errorf("%v", err)
			}
		}
		used, _ := mailed(t, w, "")
		look(used, "", true)
		look(used, "head", true)
		if _, err := w.Codes.Confirm(ctx, used); err != nil {
			t.Fatal(err)
		}
		look(used, "", false)
		w.Clock.Advance(time.Minute)
		replaced, _ := mailed(t, w, "")
		w.Clock.Advance(time.Minute)
		denied, _ := mailed(t, w, "")
		w.Clock.Advance(time.Minute) // until then mails cross
		look(replaced, "prefetch", false)
		if err := w.Codes.Deny(ctx, denied); err != nil {
			t.Fatal(err)
		}
		look(denied, "", false)
		w.Clock.Advance(time.Minute)
		expired, _ := mailed(t, w, "")
		w.Clock.Advance(15 * time.Minute)
		look(expired, "", false)
		look(expired+"x", "", false)

		all, err := w.Store.Read.Events.Select(t.Context(), store.EventQuery{Type: otl.EventLinkOpened, Limit: 20})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, e := range all {
			got[e.Data[otl.DataBy]+" "+e.Data[otl.DataReason]]++
			if e.UserID == "" || e.SiteID != w.Notes.Site.ID || e.Data[otl.DataIP] != "203.0.113.9" || e.Data[otl.DataUserAgent] != "Browser/1" {
				t.Errorf("%+v", e)
			}
		}
		if want := map[string]int{" ": 1, "head ": 1, " used": 1, "prefetch replaced": 1, " denied": 1, " expired": 1}; !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
