package pages

import (
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// origin names for a sentence where something was asked for: the browser and the address it
// came from, as far as they are known.
func origin(s screen, agent, ip string) string {
	switch named := browserOf(s, agent); {
	case named == "" && ip == "":
		return s.Say("unknown_browser")
	case named == "":
		return isolate(ip)
	case ip == "":
		return isolate(named)
	default:
		return isolate(named) + " (" + isolate(ip) + ")"
	}
}

// browserOf names browser and system by what a browser says of itself, as the language puts them
// one after the other; "" where that is unknown.
func browserOf(s screen, agent string) string {
	return strings.ReplaceAll(otl.Agent(agent), ", ", s.Say("comma"))
}

// inApp reports whether a browser is part of another app, by what such browsers say of
// themselves. Passkeys and cookies often fail there.
func inApp(agent string) bool {
	return slices.ContainsFunc([]string{
		"; wv)", "FBAN/", "FBAV/", "Instagram", " Line/", "GSA/", "MicroMessenger", "Snapchat", "musical_ly", "BytedanceWebview", "LinkedInApp", "Twitter for", "Pinterest/",
	}, func(mark string) bool { return strings.Contains(agent, mark) })
}
