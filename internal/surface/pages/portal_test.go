package pages_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// timed is a time on a page, which is read as what stands in it.
var timed = regexp.MustCompile(`<time [^>]*>([^<]*)</time>`)

// holds fails the test unless a page says everything that is wanted and nothing that is
// not, which begins with "!". Marks of direction do not count.
func holds(t *testing.T, p otltest.Page, wants ...string) {
	t.Helper()
	plain := strings.NewReplacer("\u2068", "", "\u2069", "", "\u00a0", " ").Replace
	said := plain(timed.ReplaceAllString(string(p.Raw), "$1"))
	for _, want := range wants {
		absent, no := strings.CutPrefix(plain(want), "!")
		if strings.Contains(said, absent) == no {
			_, main, _ := strings.Cut(string(p.Raw), "<main")
			t.Errorf("%s (%d): %s\n%.1500s", p.Path, p.Status, want, main)
		}
	}
}

// home signs jane in to our own pages.
func home(t *testing.T, w *otltest.World) *otltest.Browser {
	t.Helper()
	b := w.Browser(t)
	if p := password(b, b.Get("/account")); p.Title != "Your account" {
		t.Fatalf("%s\n%s", p.Title, p.Raw)
	}
	return b
}

// verified gives jane, who has proven her address.
func verified(t *testing.T, w *otltest.World, sites ...otl.Site) otl.User {
	t.Helper()
	u := w.Person(t, jane, sites...)
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestTheProfilePage: who sees a field stands below it, what is written differently is
// changed and nothing else, and what is wrong with it stands beside it.
func TestTheProfilePage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		if err := (account.Consents{Accounts: w.Accounts}).Limit(t.Context(), u.ID, w.Shop.Site.ID, otl.Fields{otl.FieldEmail}); err != nil {
			t.Fatal(err)
		}
		b := home(t, w)
		p := b.Get("/account/profile")
		holds(t, p, `id="name-seen">Seen by `+"\u2068Notes\u2069<", `id="username-seen">Seen by no site<`, "Seen by \u2068Notes\u2069, \u2068Shop\u2069", jane)
		hook, _ := w.Hook(t, w.Notes, "user.updated")
		done := b.Submit(p, "profile", map[string]string{"name": "Jane Roe", "username": "jane.roe"})
		holds(t, done, "Saved. Sites that see the change: \u2068Notes\u2069.", `value="Jane Roe"`, `value="jane.roe"`)
		w.Deliver(t)
		if got := hook.Take(); len(got) != 1 || got[0].Text("data", "user", "name") != "Jane Roe" || strings.Contains(string(got[0].Body), "jane.roe") {
			t.Errorf("the site is told %d things", len(got))
		}
		old := p // of before
		holds(t, b.Submit(old, "profile", map[string]string{"name": "Somebody"}), "changed meanwhile", `value="Somebody"`)
		bad := b.Submit(b.Get("/account/profile"), "profile", map[string]string{"picture": "javascript:alert(1)", "name": "Kept"})
		holds(t, bad, `id="picture-wrong"`, `value="Kept"`, "Enter a full web address, such as https://example.com/me.png</span>")
		if bad.Status != http.StatusBadRequest {
			t.Errorf("%d", bad.Status)
		}
		w.Person(t, "joe@dev.test")
		if _, err := w.Accounts.Update(t.Context(), mustFind(t, w, "joe@dev.test").ID, 1, otl.AllFields(), account.Profile{Username: ptr("taken")}); err != nil {
			t.Fatal(err)
		}
		holds(t, b.Submit(b.Get("/account/profile"), "profile", map[string]string{"username": "taken"}), "Somebody else has this username", `id="username-wrong"`)
		if is := mustFind(t, w, jane); is.Name != "Jane Roe" || is.Username.Name != "jane.roe" || is.Version != 2 {
			t.Errorf("%+v", is)
		}
		// What one signs in with takes a fresh proof, everything else does not.
		w.Clock.Advance(16 * time.Minute)
		if p := b.Submit(b.Get("/account/profile"), "profile", map[string]string{"username": "other"}); p.Title != "Confirm it's you" {
			t.Errorf("the username changed without a proof: %s", p.Title)
		}
		holds(t, b.Submit(b.Get("/account/profile"), "profile", map[string]string{"locale": "de"}), "Gespeichert", "Sichtbar für")
	})
}

