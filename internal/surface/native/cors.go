package native

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/wire"
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
	return wire.Preflight(strings.Join(slices.Sorted(slices.Values(methods)), ", "), s.origins(""), Fail)
}

// origins are those that a site, or any for "", allows.
func (s *Surface) origins(siteID string) wire.Origins {
	return func(ctx context.Context, origin string) (bool, error) { return s.Sites.Allows(ctx, siteID, origin) }
}
