package pages

import (
	"net/http"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
)

// activityPage is what happened to somebody's account, in sentences.
type activityPage struct {
	Done  []sentence
	Older string // query of the next page, "" on the last one
}

// sentence is one thing that happened.
type sentence struct{ Text, About string }

// shownEvents is how many entries a page has.
const shownEvents = 50

// activity shows the log of events about somebody, for as long as he is likely to
// remember.
func (p accounts) activity(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, "/account/activity")
	if err != nil || !ok {
		return err
	}
	before := r.URL.Query().Get("before")
	if before != "" && (len(before) != 30 || !strings.HasPrefix(before, "evt_")) {
		return errNoPath
	}
	s := p.screen(w, r, v, nil)
	var page activityPage
	if page.Done, page.Older, err = p.told(r, s, v.Who, before, shownEvents); err != nil {
		return err
	}
	s.portal(s.Say("nav_activity"))
	s.Data = page
	p.show(w, http.StatusOK, "activity.html", "", s)
	return nil
}

// told gives the log of events about somebody before one of them, as far as people did
// something, and the query of what is
// older, "" where nothing is.
func (p accounts) told(r *http.Request, s screen, who session.Browser, before string, limit int) (done []sentence, older string, err error) {
	found, more, err := p.Consents.Activity(r.Context(), who.User.ID, before, limit)
	if err != nil {
		return nil, "", err
	}
	names, err := p.names(r, who.Site.ID, found)
	if err != nil {
		return nil, "", err
	}
	for _, e := range found {
		if e.Type == otl.EventLinkOpened && e.Data[otl.DataBy] != "" {
			continue // by a program that looks ahead, which is no act of anybody's
		}
		if replaced(e, who.Site.ID, found) {
			continue // he is signed in still, by the one that is told of
		}
		done = append(done, sentence{tell(s, names, e), aboutEvent(s, e, who.Site.ID)})
	}
	if more {
		older = "?before=" + found[len(found)-1].ID
	}
	return done, older, nil
}

// replaced reports whether an event is that a session with us, whose site is home, ended for a newer one of the same person, which
// began at that moment: as when he proves a factor in a browser that he is signed in in.
func replaced(e otl.Event, home string, among []otl.Event) bool {
	return e.Type == otl.EventSessionRevoked && e.SiteID == home && e.Data[otl.DataReason] == string(otl.EndSuperseded) &&
		slices.ContainsFunc(among, func(one otl.Event) bool {
			return one.Type == otl.EventSessionCreated && one.SiteID == home && one.CreatedAt.Equal(e.CreatedAt)
		})
}

// names gives the names of the sites that events are about.
func (p accounts) names(r *http.Request, home string, found []otl.Event) (map[string]string, error) {
	ids := make([]string, len(found))
	for i, e := range found {
		ids[i] = e.SiteID
	}
	names, err := p.Consents.Names(r.Context(), ids)
	if err != nil {
		return nil, err
	}
	names[home], names[""] = "OneTimeLogin", "OneTimeLogin"
	return names, nil
}

// tell says an event as a sentence.
func tell(s screen, names map[string]string, e otl.Event) string {
	fields := e.Data[otl.DataFields]
	if e.Type == otl.EventUserUpdated {
		fields = e.Data[otl.DataChanged]
	}
	v := s.With("site", isolate(names[e.SiteID])).With("ways", by(s, e)).With("fields", called(s, otl.StoredFields(unverified(fields)))).
		With("role", isolate(e.Data[otl.DataRole])).With("type", isolate(string(e.Type))).
		With("tries", e.Data[otl.DataTries])
	if n := e.Data[otl.DataDevices]; n != "" {
		return v.With("n", n).Say("act_factor_devices_forgotten")
	}
	if proves(e) {
		return v.Say("act_proven")
	}
	if text := v.Say("act_" + strings.ReplaceAll(string(e.Type), ".", "_")); text != "" {
		return text
	}
	return v.Say("act_other")
}

// by says how somebody signed in, or tried to; "" where that is not known.
func by(s screen, e otl.Event) string { return ways(s, otl.StoredMethods(e.Data[otl.DataMethods])) }

