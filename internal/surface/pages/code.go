package pages

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// codePage is the page that waits for a link or a code.
type codePage struct {
	Body   string
	Number string // what the link asks for in another browser, "" where there is none
	Texted bool   // the code comes by SMS
	Codes  bool   // there is a code to enter
	Spent  bool   // the code that was sent is worth nothing, so that another is what is wanted
	Digits int
	Resend string // when another can be asked for; "" for at once
	Left   int    // seconds until then
	Box    string // address of the mailbox, where it is at a large provider
	Open   string // what leads there is called
}

func (p sending) code(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	if v.Progress.SentAt.IsZero() {
		return p.proceed(w, r, v)
	}
	p.showCode(w, r, v, nil)
	return nil
}

func (p sending) showCode(w http.ResponseWriter, r *http.Request, v signin.Visit, err error) {
	s := p.screen(w, r, v, map[string]string{"address": isolate(shown(v)), "minutes": signin.Minutes(p.Codes.TTL), "link_minutes": signin.Minutes(p.Codes.LinkTTL)})
	s.Here = placed(at("/signin/code", v.ID))
	page := codePage{Number: v.Progress.Number, Digits: p.Codes.Length, Codes: v.Progress.Texted || v.Site.Offers(otl.WayCode)}
	if page.Codes && p.spent(v) {
		page.Codes, page.Spent = false, true
	}
	if left := v.Resend().Sub(p.Now()); left > 0 {
		page.Left, page.Resend = int((left+time.Second-1)/time.Second), s.With("seconds", strconv.Itoa(int((left+time.Second-1)/time.Second))).Say("resend_from")
	}
	if box, known := mailboxOf(shown(v)); known && !v.Progress.Texted {
		page.Box, page.Open = box.URL, s.With("mailbox", isolate(box.Name)).Say("open_mailbox")
	}
	s.Title, s.Onward = s.Say("check_mail"), s.Site != ""
	switch {
	case v.Progress.Texted:
		s.Title, page.Texted = s.Say("check_phone"), true
	case v.Progress.New:
		s.Title = s.Say("confirm_email")
	}
	page.Body = p.sent(s, v, page)
	status := p.wrong(&s, err)
	switch {
	case errors.Is(err, signin.ErrWaiting):
		s.Problem = s.Say("not_opened")
	case errors.Is(err, signin.ErrCode), page.Spent && len(s.Wrong) == 0 && s.Problem == "":
		s.Problem = p.missed(s, v)
	}
	s.Data = page
	p.show(w, status, "code.html", otl.Origin(v.Asked.Redirect), s)
}

// sent says what went out in a visit, a link, a code or both; of what is worth nothing any more
// beside a page that says so, nothing.
func (p sending) sent(s screen, v signin.Visit, page codePage) string {
	code, link := page.Codes, !page.Texted && v.Site.Offers(otl.WayLink)
	if page.Spent && p.Now().Sub(v.Progress.SentAt) >= p.Codes.LinkTTL {
		link = false
	}
	alone := s.With(message.DataMinutes, signin.Minutes(p.Codes.LinkTTL)) // of a link
	switch {
	case code && page.Texted:
		return s.Say("sent_text")
	case code && link && v.Progress.New:
		return s.Say("sent_new")
	case code && link:
		return s.Say("sent_to")
	case code && v.Progress.New:
		return s.Say("sent_new_code")
	case code:
		return s.Say("sent_code")
	case link && v.Progress.New:
		return alone.Say("sent_new_link")
	case link:
		return alone.Say("forgot_sent")
	}
	return ""
}

// fewTries is how many tries are so few that they are told.
const fewTries = 2

// spent reports whether the code of a visit is worth nothing, whether or not there is anybody.
func (p sending) spent(v signin.Visit) bool {
	tries := signin.Tries{Flows: p.Flows}
	return tries.Over(v) || tries.Left(v) == 0
}

// missed says what is wrong with a code: its time is over, it was tried too often, or it is
// another. That is told by the visit, whether or not there is anybody.
func (p sending) missed(s screen, v signin.Visit) string {
	tries := signin.Tries{Flows: p.Flows}
	switch left := tries.Left(v); {
	case tries.Over(v):
		return s.Say("code_expired")
	case left == 0:
		return s.Say("code_void")
	case left <= fewTries:
		return s.With("left", strconv.Itoa(left)).Say("code_tries")
	}
	return s.Say("wrong_code")
}

func (p sending) codeSent(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	if err := coded(r); err != nil {
		p.showCode(w, r, v, err)
		return nil
	}
	a, err := p.Arrivals.Code(r.Context(), v, secret.NewText(r.PostForm.Get("code")))
	if errors.Is(err, signin.ErrCode) {
		v, miss := signin.Tries{Flows: p.Flows}.Missed(r.Context(), v)
		if miss == nil {
			p.showCode(w, r, v, err)
		}
		return miss
	}
	if err != nil && mendable(err) {
		p.showCode(w, r, v, err)
		return nil
	}
	if err != nil {
		return err
	}
	return p.arrived(w, r, v, a)
}

// again sends another link and code.
func (p sending) again(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	if v.Progress.SentAt.IsZero() {
		return p.proceed(w, r, v)
	}
	send := p.Arrivals.SendCode
	if v.Progress.Texted {
		send = signin.Texts{Arrivals: p.Arrivals}.Send
	}
	if err := send(r.Context(), v, v.Progress.Name); err != nil {
		if !mendable(err) {
			return err
		}
		p.showCode(w, r, v, err)
		return nil
	}
	p.send(w, r, at("/signin/code", v.ID))
	return nil
}

// wait tells the script of a page that waits whether the link was opened elsewhere.
func (p sending) wait(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	answer(w, map[string]bool{"ready": v.Ready()})
	return nil
}

// answer answers the script of a page.
func answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of our own making; the server answers 500
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b)
}

// goOn lets the browser in whose link was opened elsewhere.
func (p sending) goOn(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	a, err := p.Arrivals.Continue(r.Context(), v)
	if errors.Is(err, signin.ErrWaiting) || err != nil && mendable(err) {
		p.showCode(w, r, v, err)
		return nil
	}
	if err != nil {
		return err
	}
	return p.arrived(w, r, v, a)
}
