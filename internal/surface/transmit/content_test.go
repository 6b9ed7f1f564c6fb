package transmit

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// TestWhatAClientPutsIntoAMail: colours of three and of six digits, with "#" and without, and a logo in base64 or
// as a data URL, come to one form; what is neither is named (contract 3.3).
func TestWhatAClientPutsIntoAMail(t *testing.T) {
	t.Parallel()
	const png, jpeg = "iVBORw0KGgo=", "/9j/4AAQ"
	for _, c := range []struct{ color, logo, wantColor, wantLogo, wrong string }{
		{"", "", "", "", ""},
		{"#6981FF", png, "#6981FF", png, ""},
		{"6981ff", "data:image/png;base64," + png, "#6981ff", png, ""},
		{"#abc", "data:image/jpeg;base64," + jpeg, "#aabbcc", jpeg, ""},
		{"f0A", jpeg, "#ff00AA", jpeg, ""},
		{"#abcd", "", "", "", "email_content.primaryColor"},
		{"#ab", "", "", "", "email_content.primaryColor"},
		{"#abc;x", "", "", "", "email_content.primaryColor"},
		{"", "data:image/svg+xml;base64,PHN2Zz4=", "", "", "email_content.base64logo"},
		{"", "data:text/html;base64," + png, "", "", "email_content.base64logo"},
		{"", "data:image/png," + png, "", "", "email_content.base64logo"},
		{"", png + strings.Repeat("AAAA", 5000), "", "", "email_content.base64logo"},
	} {
		raw, err := custom(&emailContent{Subject: "s", PrimaryColor: c.color, Logo: c.logo}, nil)
		if c.wrong != "" {
			if e := otl.As(err); err == nil || e.Field != c.wrong {
				t.Errorf("%q %.40q: %v", c.color, c.logo, err)
			}
			continue
		}
		var got message.Custom
		if err != nil || json.Unmarshal([]byte(raw), &got) != nil || got.Color != c.wantColor || got.Logo != c.wantLogo {
			t.Errorf("%q %.40q: %+v %v", c.color, c.logo, got, err)
		}
	}
}
