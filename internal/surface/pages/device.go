package pages

import (
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// origin names for a sentence where something was asked for: the browser and the address it
// came from, as far as they are known.
func origin(s screen, agent, ip string) string {
	switch named := isolate(otl.Agent(agent)); {
	case otl.Agent(agent) == "" && ip == "":
		return s.Say("unknown_browser")
	case otl.Agent(agent) == "":
		return isolate(ip)
	case ip == "":
		return named
	default:
		return named + " (" + isolate(ip) + ")"
	}
}

// inApp reports whether a browser is part of another app, by what such browsers say of
// themselves. Passkeys and cookies often fail there.
func inApp(agent string) bool {
	return slices.ContainsFunc([]string{
		"; wv)", "FBAN/", "FBAV/", "Instagram", " Line/", "GSA/", "MicroMessenger", "Snapchat", "musical_ly", "BytedanceWebview", "LinkedInApp", "Twitter for", "Pinterest/",
	}, func(mark string) bool { return strings.Contains(agent, mark) })
}
