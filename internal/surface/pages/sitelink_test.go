package pages_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

const onFirefox = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"

// linkOfNotes has Notes send jane a link by a call, for whom it says where she sits.
func linkOfNotes(t *testing.T, w *otltest.World, agent, ip string) outbox.Received {
	t.Helper()
	w.Do(t, otltest.Call{
		Path: "/api/v1/auth/link/send", Key: w.Notes.Key, Body: map[string]string{"email": jane, "callback_url": "https://notes.test/callback"},
		Headers: map[string]string{"X-OTL-Client-User-Agent": agent, "X-OTL-Client-IP": ip, "User-Agent": "curl/8"},
	}).Want(t, http.StatusAccepted)
	return letter(t, w, jane)
}

// TestOT18_TheLinkOfASiteSaysWhoAskedForIt: H4. Device, place and time as the site said them, in every language and without scripts; of
// a site that says nothing the time alone. It is the browser that asked which is named, not the one that opens the link.
func TestOT18_TheLinkOfASiteSaysWhoAskedForIt(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		for _, c := range []struct{ agent, ip, now, later string }{
			{onFirefox, "203.0.113.7", "Asked from Firefox, Linux (203.0.113.7), just now.", "Asked from Firefox, Linux (203.0.113.7), 2 minutes ago."},
			{onFirefox, "", "Asked from Firefox, Linux, just now.", "Asked from Firefox, Linux, 2 minutes ago."},
			{"", "203.0.113.7", "Asked from 203.0.113.7, just now.", "Asked from 203.0.113.7, 2 minutes ago."},
			{"", "", "Requested: {at}<", "Requested: {at}<"},
		} {
			at := message.Speak(nil, "en").Minute(w.Clock.Now())
			link := pathOf(linkOfNotes(t, w, c.agent, c.ip).Link)
			b := w.Browser(t)
			b.Headers["User-Agent"] = "Mozilla/5.0 (iPhone) Safari/605"
			holds(t, b.Get(link), "Sign in to Notes?", strings.ReplaceAll(c.now, "{at}", at), "!Safari")
			w.Clock.Advance(2 * time.Minute)
			holds(t, b.Get(link), strings.ReplaceAll(c.later, "{at}", at))
			for _, lang := range message.Languages() {
				b := w.Browser(t)
				b.Headers["Accept-Language"] = lang.Tag
				v := message.Speak(map[string]string{"device": "X", "minutes": "2", "asked": "X"}, lang.Tag)
				key := "link_asked_ago"
				if c.agent+c.ip == "" {
					key = "asked_for"
				}
				for part := range strings.SplitSeq(v.Say(key), "X") {
					holds(t, b.Get(link), strings.TrimSpace(part))
				}
			}
			w.Clock.Advance(3 * time.Hour)
		}
	})
}

// TestOT18_ALinkThatLastsADaySaysHowManyHoursAgo it was asked for: two hours and more are not counted in minutes.
func TestOT18_ALinkThatLastsADaySaysHowManyHoursAgo(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		ctx := otl.WithRequest(t.Context(), &otl.Request{UserAgent: onFirefox})
		r := signin.LinkRequest{CodeRequest: signin.CodeRequest{
			Site: w.Notes.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: jane}, Channel: otl.ChannelMail, Known: true, Redirect: "https://notes.test/callback", TTL: 24 * time.Hour,
		}, Confirm: otl.ConfirmAuto}
		if _, err := w.Codes.SendLink(ctx, r); err != nil {
			t.Fatal(err)
		}
		link := pathOf(letter(t, w, jane).Link)
		w.Clock.Advance(2*time.Hour - time.Second)
		holds(t, w.Browser(t).Get(link), "Asked from Firefox, Linux, 119 minutes ago.")
		w.Clock.Advance(time.Second)
		holds(t, w.Browser(t).Get(link), "Asked from Firefox, Linux, 2 hours ago.")
		w.Clock.Advance(22*time.Hour - time.Minute)
		holds(t, w.Browser(t).Get(link), "Asked from Firefox, Linux, 23 hours ago.")
	})
}

