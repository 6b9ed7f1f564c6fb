package onelogin

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestAuthorizationIsReadInEverySpelling: contract 4.2 item 6, and what is none.
func TestAuthorizationIsReadInEverySpelling(t *testing.T) {
	t.Parallel()
	for _, h := range []string{"bearer:abc", "bearer: abc", "bearer abc", "Bearer abc", "BEARER  abc", "bearer : abc"} {
		if token, err := bearer(h); err != nil || token.Reveal() != "abc" {
			t.Errorf("%q: %q %v", h, token.Reveal(), err)
		}
	}
	for _, h := range []string{"", "bearer", "bearer:", "bearer ", "bearerabc", "abc", "Basic abc", "bearer a b", "bearer a, bearer b", "bear:er"} {
		if _, err := bearer(h); err == nil {
			t.Errorf("%q was taken", h)
		}
	}
	basic := base64.StdEncoding.EncodeToString([]byte("me:it"))
	for _, h := range []string{
		"client_id:me, client_secret:it", "client_id:me,client_secret:it", "Client_ID: me , client_secret: it", "Basic " + basic, "basic " + basic, "BASIC  " + basic,
	} {
		if c, err := client(h); err != nil || c.id != "me" || c.secret.Reveal() != "it" {
			t.Errorf("%q: %q %q %v", h, c.id, c.secret.Reveal(), err)
		}
	}
	for _, h := range []string{
		"client_id:me", "client_secret:it", "client_id:, client_secret:it", "client_id:me, client_secret:", "Basic", "Basic !", "Basic " + base64.StdEncoding.EncodeToString([]byte("me")),
		"Basic " + base64.StdEncoding.EncodeToString([]byte(":it")), "bearer abc", "client_id:me, client_secret:it, more",
	} {
		if _, err := client(h); err == nil {
			t.Errorf("%q was taken", h)
		}
	}
}

// FuzzAuthorization reads headers: what is let through is a token or a credential
// without anything around it.
func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"", "bearer:x", "Bearer x", "client_id:a, client_secret:b", "Basic YTpi", "bearer", "client_id:a,client_secret:b", "\x00", "bearer:\t:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		if token, err := bearer(h); err == nil && (token.Empty() || !strings.HasSuffix(h, token.Reveal()) || strings.ContainsAny(token.Reveal(), " \t,")) {
			t.Errorf("%q: %q", h, token.Reveal())
		}
		if c, err := client(h); err == nil && (c.id == "" || c.secret.Empty()) {
			t.Errorf("%q: an empty credential", h)
		}
	})
}
