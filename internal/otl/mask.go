package otl

import (
	"strings"
	"unicode/utf8"
)

// Masked shows enough of an address, a number or a name for whoever has it to know it, and too
// little for anybody else: the first letter, of an address also what stands behind "@", of a
// number the last two digits alone. It is "" for none.
func Masked(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	if _, err := ParsePhone(s); err == nil {
		return "•••• " + s[len(s)-2:]
	}
	first, _ := utf8.DecodeRuneInString(s)
	out := string(first) + "***"
	if _, err := ParseEmail(s); err == nil {
		out += s[strings.Index(s, "@"):]
	}
	return out
}
