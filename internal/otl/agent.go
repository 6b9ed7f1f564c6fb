package otl

import "strings"

// mark is a word of User-Agent headers and what it stands for.
type mark struct{ word, name string }

// Agent names a browser by its User-Agent header, as far as that goes: "Firefox,
// Linux", "" for one that says neither. What is not known is named by nothing that could
// mislead.
func Agent(agent string) string {
	browser := first(agent, []mark{
		{"Edg/", "Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Firefox"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Chrome/", "Chrome"},
		{"CriOS/", "Chrome"},
		{"FxiOS/", "Firefox"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
	})
	system := first(agent, []mark{
		{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	})
	switch {
	case browser == "" && system == "":
		return ""
	case browser == "":
		return system
	case system == "":
		return browser
	}
	return browser + ", " + system
}

// first gives the name of the first mark in a text.
func first(text string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(text, m.word) {
			return m.name
		}
	}
	return ""
}
