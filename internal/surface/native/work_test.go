package native_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestOT10_TheSameWorkWhoeverItIs: what is sent to an address costs as many writes, and
// is answered with the same words, whether somebody of the site has it, somebody else,
// somebody disabled, or nobody. How long each takes, `make timing` measures.
func TestOT10_TheSameWorkWhoeverItIs(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "member@dev.test", w.Notes.Site)
		w.Person(t, "elsewhere@dev.test", w.Shop.Site)
		off := w.Person(t, "disabled@dev.test", w.Notes.Site)
		if err := w.Accounts.SetDisabled(t.Context(), off.ID, true); err != nil {
			t.Fatal(err)
		}
		for path, body := range map[string]map[string]string{
			"/api/v1/auth/otp/send":        {},
			"/api/v1/auth/link/send":       {"callback_url": "https://notes.test/callback", "state": "x"},
			"/api/v1/auth/password/forgot": {},
		} {
			var answer string
			var writes uint64
			for i, who := range []string{"member", "elsewhere", "disabled", "nobody"} {
				w.Clock.Advance(time.Minute)
				all := map[string]string{"email": who + "@dev.test"}
				for k, v := range body {
					all[k] = v
				}
				before := w.Store.Stats().Writes
				r := w.Do(t, otltest.Call{Path: path, Key: w.Notes.Key, Body: all}).Want(t, http.StatusAccepted)
				done := w.Store.Stats().Writes - before
				if i == 0 {
					answer, writes = string(r.Raw), done
				}
				if string(r.Raw) != answer || done != writes {
					t.Errorf("%s for %s: %d writes and %s, not %d and %s", path, who, done, r.Raw, writes, answer)
				}
			}
		}
	})
}
