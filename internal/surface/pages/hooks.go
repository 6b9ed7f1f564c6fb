package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/webhook"
)

// hooks are the pages on which the owner of a site looks after where it is told of events,
// by the verbs the API has for that.
type hooks struct{ owners }

const (
	// shownDeliveries is how many deliveries a page has.
	shownDeliveries = 50
	// verifyTime is longer than an endpoint may take for its answer to a challenge.
	verifyTime = 15 * time.Second
)

// hooksPage is where a site is told of events.
type hooksPage struct {
	At        string // of the page
	Intro     string
	Endpoints []hookCard
	URL       string   // as it was typed for an endpoint that was not made
	Types     []picked // what an endpoint can be told of, and what was picked for that one
}

// picked is a type of events that can be picked.
type picked struct {
	Type string
	On   bool
}

// hookCard is one endpoint.
type hookCard struct {
	ID, URL, Text string
	On, Mine      bool // it is sent to; it is the site's own, and no client's
	Verified      bool
}

// hookPage is one endpoint with what became of events there.
type hookPage struct {
	At         string
	Hook       hookCard
	Secret     string // shown this once; "" else
	Detail     string // what went wrong, for those who run sites, in English
	Week       string // how it did lately, "" where nothing was sent
	Line       string // path of a line of the share that succeeded, day by day
	Filter     filter
	States     []choice
	Types      []string
	Deliveries []deliveryCard
	None       string // why there are none
	Older      string // query of the next page, "" on the last one
	Days       string // back from now is sent again, as it was sent; "" for one
	All        bool   // also what was delivered
	Replayed   string // how many were sent again or would be, "" where none was asked for
}

// choice is one value of a filter, with words for it.
type choice struct{ Value, Text string }

// filter says which deliveries are shown, as it was sent.
type filter struct{ State, Type, User, Since string }

// deliveryCard is one delivery.
type deliveryCard struct{ Event, Type, Text string }

func (p hooks) routes() {
	at := hooksAt("{id}")
	p.get(at, p.list)
	p.post(at, p.create)
	p.get(at+"/{hook}", p.one)
	p.post(at+"/{hook}", p.act)
	p.get(at+"/{hook}/deliveries/{event}", p.delivery)
	p.post(at+"/{hook}/deliveries/{event}", p.resend)
}

func hooksAt(siteID string) string { return ownedAt(siteID, siteHooks) }

func (p hooks) list(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteHooks, false)
	if err != nil || !ok {
		return err
	}
	return p.showList(w, r, v, of, nil)
}

func (p hooks) showList(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, wrong error) error {
	all, err := p.Webhooks.List(r.Context(), of.ID)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	named := s.With("site", isolate(of.Name))
	page := hooksPage{At: hooksAt(of.ID), Intro: named.Say("hooks_intro"), URL: r.PostForm.Get("url")}
	for _, t := range otl.EventTypes(otl.ToldEvents()).Strings() {
		page.Types = append(page.Types, picked{t, slices.Contains(r.PostForm[eventsField], t)})
	}
	for _, e := range all {
		page.Endpoints = append(page.Endpoints, hookOf(s, e))
	}
	s.about(of, siteHooks, "hooks_heading")
	s.Data = page
	code := p.wrong(&s, wrong)
	p.show(w, code, "hooks.html", "", s)
	return nil
}

// hookOf says of an endpoint how it stands.
func hookOf(s screen, e otl.Endpoint) hookCard {
	about := []string{s.Say("hook_" + string(e.State))}
	if e.Reason != "" && e.Reason != otl.ReasonOwner {
		about[0] += " (" + e.Reason + ")"
	}
	if !e.FailingSince.IsZero() {
		about = append(about, s.With("date", s.minute(e.FailingSince)).Say("hook_failing"))
	}
	if e.VerifiedAt.IsZero() && e.Client == "" {
		about = append(about, s.Say("hook_unverified"))
	}
	if len(e.Events) > 0 {
		about = append(about, isolate(strings.Join(e.Events.Strings(), ", ")))
	}
	if e.Description != "" {
		about = append(about, isolate(e.Description))
	}
	return hookCard{ID: e.ID, URL: e.URL, Text: strings.Join(about, " · "), On: e.State == otl.EndpointOn, Mine: e.Client == "", Verified: !e.VerifiedAt.IsZero()}
}