func ptr[T any](v T) *T { return &v }

func mustFind(t *testing.T, w *otltest.World, email string) otl.User {
	t.Helper()
	u, err := w.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestOT17_APersonChangesHisAddress: after a fresh proof, in force once the link to the
// new one was opened, and good at every site from then on. Whether somebody else has it
// shows nowhere.
func TestOT17_APersonChangesHisAddress(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := verified(t, w, w.Notes.Site)
		w.Person(t, "taken@dev.test")
		b := home(t, w)
		w.Clock.Advance(16 * time.Minute)
		p := b.Get("/account/email")
		if p.Title != "Confirm it's you" {
			t.Fatalf("without a proof: %s", p.Title)
		}
		p = password(b, p)
		if p.Title != "Email address" {
			t.Fatalf("%s %s", p.Path, p.Title)
		}
		holds(t, b.Submit(p, "address", map[string]string{"email": "no address"}), `role="alert"`)
		taken := b.Submit(p, "address", map[string]string{"email": "taken@dev.test"})
		holds(t, taken, "<h1>Check your email</h1>", "We sent a link to \u2068taken@dev.test\u2069.", `href="/account/profile">Back to your profile</a>`, "!address-new")
		if len(w.Letters(t, "taken@dev.test")) != 0 {
			t.Error("and it was")
		}
		if n := len(w.Letters(t, jane)); n != 1 { // as of any other
			t.Errorf("of an address that is taken the old one got %d letters", n)
		}
		w.Clock.Advance(time.Minute)
		free := b.Submit(p, "address", map[string]string{"email": "new@dev.test"})
		if free.Title != taken.Title || free.Status != taken.Status {
			t.Errorf("OT-10: %s is not %s", free.Title, taken.Title)
		}
		if is := mustFind(t, w, u.ID); is.Email.Address != jane {
			t.Errorf("in force before it was proven: %s", is.Email.Address)
		}
		b.Submit(b.Get(pathOf(w.Newest(t, "new@dev.test").Link)), "confirm", nil)
		is := mustFind(t, w, u.ID)
		if is.Email.Address != "new@dev.test" || is.EmailVerifiedAt.IsZero() || !is.HeldUntil.IsZero() {
			t.Fatalf("%+v", is)
		}
		if n := len(w.Letters(t, jane)); n != 2 {
			t.Errorf("the old address got %d letters", n)
		}
		other := w.Browser(t) // by a code to the new address, anywhere
		p = asks(other, other.Get(request(w.Shop, nil)), "new@dev.test")
		p = other.Submit(p, "code-form", map[string]string{"code": w.Newest(t, "new@dev.test").Code})
		if p.Title != "Shop wants to connect to your account" && !strings.Contains(p.Title, "wants to connect") {
			t.Errorf("the new address opens nothing: %s\n%s", p.Title, p.Raw)
		}
		b.Submit(b.Get(pathOf(w.Newest(t, jane).Link)), "confirm", nil) // the old one's holder refuses
		if is := mustFind(t, w, u.ID); is.Email.Address != jane {
			t.Errorf("not undone: %s", is.Email.Address)
		}
	})
}

// TestAPersonChangesHisNumber: by a link by SMS; abroad it is refused on the page.
func TestAPersonChangesHisNumber(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := verified(t, w, w.Notes.Site)
		b := home(t, w)
		p := b.Get("/account/phone")
		for _, bad := range []string{"12", "0170 5550100", "+14155550100"} { // none, none of any country, and none of a country that is allowed
			if got := b.Submit(p, "address", map[string]string{"phone": bad}); got.Status/100 != 4 || got.Title != "Phone number" {
				t.Errorf("%s: %d %s", bad, got.Status, got.Title)
			}
		}
		holds(t, b.Submit(p, "address", map[string]string{"phone": "0170 5550100"}), "with its country code", `placeholder="+"`)
		holds(t, b.Submit(p, "address", map[string]string{"phone": "+49 (170) 555-0100"}), "<h1>Check your phone</h1>", "We sent a link to \u2068&#43;49 (170) 555-0100\u2069")
		text := w.Letters(t, "+491705550100")[0]
		b.Submit(b.Get(pathOf(text.Link)), "confirm", nil)
		if is := mustFind(t, w, u.ID); is.Phone != "+491705550100" || is.PhoneVerifiedAt.IsZero() {
			t.Errorf("%+v", is)
		}
		holds(t, b.Get("/account/profile"), "&#43;491705550100")
	})
}

