package oauth

import (
	"context"
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

// Share lets the calling page read the answer if its origin is that of a redirect URI of
// the client, or one that the client's site allows. Before the client is known, the zero
// one stands for any: an answer that says no more than what is wrong.
func (d Door) Share(w http.ResponseWriter, r *http.Request, c otl.Client) error {
	return wire.Share(w, r, d.shares(c))
}

// Preflight answers what a browser asks before a page calls an endpoint of clients.
func (d Door) Preflight(methods string, fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return wire.Preflight(methods, d.shares(otl.Client{}), fail)
}

func (d Door) shares(c otl.Client) wire.Origins {
	return func(ctx context.Context, origin string) (bool, error) { return d.Clients.Shares(ctx, c, origin) }
}
