package wire

import (
	"context"
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
)

// Programs that run in browsers call from pages of other origins (Fetch standard, CORS
// protocol). Which pages may read an answer follows from what is registered; a call is made
// with a token, and cookies are never looked at.

// Origins reports whether the pages of an origin may read an answer.
type Origins func(ctx context.Context, origin string) (bool, error)

// Share lets the calling page read the answer if its origin is allowed, to the letter (AD-11).
// A later call takes back what an earlier one allowed, so that what is said before the caller is
// known may be read by whoever some caller lets, and the rest by his alone. The error is that of
// Origins.
func Share(w http.ResponseWriter, r *http.Request, allowed Origins) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	h := w.Header()
	h.Set("Vary", "Origin")
	h.Del("Access-Control-Allow-Origin")
	if bad := otl.CheckOrigin("origin", origin); bad != nil { // null, too: it is nobody's own
		return nil //nolint:nilerr // it is shared with nobody, which is no failure
	}
	if ok, err := allowed(r.Context(), origin); err != nil || !ok {
		return err
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, WWW-Authenticate, X-Request-Id")
	return nil
}

// Preflight answers what a browser asks before a call of another origin by one of some methods,
// "GET, POST". The question names no caller; whose answer it is to be decides at the call itself.
// Fail words the error of Origins.
func Preflight(methods string, allowed Origins, fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := Share(w, r, allowed); err != nil {
			fail(w, r, err)
			return
		}
		if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, If-Match")
			h.Set("Access-Control-Max-Age", "600")
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
