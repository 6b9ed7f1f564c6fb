package message_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

func tags(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("words/*.yaml")
	if err != nil || len(files) != 12 {
		t.Fatalf("%v %v", files, err)
	}
	var out []string
	for _, f := range files {
		out = append(out, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	return out
}

func words(t *testing.T, tag string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("words/" + tag + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	if err := yaml.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v", tag, err)
	}
	return out
}

// members gives the {members} of a text, each once, sorted.
func members(text string) []string {
	all := regexp.MustCompile(`\{[a-z_]*\}`).FindAllString(text, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// kinds gives all kinds of messages there are.
func kinds(t *testing.T) []otl.MessageKind {
	t.Helper()
	source, err := os.ReadFile("../otl/message.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []otl.MessageKind
	for _, found := range regexp.MustCompile(`MessageKind = "(\w+)"`).FindAllSubmatch(source, -1) {
		out = append(out, otl.MessageKind(found[1]))
	}
	if len(out) < 14 {
		t.Fatalf("only %v", out)
	}
	return out
}

// plurals reports whether a key is one of the forms of a number of something.
func plurals(key string) bool {
	return strings.HasPrefix(key, "hours_") || strings.HasPrefix(key, "minutes_") || strings.HasPrefix(key, "seconds_") || strings.HasPrefix(key, "attempts_")
}

// TestEveryLanguageSaysEverything: the same keys in every language, with the same
// {members} in each text.
func TestEveryLanguageSaysEverything(t *testing.T) {
	t.Parallel()
	english := words(t, "en")
	for _, tag := range tags(t) {
		own := words(t, tag)
		for _, key := range slices.Sorted(maps.Keys(english)) {
			if plurals(key) {
				continue // in the forms of each language
			}
			if own[key] == "" {
				t.Errorf("%s lacks %s", tag, key)
			}
			if want, got := members(english[key]), members(own[key]); !slices.Equal(want, got) {
				t.Errorf("%s %s: %v, English has %v", tag, key, got, want)
			}
		}
		for key := range own {
			if english[key] == "" && !plurals(key) {
				t.Errorf("%s has %s, which English lacks", tag, key)
			}
		}
	}
}

// preview gives what a letter says before its body, in sight of nobody who reads it.
func preview(l message.Letter) string {
	_, after, _ := strings.Cut(l.HTML, `mso-hide:all">`)
	text, _, _ := strings.Cut(after, "&#847;")
	return html.UnescapeString(text)
}

// glance gives what a list of mails shows of a letter after its subject.
func glance(l message.Letter) string {
	_, body, _ := strings.Cut(l.HTML, "<body")
	text := []rune(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString("<"+body, "")))
	return string(text[:min(len(text), 200)])
}

func signIn(locale string, channel otl.Channel, data map[string]string) otl.Message {
	return otl.Message{
		ID: "msg_1", Kind: otl.MessageSignIn, Channel: channel, Recipient: "jane@dev.test", Locale: locale, Data: data, CreatedAt: time.Unix(0, 0),
	}
}

// emptyCell is a row of a mail with nothing in it.
var emptyCell = regexp.MustCompile(`<td[^>]*>\s*</td>`)

// TestEveryMessageInEveryLanguage writes all of them: nothing is left unfilled, no
// mail is so long that mailboxes cut it, and what must be in it is.
func TestEveryMessageInEveryLanguage(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com"}
	data := map[string]string{
		"code": "048291", "link": "https://id.example.com/l/abc", "token": "otl_pr_x", "minutes": "5", "to": "n***@dev.test", "label": "Phone", "left": "9", "date": "2026-12-24",
		"url": "https://notes.test/hook", "range": "+49170", "provider": "smtp mail.test:587", "asked": "2026-11-26 07:10 UTC, Firefox, Linux, 203.0.113.7",
		"name": `Shop & "Söhne" <b>`, "shared": "email name",
	}
	for _, tag := range append(tags(t), "", "de-AT", "pt", "zh-CN", "xx", "not a tag") {
		for _, kind := range kinds(t) {
			one := signIn(tag, otl.ChannelMail, data)
			one.Kind = kind
			l, err := m.Write(one, `Acme & "Söhne" <b>`)
			if err != nil {
				t.Fatal(err)
			}
			if l.Subject == "" || strings.ContainsAny(l.Subject+l.Text, "{}") || strings.Contains(l.HTML, "{{") || strings.Contains(l.HTML, "ZgotmplZ") {
				t.Errorf("%s %s: %q\n%s\n%s", tag, kind, l.Subject, l.Text, l.HTML)
			}
			if len(l.HTML) > 60_000 || strings.Contains(l.HTML, "<b>") || strings.Contains(l.HTML, "http://") || strings.Contains(l.HTML, "<img") {
				t.Errorf("%s %s: %s", tag, kind, l.HTML)
			}
			if emptyCell.MatchString(l.HTML) {
				t.Errorf("%s %s has a row of nothing: %s", tag, kind, l.HTML)
			}
			if secret := strings.Contains(l.Subject, "048291"); secret != (kind == otl.MessageSignIn) || strings.Contains(glance(l), "048291") || len([]rune(preview(l))) > 90 || preview(l) == "" {
				t.Errorf("%s %s: %q, %.100q", tag, kind, l.Subject, glance(l))
			}
			if rtl := tag == "ar" || tag == "he"; rtl != strings.Contains(l.HTML, `dir="rtl"`) {
				t.Errorf("%s %s: direction", tag, kind)
			}
			if kind == otl.MessageSignIn && (!strings.Contains(l.Text, "048291") || !strings.Contains(l.HTML, ">048291<") || !strings.Contains(l.Text, "https://id.example.com/l/abc\n")) {
				t.Errorf("%s: no code or link in\n%s", tag, l.Text)
			}
		}
		sms, err := m.Write(signIn(tag, otl.ChannelSMS, data), "Acme Notes")
		if err != nil {
			t.Fatal(err)
		}
		most := 1
		if tag == "ar" || tag == "he" { // 70 characters to a part
			most = 2
		}
		if !strings.HasSuffix(sms.Text, "\n\n@id.example.com #048291") || message.Parts(sms.Text) > most || strings.ContainsAny(sms.Text, "{}") {
			t.Errorf("%s: %d SMS: %s", tag, message.Parts(sms.Text), sms.Text)
		}
	}
	german, err := m.Write(signIn("de-AT", otl.ChannelMail, data), "Notes")
	if err != nil || !strings.Contains(german.Text, "Bei Notes anmelden") {
		t.Errorf("de-AT is not written in German: %v\n%s", err, german.Text)
	}
}

// TestWhatASiteSeesIsNamedInItsLanguage, and is left out where it sees nothing.
func TestWhatASiteSeesIsNamedInItsLanguage(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com"}
	for _, tag := range tags(t) {
		own := words(t, tag)
		for shared, want := range map[string]string{"email phone": own["field_email"] + own["comma"] + own["field_phone"], "": ""} {
			one := signIn(tag, otl.ChannelMail, map[string]string{"name": "{shared} Shop", "shared": shared})
			one.Kind = otl.MessageSiteConnected
			l, err := m.Write(one, "Acme")
			if err != nil || !strings.Contains(l.Subject, "{shared} Shop") || !strings.Contains(l.Text, want) || strings.Contains(l.Text, own["field_email"]) != (shared != "") {
				t.Errorf("%s %q: %v %q\n%s", tag, shared, err, l.Subject, l.Text)
			}
		}
	}
}

// TestWhoHasAnAccountIsToldWhatHisMailHolds: a code, a link, or both, in every language.
func TestWhoHasAnAccountIsToldWhatHisMailHolds(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com"}
	for _, tag := range tags(t) {
		own := words(t, tag)
		first, _, _ := strings.Cut(own["existing_body"], " {how}")
		first, _, _ = strings.Cut(first, "{how}")
		for how, data := range map[string]map[string]string{
			"signin_body":      {"code": "048291", "minutes": "5"},
			"signin_link_body": {"link": "https://id.example.com/l/abc", "link_minutes": "15"},
			"signin_both_body": {"link": "https://id.example.com/l/abc", "code": "048291", "minutes": "5"},
		} {
			one := signIn(tag, otl.ChannelMail, data)
			one.Kind = otl.MessageExisting
			l, err := m.Write(one, "Notes")
			says, _, _ := strings.Cut(own[how], "{")
			flat := strings.Join(strings.Fields(l.Text), " ")
			if err != nil || !strings.Contains(flat, strings.TrimSpace(first)) || !strings.Contains(flat, strings.TrimSpace(says)) {
				t.Errorf("%s %s: %v\n%s", tag, how, err, l.Text)
			}
		}
	}
}

func TestASiteWritesItsOwn(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com"}
	logo := base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\nxxxx"))
	custom, err := json.Marshal(message.Custom{
		Subject: "Hello", Color: "#ff0000", Logo: logo, Heading: "A <i>heading</i>", Body: "A body", LinkText: "Go", Info: "Info", Footer: "Foot", Sender: "Acme",
		SMS: "Use {otp} for {app}!", SMSFrom: "ACME",
	})
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{"code": "123456", "link": "https://x.test/l", "minutes": "5", "custom": string(custom)}
	l, err := m.Write(signIn("en", otl.ChannelMail, data), "Notes")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"#ff0000", "data:image/png;base64,", "A &lt;i&gt;heading", "A body", ">Go<", "Info", "Foot"} {
		if !strings.Contains(l.Whole(), want) {
			t.Errorf("no %q in %s", want, l.Whole())
		}
	}
	if l.Subject != "Hello" || l.Sender != "Acme" || strings.Contains(l.HTML, "ZgotmplZ") {
		t.Errorf("%q from %q", l.Subject, l.Sender)
	}
	sms, err := m.Write(signIn("en", otl.ChannelSMS, data), "Notes")
	if err != nil || !strings.HasPrefix(sms.Text, "Use 123456 for Notes!") || sms.From != "ACME" {
		t.Errorf("%v %+v", err, sms)
	}
}

// TestPW15_WhatAlarmsLeadsToANewPassword: mails about what only the person should have
// done; the address is everybody's, so it is no one-time link of the letter.
func TestPW15_WhatAlarmsLeadsToANewPassword(t *testing.T) {
	t.Parallel()
	for _, kind := range []otl.MessageKind{otl.MessagePasswordChanged, otl.MessageFactorAdded, otl.MessageFactorRemoved, otl.MessageRecoveryUsed, otl.MessageSessionReused, otl.MessageSignedOut, otl.MessagePasswordRemoved, otl.MessageSignIn} {
		one := signIn("en", otl.ChannelMail, map[string]string{"code": "123456", "minutes": "5", "label": "Phone", "left": "9"})
		one.Kind = kind
		for public, want := range map[string]bool{"https://id.example.com/": kind != otl.MessageSignIn, "": false} {
			l, err := (&message.Messages{Host: "id.example.com", PublicURL: public}).Write(one, "Notes")
			if err != nil {
				t.Fatal(err)
			}
			press := "This wasn't me"
			if kind == otl.MessageSessionReused || kind == otl.MessageSignedOut || kind == otl.MessagePasswordRemoved { // nobody did that himself
				press = "Choose a new password"
			}
			leads := strings.Contains(l.Text, "\n"+press+":\nhttps://id.example.com/forgot\n") && strings.Contains(l.HTML, `<a href="https://id.example.com/forgot"`) && strings.Contains(l.HTML, ">"+html.EscapeString(press)+"</a>")
			if leads != want || l.Link != "" {
				t.Errorf("%s at %q: %t, %q\n%s", kind, public, leads, l.Link, l.Text)
			}
		}
	}
}

// TestPW15_AFirstFactorLeadsToANewPasswordToo, in every language: whoever set it up may know the password, and the
// link of the letter takes the factor back alone.
func TestPW15_AFirstFactorLeadsToANewPasswordToo(t *testing.T) {
	t.Parallel()
	for _, lang := range message.Languages() {
		one := signIn(lang.Tag, otl.ChannelMail, map[string]string{"label": "Phone", "link": "https://id.example.com/c/otl_fu_x"})
		one.Kind = otl.MessageFactorAdded
		l, err := (&message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com/"}).Write(one, "Notes")
		if err != nil {
			t.Fatal(err)
		}
		if l.Link != "https://id.example.com/c/otl_fu_x" || !strings.Contains(l.Text, ":\nhttps://id.example.com/c/otl_fu_x\n") || !strings.Contains(l.Text, ": https://id.example.com/forgot\n") || !strings.Contains(l.HTML, `<a href="https://id.example.com/forgot"`) {
			t.Errorf("%s: %s", lang.Tag, l.Text)
		}
	}
}

// TestASiteHasALook: its mails have its colours, name, logo and lines, and what comes with
// a message goes before that.
func TestASiteHasALook(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com"}
	logo := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\nxxxx"))
	brand := otl.Brand{Color: "#00ff00", Logo: logo, Sender: "Acme", Footer: "Acme <Ltd>", Links: []otl.BrandLink{{Text: "Help", URL: "https://acme.test/help"}}}
	data := map[string]string{"code": "123456", "link": "https://x.test/l", "minutes": "5"}
	l, err := m.WriteAs(signIn("en", otl.ChannelMail, data), "Notes", brand)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"background:#00ff00", `src="data:image/png;base64,`, "Acme &lt;Ltd&gt;", `href="https://acme.test/help"`} {
		if !strings.Contains(l.Whole(), want) {
			t.Errorf("no %q in %s", want, l.Whole())
		}
	}
	if l.Sender != "Acme" || !strings.Contains(l.Text, "Acme <Ltd>\nHelp: https://acme.test/help\n") || strings.Contains(l.HTML, "ZgotmplZ") {
		t.Errorf("%q\n%s", l.Sender, l.Text)
	}
	data["custom"] = custom(t, message.Custom{Color: "#0000ff", Sender: "Other"})
	if l, err = m.WriteAs(signIn("en", otl.ChannelMail, data), "Notes", brand); err != nil || l.Sender != "Other" || !strings.Contains(l.HTML, "#0000ff") || !strings.Contains(l.HTML, "Acme &lt;Ltd&gt;") {
		t.Errorf("%v %s", err, l.HTML)
	}
}

func TestPartsOfAnSMS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want int
	}{
		{strings.Repeat("a", 160), 1},
		{strings.Repeat("a", 161), 2},
		{strings.Repeat("a", 306), 2},
		{strings.Repeat("a", 307), 3},
		{strings.Repeat("€", 80), 1},
		{strings.Repeat("€", 81), 2},
		{strings.Repeat("ж", 70), 1},
		{strings.Repeat("ж", 71), 2},
		{strings.Repeat("🙂", 36), 2},
	} {
		if got := message.Parts(c.text); got != c.want {
			t.Errorf("%d of %q: %d parts, want %d", len([]rune(c.text)), c.text[:1], got, c.want)
		}
	}
}

func custom(t *testing.T, c message.Custom) string {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestOT23_ASecondFactorStaysOutOfSight: the code of a second step is neither in the
// subject nor in what lists of mails show beside it; that of a sign-in is where a site
// does not hide it. Whoever did not ask is led to where he can do something about it.
func TestOT23_ASecondFactorStaysOutOfSight(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com/"}
	for _, c := range []struct {
		kind    otl.MessageKind
		hide    bool
		subject string
		safe    string
	}{
		{otl.MessageSignIn, false, "048291 is your Notes code", "Secure your account: https://id.example.com/account/secure"},
		{otl.MessageSignIn, true, "Sign in to Notes", "Secure your account: https://id.example.com/account/secure"},
		{otl.MessageFactorCode, false, "Your Notes security code", "Choose a new password: https://id.example.com/forgot"},
	} {
		one := signIn("en", otl.ChannelMail, map[string]string{"code": "048291", "minutes": "5", "asked": "2026-11-26 07:10 UTC, Firefox, Linux, 203.0.113.7", "request": "r-1", "thread": "t-1"})
		one.Kind = c.kind
		l, err := m.WriteAs(one, "Notes", otl.Brand{HideCode: c.hide})
		if err != nil || l.Subject != c.subject || l.Request != "r-1" || l.Thread != "t-1" {
			t.Errorf("%v %+v", err, l)
		}
		for _, want := range []string{"\n048291\n", "\nRequested: 2026-11-26 07:10 UTC, Firefox, Linux, 203.0.113.7\n", "\n" + c.safe + "\n", "It works for 5 minutes, once."} {
			if !strings.Contains(l.Text, want) {
				t.Errorf("%s lacks %q:\n%s", c.kind, want, l.Text)
			}
		}
		if preview(l) != "It works for 5 minutes, once." || strings.Contains(glance(l), "048291") || !strings.Contains(l.HTML, ">048291<") {
			t.Errorf("%s: %.100q", c.kind, glance(l))
		}
	}
	if message.Thread("") != "" || message.Thread("a") == message.Thread("b") || len(message.Thread("a")) != 20 {
		t.Error("threads")
	}
}

// TestAnInvitationIsNoResetOfAPassword: it says who invites, leads to one link, and shows no token to be copied.
func TestAnInvitationIsNoResetOfAPassword(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com"}
	for _, tag := range tags(t) {
		one := signIn(tag, otl.ChannelMail, map[string]string{"token": "otl_pr_x", "link": "https://id.example.com/reset/otl_pr_x", "minutes": "60"})
		one.Kind = otl.MessageInvite
		invites, err := m.Write(one, "Acme")
		if err != nil {
			t.Fatal(err)
		}
		one.Kind = otl.MessageReset
		resets, err := m.Write(one, "Acme")
		if err != nil {
			t.Fatal(err)
		}
		if invites.Subject == resets.Subject || !strings.Contains(invites.Subject, "Acme") || strings.Count(invites.Text, "otl_pr_x") != 1 || !strings.Contains(invites.Text, "Acme") {
			t.Errorf("%s: %q\n%s", tag, invites.Subject, invites.Text)
		}
	}
}

// TestWhoAskedIsSaidByWhatItWas: a request of whoever gets a code or a link, and what was done at a site, each with its time and place.
func TestWhoAskedIsSaidByWhatItWas(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com/"}
	const asked = "2026-11-26 07:10 UTC, Firefox, Linux, 203.0.113.7"
	for _, tag := range tags(t) {
		own := words(t, tag)
		for kind, key := range map[otl.MessageKind]string{otl.MessageSignIn: "asked_for", otl.MessageReset: "asked_for", otl.MessageSiteConnected: "asked_done", otl.MessageSiteLeft: "asked_done"} {
			one := signIn(tag, otl.ChannelMail, map[string]string{"code": "048291", "minutes": "5", "asked": asked, "name": "Shop"})
			one.Kind = kind
			l, err := m.Write(one, "Notes")
			if want := strings.ReplaceAll(own[key], "{asked}", asked); err != nil || !strings.Contains(l.Text, "\n"+want+"\n") {
				t.Errorf("%s %s: %v, not %q in\n%s", tag, kind, err, want, l.Text)
			}
		}
	}
}