// create makes an endpoint and shows its secret, this once.
func (p hooks) create(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteHooks, true)
	if err != nil || !ok {
		return err
	}
	m, err := p.Webhooks.Create(r.Context(), of.ID, webhook.NewEndpoint{URL: r.PostForm.Get("url"), Events: r.PostForm[eventsField]})
	if err != nil && mendable(err) {
		return p.showList(w, r, v, of, err)
	}
	if err != nil {
		return err
	}
	return p.showOne(w, r, v, of, hookPage{Hook: hookCard{ID: m.ID}, Secret: m.Secret.Reveal()}, p.screen(w, r, v, nil).Say("saved"))
}

func (p hooks) one(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteHooks, false)
	if err != nil || !ok {
		return err
	}
	return p.showOne(w, r, v, of, hookPage{Hook: hookCard{ID: r.PathValue("hook")}}, "")
}

// showOne shows an endpoint, with what was just done in words, if anything was.
func (p hooks) showOne(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, page hookPage, good string) error {
	e, err := p.Webhooks.Get(r.Context(), of.ID, page.Hook.ID)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	page.At, page.Hook = hooksAt(of.ID), hookOf(s, e)
	if err := p.lately(r, s, of, &page); err != nil {
		return err
	}
	found, wrong := p.chosen(r, s, of, &page)
	if wrong != nil && !mendable(wrong) {
		return wrong
	}
	page.None = s.Say("hook_quiet")
	if page.Filter != (filter{}) {
		page.None = s.Say("hook_unfit")
	}
	for _, d := range found {
		kind, _ := d.Event.Shown()
		page.Deliveries = append(page.Deliveries, deliveryCard{d.Event.Event.ID, string(kind), p.deliveryText(s, d.Delivery)})
	}
	s.about(of, siteHooks, "hooks_heading")
	s.Good, s.Data = good, page
	if page.Detail != "" {
		s.Problem = s.Say("hook_not_verified")
	}
	if page.Secret != "" {
		s.Here = nil // it is not shown again
	}
	code := http.StatusOK
	if wrong != nil {
		code = p.wrong(&s, wrong)
	}
	p.show(w, code, "hook.html", "", s)
	return nil
}

// lately says how an endpoint did in the last seven days.
func (p hooks) lately(r *http.Request, s screen, of otl.Site, page *hookPage) error {
	week, err := webhook.View{Webhooks: p.Webhooks}.Week(r.Context(), of.ID, page.Hook.ID)
	if err != nil || week.Good+week.Bad == 0 {
		return err
	}
	all := week.Good + week.Bad
	share := strconv.Itoa(100 * week.Good / all) // whole, and 100 only where all did
	page.Week = s.With("percent", isolate(share+" %")).With(message.DataAttempts, strconv.Itoa(all)).With("ms", number(week.P95.Milliseconds())).Say("hook_week")
	for i, d := range week.Days {
		if all := d.Good + d.Bad; all > 0 {
			page.Line += "M" + strconv.Itoa(4*i) + " 10v-" + strconv.Itoa(max(1, 10*d.Good/all)) + "h3V10z"
		}
	}
	return nil
}

// chosen gives the deliveries that the query of a page wants.
func (p hooks) chosen(r *http.Request, s screen, of otl.Site, page *hookPage) ([]webhook.Delivery, error) {
	q := r.URL.Query()
	page.Filter = filter{q.Get("state"), q.Get("type"), strings.TrimSpace(q.Get("user")), q.Get("since")}
	page.Types = append(otl.EventTypes(otl.ToldEvents()).Strings(), string(otl.EventWebhookTest))
	for _, state := range []otl.DeliveryState{otl.DeliveryWaiting, otl.DeliveryDone, otl.DeliveryDead, otl.DeliveryWithdrawn} {
		page.States = append(page.States, choice{string(state), s.Say("delivery_" + string(state))})
	}
	f := otl.LogFilter{Type: otl.EventType(page.Filter.Type), UserID: page.Filter.User, Limit: shownDeliveries}
	f.At, _ = strconv.ParseInt(q.Get("before"), 10, 64) // anything else is the newest
	f.At = max(f.At, 0)
	if f.Type != "" && !slices.Contains(page.Types, string(f.Type)) {
		return nil, otl.InvalidField("type", "unknown_value", "must be a type sites are told of")
	}
	if f.UserID != "" && !secret.ValidID(f.UserID) {
		return nil, otl.InvalidField("user", "not_an_id", "must be the id of a person")
	}
	if since := page.Filter.Since; since != "" {
		var err error
		if f.Since, err = time.Parse(time.DateOnly, since); err != nil {
			return nil, otl.InvalidField("since", "not_a_time", "must be a day, such as 2026-01-02")
		}
	}
	found, before, err := p.Webhooks.Deliveries(r.Context(), of.ID, page.Hook.ID, page.Filter.State, f)
	if before > 0 {
		q.Set("before", number(before))
		page.Older = "?" + q.Encode()
	}
	return found, err
}

