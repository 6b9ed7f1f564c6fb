package cookie

import (
	"net/http"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// Jar sets and reads cookies. Where people reach the server by https they have the
// prefix __Host-, with which a browser takes them from this host alone and sends them
// by https alone. On http, which is for this machine's loopback, they have neither
// that nor Secure: programs that are no browsers would not send them.
type Jar struct{ HTTPS bool }

// The cookies, by the end of their names.
const (
	Session  = "session"  // holds the browser session
	Across   = "across"   // holds one that a script of another site's page opened
	Former   = "former"   // held those of people who were signed in before
	Handover = "handover" // a session token, until the browser comes back by itself
	Flow     = "flow"     // binds visits to the hosted pages to the browser
	Step     = "step"     // the second step under way
	Device   = "device"   // says that the device is trusted
	Lang     = "lang"     // the language somebody chose
	Theme    = "theme"    // the light somebody chose to read in
	Shows    = "shows"    // the code of a device that somebody entered, until he was asked about it
	Offer    = "offer"    // whether a passkey can be offered: OfferAble, or OfferLater where it was
	Done     = "done"     // what was just done, until the next page has said so: DoneSaved, DoneLeft, DoneAlone, DonePassword or DoneAll
)

// What Offer says.
const (
	OfferAble  = "able"  // the device can keep a passkey and verify who holds it
	OfferLater = "later" // one was offered a short while ago
)

func (j Jar) name(name string) string {
	if j.HTTPS {
		return "__Host-otl_" + name
	}
	return "otl_" + name
}

// Get gives the value of a cookie, empty where there is none. Of several of one name,
// which no browser sends, there is none.
func (j Jar) Get(r *http.Request, name string) secret.Text {
	if all := r.CookiesNamed(j.name(name)); len(all) == 1 {
		return secret.NewText(all[0].Value)
	}
	return secret.Text{}
}

// Set sets a cookie for a time, or until the browser is closed for 0. Pages of other
// sites do not make a browser send it, but for links to us.
func (j Jar) Set(w http.ResponseWriter, name string, value secret.Text, life time.Duration) {
	j.set(w, name, value.Reveal(), int(life.Seconds()), http.SameSiteLaxMode)
}

// Clear deletes a cookie.
func (j Jar) Clear(w http.ResponseWriter, name string) {
	j.set(w, name, "", -1, http.SameSiteLaxMode)
}

func (j Jar) set(w http.ResponseWriter, name, value string, seconds int, mode http.SameSite) {
	http.SetCookie(w, &http.Cookie{Name: j.name(name), Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: j.HTTPS, SameSite: mode}) //nolint:gosec // G124: not Secure on loopback only
}

// Held gives the values of the cookies that may hold the browser session, in the order
// they count. One that a script of another site's page opened counts only where that of our
// own pages holds none any more: no site can put another person in the place of the one who
// is signed in (AD-02).
func (j Jar) Held(r *http.Request) []secret.Text {
	var held []secret.Text
	for _, name := range []string{Session, Across} {
		if value := j.Get(r, name); !value.Empty() {
			held = append(held, value)
		}
	}
	return held
}

// Hold sets the cookie of a browser session that a page of ours opened, for the longest
// it may live.
func (j Jar) Hold(w http.ResponseWriter, value secret.Text, life time.Duration) {
	j.Set(w, Session, value, life)
	j.Clear(w, Across)
}

// HoldAcross sets the cookie of a browser session that a script of another site's page
// opened. A browser takes and sends it in calls of such pages, which it does by https
// only (SameSite=None).
func (j Jar) HoldAcross(w http.ResponseWriter, value secret.Text, life time.Duration) {
	mode := http.SameSiteNoneMode
	if !j.HTTPS {
		mode = http.SameSiteLaxMode
	}
	j.set(w, Across, value.Reveal(), int(life.Seconds()), mode)
}

// What Done says.
const (
	DoneSaved    = "saved"    // something was changed
	DoneLeft     = "left."    // a site was let go, whose id follows
	DoneAlone    = "alone"    // everybody else was signed out
	DonePassword = "password" // so he was, by a new password
	DoneAll      = "all"      // every session of the person was ended
)

// Note has the next page of the browser say what was done. An address would say it to whoever opens it.
func (j Jar) Note(w http.ResponseWriter, done string) {
	j.Set(w, Done, secret.NewText(done), time.Minute)
}

// Noted gives what Note left, once.
func (j Jar) Noted(w http.ResponseWriter, r *http.Request) string {
	done := j.Get(r, Done).Reveal()
	if done != "" {
		j.Clear(w, Done)
	}
	return done
}

// MaxFormer is how many former sessions a browser keeps at most.
const MaxFormer = 5

// Formers gives the cookies of sessions that the browser held before, the latest first.
func (j Jar) Formers(r *http.Request) []secret.Text {
	var held []secret.Text
	for value := range strings.SplitSeq(j.Get(r, Former).Reveal(), ".") {
		if value != "" && len(held) < MaxFormer {
			held = append(held, secret.NewText(value))
		}
	}
	return held
}

// Keep keeps cookies of former sessions, the latest first, as far as there is room; for a
// time. With none it forgets those there were.
func (j Jar) Keep(w http.ResponseWriter, held []secret.Text, life time.Duration) {
	values := make([]string, 0, MaxFormer)
	for _, one := range held[:min(len(held), MaxFormer)] {
		values = append(values, one.Reveal())
	}
	if len(values) == 0 {
		j.Clear(w, Former)
		return
	}
	j.Set(w, Former, secret.NewText(strings.Join(values, ".")), life)
}

// Drop deletes what holds a browser session.
func (j Jar) Drop(w http.ResponseWriter) {
	j.Clear(w, Session)
	j.Clear(w, Across)
}
