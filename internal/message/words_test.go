package message_test

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// TestMinutesAreCounted in the forms that a language has for a number: six in Arabic,
// three in Polish; every number has words in every language.
func TestMinutesAreCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, n, want string }{
		{"en", "1", "works for 1 minute, once"},
		{"en", "5", "works for 5 minutes, once"},
		{"de", "1", "gilt 1 Minute und"},
		{"pl", "1", "działa 1 minutę i"},
		{"pl", "3", "działa 3 minuty i"},
		{"pl", "5", "działa 5 minut i"},
		{"pl", "22", "działa 22 minuty i"},
		{"ar", "1", "لمدة دقيقة واحدة"},
		{"ar", "2", "لمدة دقيقتين"},
		{"ar", "5", "لمدة 5 دقائق"},
		{"ar", "15", "لمدة 15 دقيقة"},
		{"he", "2", "למשך שתי דקות"},
		{"ja", "1", "有効期限は1分"},
		{"en", "119", "works for 119 minutes, once"},
		{"en", "120", "works for 2 hours, once"},
		{"en", "150", "works for 150 minutes, once"},
		{"de", "1440", "gilt 24 Stunden und"},
		{"en", "a few", "works for a few, once"},
	} {
		said := message.Speak(map[string]string{message.DataMinutes: c.n}, c.lang).Say("signin_info")
		if !strings.Contains(said, c.want) {
			t.Errorf("%s %s: %q has no %q", c.lang, c.n, said, c.want)
		}
	}
	for _, l := range message.Languages() {
		for n := range 121 {
			for _, key := range []string{"too_many", "just_asked"} {
				counted(t, message.Speak(map[string]string{message.DataMinutes: strconv.Itoa(n)}, l.Tag), message.DataMinutes, key, n)
			}
		}
	}
}

// counted holds a text to words for a number of something in it.
func counted(t *testing.T, v message.Voice, member, key string, n int) {
	t.Helper()
	if said, none := v.Say(key), v.With(member, "").Say(key); len([]rune(said)) < len([]rune(none))+2 || strings.Contains(said, "{"+member) || strings.Contains(said, "{n}") {
		t.Errorf("%s has no words for %d: %s", v.Lang, n, said)
	}
}

// TestAttemptsAreCounted in the case that the sentence wants.
func TestAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, n, want string }{
		{"en", "1", "of 1 attempt succeeded"},
		{"en", "2", "of 2 attempts succeeded"},
		{"de", "1", "von 1 Versuch "},
		{"de", "3", "von 3 Versuchen "},
		{"pl", "1", "przy 1 próbie "},
		{"pl", "5", "przy 5 próbach "},
		{"ar", "2", "من محاولتين،"},
		{"he", "1", "מתוך ניסיון אחד"},
		{"fr", "0", "sur 0 tentative,"},
	} {
		if said := message.Speak(map[string]string{message.DataAttempts: c.n}, c.lang).Say("hook_week"); !strings.Contains(said, c.want) {
			t.Errorf("%s %s: %q has no %q", c.lang, c.n, said, c.want)
		}
	}
	for _, l := range message.Languages() {
		for n := range 121 {
			counted(t, message.Speak(map[string]string{message.DataAttempts: strconv.Itoa(n)}, l.Tag), message.DataAttempts, "hook_week", n)
		}
	}
}

// TestAWaitIsSaidInSeconds below a minute, in minutes below two hours, and in hours from there on, rounded up.
func TestAWaitIsSaidInSeconds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang string
		wait time.Duration
		want string
	}{
		{"en", 0, "1 second"},
		{"en", time.Second, "1 second"},
		{"en", 1500 * time.Millisecond, "2 seconds"},
		{"en", 59 * time.Second, "59 seconds"},
		{"en", 59*time.Second + 1, "1 minute"},
		{"en", 61 * time.Second, "2 minutes"},
		{"en", 119 * time.Minute, "119 minutes"},
		{"en", 119*time.Minute + 1, "2 hours"},
		{"en", 2*time.Hour + 1, "3 hours"},
		{"en", 1386 * time.Minute, "24 hours"},
		{"de", 23 * time.Hour, "23 Stunden"},
		{"nl", 23 * time.Hour, "23 uur"},
		{"pl", 22 * time.Second, "22 sekundy"},
		{"pl", 22 * time.Hour, "22 godziny"},
		{"pl", 23*time.Hour + 1, "24 godziny"},
		{"pl", 15 * time.Hour, "15 godzin"},
		{"ar", 2 * time.Hour, "ساعتين"},
		{"ar", 7 * time.Hour, "7 ساعات"},
		{"ar", 23 * time.Hour, "23 ساعة"},
		{"he", 2 * time.Hour, "שעתיים"},
		{"he", 23 * time.Hour, "23 שעות"},
		{"ja", 23 * time.Hour, "23時間"},
		{"ar", 2 * time.Second, "ثانيتين"},
	} {
		if got := message.Speak(nil, c.lang).Wait(c.wait); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.lang, c.wait, got, c.want)
		}
	}
	for _, l := range message.Languages() {
		for n := range 60 {
			if got := message.Speak(nil, l.Tag).Wait(time.Duration(n) * time.Second); len(got) < 4 || strings.Contains(got, "{") {
				t.Errorf("%s has no words for %d s: %q", l.Tag, n, got)
			}
			if got := message.Speak(nil, l.Tag).Wait(time.Duration(n+2) * time.Hour); len(got) < 5 || strings.Contains(got, "{") {
				t.Errorf("%s has no words for %d h: %q", l.Tag, n+2, got)
			}
		}
	}
}

