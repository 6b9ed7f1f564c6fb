package pages_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestOA02_AnOwnerSaysWherePeopleAreSent: return addresses and origins, one a line; what is none is
// named, and then nothing of the form is done.
func TestOA02_AnOwnerSaysWherePeopleAreSent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := ownAt(mine, "addresses")
		p := b.Get(at)
		holds(t, p, "Addresses of Mine", "https://mine.test/callback</textarea>")
		for field, c := range map[string]struct{ value, want string }{
			"callback_urls":   {"https://mine.test/callback\nhttp://mine.test/plain", `id="callback_urls-wrong">http://mine.test/plain is no address`},
			"allowed_origins": {"https://mine.test\nhttps://mine.test/path", `id="allowed_origins-wrong">https://mine.test/path is not`},
		} {
			got := b.Submit(p, "addresses", map[string]string{field: c.value})
			if got.Status != http.StatusBadRequest {
				t.Errorf("%s: %d", field, got.Status)
			}
			holds(t, got, c.want, c.value+"</textarea>", `role="alert"`)
		}
		if got := b.Submit(p, "addresses", map[string]string{"callback_urls": strings.Repeat("https://mine.test/\n", 51)}); got.Status != http.StatusBadRequest {
			t.Errorf("too many: %d", got.Status)
		} else {
			holds(t, got, `id="callback_urls-wrong">Check`)
		}
		if got := stored(t, w, mine); got.Version != mine.Version {
			t.Fatalf("something was done: %+v", got)
		}
		w.Clock.Advance(time.Second) // of one moment none is the last
		p = b.Submit(p, "addresses", map[string]string{"callback_urls": "  https://mine.test/b \r\n\r\nhttps://mine.test/a\r\nhttps://mine.test/b", "allowed_origins": "https://mine.test"})
		holds(t, p, "Saved.", "https://mine.test/a\nhttps://mine.test/b</textarea>")
		got := stored(t, w, mine)
		if !slices.Equal(got.CallbackURLs, []string{"https://mine.test/a", "https://mine.test/b"}) || !slices.Equal(got.Origins, []string{"https://mine.test"}) {
			t.Errorf("%+v", got)
		}
		all, err := w.Store.Read.Events.List(t.Context(), "", mine.ID, "", 1)
		if err != nil || all[0].Type != otl.EventSiteUpdated || all[0].Data[otl.DataChanged] != "allowed_origins callback_urls" {
			t.Errorf("%+v %v", all, err)
		}
	})
}
