package transmit_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestAMailSaysWhatTheClientTellsOfThePerson, and so does the page of its link: when it was asked for is known, by what device and from where only by
// client_attributes; the client's own address and program are nobody's.
func TestAMailSaysWhatTheClientTellsOfThePerson(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
		for _, c := range []struct {
			told       object
			says, page string
		}{
			{nil, "", "Requested: "},
			{object{"user_agent": firefox}, ", Firefox, Linux", "Asked from Firefox, Linux, just now."},
			{object{"ip_address": "203.0.113.7"}, ", 203.0.113.7", "Asked from 203.0.113.7, just now."},
			{object{"user_agent": firefox, "ip_address": "203.0.113.7"}, ", Firefox, Linux, 203.0.113.7", "Asked from Firefox, Linux (203.0.113.7), just now."},
		} {
			for path, body := range map[string]object{
				"/v1/auth/otp/send":        {"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"},
				"/v1/auth/link/email/send": {"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test", "redirect_uri": callback},
			} {
				if c.told != nil {
					body["client_attributes"] = c.told
				}
				want := "\nRequested: " + x.Clock.Now().UTC().Format("2006-01-02 15:04 UTC") + c.says + "\n"
				x.Inbox.Empty()
				x.post(t, path, body).Want(t, http.StatusOK)
				if l := x.Newest(t, "jane@dev.test"); !strings.Contains(l.Text, want) || strings.Contains(l.Text, "127.0.0.1") {
					t.Errorf("%s: want %q in\n%s", path, want, l.Text)
				} else if l.Link != "" {
					p := x.Do(t, otltest.Call{Path: strings.TrimPrefix(l.Link, otltest.Issuer), Method: http.MethodGet}).Want(t, http.StatusOK)
					if shown := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(string(p.Raw)); !strings.Contains(shown, c.page) {
						t.Errorf("want %q on\n%s", c.page, shown)
					}
				}
				later(t, x)
			}
		}
	})
}

// later lets the time pass in which one more message may be sent.
func later(t *testing.T, x *tenant) {
	t.Helper()
	x.Clock.Advance(3 * time.Hour)
	x.bearer = x.token(t, url.Values{}).Want(t, http.StatusOK).Text("access_token")
}

// TestErrorsNameWhatIsBeyondABound: each member of email_content and custom_sms_input, one character beyond and at its bound.
func TestErrorsNameWhatIsBeyondABound(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		send := func(channel, kind, who, member string, value object) (int, string) {
			t.Helper()
			later(t, x)
			r := x.post(t, "/v1/auth/otp/send", object{"channel": channel, "identifier_type": kind, "identifier": who, member: value})
			return r.Status, string(r.Raw)
		}
		for _, name := range []string{"subject", "headerText", "bodyText", "linkText", "infoText", "footerText", "senderName"} {
			most := 2000
			if name == "subject" || name == "senderName" {
				most = 400
			}
			for n, want := range map[int]int{most: http.StatusOK, most + 1: http.StatusBadRequest} {
				value := object{"subject": "S"}
				value[name] = strings.Repeat("é", n)
				status, raw := send("email", "email", "jane@dev.test", "email_content", value)
				if status != want || want != http.StatusOK && !strings.Contains(raw, "email_content."+name) {
					t.Errorf("%s of %d: %d %s", name, n, status, raw)
				}
			}
		}
		// nobody has the number, which is looked for once all is within its bounds
		for text, want := range map[string]int{
			"{otp} {app} " + strings.Repeat("é", 128): http.StatusNotFound, "{otp} {app} " + strings.Repeat("é", 129): http.StatusBadRequest,
			"{app} {otp} {app}": http.StatusNotFound, "{app} {otp} {app} {app}": http.StatusBadRequest, "{app}": http.StatusBadRequest, "{otp}": http.StatusBadRequest,
		} {
			status, raw := send("sms", "phone_number", "+491705550131", "custom_sms_input", object{"custom_message": text})
			if status != want || want != http.StatusNotFound && !strings.Contains(raw, "custom_sms_input.custom_message") {
				t.Errorf("%.30q: %d %s", text, status, raw)
			}
		}
	})
}
