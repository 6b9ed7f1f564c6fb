package pages

import (
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// devicePage lets a device in: first its code, then the question.
type devicePage struct {
	Code   string // as it was entered, or came along; of the question what the device shows, "" where that is not known any more
	Sample string // what one looks like, "" where none is asked for
	Asked  string // from which device and address it came, as far as that is known
}

// devices are the pages of somebody who lets a device in that has no browser (H25).
type devices struct{ *Pages }

func (p devices) routes() {
	p.get("/device", p.enter)
	p.post("/device", p.entered)
	p.get("/device/confirm", p.confirm)
	p.post("/device/confirm", p.confirmed)
}

func (p devices) rule() signin.Devices { return signin.Devices{Flows: p.Flows} }

// enter asks for the code; one that came along is filled in, and not taken for an answer.
func (p devices) enter(w http.ResponseWriter, r *http.Request) error {
	p.showEnter(w, r, r.URL.Query().Get("user_code"), nil)
	return nil
}

func (p devices) showEnter(w http.ResponseWriter, r *http.Request, code string, err error) {
	if len(code) > 20 {
		code = ""
	}
	s := p.screen(w, r, signin.Visit{}, nil)
	s.Title, s.Data = s.Say("device_heading"), devicePage{Code: code, Sample: s.With("code", isolate("WDJB-MJHT")).Say("device_sample")}
	status := p.wrong(&s, err)
	if errors.Is(err, signin.ErrUserCode) {
		s.Problem = s.Say("device_wrong")
	}
	p.show(w, status, "device.html", "", s)
}

func (p devices) entered(w http.ResponseWriter, r *http.Request) error {
	code := r.PostForm.Get("user_code")
	v, err := p.rule().Enter(r.Context(), code, p.bind(w, r), p.jar.Held(r))
	if errors.Is(err, signin.ErrUserCode) || otl.As(err) != nil && err != nil && otl.As(err).Kind == otl.Limited {
		p.showEnter(w, r, code, err)
		return nil
	}
	if err != nil {
		return err
	}
	p.jar.Set(w, cookie.Shows, secret.NewText(p.rule().Shows(v, secret.NewText(code))), signin.DeviceTTL)
	return p.proceed(w, r, v)
}

// confirm says what wants to be let in and from where, and warns of codes that somebody
// else sent (RFC 8628 section 5.4).
func (p devices) confirm(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	d, err := p.rule().Look(r.Context(), v)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, map[string]string{"name": isolate(d.Client), "address": isolate(whom(v.Who.User, v.Who.Session.HandedBy != ""))})
	s.Title, s.Data = s.Say("device_confirm_heading"), devicePage{
		Code: p.rule().Shows(v, p.jar.Get(r, cookie.Shows)), Asked: s.With("device", origin(s, d.UserAgent, d.IP)).Say("link_asked"), // the code is kept nowhere else
	}
	p.show(w, http.StatusOK, "device.html", "", s)
	return nil
}

func (p devices) confirmed(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	allow := r.PostForm.Get("decision") == "connect"
	d, err := p.rule().Decide(r.Context(), v, allow)
	if err != nil {
		return err
	}
	p.jar.Clear(w, cookie.Shows)
	s := p.screen(w, r, v, map[string]string{"name": isolate(d.Client)})
	s.Here = placed("/device") // it is decided
	s.Title, s.Good, s.Data = s.Say("device_denied_heading"), s.Say("device_denied"), devicePage{}
	if allow {
		s.Title, s.Good = s.Say("device_done_heading"), s.Say("device_done")
	}
	p.show(w, http.StatusOK, "device.html", "", s)
	return nil
}
