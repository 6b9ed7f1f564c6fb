package pages

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/webhook"
)

// deliveryPage is one delivery with its attempts.
type deliveryPage struct {
	At, Hook, Event, Text string
	Attempts              []attemptCard
	Curl                  string // the command for a further attempt, "" unless it was asked for
}

// attemptCard is one attempt: the heads of the request and the answer, what the latter said, and
// what its time went into, in words and as bars.
type attemptCard struct {
	Text, Request, Answer, Body, Timing string
	Bars                                []bar
}

// bar is one of those that stand in a row, a thousand wide.
type bar struct{ X, Width int64 }

// deliveryText says what became of a delivery, and when one that waits is tried next.
func (p hooks) deliveryText(s screen, d otl.Delivery) string {
	text := s.minute(d.CreatedAt) + " · " + s.Say("delivery_"+string(d.State)) + " · " + s.With("n", strconv.Itoa(d.Attempts)).Say("delivery_attempts")
	if d.Status > 0 || d.Problem != "" {
		text += " · " + outcome(d.Status, d.Problem)
	}
	if d.State == otl.DeliveryWaiting && d.DueAt.After(p.Now()) {
		text += " · " + s.With("date", s.minute(d.DueAt)).Say("delivery_next")
	}
	return text
}

// outcome says what came of an attempt: the status as it is in every language, 0 for none, and
// what else went wrong.
func outcome(status int, problem string) string {
	if status == 0 {
		return isolate(problem)
	}
	said := isolate("HTTP " + strconv.Itoa(status))
	if more := strings.TrimPrefix(strings.TrimPrefix(problem, "answered "+strconv.Itoa(status)), "; "); more != "" {
		said += " · " + isolate(more)
	}
	return said
}

// delivery shows one delivery, and the command for a further attempt to who asks for it: it holds
// what the person lets the site see, so that he has just proven who he is.
func (p hooks) delivery(w http.ResponseWriter, r *http.Request) error {
	curl := r.URL.Query().Get("curl") == "1"
	v, of, ok, err := p.owner(w, r, siteHooks, curl)
	if err != nil || !ok {
		return err
	}
	d, attempts, err := p.Webhooks.Delivery(r.Context(), of.ID, r.PathValue("hook"), r.PathValue("event"))
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	page := deliveryPage{At: hooksAt(of.ID), Hook: d.EndpointID, Event: d.Event.Event.ID, Text: p.deliveryText(s, d.Delivery)}
	for _, a := range attempts {
		page.Attempts = append(page.Attempts, attemptOf(s, a))
	}
	if curl {
		to, next, some, err := webhook.View{Webhooks: p.Webhooks}.Next(r.Context(), of.ID, d)
		if err != nil {
			return err
		}
		if some {
			page.Curl = next.Curl(to)
		}
	}
	kind, _ := d.Event.Shown()
	s.about(of, siteHooks, "hooks_heading")
	s.Title, s.Data = string(kind), page
	p.show(w, http.StatusOK, "delivery.html", "", s)
	return nil
}

// attemptOf says how an attempt went.
func attemptOf(s screen, a otl.Attempt) attemptCard {
	ms := func(d time.Duration) string { return number(d.Milliseconds()) }
	text := s.With("n", strconv.Itoa(a.Number)).With("date", s.minute(a.StartedAt)).With("ms", ms(a.Took)).Say("hook_attempt")
	if a.Status > 0 || a.Problem != "" {
		text += " · " + outcome(a.Status, a.Problem)
	}
	card := attemptCard{Text: text, Request: head(a.Request), Answer: head(a.Response), Body: strings.ToValidUTF8(string(a.Body), "\ufffd")}
	t, rest := a.Timing, a.Timing.Rest(a.Took)
	if t == (otl.Timing{}) {
		return card
	}
	card.Timing = s.With("dns", ms(t.Lookup)).With("tcp", ms(t.Connect)).With("tls", ms(t.Handshake)).With("wait", ms(t.Wait)).With("rest", ms(rest)).Say("hook_timing")
	var x int64
	for _, part := range []time.Duration{t.Lookup, t.Connect, t.Handshake, t.Wait, rest} {
		width := int64(1000 * part / max(a.Took, 1))
		card.Bars = append(card.Bars, bar{x, width})
		x += width
	}
	return card
}

// head writes a head, a field a line.
func head(h http.Header) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			b.WriteString(strings.ToLower(name) + ": " + v + "\n")
		}
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

// resend has one event sent to the endpoint again.
func (p hooks) resend(w http.ResponseWriter, r *http.Request) error {
	_, of, ok, err := p.owner(w, r, siteHooks, true)
	if err != nil || !ok {
		return err
	}
	hook := r.PathValue("hook")
	if err := p.Webhooks.Resend(r.Context(), of.ID, hook, r.PathValue("event")); err != nil {
		return err
	}
	p.send(w, r, hooksAt(of.ID)+"/"+hook)
	return nil
}