// TestALinkThatAnotherDeviceAsksForDoesNotCross: the page of the older one would name the device that asked for the newer one (OT-18).
func TestALinkThatAnotherDeviceAsksForDoesNotCross(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		for _, again := range []string{onFirefox, "Mozilla/5.0 (iPhone) Safari/605"} {
			old := pathOf(linkOfNotes(t, w, onFirefox, "203.0.113.7").Link)
			w.Clock.Advance(31 * time.Second)
			linkOfNotes(t, w, again, "203.0.113.7")
			want := http.StatusOK
			if again != onFirefox {
				want = http.StatusGone
			}
			if p := w.Browser(t).Get(old); p.Status != want {
				t.Errorf("%s: %d %s", again, p.Status, p.Title)
			}
			w.Clock.Advance(3 * time.Hour)
		}
	})
}

// TestALinkThatIsDeadLeadsBackToItsSite: H20. Whoever holds it cannot be sent another from here, but by the site, which the page
// names and leads to: where it is reached, as long as it is. A link that never was names nobody.
func TestALinkThatIsDeadLeadsBackToItsSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		back, mail := `<a class="button" href="https://notes.test">Back to Notes</a>`, linkOfNotes(t, w, "", "")
		w.Clock.Advance(16 * time.Minute)
		holds(t, w.Browser(t).Get(pathOf(mail.Link)), "This link has expired", "Ask for a new one where you were signing in.", back, "!Send a new link")
		used := pathOf(linkOfNotes(t, w, "", "").Link)
		b := w.Browser(t)
		b.Submit(b.Get(used), "confirm", nil)
		holds(t, b.Get(used), "This link was already used", back)
		w.Clock.Advance(3 * time.Hour)
		first := w.Browser(t)
		asks(first, first.Get(request(w.Notes, nil)), jane)
		visit := pathOf(letter(t, w, jane).Link)
		w.Clock.Advance(16 * time.Minute)
		holds(t, w.Browser(t).Get(visit), "This link has expired", back)
		holds(t, first.Get(visit), "Send a new link", "!Back to Notes")
		holds(t, w.Browser(t).Get("/l/otl_ln_nothing"), "This link no longer works", "!Back to", "!Notes")
	})
}

// TestADeadLinkLeadsNowhereThatIsNotRegistered any more; the site is named all the same.
func TestADeadLinkLeadsNowhereThatIsNotRegistered(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site)
		link := pathOf(linkOfNotes(t, w, "", "").Link)
		w.Clock.Advance(16 * time.Minute)
		for _, callback := range w.Notes.Site.CallbackURLs {
			if err := w.Sites.RemoveCallback(t.Context(), w.Notes.Site.ID, callback); err != nil {
				t.Fatal(err)
			}
		}
		holds(t, w.Browser(t).Get(link), "This link has expired", "Notes", "!https://notes.test\"")
	})
}

// TestAMailThatASiteAsksForAgainFollowsTheFirst: mailboxes keep those of one person and site together that are sent again, apart from those of
// others and of another day.
func TestAMailThatASiteAsksForAgainFollowsTheFirst(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		w.Clock.Advance(time.Hour - time.Duration(w.Clock.Now().UnixNano())%time.Hour) // a full hour
		code := func(key secret.Text) outbox.Received {
			w.Do(t, otltest.Call{Path: "/api/v1/auth/otp/send", Key: key, Body: map[string]string{"email": jane}}).Want(t, http.StatusAccepted)
			l := letter(t, w, jane)
			w.Clock.Advance(31 * time.Second)
			return l
		}
		first, again, link := code(w.Notes.Key), code(w.Notes.Key), linkOfNotes(t, w, onFirefox, "")
		w.Clock.Advance(31 * time.Second)
		shop := code(w.Shop.Key)
		w.Clock.Advance(24 * time.Hour)
		next := code(w.Notes.Key)
		if first.Thread == "" || first.Thread != again.Thread || first.Thread != link.Thread || first.Thread == shop.Thread || first.Thread == next.Thread {
			t.Errorf("%q %q %q %q %q", first.Thread, again.Thread, link.Thread, shop.Thread, next.Thread)
		}
	})
}
