package otl

import (
	"context"
	"net/netip"
	"time"
)

// Request is what the rules may know of the call they serve: where it comes
// from and what to call it in the log. The wire itself stays above.
type Request struct {
	ID        string     // UUID, equals request_id in every answer
	Peer      netip.Addr // the caller's own address, proxies resolved
	Client    netip.Addr // the person's address as far as it is known
	UserAgent string
	// Locales are the languages whoever asks wishes for, the best first, each a tag (BCP 47)
	// or a list as in Accept-Language; what he has said of himself goes before them.
	Locales []string

	// Device is the digest of the token by which the person's device says that it is
	// trusted; nil for none.
	Device []byte

	// Patient gives a context for an answer that may take longer than others: it
	// ends with the caller's connection or after d. Nil outside a server.
	Patient func(d time.Duration) (context.Context, context.CancelFunc)
	// Stopping is closed when the server stops: whoever waits answers at once.
	Stopping <-chan struct{}
	// Once is set where the caller may ask again for what creates something.
	Once *Once

	// By is who calls, where the door or the command line says so; see Actor.
	By Actor

	// What the door learned on the way, for the one log line at the end.
	SiteID, SiteKeyID, UserID string
	Err                       error
}

// Named reports whether a site says where the person is, instead of his own request: also where it
// names the address that it calls from.
func (r *Request) Named() bool { return r.Client != r.Peer || r.SiteKeyID != "" }

// Household gives what addresses are counted together: an IPv4 address, or the 64 bits of an
// IPv6 one that a single household has (HT-09). It is invalid for none.
func Household(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	home, err := ip.Prefix(min(64, ip.BitLen()))
	if err != nil {
		return netip.Prefix{}
	}
	return home
}

type requestKey struct{}

// WithRequest returns a context that carries r.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf gives the request a context carries, or an empty one: commands and
// jobs have none.
func RequestOf(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}

type transactionKey struct{}

// InTransaction returns a context marked as being inside a store transaction.
func InTransaction(ctx context.Context) context.Context {
	return context.WithValue(ctx, transactionKey{}, true)
}

// Transactional reports whether ctx was marked by InTransaction. Slow work
// (hashing, anything over a network) refuses to start there, because on SQLite
// it would hold up every other writer.
func Transactional(ctx context.Context) bool {
	marked, _ := ctx.Value(transactionKey{}).(bool)
	return marked
}
