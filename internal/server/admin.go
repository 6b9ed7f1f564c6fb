package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// onPurpose gives the admin listener's handler the requests of those who mean it, and not those of a page
// in a browser that reaches it: neither under a name that the page's owner has lead here (DNS
// rebinding), which is answered with 421, nor from another origin, with 403 (AD-09). A browser says where
// a request comes from to addresses of its own machine alone, so that what costs something asks for a header
// that no page can send everywhere else.
func (s *Server) onPurpose(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.administers(r):
			http.Error(w, "This listener is reached by an address, as localhost, or by a name in admin_hosts.", http.StatusMisdirectedRequest)
		case len(r.Header.Values("Origin")) > 0, slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(from string) bool { return from != "none" && from != "same-origin" }):
			http.Error(w, "This listener answers no page of another origin.", http.StatusForbidden)
		case strings.HasPrefix(r.URL.Path, "/debug/pprof") && !withinMachine(r) && r.Header.Get(purposeHeader) == "":
			http.Error(w, "From another machine /debug/pprof asks for the header "+purposeHeader+", of any value.", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// purposeHeader has any value. A page can send it only where it may read the answer (CORS).
const purposeHeader = "X-Otl-Purpose"

// withinMachine reports whether a request came in by a loopback address or a unix socket.
func withinMachine(r *http.Request) bool {
	switch at := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		return at.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// administers reports whether a request names the admin listener as an operator would. No page
// reaches a unix socket, and none sends a request without a host.
func (s *Server) administers(r *http.Request) bool {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]")
	}
	_, err = netip.ParseAddr(host)
	return err == nil || host == "" || slices.ContainsFunc(append([]string{"localhost"}, s.AdminHosts...), func(name string) bool { return strings.EqualFold(name, host) })
}
