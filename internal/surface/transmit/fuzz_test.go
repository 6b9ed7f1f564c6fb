package transmit

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// FuzzBodies reads a body as each call does and checks what is in it: it is refused
// with an error of ours, or what is let through is within its bounds.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"channel":"email","identifier_type":"email","identifier":"a@b.test"}`, `{"approval_data":{"a":"b"}}`, `{"email_content":{"subject":"x","base64logo":"iVBORw0KGgo="}}`,
		`{"custom_sms_input":{"custom_message":"{otp}{app}"}}`, `{"expires_in":1e9}`, `{"identifier":"a\u0000"}`, `[]`, `null`, "\xff", `{"claims":{"id_token":[]}}`, `{"approval_data":{"":""}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		request := func() *http.Request {
			return httptest.NewRequest(http.MethodPost, "/v1/auth/otp/send", strings.NewReader(body))
		}
		var in sendCodeIn
		if err := read(httptest.NewRecorder(), request(), &in); err != nil {
			if k := otl.As(err).Kind; k != otl.Malformed && k != otl.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if data, err := approval(in.Approval); err == nil && len(in.Approval) > 10 {
			t.Errorf("%v was let through", data)
		}
		if ttl, err := life(in.ExpiresIn, otl.Channel(in.Channel)); err == nil && (ttl < 0 || ttl.Minutes() > 1440) {
			t.Errorf("%v lives %s", in.ExpiresIn, ttl)
		}
		if c, err := custom(in.Mail, in.SMS); err == nil && in.SMS != nil && utf8.RuneCountInString(in.SMS.Message) > message.MaxSMS {
			t.Errorf("%s was let through", c)
		}
		var link sendLinkIn
		_ = read(httptest.NewRecorder(), request(), &link) // must not panic
		var front frontSMSIn
		_ = read(httptest.NewRecorder(), request(), &front)
		var user userIn
		if err := read(httptest.NewRecorder(), request(), &user); err == nil && user.check() == nil && len(user.SecondaryEmails) > maxKept {
			t.Errorf("%d addresses were let through", len(user.SecondaryEmails))
		}
		var verify verifyCodeIn
		_ = read(httptest.NewRecorder(), request(), &verify)
	})
}
