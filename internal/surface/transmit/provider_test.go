package transmit_test

import (
	"net/http"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

// TestNobodyDelivers is contract 3.5: where no provider is set up the calls that send say
// so, for known and unknown people alike, and queue nothing.
func TestNobodyDelivers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		x.Messages.Ways = map[otl.Channel]bool{}
		for _, who := range []string{"jane@dev.test", "nobody@dev.test"} {
			failed(t, x.post(t, "/v1/auth/otp/send", object{"channel": "email", "identifier_type": "email", "identifier": who}),
				http.StatusBadRequest, `{"error_code":"external_provider_configuration_error","message":"Mail provider not set up"}`)
			failed(t, x.post(t, "/v1/auth/otp/send", object{"channel": "sms", "identifier_type": "email", "identifier": who}),
				http.StatusBadRequest, `{"error_code":"external_provider_configuration_error","message":"SMS provider not set up"}`)
			failed(t, x.post(t, "/v1/auth/link/email/send", object{"email": who, "redirect_uri": callback}),
				http.StatusBadRequest, `{"error_code":"400","message":"No provider of mail is configured."}`)
			if r := x.post(t, "/v1/auth/otp/email", object{"email": who, "redirect_uri": callback}); r.Status != http.StatusBadRequest {
				t.Errorf("%d %s", r.Status, r.Raw)
			}
		}
		if all, err := x.Store.Read.Messages.List(t.Context(), "", "", 10); err != nil || len(all) != 0 {
			t.Errorf("queued %v %v", all, err)
		}
		x.Messages.Ways[otl.ChannelMail] = true
		x.post(t, "/v1/auth/otp/send", object{"channel": "email", "identifier_type": "email", "identifier": "jane@dev.test"}).Want(t, http.StatusOK)
	})
}