// TestOT17_APersonTakesHisNumberAway on its page, after a fresh proof and with scripts off; where it is needed the page
// says why. Sites that see it are told, and the link in the mail says what it gives back.
func TestOT17_APersonTakesHisNumberAway(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := verified(t, w, w.Notes.Site)
		b := home(t, w)
		holds(t, b.Get("/account/phone"), "!Remove this number")
		w.Phone(t, mustFind(t, w, u.ID), "+491705550100", true)
		p := b.Get("/account/phone")
		holds(t, p, "&#43;491705550100", "Remove this number")
		w.Clock.Advance(16 * time.Minute)
		asked := b.Submit(p, "remove", nil)
		if asked.Title != "Confirm it's you" || mustFind(t, w, u.ID).Phone == "" {
			t.Errorf("without a proof: %s", asked.Title)
		}
		p = password(b, asked)
		w.Inbox.Empty()
		done := b.Submit(p, "remove", nil)
		holds(t, done, "Saved.", "!&#43;491705550100")
		if is := mustFind(t, w, u.ID); is.Phone != "" {
			t.Errorf("%+v", is)
		}
		l := letter(t, w, jane)
		if l.Subject != "Your phone number was removed" || !strings.Contains(l.Text, "•••• 00 was removed from your account.") || !strings.Contains(l.Text, "Refuse or undo:\n"+l.Link+"\n") || !strings.Contains(l.Text, "for four days") {
			t.Errorf("%s\n%s", l.Subject, l.Text)
		}
		page := b.Get(pathOf(l.Link))
		holds(t, page, "Undo the change of your account?", "•••• 00 becomes your phone number again, and you&#39;ll be signed out everywhere.", "Second factors added since then are removed, too.")
		holds(t, b.Submit(page, "confirm", nil), "signed out everywhere", `<a class="button" href="/forgot">Choose a new password</a>`)
		if is := mustFind(t, w, u.ID); is.Phone != "+491705550100" || is.PhoneVerifiedAt.IsZero() {
			t.Errorf("%+v", is)
		}
	})
}

