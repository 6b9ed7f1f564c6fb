package cookie_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestSE03_Flags: what a browser is told of each cookie, by https and on loopback.
func TestSE03_Flags(t *testing.T) {
	t.Parallel()
	for https, want := range map[bool][]string{
		true: {
			"__Host-otl_flow=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
			"__Host-otl_session=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax",
			"__Host-otl_across=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"__Host-otl_across=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=None",
			"__Host-otl_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"__Host-otl_across=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
		false: {
			"otl_flow=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
			"otl_session=v; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax",
			"otl_across=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
			"otl_across=v; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax",
			"otl_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
			"otl_across=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
	} {
		j, w, v := cookie.Jar{HTTPS: https}, httptest.NewRecorder(), secret.NewText("v")
		j.Set(w, cookie.Flow, v, time.Minute)
		j.Hold(w, v, time.Hour)
		j.HoldAcross(w, v, time.Hour)
		j.Drop(w)
		if got := w.Header().Values("Set-Cookie"); !slices.Equal(got, want) {
			t.Errorf("%q\nwant\n%q", got, want)
		}
	}
}

// TestAD02_TheOwnSessionGoesFirst: a site's script cannot put itself in its place, nor
// can a second cookie of its name.
func TestAD02_TheOwnSessionGoesFirst(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "", "otl_session=own": "own", "otl_across=theirs": "theirs", "otl_across=theirs; otl_session=own": "own theirs",
		"otl_session=own; otl_session=other": "", "__Host-otl_session=own": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		var got []string
		for _, one := range (cookie.Jar{}).Held(r) {
			got = append(got, one.Reveal())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q holds %q, want %q", header, got, want)
		}
	}
}
