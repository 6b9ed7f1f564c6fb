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
// rebinding), which is answered with 421, nor from another origin, with 403 (AD-09).
func (s *Server) onPurpose(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.administers(r):
			http.Error(w, "This listener is reached by an address, as localhost, or by a name in admin_hosts.", http.StatusMisdirectedRequest)
		case len(r.Header.Values("Origin")) > 0, slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(from string) bool { return from != "none" && from != "same-origin" }):
			http.Error(w, "This listener answers no page of another origin.", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
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
