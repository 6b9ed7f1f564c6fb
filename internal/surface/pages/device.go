package pages

import (
	"cmp"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// device names a browser for a sentence, "?" for one that says nothing of itself.
func device(agent string) string { return cmp.Or(otl.Agent(agent), "?") }

// inApp reports whether a browser is part of another app, by what such browsers say of
// themselves. Passkeys and cookies often fail there.
func inApp(agent string) bool {
	return slices.ContainsFunc([]string{
		"; wv)", "FBAN/", "FBAV/", "Instagram", " Line/", "GSA/", "MicroMessenger", "Snapchat", "musical_ly", "BytedanceWebview", "LinkedInApp", "Twitter for", "Pinterest/",
	}, func(mark string) bool { return strings.Contains(agent, mark) })
}
