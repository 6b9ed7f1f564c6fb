package signin_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// TestD1_NothingOfBeforeBringsBackWhoLeft: what a site was handed while somebody was one of its people, or what was mailed to him for
// it, connects it with nobody who has left it since. By a code of the channel direct, which is good for a day, it would do so
// by itself, and by a link without a page a scanner of mails would. What he asks for afterwards is as good as any.
func TestD1_NothingOfBeforeBringsBackWhoLeft(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, sent := range sentBefore(t, w) {
			u := w.Person(t, fmt.Sprintf("p%d@dev.test", i), w.Notes.Site)
			w.Proven(t, u)
			uses := sent(u)
			if err := (account.Consents{Accounts: w.Accounts}).Disconnect(t.Context(), w.Notes.Site.ID, u.ID); err != nil {
				t.Fatal(err)
			}
			if err := uses(); otl.As(err).Kind != otl.Unauthenticated {
				t.Errorf("%d: %v", i, err)
			}
			if g, err := w.Store.Read.Grants.Of(t.Context(), u.ID, w.Notes.Site.ID); err != nil || g.Live() {
				t.Errorf("%d: %+v %v", i, g, err)
			}
			w.Letters(t, "")
			w.Inbox.Empty()
			r := signin.CodeRequest{Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: u.Email.Key}, Channel: otl.ChannelMail}
			if _, err := w.Codes.Send(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: w.Notes.Site, Who: r.Who, Code: secret.NewText(w.Newest(t, u.Email.Address).Code)}); err != nil {
				t.Errorf("%d, asked for anew: %v", i, err)
			}
		}
	})
}

// sentBefore gives what sends something to one of the people of Notes, or hands it to the site, and gives what uses that.
func sentBefore(t *testing.T, w *otltest.World) []func(u otl.User) (uses func() error) {
	t.Helper()
	site := w.Notes.Site
	code := func(u otl.User, c otl.Channel) func() error {
		sent, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: site, Who: signin.Identifier{Type: signin.ByID, Value: u.ID}, Channel: c, Known: true})
		if err != nil {
			t.Fatal(err)
		}
		if c == otl.ChannelMail {
			sent.Code = secret.NewText(w.Newest(t, u.Email.Address).Code)
		}
		return func() error {
			_, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: site, Who: signin.Identifier{Type: signin.ByEmail, Value: u.Email.Key}, Code: sent.Code})
			return err
		}
	}
	redeem := func(to string, err error) error {
		if err != nil {
			return err
		}
		back, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: site, Code: secret.NewText(back.Query().Get("code"))})
		return err
	}
	link := func(u otl.User, c otl.Channel, confirm otl.Confirm) (token string) {
		sent, err := w.Codes.SendLink(t.Context(), signin.LinkRequest{
			CodeRequest: signin.CodeRequest{Site: site, Who: signin.Identifier{Type: signin.ByID, Value: u.ID}, Channel: c, Known: true, Redirect: back}, Confirm: confirm,
		})
		if err != nil {
			t.Fatal(err)
		}
		if token = sent.Link.Reveal(); c == otl.ChannelMail {
			token = w.Newest(t, u.Email.Address).Link
		}
		return token[len(otltest.Issuer+"/l/"):]
	}
	return []func(u otl.User) (uses func() error){
		func(u otl.User) func() error { return code(u, otl.ChannelDirect) },
		func(u otl.User) func() error { return code(u, otl.ChannelMail) },
		func(u otl.User) func() error {
			token := link(u, otl.ChannelDirect, "")
			return func() error { return redeem(w.Codes.Confirm(t.Context(), token)) }
		},
		func(u otl.User) func() error {
			token := link(u, otl.ChannelMail, otl.ConfirmNever)
			return func() error { return redeem(w.Codes.Follow(t.Context(), token)) }
		},
		func(u otl.User) func() error {
			to, err := w.Codes.Confirm(t.Context(), link(u, otl.ChannelDirect, ""))
			return func() error { return redeem(to, err) }
		},
		func(u otl.User) func() error {
			to, err := w.Codes.Follow(t.Context(), link(u, otl.ChannelMail, otl.ConfirmNever))
			return func() error { return redeem(to, err) }
		},
	}
}