// act does to an endpoint what was pressed.
func (p hooks) act(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteHooks, true)
	if err != nil || !ok {
		return err
	}
	ctx, id, words := r.Context(), r.PathValue("hook"), "saved"
	page := hookPage{Hook: hookCard{ID: id}}
	state := func(to otl.EndpointState) error {
		text := string(to)
		_, err := p.Webhooks.Update(ctx, of.ID, id, webhook.Change{State: &text})
		return err
	}
	switch r.PostForm.Get("do") {
	case "test":
		words = "hook_sent"
		_, err = p.Webhooks.Test(ctx, of.ID, id, "")
	case "pause":
		err = state(otl.EndpointPaused)
	case "on":
		err = state(otl.EndpointOn)
	case "verify":
		page.Detail, err = p.verify(r, of.ID, id)
	case "rotate":
		if r.PostForm.Get("sure") != "yes" {
			return p.ask(w, r, v, of, id)
		}
		var m webhook.Made
		m, err = p.Webhooks.Rotate(ctx, of.ID, id, webhook.Overlap)
		page.Secret = m.Secret.Reveal()
	case "count", "replay":
		return p.replay(w, r, v, of, page)
	case "delete":
		if r.PostForm.Get("sure") != "yes" {
			return p.ask(w, r, v, of, id)
		}
		if err = p.Webhooks.Delete(ctx, of.ID, id); err == nil {
			p.send(w, r, hooksAt(of.ID))
		}
		return err
	default:
		return errNoPath
	}
	if err != nil {
		return err
	}
	good := ""
	if page.Detail == "" {
		good = p.screen(w, r, v, nil).Say(words)
	}
	return p.showOne(w, r, v, of, page, good)
}

// ask asks whether somebody really wants to remove an endpoint, or a new secret for it.
func (p hooks) ask(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, id string) error {
	e, err := p.Webhooks.Get(r.Context(), of.ID, id)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	at, do := hooksAt(of.ID)+"/"+id, r.PostForm.Get("do")
	page := askPage{Action: at, Back: at, Fields: url.Values{"do": {do}, "sure": {"yes"}}}
	if do == "delete" {
		s.portal(s.Say("hook_delete_heading"))
		page.Body, page.Press = []string{s.With("url", isolate(e.URL)).Say("hook_delete_body")}, s.Say("remove")
	} else {
		s.portal(s.Say("hook_rotate_heading"))
		page.Body, page.Press, page.Gives = []string{isolate(e.URL), s.With("n", number(int64(webhook.Overlap.Hours()))).Say("hook_rotate_body")}, s.Say("hook_rotate"), true
	}
	s.Here, s.Data = placed(at), page
	p.show(w, http.StatusOK, "ask.html", "", s)
	return nil
}

// verify has an endpoint asked again, and gives what came instead of its answer, "" where that
// was right.
func (p hooks) verify(r *http.Request, siteID, id string) (problem string, err error) {
	ctx := r.Context()
	if patient := otl.RequestOf(ctx).Patient; patient != nil {
		longer, cancel := patient(verifyTime)
		defer cancel()
		ctx = longer
	}
	_, err = webhook.Verification{Webhooks: p.Webhooks}.Verify(ctx, siteID, id)
	if otl.Is(err, "challenge_failed") {
		return otl.As(err).Text, nil
	}
	return "", err
}

// replay sends again what was given up in so many days, or counts it.
func (p hooks) replay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, page hookPage) error {
	days, err := strconv.Atoi(r.PostForm.Get("days"))
	if err != nil || days < 1 || days > int(webhook.Kept.Hours())/24 {
		return otl.InvalidField("days", "out_of_range", "must be 1 to 30")
	}
	now, dry := p.Now(), r.PostForm.Get("do") == "count"
	n, err := p.Webhooks.ReplayMany(r.Context(), otl.Replay{
		SiteID: of.ID, EndpointID: page.Hook.ID, Since: now.Add(-time.Duration(days) * 24 * time.Hour), Until: now.Add(time.Second), Failed: r.PostForm.Get("all") != "yes",
	}, dry)
	if err != nil {
		return err
	}
	words := "hook_replayed"
	if dry {
		words = "hook_counted"
	}
	page.Days, page.All = strconv.Itoa(days), r.PostForm.Get("all") == "yes" // what was counted is what is sent next
	page.Replayed = p.screen(w, r, v, map[string]string{"n": strconv.Itoa(n)}).Say(words)
	return p.showOne(w, r, v, of, page, "")
}
