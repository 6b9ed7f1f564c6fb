package native

import (
	"net/http"
	"slices"
	"strings"
)

// crossOrigin reports whether scripts of a site's pages may call an operation:
// those that take a person's access token. Where a site key is needed there is
// nothing for a browser to do (contract 1.1).
func (o *operation) crossOrigin() bool {
	switch o.access {
	case byPerson, bySiteOrOwn, bySiteOrAdmin:
		return true
	}
	return false
}

// preflight answers the question a browser asks before such a call. It carries
// no token, so that an origin any site allows is let through here; whose token it
// is decides at the call itself.
func (s *Surface) preflight(methods []string) http.HandlerFunc {
	allowed := strings.Join(slices.Sorted(slices.Values(methods)), ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.allowOrigin(w, r, ""); err != nil {
			Fail(w, r, err)
			return
		}
		if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Allow-Methods", allowed)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
			h.Set("Access-Control-Max-Age", "600")
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// allowOrigin lets the calling page read the answer if a site, or any for "",
// allows its origin, and else does not.
func (s *Surface) allowOrigin(w http.ResponseWriter, r *http.Request, siteID string) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	h := w.Header()
	h.Set("Vary", "Origin")
	h.Del("Access-Control-Allow-Origin")
	if ok, err := s.Sites.Allows(r.Context(), siteID, origin); err != nil || !ok {
		return err
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id")
	return nil
}