// TestOT17_ThePageOfANumberSaysWhyItStays, and leads to what is in the way.
func TestOT17_ThePageOfANumberSaysWhyItStays(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	u := w.Person(t, jane)
	w.Phone(t, u, "+491705550100", true)
	b := home(t, w)
	holds(t, b.Get("/account/phone"), "!Remove this number", "You can remove the number once you have a confirmed email address")
	if _, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: "+491705550100"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Users.VerifyEmail(ctx, u.ID, u.Email.Key, w.Clock.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b = w.Browser(t)
	p := password(b, b.Get("/account/phone"))
	p = b.Submit(p, "send", nil)
	p = b.Submit(p, "second", map[string]string{"code": w.Newest(t, "+491705550100").Code})
	holds(t, p, "!Remove this number", "Codes for your second step go to this number.", `<a href="/account/security">Ways to sign in</a>`)
}

// TestTheActivityPage: the own log in sentences, nobody else's, page by page, for 90 days.
func TestTheActivityPage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		joe := w.Person(t, "joe@dev.test", w.Shop.Site)
		w.Login(t, w.Shop, "joe@dev.test")
		w.Login(t, w.Notes, jane)
		if err := w.Accounts.Leave(t.Context(), w.Notes.Site.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		b := home(t, w)
		b.Headers["User-Agent"] = "x"
		p := b.Get("/account/activity")
		holds(t, p, "Account created", "Signed in to \u2068Notes\u2069: password", "an app of the site", "\u2068Notes\u2069 disconnected", "Signed in to \u2068OneTimeLogin\u2069: password", "!Shop", "!"+joe.ID, "!older", `<a href="/account/secure">`, `<a href="/account/activity" aria-current="page">`)
		holds(t, b.Get("/account"), "\u2068Notes\u2069 disconnected", "an unknown browser")
		for i := range 60 {
			e := otl.Event{ID: "evt_" + secret.NewID(w.Clock.Now()), Type: otl.EventFactorAdded, UserID: u.ID, CreatedAt: w.Clock.Now()}
			if i == 30 {
				e.Type = "something.new"
			}
			if err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) }); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(time.Millisecond)
		}
		p = b.Get("/account/activity")
		i := strings.Index(string(p.Raw), "/account/activity?before=")
		if i < 0 || strings.Count(string(p.Raw), `class="item"`) != 50 {
			t.Fatalf("%s", p.Raw)
		}
		holds(t, p, "Other: \u2068something.new\u2069", "!Account created")
		older := string(p.Raw)[i:]
		holds(t, b.Get(older[:strings.IndexByte(older, '"')]), "Account created")
		for _, bad := range []string{"x", "evt_", strings.Repeat("e", 31), "evt_'%20OR%201=1--'''''''''"} {
			if got := b.Get("/account/activity?before=" + url.QueryEscape(bad)); got.Status != http.StatusNotFound {
				t.Errorf("%q: %d", bad, got.Status)
			}
		}
		w.Clock.Advance(89 * 24 * time.Hour)
		b = home(t, w)
		holds(t, b.Get("/account/activity"), "Second step added")
		w.Clock.Advance(2 * 24 * time.Hour)
		holds(t, b.Get("/account/activity"), "!Second step added", "Signed in")
	})
}

// TestTheLedgerPage: what sites may see and saw, also those that are let go.
func TestTheLedgerPage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site, w.Shop.Site)
		in := w.Login(t, w.Notes, jane)
		w.Do(t, otltest.Call{Path: "/api/v1/users/me", Bearer: in.Text("access_token")}).Want(t, http.StatusOK)
		w.Clock.Advance(time.Hour)
		if err := w.Accounts.Leave(t.Context(), w.Shop.Site.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		b := home(t, w)
		holds(t, b.Get("/account/ledger"), "\u2068Notes\u2069 may see: Email address, Name", "since 2 January 2026, 03:04 UTC", "\u2068Shop\u2069 may see: Email address, Name",
			"2 January 2026, 03:04 UTC to 2 January 2026, 04:04 UTC", "\u2068Notes\u2069: Email address, Name", "Reads: 2, the latest on 2 January 2026, 03:04 UTC", ">What sites may see</h2>", ">What sites saw</h2>", `<a href="/account#connected">Change what sites see</a>`)
		holds(t, b.Get("/account"), `id="connected"`, "Connected since 2 January 2026 · last sign-in 2 January 2026, 03:04 UTC · last read 2 January 2026, 03:04 UTC")
	})
}

// TestAD06_AnExportTakesAFreshProof: as JSON and as a page to read, of oneself alone.
func TestAD06_AnExportTakesAFreshProof(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, jane, w.Notes.Site)
		w.Person(t, "joe@dev.test", w.Shop.Site)
		b := home(t, w)
		p := b.Get("/account/data")
		raw := b.Submit(p, "export", map[string]string{"format": "json"})
		var e account.Export
		if err := json.Unmarshal(raw.Raw, &e); err != nil || e.Profile.ID != u.ID || e.Profile.Email != jane || len(e.Sites) != 1 || len(e.Sessions) != 1 || len(e.Activity) == 0 {
			t.Fatalf("%v %s", err, raw.Raw)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Content-Disposition": `attachment; filename="onetimelogin.json"`, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		} {
			if got := raw.Header.Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		readable := b.Submit(p, "export", map[string]string{"format": "html"})
		holds(t, readable, "Jane Doe", jane, "Notes", "Account created", "Data downloaded", "!Shop", "!joe@", "!argon2", "!<script", "!{")
		if got := readable.Header.Get("Content-Disposition"); got != `attachment; filename="onetimelogin.html"` {
			t.Errorf("%q", got)
		}
		w.Clock.Advance(16 * time.Minute)
		if p := b.Submit(p, "export", map[string]string{"format": "json"}); p.Title != "Confirm it's you" {
			t.Fatalf("without a proof: %s", p.Raw)
		} else if p = password(b, p); p.Path != "/account/data?proven=1" || !strings.Contains(string(p.Raw), "Now press again") {
			t.Errorf("then at %s", p.Path)
		}
		if p := w.Browser(t).Get("/account/data"); p.Title != "Sign in" {
			t.Errorf("nobody sees %s", p.Title)
		}
	})
}

