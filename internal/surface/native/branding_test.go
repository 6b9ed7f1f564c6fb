package native_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestBranding is set by the owner, worn by the site's mails, and nobody else's.
func TestBranding(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		do := as(t, w, bearer)
		r := ownSite(t, w, bearer)
		path := "/sites/" + r.Text("id")
		logo := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\nxxxx"))
		if strings.Contains(string(r.Raw), "branding") {
			t.Errorf("%s", r.Raw)
		}
		look := object{"color": "#00ff00", "logo": logo, "sender": "Acme Ltd", "footer": "Main Street 1", "links": []object{{"text": "Help", "url": "https://acme.test/help"}}, "hide_code": true}
		set := do(http.MethodPatch, path, object{"version": 1, "branding": look}).Want(t, http.StatusOK)
		if set.Text("branding", "sender") != "Acme Ltd" || set.Text("branding", "logo") != logo {
			t.Errorf("%s", set.Raw)
		}
		for _, bad := range []object{
			{"color": "red"}, {"logo": "https://acme.test/logo.png"}, {"sender": "a@b"}, {"links": []object{{"text": "x", "url": "http://acme.test"}}}, {"colour": "#00ff00"},
		} {
			do(http.MethodPatch, path, object{"version": 2, "branding": bad}).Want(t, http.StatusUnprocessableEntity)
		}
		w.Do(t, otltest.Call{Method: http.MethodPatch, Path: "/api/v1" + path, Bearer: owner(t, w, "other@dev.test"), Body: object{"version": 2, "branding": look}}).Want(t, http.StatusNotFound)

		site, err := w.Sites.Get(t.Context(), r.Text("id"))
		if err != nil {
			t.Fatal(err)
		}
		w.Person(t, "jane@dev.test", site)
		w.Inbox.Empty()
		w.Do(t, otltest.Call{Method: http.MethodPost, Path: "/api/v1/auth/otp/send", Headers: map[string]string{"X-OTL-Site-Key": r.Text("site_key")}, Body: object{"email": "jane@dev.test"}}).Want(t, http.StatusAccepted)
		l := w.Letters(t, "jane@dev.test")
		if len(l) != 1 || strings.Contains(l[0].Subject, l[0].Code) || l[0].Sender != "Acme Ltd" || !strings.Contains(l[0].HTML, `src="data:image/png;base64,`) || !strings.Contains(l[0].Text, "Help: https://acme.test/help") {
			t.Errorf("%+v", l)
		}
		w.Person(t, "joe@dev.test", w.Notes.Site)
		w.Do(t, otltest.Call{Path: "/api/v1/auth/otp/send", Key: w.Notes.Key, Body: object{"email": "joe@dev.test"}}).Want(t, http.StatusAccepted)
		if l := w.Letters(t, "joe@dev.test"); l[0].Sender != "Notes" || !strings.Contains(l[0].Subject, l[0].Code) || strings.Contains(l[0].HTML, "<img") {
			t.Errorf("%+v", l)
		}
		if none := do(http.MethodPatch, path, object{"version": 2, "branding": object{}}).Want(t, http.StatusOK); strings.Contains(string(none.Raw), "Acme Ltd") {
			t.Errorf("%s", none.Raw)
		}
	})
}
