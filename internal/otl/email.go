package otl

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Lengths of an e-mail address in bytes (RFC 5321 section 4.5.3.1, contract 1.4).
const (
	MaxEmail      = 254
	maxEmailLocal = 64
)

// Email is an address that passed ParseEmail. Key is what uniqueness and
// look-ups use; Address is what the person typed and what mail goes to.
type Email struct {
	Address string // as given, surrounding blanks removed
	Key     string // lower case, domain in its ASCII form
}

// ParseEmail reads one mailbox address: a dot-atom of RFC 5321 before the one
// "@", a host name with at least one dot after it. Quoted local parts, comments,
// address literals, display names and lists are refused: accepting them has sent
// resets to the wrong mailbox elsewhere. An internationalised domain is brought
// to its ASCII form; a local part outside ASCII is refused, because delivering
// to it needs an extension (RFC 6531) few servers speak. The error names rule
// and field, never the value.
func ParseEmail(s string) (Email, error) {
	s = strings.Trim(s, " ")
	if s == "" {
		return Email{}, InvalidField("email", "required", "is required")
	}
	if len(s) > MaxEmail {
		return Email{}, InvalidField("email", "too_long", "must be at most 254 bytes")
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || !localPart(local) {
		return Email{}, notAnAddress()
	}
	ascii, err := hostName(domain)
	if err != nil {
		return Email{}, notAnAddress()
	}
	key := strings.ToLower(local) + "@" + ascii
	if len(key) > MaxEmail {
		return Email{}, InvalidField("email", "too_long", "must be at most 254 bytes")
	}
	return Email{Address: s, Key: key}, nil
}

// Mailbox gives an address as mail servers and other programs take it: as it was
// typed before the "@", its domain in its ASCII form (RFC 5891). Servers that do not
// speak the extension for any other (RFC 6531) refuse the address. What is not an
// address stays as it is.
func Mailbox(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	ascii, err := hostName(domain)
	if err != nil {
		return address
	}
	return local + "@" + ascii
}

func notAnAddress() error {
	return InvalidField("email", "not_an_address", "must be one e-mail address, such as jane@example.com")
}

// localPart reports whether s is a dot-atom of RFC 5321 section 4.1.2.
func localPart(s string) bool {
	if s == "" || len(s) > maxEmailLocal {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !atext(r) }) {
			return false
		}
	}
	return true
}

func atext(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return r < 0x80 && strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// hostName gives the lower-case ASCII form of a host name that has at least two
// labels and whose last label is not a number. It takes letters, digits, hyphens
// and the plain dot only: IDNA would pass over what nobody sees, and what is kept
// as typed would then differ from what is looked up.
func hostName(s string) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r != '-' && r != '.' && !unicode.In(r, unicode.L, unicode.M, unicode.Nd) }) {
		return "", idnaError("bad character")
	}
	ascii, err := idna.Lookup.ToASCII(s)
	if err != nil {
		return "", err
	}
	if again, err := idna.Lookup.ToASCII(ascii); err != nil || again != ascii {
		return "", idnaError("not its own ASCII form")
	}
	labels := strings.Split(ascii, ".")
	if len(labels) < 2 || len(ascii) > 253 {
		return "", idnaError("one label or too long")
	}
	for _, label := range labels {
		if !hostLabel(label) {
			return "", idnaError("bad label")
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", idnaError("numeric top label")
	}
	return ascii, nil
}

type idnaError string

// Error gives the text.
func (e idnaError) Error() string { return string(e) }

func hostLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
