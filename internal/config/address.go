package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// listener takes what server.Listen can listen on.
func listener(dst *string) func(string) error {
	return func(s string) error {
		bad := errors.New("must be host:port or unix:/path, such as 127.0.0.1:8787")
		*dst = s
		if path, ok := strings.CutPrefix(s, "unix:"); ok {
			if path == "" {
				return bad
			}
			return nil
		}
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return bad
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return errors.New("has a bad port; it must be a number from 0 to 65535")
		}
		return nil
	}
}

// prefixes takes networks and single addresses, separated by commas.
func prefixes(dst *[]netip.Prefix) func(string) error {
	return func(s string) error {
		*dst = nil
		for part := range strings.SplitSeq(s, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			p, ok := prefix(part)
			if !ok {
				return errors.New("must be networks such as 10.0.0.0/8, separated by commas")
			}
			*dst = append(*dst, p)
		}
		return nil
	}
}

// proxies takes the same, and unix for whoever connects to a unix socket.
func proxies(dst *[]netip.Prefix, socket *bool) func(string) error {
	return func(s string) error {
		*socket = false
		var networks []string
		for part := range strings.SplitSeq(s, ",") {
			if strings.TrimSpace(part) == "unix" {
				*socket = true
			} else {
				networks = append(networks, part)
			}
		}
		if prefixes(dst)(strings.Join(networks, ",")) != nil {
			return errors.New("must be networks such as 10.0.0.0/8, or unix, separated by commas")
		}
		return nil
	}
}

// ports takes port numbers, separated by commas; one at least.
func ports(dst *[]uint16) func(string) error {
	return func(s string) error {
		*dst = nil
		for part := range strings.SplitSeq(s, ",") {
			n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 16)
			if err != nil || n == 0 {
				return errors.New("must be port numbers such as 443,8443")
			}
			*dst = append(*dst, uint16(n))
		}
		return nil
	}
}

// prefix reads one network or address. IPv4 written as IPv6 becomes IPv4, which
// is what callers are compared as.
func prefix(s string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, false
	}
	if ip := p.Addr(); ip.Is4In6() {
		if p.Bits() < 96 {
			return p, false
		}
		p = netip.PrefixFrom(ip.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// publicURL takes an origin: scheme and host, no path. Plain http is for this
// machine only. It is kept as browsers write it in Origin, because it is
// compared with that: lower case, no default port.
func publicURL(dst *string) func(string) error {
	return func(s string) error {
		*dst = s
		if s == "" {
			return nil
		}
		u, err := url.Parse(strings.TrimSuffix(s, "/"))
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			return errors.New("must be an address such as https://id.example.com")
		case u.Path != "" || strings.ContainsAny(s, "?#") || u.User != nil:
			return errors.New("must be scheme and host only, such as https://id.example.com")
		case u.Scheme == "http" && !otl.Loopback(u.Hostname()):
			return errors.New("must be https; plain http is for localhost only")
		}
		host, ok := origin(u)
		if !ok {
			return errors.New("must have a host name of letters, digits, hyphens and dots, such as https://id.example.com")
		}
		*dst = u.Scheme + "://" + host
		return nil
	}
}

// origin gives host and port of a URL as they stand in an origin.
func origin(u *url.URL) (string, bool) {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		if ip.Is6() {
			host = "[" + ip.String() + "]"
		}
	} else if !hostName(host) {
		return "", false
	}
	if strings.HasSuffix(u.Host, ":") {
		return "", false
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return "", false
	}
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return host, true
	}
	return host + ":" + port, true
}

func hostName(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	if strings.Trim(last, "0123456789") == "" { // browsers take it for a bad address
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(s) <= 253
}

// databaseURL takes what store.Open can open. The value may hold a password and
// is not repeated.
func databaseURL(dst *secret.Text) func(string) error {
	return func(s string) error {
		*dst = secret.NewText(s)
		path, lite := strings.CutPrefix(s, "sqlite:")
		switch {
		case s == "", lite && path != "":
			return nil
		case strings.HasPrefix(s, "postgres://"), strings.HasPrefix(s, "postgresql://"):
			if _, err := url.Parse(s); err != nil {
				return errors.New("cannot be read; write special characters of the password as %XX")
			}
			return nil
		}
		return errors.New("must be postgres://user@host/database or sqlite:PATH")
	}
}

// page takes an address that pages link to: https, or mailto: for a mailbox.
func page(dst *string) func(string) error {
	return func(s string) error {
		*dst = s
		if mailbox, ok := strings.CutPrefix(s, "mailto:"); ok {
			if _, err := otl.ParseEmail(mailbox); err != nil {
				return errors.New("must be mailto: and one address")
			}
			return nil
		}
		if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return errors.New("must be an address such as https://example.com/help, or mailto:help@example.com")
		}
		return nil
	}
}
