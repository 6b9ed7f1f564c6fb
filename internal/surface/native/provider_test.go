package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
)

// TestOT10_NobodyDelivers: where there is no provider, whoever asks for a message is told
// so, and learns nothing of people; what is told beside a change is given up, and the change
// stands.
func TestOT10_NobodyDelivers(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := w.Person(t, "jane@dev.test", w.Notes.Site)
		for _, who := range []string{"jane@dev.test", "nobody@dev.test"} {
			for path, body := range map[string]object{
				"/auth/otp/send": {"email": who}, "/auth/password/forgot": {"email": who}, "/auth/link/send": {"email": who, "callback_url": "https://notes.test/callback"},
			} {
				if r := call(t, w, w.Notes, http.MethodPost, path, body).Want(t, http.StatusServiceUnavailable, "no_mail_provider"); r.Header.Get("Retry-After") != "300" {
					t.Errorf("%s: %v", path, r.Header)
				}
			}
			call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": who, "channel": "sms"}).Want(t, http.StatusServiceUnavailable, "no_sms_provider")
		}
		b := w.Browser(t)
		p := b.Get("/signin")
		if got := b.Submit(p, "/signin", map[string]string{"identifier": "jane@dev.test", "way": "code"}); got.Status != http.StatusServiceUnavailable || !strings.Contains(string(got.Raw), "This server can&#39;t send mail at the moment.") {
			t.Errorf("%d %s", got.Status, got.Raw)
		}
		as(t, w, home(t, w, jane, otl.MethodPassword))(http.MethodPost, "/auth/password/change", object{"current_password": otltest.Password, "password": "another-horse-8"}).Want(t, http.StatusOK)
		w.Clock.Advance(time.Hour) // until then another node may have a provider
		if len(w.Letters(t, "")) != 0 {
			t.Errorf("%+v", w.Letters(t, ""))
		}
		all, err := w.Store.Read.Messages.List(t.Context(), "", "", 10)
		if err != nil || len(all) != 1 || all[0].State != otl.MessageDead || all[0].Kind != otl.MessagePasswordChanged || all[0].UserID != jane.ID {
			t.Errorf("%v %+v", err, all)
		}
	}, func(o *node.Options) { o.Senders = nil })
}

// TestOT19_ASiteSendsSoManyMails: in a minute and in a day, to whomever; whether he is
// known makes no difference, and other sites have their own.
func TestOT19_ASiteSendsSoManyMails(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "p2@dev.test", w.Notes.Site)
		next, paths := 0, []string{"/auth/otp/send", "/auth/password/forgot"}
		mails := func(n int) (sent int) {
			t.Helper()
			for range n {
				next++
				r := call(t, w, w.Notes, http.MethodPost, paths[next%2], object{"email": fmt.Sprintf("p%d@dev.test", next)})
				if r.Status == http.StatusAccepted || r.Status == http.StatusNoContent {
					sent++
				} else if r.Want(t, http.StatusTooManyRequests, "rate_limited"); r.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
			return sent
		}
		if got := mails(7); got != 5 {
			t.Errorf("%d in a minute, want 5", got)
		}
		call(t, w, w.Shop, http.MethodPost, "/auth/otp/send", object{"email": "p@dev.test"}).Want(t, http.StatusAccepted)
		w.Clock.Advance(time.Minute)
		if got := mails(5); got != 3 {
			t.Errorf("%d more in a day, want 3", got)
		}
		call(t, w, w.Notes, http.MethodPost, "/auth/otp/send", object{"email": "p2@dev.test"}).Want(t, http.StatusTooManyRequests)
		w.Clock.Advance(24 * time.Hour)
		if got := mails(7); got != 5 {
			t.Errorf("%d the next day, want 5", got)
		}
	}, func(o *node.Options) { o.Limits, o.Mail = true, limit.Mail{PerMinute: 5, PerDay: 8} })
}

// TestOT20_WhoIsToldThatSMSWereStopped: the owners of the site and the operator, in their
// languages; and the range is in the log.
func TestOT20_WhoIsToldThatSMSWereStopped(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		bearer := owner(t, w, "owner@dev.test")
		site := ownSite(t, w, bearer)
		do := func(path string, body object, status int) {
			t.Helper()
			w.Do(t, otltest.Call{
				Method: http.MethodPost, Path: "/api/v1" + path, Headers: map[string]string{"X-OTL-Site-Key": site.Text("site_key"), "Accept-Language": "fr"}, Body: body,
			}).Want(t, status)
		}
		do("/users", object{"email": "pat@dev.test", "phone": "+491705550100"}, http.StatusCreated)
		for range 50 {
			do("/auth/otp/send", object{"phone": "+491705550100"}, http.StatusAccepted)
		}
		w.Clock.Advance(20 * time.Minute)
		w.Inbox.Empty()
		do("/auth/otp/send", object{"phone": "+491705550100"}, http.StatusAccepted)
		do("/auth/otp/send", object{"phone": "+491705550100"}, http.StatusForbidden)
		for _, to := range []string{"owner@dev.test", "operator@dev.test"} {
			l := w.Letters(t, to)
			if len(l) != 1 || !strings.HasPrefix(l[0].Subject, "SMS of ") || !strings.Contains(l[0].Text, "+49170") || !strings.Contains(l[0].Text, "otl sms lift") {
				t.Errorf("%s: %+v", to, l)
			}
		}
	}, func(o *node.Options) { o.Operator = "operator@dev.test" })
}
