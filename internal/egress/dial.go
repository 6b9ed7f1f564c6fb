package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// connectTimeout bounds one try to connect to one address.
const connectTimeout = 4 * time.Second

// dialer connects to addresses a policy permits.
type dialer struct {
	policy Policy
	own    func() ([]netip.Addr, error)
}

// dial looks a name up once, checks every address it stands for, and connects to
// those very addresses: a second look-up, which another answer could slip into, is
// never made (WH-08, WH-09).
func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	n := net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, Control: d.control}
	for _, a := range addrs {
		conn, failed := n.DialContext(ctx, network, net.JoinHostPort(a.Unmap().String(), port))
		if failed == nil {
			return conn, nil
		}
		err = failed
	}
	return nil, err
}

// resolve gives the addresses of a name, all of which may be called. Where one may
// not, none is: whoever names the server's own network next to a public address is
// after the former. A name that does not exist fails like one that leads inside, so
// that nobody learns which names do (WH-11).
func (d dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	resolver := d.policy.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	if d.policy.Trusted {
		return addrs, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil || len(addrs) == 0 {
		return nil, fmt.Errorf("%w (%s)", ErrBlocked, host)
	}
	own, err := d.own()
	if err != nil {
		return nil, fmt.Errorf("read this machine's addresses: %w", err)
	}
	for _, a := range addrs {
		if !d.policy.permits(a, own) {
			return nil, fmt.Errorf("%w (%s)", ErrBlocked, host)
		}
	}
	return addrs, nil
}

// control is asked with the address of the socket, right before it connects: the
// last word, whatever happened above.
func (d dialer) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	own, err := d.own()
	if err != nil {
		return err
	}
	if !d.policy.permits(at.Addr(), own) {
		return ErrBlocked
	}
	return nil
}

// ProblemCertificate is the problem of a receiver whose certificate is not believed.
const ProblemCertificate = "the certificate is not believed"

// Problem says in a few words why a request got no answer, for whoever owns the
// address: nothing of the network behind this server, nothing of the URL.
func Problem(err error) string {
	var network net.Error
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(err, ErrURL):
		return "the URL " + ErrURL.Error()
	case errors.Is(err, ErrBlocked):
		return "the URL " + ErrBlocked.Error()
	case errors.As(err, &cert):
		return ProblemCertificate
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "the connection was reset"
	}
	return "the connection failed"
}