// ways names methods as people do.
func ways(s screen, methods otl.Methods) string {
	var named []string
	for _, m := range methods {
		if way := s.Say("act_by_" + string(m)); way != "" {
			named = append(named, way)
		}
	}
	return listing(s, named)
}

// unverified gives what changed by the names of fields: that one was proven is a change
// of it.
func unverified(changed string) string { return strings.ReplaceAll(changed, "_verified", "") }

// proves reports whether an event is that an address or a number was proven, and nothing else.
func proves(e otl.Event) bool {
	changed := strings.Fields(e.Data[otl.DataChanged])
	return e.Type == otl.EventUserUpdated && len(changed) > 0 && !slices.ContainsFunc(changed, func(one string) bool { return !strings.HasSuffix(one, "_verified") })
}

// called names fields as people do.
func called(s screen, fields otl.Fields) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = s.Say("field_" + string(f))
	}
	if len(names) == 0 {
		return s.Say("no_fields")
	}
	return listing(s, names)
}

// aboutEvent says when something happened, of sign-ins from where, and of a trusted device
// what it is. Of sign-ins that failed no browser is kept, and how they were tried stands here; whom an operator signed
// in did not come from anywhere. Home is the id of our own site.
func aboutEvent(s screen, e otl.Event, home string) string {
	var with string
	switch e.Type {
	case otl.EventSessionCreated, otl.EventLinkOpened:
		if slices.Contains(otl.StoredMethods(e.Data[otl.DataMethods]), otl.MethodAdmin) {
			return s.minute(e.CreatedAt)
		}
		with = isolate(agent(s, e.Data[otl.DataUserAgent], e.SiteID == home))
	case otl.EventSignInFailed:
		with = by(s, e)
	case otl.EventDeviceTrusted, otl.EventDeviceForgotten:
		if e.Data[otl.DataDevices] == "" {
			with = isolate(device(s, e.Data[otl.DataUserAgent], e.SiteID == home))
		}
	default:
		return s.minute(e.CreatedAt)
	}
	parts := []string{s.minute(e.CreatedAt)}
	if with != "" {
		parts = append(parts, with)
	}
	if ip := e.Data[otl.DataIP]; ip != "" {
		parts = append(parts, isolate(ip))
	}
	return strings.Join(parts, "\u00a0· ")
}

// ledgerPage is what sites may see, and what they saw.
type ledgerPage struct {
	Consents, Readings []sentence
}

func (p accounts) ledger(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.person(w, r, "/account/ledger")
	if err != nil || !ok {
		return err
	}
	s := p.screen(w, r, v, nil)
	page, err := p.booked(r, s, v.Who.User.ID)
	if err != nil {
		return err
	}
	s.portal(s.Say("shared"))
	s.Data = page
	p.show(w, http.StatusOK, "ledger.html", "", s)
	return nil
}

func (p accounts) booked(r *http.Request, s screen, userID string) (page ledgerPage, err error) {
	consents, err := p.Consents.Ledgered(r.Context(), userID)
	if err != nil {
		return page, err
	}
	readings, err := p.Consents.Readings(r.Context(), userID)
	if err != nil {
		return page, err
	}
	var ids []string
	for _, c := range consents {
		ids = append(ids, c.SiteID)
	}
	for _, c := range readings {
		ids = append(ids, c.SiteID)
	}
	names, err := p.Consents.Names(r.Context(), ids)
	if err != nil {
		return page, err
	}
	for _, c := range consents {
		text := s.With("site", isolate(names[c.SiteID])).With("fields", called(s, c.Fields)).Say("act_consent_granted")
		about := s.With("date", s.minute(c.Since))
		words := about.Say("shared_now")
		if !c.Until.IsZero() {
			words = about.With("until", s.minute(c.Until)).Say("shared_until")
		}
		page.Consents = append(page.Consents, sentence{text, words})
	}
	for _, c := range readings {
		words := s.With("date", s.minute(c.Last)).With("n", number(c.Times)).Say("reads")
		page.Readings = append(page.Readings, sentence{isolate(names[c.SiteID]) + ": " + called(s, c.Fields), words})
	}
	return page, nil
}
