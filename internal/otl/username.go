package otl

import "strings"

// Username is a name to sign in with that passed ParseUsername. It is one person's
// in the whole network, and never an address: it has no "@".
type Username struct {
	Name string // as given, surrounding blanks removed
	Key  string // lower case, for look-ups
}

// Bounds of a username in bytes.
const (
	MinUsername = 2
	MaxUsername = 64
)

// ParseUsername reads a username: 2 to 64 ASCII letters, digits and "._-", a letter
// or digit first. "" is none.
func ParseUsername(s string) (Username, error) {
	s = strings.Trim(s, " ")
	if s == "" {
		return Username{}, nil
	}
	key := strings.ToLower(s)
	if len(s) < MinUsername || len(s) > MaxUsername || strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || strings.Contains("._-", key[:1]) {
		return Username{}, InvalidField("username", "not_a_username", "must be 2 to 64 letters, digits and ._- of ASCII, a letter or digit first")
	}
	return Username{s, key}, nil
}
