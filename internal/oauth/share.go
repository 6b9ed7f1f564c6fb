package oauth

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
)

// Programs that run in browsers call the endpoints of clients from pages of other origins
// (Fetch standard, CORS protocol). Which pages may read the answers follows from what is
// registered; cookies are never looked at.

// Share lets the calling page read the answer if its origin is that of a redirect URI of
// the client, or one that the client's site allows. Before the client is known, the zero
// one stands for any: an answer that says no more than what is wrong. A later call for the
// client takes back what an earlier one for any allowed.
func (d Door) Share(w http.ResponseWriter, r *http.Request, c otl.Client) error {
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
	if ok, err := d.Clients.Shares(r.Context(), c, origin); err != nil || !ok {
		return err
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate, X-Request-Id")
	return nil
}

// Preflight answers what a browser asks before a call of another origin. It names no
// client; whose answer it is to be decides at the call itself.
func (d Door) Preflight(methods string, fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := d.Share(w, r, otl.Client{}); err != nil {
			fail(w, r, err)
			return
		}
		if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
			h.Set("Access-Control-Max-Age", "600")
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
