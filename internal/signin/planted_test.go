package signin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

const planted = "+491705550177"

// codeTo sends a code to a person of Notes and uses it.
func codeTo(t *testing.T, w *otltest.World, who signin.Identifier, channel otl.Channel, join string) (signin.Proven, error) {
	t.Helper()
	if _, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: w.Notes.Site, Who: who, Channel: channel, Known: true}); err != nil {
		t.Fatal(err)
	}
	to := planted
	if channel == otl.ChannelMail {
		to = "jane@dev.test"
	}
	code := w.Letters(t, to)[0].Code
	return w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: who, Code: secret.NewText(code), Known: true, Join: join})
}

// TestOT16_APlantedNumberOpensNothing: a number that somebody wrote into the account of
// an address he had not proven, and even one he proved to hold, signs nobody in once
// the address has been proven, until it is proven from a session of the account.
func TestOT16_APlantedNumberOpensNothing(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{false, true} {
		otltest.Each(t, func(t *testing.T, w *otltest.World) {
			number := planted
			m, err := w.Accounts.Create(t.Context(), account.Creation{Email: "jane@dev.test", Site: &w.Notes.Site, Profile: account.Profile{Phone: &number}})
			if err != nil {
				t.Fatal(err)
			}
			byPhone := signin.Identifier{Type: signin.ByPhone, Value: planted}
			if proven {
				if _, err := codeTo(t, w, byPhone, otl.ChannelSMS, ""); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(time.Minute)
			}
			mail, err := codeTo(t, w, signin.Identifier{Type: signin.ByEmail, Value: "jane@dev.test"}, otl.ChannelMail, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, who := range []signin.Identifier{byPhone, {Type: signin.ByID, Value: m.User.ID}} {
				w.Clock.Advance(time.Minute)
				if _, err := codeTo(t, w, who, otl.ChannelSMS, ""); !errors.Is(err, signin.ErrUnproven) {
					t.Errorf("by %s: %v", who.Type, err)
				}
			}
			w.Clock.Advance(time.Minute)
			if _, err := codeTo(t, w, byPhone, otl.ChannelSMS, mail.Session.ID); err != nil {
				t.Errorf("from his own session: %v", err)
			}
			w.Clock.Advance(time.Minute)
			if _, err := codeTo(t, w, byPhone, otl.ChannelSMS, ""); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}
