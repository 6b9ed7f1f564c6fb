package otltest

import (
	"slices"
	"strings"
)

// Hostile gives more than 500 addresses that look like https://notes.test/callback to
// somebody and are not it, to the letter (OA-02).
func Hostile() []string {
	const good = "https://notes.test/callback"
	out := []string{"", "/callback", "javascript:alert(1)", "data:text/html,x", "https://evil.test/", "//evil.test", "https:evil.test", "https://notes.test"}
	for _, put := range []string{"/", "?", "#", "#x", "?x=1", "/..", "/../callback", "//", "%2f", "%00", " ", "\t", "\n", ".", "@evil.test", "\\", ";", "&x=1", "x", "/%2e%2e", "%0d%0aX: y", "?redirect_uri=" + good} {
		out = append(out, good+put, put+good)
	}
	for _, pair := range [][2]string{
		{"https", "http"},
		{"https", "HTTPS"},
		{"https", "ftp"},
		{"https:", "https:\\\\"},
		{"https://", "https:/"},
		{"https://", "https:///"},
		{"https://", "//"},
		{"notes", "NOTES"},
		{"notes", "notes.evil"},
		{"notes.test", "notes.test."},
		{"notes.test", "notes.test:443"},
		{"notes.test", "notes.test:80"},
		{"notes.test", "notes.test:8443"},
		{"notes.test", "evil.test"},
		{"notes.test", "notes.test@evil.test"},
		{"notes.test", "x@notes.test"},
		{"notes.test", "x:y@notes.test"},
		{"notes.test", "evil.test\\@notes.test"},
		{"notes.test", "evil.test#@notes.test"},
		{"notes.test", "evil.test?@notes.test"},
		{"notes.test", "notes.test%2eevil.test"},
		{"notes.test", "notes.test.evil.test"},
		{"notes.test", "sub.notes.test"},
		{"notes.test", "xn--notes-9za.test"},
		{"notes.test", "\uff4eotes.test"},
		{"notes.test", "n\u00f6tes.test"},
		{"notes.test", "notes%2etest"},
		{"notes.test", "notes\u3002test"},
		{"notes.test", "[::1]"},
		{"notes.test", "127.0.0.1"},
		{"notes.test", "localhost"},
		{"notes.test", ""},
		{"callback", "Callback"},
		{"callback", "callbac"},
		{"callback", "%63allback"},
		{"callback", "x/../callback"},
		{"callback", "./callback"},
		{"callback", "callback/callback"},
		{"callback", "callback/."},
		{"/callback", "//callback"},
		{"/callback", "\\callback"},
		{"/callback", ""},
		{"/callback", "/%2fcallback"},
	} {
		changed := strings.Replace(good, pair[0], pair[1], 1)
		out = append(out, changed)
		for _, put := range []string{"/", "?", "#", ".", "%20", "&", "//", "\\", "?code=x", "#code", "?x=" + good} {
			out = append(out, changed+put)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(one string) bool { return one == good })
}
