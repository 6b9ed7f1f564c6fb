package egress

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Errors of requests that are not made, in words for whoever owns the address; what opens more
// is the operator's to read, in docs/configuration.md.
var (
	ErrURL     = errors.New("must be an https URL without a user name, such as https://example.com/hook")
	ErrBlocked = errors.New("leads to no address that this server may call")
)

// portError is ErrURL for a port that may not be called; it holds those that may.
type portError string

// Error says which ports may be called.
func (e portError) Error() string {
	return "the port must be " + string(e)
}

// Unwrap says that it is ErrURL.
func (portError) Unwrap() error { return ErrURL }

// Policy says what may be called and how much of the answer is read.
type Policy struct {
	// Trusted is for addresses that the operator configured himself, never for what
	// came in a request: plain http, any port and addresses of the own network.
	Trusted bool
	// Loopback lets this machine be called, on any port and with plain http: for
	// `otl dev` alone (decision D20).
	Loopback bool
	// Networks may be called though they are not public: what the operator opened.
	Networks []netip.Prefix
	// Ports that may be called; nil for 443 and 8443.
	Ports []uint16
	// Roots are the certificates believed; nil for those of the machine.
	Roots *tls.Config
	// Resolver finds the addresses of a name; nil for the machine's.
	Resolver *net.Resolver
	// Timeout bounds a request from the look-up to the last byte; 0 for DefaultTimeout.
	Timeout time.Duration
	// Most is how many bytes of an answer are read; 0 for MaxBody.
	Most int64
}

// ports are those that may be called.
func (p Policy) ports() []uint16 {
	if p.Ports == nil {
		return []uint16{443, 8443}
	}
	return p.Ports
}

// Check reports whether a URL may be called as far as it can be told from itself:
// ErrURL for what is wrong with its form, ErrBlocked for an address in it that is not
// to be called. What its name stands for is looked at when it is dialled.
func (p Policy) Check(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" || strings.HasSuffix(u.Host, ":") || strings.ContainsRune(u.Hostname(), '%') {
		return ErrURL
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if p.Trusted || p.Loopback && loopback(host) {
		if u.Scheme != "https" && u.Scheme != "http" {
			return ErrURL
		}
		return nil
	}
	if u.Scheme != "https" || u.User != nil {
		return ErrURL
	}
	if port := u.Port(); port != "" && !p.port(port) {
		return portError(p.portList())
	}
	return p.checkHost(host)
}

// checkHost refuses names and addresses that need no look-up to be known.
func (p Policy) checkHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		if !p.permits(a, nil) {
			return ErrBlocked
		}
		return nil
	}
	if loopback(host) {
		return ErrBlocked
	}
	// "127.1", "0x7f000001", "2130706433": some resolvers take them for addresses.
	last := host[strings.LastIndexByte(host, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || last == "" || strings.Trim(last, "0123456789") == "" {
		return ErrURL
	}
	return nil
}

func (p Policy) port(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && slices.Contains(p.ports(), uint16(n))
}

func (p Policy) portList() string {
	var out []string
	for _, n := range p.ports() {
		out = append(out, strconv.Itoa(int(n)))
	}
	return strings.Join(out, " or ")
}

// loopback reports whether a host is this machine by its name (RFC 6761, 6.3) or
// its address.
func loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// permits reports whether an address may be dialled. own are the addresses this
// machine has; what listens there is behind the door, even where they are public.
func (p Policy) permits(a netip.Addr, own []netip.Addr) bool {
	if p.Trusted {
		return true
	}
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if p.Loopback && a.IsLoopback() {
		return true
	}
	for _, n := range p.Networks {
		if n.Contains(a) {
			return true
		}
	}
	return Public(a) && !slices.Contains(own, a)
}

// Public reports whether an address is one of the public internet: none of the
// special-purpose registries of IANA, none that carries or translates another.
func Public(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && ssrf.New(ssrf.WithAnyPort()).SafeAddr(a.Unmap()) == nil
}

// ownAddresses are those of this machine's interfaces.
func ownAddresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap().WithZone(""))
		}
	}
	return out, nil
}