// TestAnAccountIsLeft: asked for with a fresh proof and a tick; then signed out
// everywhere, and whoever signs in within the grace is asked whether he stays.
func TestAnAccountIsLeft(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := verified(t, w, w.Notes.Site)
		b := home(t, w)
		other := home(t, w)
		p := b.Get("/account/data")
		if got := b.Submit(p, "delete", nil); got.Status != http.StatusBadRequest || !strings.Contains(string(got.Raw), "Nothing was deleted. Tick the box first") || !mustFind(t, w, u.ID).DeleteAt.IsZero() {
			t.Fatalf("without a tick: %s", got.Path)
		}
		w.Clock.Advance(16 * time.Minute)
		if got := b.Submit(p, "delete", map[string]string{"sure": "yes"}); got.Title != "Confirm it's you" {
			t.Fatalf("without a proof: %s", got.Title)
		} else if p = password(b, got); p.Path != "/account/data?proven=1" || !strings.Contains(string(p.Raw), "Now press again") {
			t.Fatalf("%s", p.Path)
		}
		done := b.Submit(p, "delete", map[string]string{"sure": "yes"})
		holds(t, done, "Your account is to be deleted", "deleted for good on 16 January 2026, 03:20 UTC")
		if b.Cookies["__Host-otl_session"] != "" || other.Get("/account").Title != "Sign in" {
			t.Error("signed in all the same")
		}
		// On behalf of a site: first he takes it back.
		p = password(b, b.Get(request(w.Notes, nil)))
		if p.Title != "Your account is to be deleted" || p.Left != nil {
			t.Fatalf("%s %v\n%s", p.Title, p.Left, p.Raw)
		}
		for _, path := range []string{"/account", "/account/profile", "/account/data", "/account/activity", "/account/ledger", "/account/email"} {
			if got := b.Get(path); got.Path != "/leaving" {
				t.Errorf("%s is open: %s", path, got.Path)
			}
		}
		form := b.Get("/signout").Fields("signout")
		if got := b.Send("/account/data/export", form); got.Path != "/leaving" {
			t.Errorf("exports: %s", got.Path)
		}
		back := arrives(t, b.Submit(p, "keep", nil), w.Notes)
		exchange(t, w, w.Notes, back).Want(t, http.StatusOK)
		if !mustFind(t, w, u.ID).DeleteAt.IsZero() {
			t.Error("it goes on")
		}
		if got := b.Get("/leaving"); got.Path != "/account" {
			t.Errorf("nobody leaves, and sees %s", got.Path)
		}
		// By himself: the same.
		b.Submit(b.Get("/account/data"), "delete", map[string]string{"sure": "yes"})
		p = password(b, b.Get("/account"))
		if p.Title != "Your account is to be deleted" {
			t.Fatalf("%s", p.Title)
		}
		if got := b.Submit(b.Get("/leaving"), "keep", nil); got.Title != "Your account" {
			t.Errorf("%s", got.Title)
		}
		w.Clock.Advance(20 * 24 * time.Hour)
		if err := (account.Erasures{Accounts: w.Accounts}).Due(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustFind(t, w, u.ID)
	})
}

