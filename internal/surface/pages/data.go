package pages

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

func number(n int64) string { return strconv.FormatInt(n, 10) }

// holdings are the pages about all that is kept of somebody: to take it along, and to
// have it deleted.
type holdings struct{ accounts }

// dataAt is where those pages are; dataProven says there that what was pressed before a
// proof of who one is can be pressed again.
const (
	dataAt     = "/account/data"
	dataProven = dataAt + "?proven=1"
)

func (p holdings) routes() {
	p.get(dataAt, p.data)
	p.post(dataAt+"/export", p.exportSent)
	p.post(dataAt+"/delete", p.deleteSent)
	p.get("/leaving", p.leaving)
	p.post("/leaving", p.leavingSent)
}

// data offers what is kept of somebody, and to delete it.
func (p holdings) data(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, dataAt)
	if err != nil || !ok {
		return err
	}
	p.showData(w, r, v, nil)
	return nil
}

func (p holdings) showData(w http.ResponseWriter, r *http.Request, v signin.Visit, wrong error) {
	s := p.screen(w, r, v, nil)
	s.portal(s.Say("nav_data"))
	s.Here = placed(dataAt)
	if wrong == nil {
		s.Good = p.note(w, r, s, v)
	}
	p.show(w, p.wrong(&s, wrong), "data.html", "", s)
}

// exportSent hands out everything that is kept of somebody, but for secrets.
func (p holdings) exportSent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, dataProven)
	if err != nil || !ok {
		return err
	}
	e, err := p.Consents.HandOut(r.Context(), v.Who.User.ID)
	if otl.As(err).Kind == otl.Limited && err != nil {
		p.showData(w, r, v, err)
		return nil
	}
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if r.PostForm.Get("format") == "html" {
		return p.exportPage(w, r, v, e)
	}
	raw, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="onetimelogin.json"`)
	_, _ = w.Write(append(raw, '\n'))
	return nil
}

// exportedPage is an export for reading.
type exportedPage struct {
	message.Voice
	Title, At string
	Sections  []exportedSection
}

// exportedSection is one kind of what is kept.
type exportedSection struct {
	Title string
	Rows  []sentence
}

// exportPage writes an export as a page that can be kept: it needs nothing of ours.
func (p holdings) exportPage(w http.ResponseWriter, r *http.Request, v signin.Visit, e account.Export) error {
	s := p.screen(w, r, v, nil)
	page := exportedPage{Voice: s.Voice.Voice, Title: s.Say("nav_data"), At: s.With("date", s.minute(e.ExportedAt)).Say("exported_at")}
	profile := exportedSection{Title: s.Say("nav_profile")}
	for _, f := range otl.AllFields() {
		if value := valueOf(v.Who.User, f); value != "" {
			profile.Rows = append(profile.Rows, sentence{s.Say("field_" + string(f)), value})
		}
	}
	booked, err := p.booked(r, s, v.Who.User.ID)
	if err != nil {
		return err
	}
	sites, sessions, factors := exportedSection{Title: s.Say("connected")}, exportedSection{Title: s.Say("sessions")}, exportedSection{Title: s.Say("factors")}
	names := map[string]string{v.Who.Site.ID: "OneTimeLogin"}
	for _, one := range e.Sites {
		names[one.ID] = one.Name
		sites.Rows = append(sites.Rows, sentence{one.Name, called(s, one.Fields) + " · " + s.With("date", s.minute(one.Since)).Say("connected_since") + " " + one.ExternalID + " " + string(one.Data)})
	}
	for _, one := range e.Sessions {
		sessions.Rows = append(sessions.Rows, sentence{names[one.SiteID], s.With("device", agent(s, one.UserAgent, one.SiteID == v.Who.Site.ID)).With("date", s.minute(one.CreatedAt)).Say("session_since") + " · " + one.IP})
	}
	for _, one := range e.Factors {
		factors.Rows = append(factors.Rows, sentence{one.Label, s.Say("act_by_"+string(one.Kind.Method())) + " " + one.Number})
	}
	page.Sections = []exportedSection{profile, sites, {s.Say("shared"), append(booked.Consents, booked.Readings...)}, sessions, factors}
	done := exportedSection{Title: s.Say("nav_activity")}
	events := make([]otl.Event, len(e.Activity))
	for i, one := range e.Activity {
		events[i] = otl.Event{ID: one.ID, Type: one.Type, SiteID: one.SiteID, Data: one.Data, CreatedAt: one.At}
	}
	if names, err = p.names(r, v.Who.Site.ID, events); err != nil {
		return err
	}
	for _, one := range events {
		done.Rows = append(done.Rows, sentence{tell(s, names, one), aboutEvent(s, one, v.Who.Site.ID)})
	}
	page.Sections = append(page.Sections, done)
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, "export.html", page); err != nil {
		panic(err) // a template of ours; the server answers 500
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="onetimelogin.html"`)
	_, _ = w.Write(b.Bytes())
	return nil
}

// deleteSent notes that somebody wants his account to be deleted, and says when it will.
func (p holdings) deleteSent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, dataProven)
	if err != nil || !ok {
		return err
	}
	if r.PostForm.Get("sure") != "yes" {
		p.showData(w, r, v, otl.InvalidField("sure", "required", "must be ticked"))
		return nil
	}
	at, err := p.Erasures.Ask(r.Context(), v.Who.User, v.Who.Site.ID)
	if err != nil {
		return err
	}
	p.jar.Drop(w)
	s := p.screen(w, r, v, nil)
	s.Here = placed("/") // nobody is signed in any more
	s.Title, s.Data = s.Say("leaving_heading"), leavingPage{Body: s.With("date", s.minute(at)).Say("leaving_body"), Gone: true}
	p.show(w, http.StatusOK, "leaving.html", "", s)
	return nil
}

// leavingPage says that an account is going to be deleted.
type leavingPage struct {
	Body string
	Gone bool // he was just signed out
}

// stays gives who is signed in and asked for his account to be deleted, in a visit or by
// himself. For others it goes on where they come from, and reports false.
func (p holdings) stays(w http.ResponseWriter, r *http.Request) (signin.Visit, bool, error) {
	if r.FormValue("f") != "" {
		v, err := p.visit(r)
		if err != nil {
			return v, false, err
		}
		if step, err := p.Flows.Next(r.Context(), v); err != nil || step != signin.StepLeaving {
			if err == nil {
				err = p.proceed(w, r, v)
			}
			return v, false, err
		}
		return v, true, nil
	}
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err == nil && (who.Session.ID == "" || who.User.DeleteAt.IsZero()) {
		p.send(w, r, "/account")
		return signin.Visit{}, false, nil
	}
	return signin.Visit{Who: who}, err == nil, err
}

// leaving asks somebody who signed in within the grace whether he would rather stay.
func (p holdings) leaving(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.stays(w, r)
	if err != nil || !ok {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.Title, s.Data = s.Say("leaving_heading"), leavingPage{Body: s.With("date", s.minute(v.Who.User.DeleteAt)).Say("leaving_body")}
	p.show(w, http.StatusOK, "leaving.html", otl.Origin(v.Asked.Redirect), s)
	return nil
}

func (p holdings) leavingSent(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.stays(w, r)
	if err != nil || !ok {
		return err
	}
	if err := p.Erasures.TakeBack(r.Context(), v.Who.User.ID); err != nil {
		return err
	}
	if v.ID == "" {
		p.send(w, r, "/account?kept=1")
		return nil
	}
	if v, err = p.visit(r); err != nil { // as it is now
		return err
	}
	return p.proceed(w, r, v)
}