// TestDatesAreSaidAsPeopleWriteThem: in every language with the name of the month, or the
// characters that stand for it, and the time with its zone.
func TestDatesAreSaidAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 3, 9, 5, 0, 0, time.FixedZone("", 2*3600))
	for lang, want := range map[string]string{
		"en": "3 November 2026", "de": "3. November 2026", "fr": "3 novembre 2026", "es": "3 de noviembre de 2026", "it": "3 novembre 2026", "pt-BR": "3 de novembro de 2026",
		"nl": "3 november 2026", "pl": "3 listopada 2026", "ja": "2026年11月3日", "zh-Hans": "2026年11月3日", "ar": "3 نوفمبر 2026", "he": "3 בנובמבר 2026",
	} {
		v := message.Speak(nil, lang)
		between := map[string]string{"ja": " ", "zh-Hans": " ", "ar": "، "}[lang]
		if got := v.Minute(at); v.Day(at) != want || got != want+cmp.Or(between, ", ")+"07:05\u00a0UTC" {
			t.Errorf("%s: %q", lang, got)
		}
		for m := range time.Month(12) {
			if month := at.AddDate(0, int(m), 0); strings.ContainsAny(v.Day(month), "{}") {
				t.Errorf("%s: %q", lang, v.Day(month))
			}
		}
	}
}

// TestOneFormOfAddress: pages, mails and SMS address people alike, and no text does so in another
// way (words/README.md).
func TestOneFormOfAddress(t *testing.T) {
	t.Parallel()
	for lang, other := range map[string]string{
		"de": "du dich dir dein deine deinen deinem deiner deines Du Dein Deine Deinen Deinem Deiner Deines " +
			"Gib gib Öffne Wähle Melde melde Bestätige Behebe lass warst hast", // imperatives too
		"es":    "tú tu tus te ti tuyo tuya contigo has Tu Tus Escribe escribe Elige Cambia Confirma Corrige Restablece Inicia inicia compartas",
		"nl":    "je jij jou jouw Je Jij Jouw Heb",
		"fr":    "tu te toi ton ta tes Tu Ton Ta Tes",
		"it":    "lei suo sua suoi sue Lei Suo Sua Suoi Sue",
		"pt-BR": "tu te ti teu tua teus tuas contigo Tu Teu Tua Teus Tuas",
		"pl": "ty ci cię tobie ciebie twój twoja twoje twojego twojej twoich twoim Pan Pani Państwo " + // and nobody is taken for a man
			"zalogowany wylogowany zacząłeś prosiłeś zapisałem",
		"he": "שלך אותך עליך לך ממך אליך עבורך בעצמך אתה היית אשר חשבונך שבניהולך שבשימושך " +
			"ביקשת התבקשת נכנסת עשית קבעת נותקת שכחת בחר הזן פתח בדוק נסה השתמש",
		"ar": "أنتم أنتِ لكم عليكم حسابكم كلمتكم اختاروا أدخلوا افتحوا استخدموا حاولوا اختاري أدخلي افتحي استخدمي حاولي",
	} {
		for key, text := range words(t, lang) {
			for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
				if slices.Contains(strings.Fields(other), word) && !impersonal[key] {
					t.Errorf("%s %s says %q: %s", lang, key, word, text)
				}
			}
		}
	}
}

// impersonal are texts in which such a word is about nobody who reads them.
var impersonal = map[string]bool{"link_refused_heading": true, "secure_out": true, "device_denied": true, "device_done_heading": true}

// TestMN07_AFactorIsNamedInTheLanguageOfItsMail: as its person calls it, and one that he calls nothing by its kind.
// What no kind begins is a name by itself.
func TestMN07_AFactorIsNamedInTheLanguageOfItsMail(t *testing.T) {
	t.Parallel()
	m := &message.Messages{Host: "id.example.com", PublicURL: "https://id.example.com/"}
	for _, tag := range tags(t) {
		own := words(t, tag)
		for _, kind := range []otl.MessageKind{otl.MessageFactorAdded, otl.MessageFactorRemoved} {
			for stored, want := range map[string][]string{
				message.Factors(message.Factor{Kind: otl.FactorTOTP}): {own["way_totp"]},
				message.Factors(message.Factor{Kind: otl.FactorKey, Name: "My {site} key"}, message.Factor{Kind: otl.FactorSMS}, message.Factor{Kind: otl.FactorMail}, message.Factor{Kind: otl.FactorRecovery}): {
					"My {site} key", own["way_sms_otp"], own["way_email_otp"], own["way_recovery_code"],
				},
				"Old phone": {"Old phone"},
			} {
				one := signIn(tag, otl.ChannelMail, map[string]string{message.DataLabel: stored})
				one.Kind = kind
				said := strings.ReplaceAll(own[string(kind)+"_body"], "{label}", strings.Join(want, own["comma"]))
				if l, err := m.Write(one, "Notes"); err != nil || !strings.Contains(l.Text, "\n"+said+"\n") || slices.Contains(want, "") {
					t.Errorf("%s: %v, not %q in\n%s", tag, err, said, l.Text)
				}
			}
		}
	}
}