// TestASiteSendsSomebodyToConsent: one that signs people in by calls of its own, and may not
// yet; no code is made, and who cancels is nowhere else.
func TestASiteSendsSomebodyToConsent(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		s := w.Register(t, site.Registration{
			Name: "Strict", Callbacks: []string{"https://strict.test/cb"}, Requested: otl.Fields{otl.FieldEmail, otl.FieldPhone}, Required: otl.Fields{otl.FieldPhone},
		})
		u := verified(t, w)
		login := func() otltest.Reply {
			return w.Do(t, otltest.Call{Path: "/api/v1/auth/login", Key: s.Key, Body: map[string]string{"email": jane, "password": otltest.Password}})
		}
		to := login().Want(t, http.StatusForbidden, "consent_required").Text("consent_url")
		b := w.Browser(t)
		p := b.Get(to) // whose link it was is not known: nothing begins by being opened (AD-01)
		has(t, p, "Strict", "wants to connect", "!/signin", "!fields")
		p = password(b, b.Submit(p, "ask", nil))
		if p.Title != "Strict wants to connect to your account" && !strings.Contains(p.Title, "wants to connect") {
			t.Fatalf("%s\n%s", p.Title, p.Raw)
		}
		if got := b.Submit(p, "consent", map[string]string{"decision": "cancel"}); got.Path != "/" || got.Left != nil {
			t.Errorf("cancelled: %s %v", got.Path, got.Left)
		}
		login().Want(t, http.StatusForbidden)
		done := b.Submit(b.Submit(b.Get(to), "ask", nil), "consent", nil)
		if done.Title != "Your account" || done.Left != nil {
			t.Fatalf("%s %v", done.Title, done.Left)
		}
		if g, err := w.Store.Read.Grants.Of(t.Context(), u.ID, s.Site.ID); err != nil || g.Fields.String() != "email phone" {
			t.Errorf("%v %v", g.Fields, err)
		}
		login().Want(t, http.StatusOK)
		for _, bad := range []string{"x", "01HKZ3M5Q8J9X2V7C4B6N1D0FG", w.Installation.SiteID} {
			if got := b.Get("/account/connect/" + bad); got.Status != http.StatusBadRequest {
				t.Errorf("%s: %d", bad, got.Status)
			}
		}
	})
}

// TestASiteRequiresFieldsOnItsPage: marked, fixed, and nobody goes on without them,
// whatever the form says.
func TestASiteRequiresFieldsOnItsPage(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		s := w.Register(t, site.Registration{
			Name: "Strict", Callbacks: []string{"https://strict.test/cb"}, Requested: otl.Fields{otl.FieldEmail, otl.FieldName, otl.FieldPhone}, Required: otl.Fields{otl.FieldEmail},
		})
		u := verified(t, w)
		b := home(t, w)
		p := b.Get(request(s, nil))
		holds(t, p, "Email address (required)", "Without what is required", `href="/account/profile" target="_blank"`)
		form := p.Fields("consent")
		form["fields"] = []string{"name"}
		if got := b.Send("/consent", form); got.Left != nil || got.Status != http.StatusBadRequest {
			t.Fatalf("went on without: %d %v", got.Status, got.Left)
		}
		in := exchange(t, w, s, arrives(t, b.Submit(p, "consent", map[string]string{"fields": "email"}), s)).Want(t, http.StatusOK)
		arrives(t, b.Get(request(s, nil)), s) // what was left out is not asked for again
		card := b.Get("/account")
		holds(t, card, "Email address (required)")
		ask := b.Submit(card, "/account/sites/"+s.Site.ID, map[string]string{"fields": "name"})
		holds(t, ask, "Stop sharing this with \u2068Strict\u2069?", "needs: Email address. Without it you&#39;ll be signed out there")
		if g, err := w.Store.Read.Grants.Of(t.Context(), u.ID, s.Site.ID); err != nil || !g.Fields.Has(otl.FieldEmail) {
			t.Fatalf("taken back by the first press: %v %v", g.Fields, err)
		}
		b.Submit(ask, "ask", map[string]string{"fields": "name"})
		w.Refresh(t, s, in.Text("refresh_token")).Want(t, http.StatusUnauthorized)
		if p = b.Get(request(s, nil)); !strings.Contains(p.Title, "wants to connect") {
			t.Errorf("goes on without: %s %v", p.Title, p.Left)
		}
		if g, err := w.Store.Read.Grants.Of(t.Context(), u.ID, s.Site.ID); err != nil || g.Fields.String() != "name" {
			t.Errorf("%v %v", g.Fields, err)
		}
	})
}
