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

// TestWhatWasDoneIsSaidOnce, to the browser that did it.
func TestWhatWasDoneIsSaidOnce(t *testing.T) {
	t.Parallel()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/?done=alone", nil)
	if done := (cookie.Jar{}).Noted(w, r); done != "" || len(w.Header()) != 0 {
		t.Errorf("%q %v", done, w.Header())
	}
	(cookie.Jar{}).Note(w, cookie.DoneAlone)
	r.Header.Set("Cookie", "otl_done=alone")
	if done := (cookie.Jar{}).Noted(w, r); done != cookie.DoneAlone {
		t.Errorf("%q", done)
	}
	want := []string{"otl_done=alone; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", "otl_done=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"}
	if got := w.Header().Values("Set-Cookie"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestH14_FormerSessions: as many as there is room for, the latest first; whatever else stands
// in the cookie is no reason to fail.
func TestH14_FormerSessions(t *testing.T) {
	t.Parallel()
	texts := func(values ...string) []secret.Text {
		out := make([]secret.Text, len(values))
		for i, v := range values {
			out[i] = secret.NewText(v)
		}
		return out
	}
	for _, c := range []struct {
		keep []secret.Text
		set  string
	}{
		{texts("a", "b"), "otl_former=a.b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
		{texts("a", "b", "c", "d", "e", "f"), "otl_former=a.b.c.d.e; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
		{nil, "otl_former=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
	} {
		w := httptest.NewRecorder()
		(cookie.Jar{}).Keep(w, c.keep, time.Minute)
		if got := w.Header().Get("Set-Cookie"); got != c.set {
			t.Errorf("%q, want %q", got, c.set)
		}
	}
	for header, want := range map[string]string{
		"": "", "otl_former=": "", "otl_former=a": "a", "otl_former=a.b": "a b", "otl_former=..a..b.": "a b", "otl_former=a.b.c.d.e.f": "a b c d e", "otl_former=a; otl_former=b": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		var got []string
		for _, one := range (cookie.Jar{}).Formers(r) {
			got = append(got, one.Reveal())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q holds %q, want %q", header, got, want)
		}
	}
}
