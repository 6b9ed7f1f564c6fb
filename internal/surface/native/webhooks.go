package native

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/webhook"
)

// webhooks are the operations of a site on where it is told of events, and on those
// (contract 1.7).
type webhooks struct{ *Surface }

// EndpointOut is an endpoint without its secret. It is exported because schemas pass
// over embedded types that are not.
type EndpointOut struct {
	ID           string     `json:"id"`
	URL          string     `json:"url"`
	Description  string     `json:"description"`
	Events       []string   `json:"events" doc:"Types it is told of."`
	Client       string     `json:"client_id" doc:"The client that is told here of its sessions that end; empty for an endpoint of the site's own."`
	State        string     `json:"state" enum:"on,paused,disabled" doc:"While it is paused deliveries wait; for a disabled one there are none."`
	Reason       string     `json:"reason" doc:"Why it is not on: owner, failing (every attempt failed for five days), gone (it answered 410) or backlog (too much waited for it)."`
	VerifiedAt   *time.Time `json:"verified_at" doc:"When it showed that it is the site's; null until then, and nothing personal is sent there."`
	FailingSince *time.Time `json:"failing_since" doc:"Since then every attempt failed; null while it answers."`
	OldUntil     *time.Time `json:"previous_secret_until" doc:"Until then the secret before signs too; null where there is none."`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

func (s webhooks) endpointOut(e otl.Endpoint) EndpointOut {
	events := e.Events
	if len(events) == 0 {
		events = otl.ToldEvents()
	}
	if !e.OldUntil.After(s.Now()) {
		e.OldUntil = time.Time{}
	}
	return EndpointOut{
		e.ID, e.URL, e.Description, events.Strings(), e.Client, string(e.State), e.Reason, seen(e.VerifiedAt), seen(e.FailingSince), seen(e.OldUntil), e.CreatedAt, e.UpdatedAt,
	}
}

// newEndpointShown is an endpoint with its secret.
type newEndpointShown struct {
	EndpointOut
	Secret shown `json:"secret" doc:"Shown once. It signs what is sent to this endpoint; keep it in a secret manager."`
}

func (s webhooks) madeOut(m webhook.Made) *newEndpointShown {
	return &newEndpointShown{s.endpointOut(m.Endpoint), shown{m.Secret}}
}

type endpointsOut struct {
	Data       []EndpointOut `json:"data"`
	NextCursor *string       `json:"next_cursor" doc:"Always null: a site has at most 20 endpoints."`
}

type noIn struct{}

func (s webhooks) list(c *call, _ *noIn) (*endpointsOut, error) {
	found, err := s.Webhooks.List(c.ctx, c.site.ID)
	if err != nil {
		return nil, err
	}
	out := &endpointsOut{Data: []EndpointOut{}}
	for _, e := range found {
		out.Data = append(out.Data, s.endpointOut(e))
	}
	return out, nil
}

type createEndpointIn struct {
	URL         string   `json:"url" minLength:"1" maxLength:"2048" doc:"An https URL."`
	Events      []string `json:"events,omitempty" maxItems:"50" doc:"Types to be told of; all if left out."`
	Description string   `json:"description,omitempty" maxLength:"200"`
}

func (s webhooks) create(c *call, in *createEndpointIn) (*newEndpointShown, error) {
	return again(c, s.madeOut, func(ctx context.Context) (webhook.Made, error) {
		return s.Webhooks.Create(ctx, c.site.ID, webhook.NewEndpoint{URL: in.URL, Description: in.Description, Events: in.Events})
	})
}

type endpointIn struct {
	ID string `path:"id" json:"-" doc:"Endpoint id."`
}

func (s webhooks) get(c *call, in *endpointIn) (*EndpointOut, error) {
	e, err := s.Webhooks.Get(c.ctx, c.site.ID, in.ID)
	if err != nil {
		return nil, err
	}
	out := s.endpointOut(e)
	return &out, nil
}

type updateEndpointIn struct {
	ID          string    `path:"id" json:"-" doc:"Endpoint id."`
	URL         *string   `json:"url,omitempty" minLength:"1" maxLength:"2048"`
	Events      *[]string `json:"events,omitempty" maxItems:"50" doc:"All of them; an empty list for every type there is or will be."`
	Description *string   `json:"description,omitempty" maxLength:"200"`
	State       *string   `json:"state,omitempty" enum:"on,paused,disabled"`
}

func (s webhooks) update(c *call, in *updateEndpointIn) (*EndpointOut, error) {
	e, err := s.Webhooks.Update(c.ctx, c.site.ID, in.ID, webhook.Change{URL: in.URL, Description: in.Description, State: in.State, Events: in.Events})
	if err != nil {
		return nil, err
	}
	out := s.endpointOut(e)
	return &out, nil
}

func (s webhooks) remove(c *call, in *endpointIn) (*deletedOut, error) {
	return &deletedOut{true}, s.Webhooks.Delete(c.ctx, c.site.ID, in.ID)
}

type rotateEndpointIn struct {
	ID      string `path:"id" json:"-" doc:"Endpoint id."`
	Overlap *int   `json:"overlap_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long the secret before signs too; a day if left out."`
}

func (s webhooks) rotate(c *call, in *rotateEndpointIn) (*newEndpointShown, error) {
	overlap := webhook.Overlap
	if in.Overlap != nil {
		overlap = time.Duration(*in.Overlap) * time.Second
	}
	return again(c, s.madeOut, func(ctx context.Context) (webhook.Made, error) {
		return s.Webhooks.Rotate(ctx, c.site.ID, in.ID, overlap)
	})
}

// challengeTime is longer than an endpoint may take for its answer.
const challengeTime = 15 * time.Second

func (s webhooks) verify(c *call, in *endpointIn) (*EndpointOut, error) {
	ctx := c.ctx
	if patient := otl.RequestOf(ctx).Patient; patient != nil {
		var cancel context.CancelFunc
		ctx, cancel = patient(challengeTime)
		defer cancel()
	}
	e, err := webhook.Verification{Webhooks: s.Webhooks}.Verify(ctx, c.site.ID, in.ID)
	if err != nil {
		return nil, err
	}
	out := s.endpointOut(e)
	return &out, nil
}

type testEndpointIn struct {
	ID   string `path:"id" json:"-" doc:"Endpoint id."`
	Type string `json:"type,omitempty" maxLength:"40" doc:"The type to play, with sample data; webhook.test if left out."`
}

type testedOut struct {
	EventID string `json:"event_id"`
}

func (s webhooks) test(c *call, in *testEndpointIn) (*testedOut, error) {
	id, err := s.Webhooks.Test(c.ctx, c.site.ID, in.ID, in.Type)
	if err != nil {
		return nil, err
	}
	return &testedOut{id}, nil
}

// DeliveryOut is a delivery. It is exported because schemas pass over embedded types
// that are not.
type DeliveryOut struct {
	EventID   string     `json:"event_id"`
	Type      string     `json:"type"`
	Test      bool       `json:"test" doc:"Whether somebody had it played; then type is what it plays."`
	State     string     `json:"state" enum:"waiting,delivered,dead,withdrawn" doc:"withdrawn: the person lets the site see nothing of it any more."`
	Attempts  int        `json:"attempts"`
	Status    *int       `json:"status" doc:"Of the latest answer; null for none."`
	Problem   string     `json:"problem" doc:"Of the latest attempt, in words; empty if it succeeded."`
	DueAt     *time.Time `json:"next_attempt_at" doc:"null unless it waits."`
	CreatedAt time.Time  `json:"created_at"`
	SettledAt *time.Time `json:"settled_at" doc:"When it was delivered or given up; null while it waits."`
}

func newDeliveryOut(d webhook.Delivery) DeliveryOut {
	as, played := d.Event.Shown()
	out := DeliveryOut{EventID: d.Event.ID, Type: string(as), Test: played, State: string(d.State), Attempts: d.Attempts, Problem: d.Problem, CreatedAt: d.CreatedAt, SettledAt: seen(d.SettledAt)}
	if d.Status != 0 {
		out.Status = &d.Status
	}
	if d.State == otl.DeliveryWaiting {
		out.DueAt = &d.DueAt
	}
	return out
}

type listDeliveriesIn struct {
	ID     string `path:"id" json:"-" doc:"Endpoint id."`
	State  string `query:"state" json:"-" doc:"Only those in this state: waiting, delivered, dead, withdrawn."`
	Type   string `query:"type" json:"-" doc:"Only those of events of this type; webhook.test for those that were played."`
	UserID string `query:"user_id" json:"-" doc:"Only those of events about this one of the site's people."`
	Since  string `query:"since" json:"-" doc:"Only those of events from this moment on, RFC 3339."`
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"next_cursor of the page before."`
}

type deliveriesOut struct {
	Data       []DeliveryOut `json:"data"`
	NextCursor *string       `json:"next_cursor" doc:"null on the last page."`
}

func (s webhooks) deliveries(c *call, in *listDeliveriesIn) (*deliveriesOut, error) {
	list := "deliveries|" + c.site.ID + "|" + in.ID + "|" + in.State
	f, list, err := filter(s.Surface, c, c.site.ID, wanted{in.Type, in.UserID, in.Since, ""}, paging{in.Limit, in.Cursor}, list)
	if err != nil {
		return nil, err
	}
	if err := toldType(f.Type); err != nil {
		return nil, err
	}
	found, before, err := s.Webhooks.Deliveries(c.ctx, c.site.ID, in.ID, in.State, f)
	if err != nil {
		return nil, err
	}
	out := &deliveriesOut{Data: []DeliveryOut{}, NextCursor: s.next(before > 0, strconv.FormatInt(before, 10), list)}
	for _, d := range found {
		out.Data = append(out.Data, newDeliveryOut(d))
	}
	return out, nil
}

type deliveryIn struct {
	ID      string `path:"id" json:"-" doc:"Endpoint id."`
	EventID string `path:"event_id" json:"-" doc:"Event id."`
}

type timingOut struct {
	Lookup    int `json:"lookup_ms" doc:"Looking the name up; as the next two 0 on a connection that was kept for the site."`
	Connect   int `json:"connect_ms"`
	Handshake int `json:"tls_ms"`
	Wait      int `json:"wait_ms" doc:"From the request to the first byte of the answer."`
}

func newTimingOut(t otl.Timing) timingOut {
	ms := func(d time.Duration) int { return int(d.Milliseconds()) }
	return timingOut{ms(t.Lookup), ms(t.Connect), ms(t.Handshake), ms(t.Wait)}
}

type attemptOut struct {
	Number    int       `json:"number" doc:"1, 2, 3 …"`
	StartedAt time.Time `json:"started_at"`
	Took      int       `json:"duration_ms"`
	Timing    timingOut `json:"timing"`
	Status    *int      `json:"status" doc:"null where there was no answer."`
	Problem   string    `json:"problem"`
	Request   headers   `json:"request_headers"`
	Response  headers   `json:"response_headers"`
	Body      string    `json:"response_body" doc:"The first 16 KiB, of a success the first KiB; escape it before you show it."`
}

type deliveryDetailOut struct {
	DeliveryOut
	Tries   []attemptOut `json:"attempt_log"`
	Payload *eventOut    `json:"payload" doc:"What a further attempt would send; null where nothing may be told any more, and for a client's endpoint, which is sent a token."`
}

func (s webhooks) delivery(c *call, in *deliveryIn) (*deliveryDetailOut, error) {
	d, attempts, err := s.Webhooks.Delivery(c.ctx, c.site.ID, in.ID, in.EventID)
	if err != nil {
		return nil, err
	}
	to, err := s.Webhooks.Get(c.ctx, c.site.ID, in.ID)
	if err != nil {
		return nil, err
	}
	told, ok, err := s.Webhooks.Tell(c.ctx, d.Event)
	if err != nil {
		return nil, err
	}
	out := &deliveryDetailOut{DeliveryOut: newDeliveryOut(d), Tries: []attemptOut{}}
	if ok && to.Client == "" {
		told = told.For(to)
		s.Webhooks.Shown(told)
		out.Payload = ptr(newEventOut(webhook.Past{Told: told}))
	}
	for _, a := range attempts {
		one := attemptOut{a.Number, a.StartedAt, int(a.Took.Milliseconds()), newTimingOut(a.Timing), nil, a.Problem, heads(a.Request), heads(a.Response), strings.ToValidUTF8(string(a.Body), "\ufffd")}
		if a.Status != 0 {
			one.Status = &a.Status
		}
		out.Tries = append(out.Tries, one)
	}
	return out, nil
}

// headers are those of a request or an answer, by name.
type headers map[string][]string

// Schema implements huma.SchemaProvider.
func (headers) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "Lists of values by lower-case name."}
}

// heads gives headers in the case of their names that the documentation has.
func heads(h http.Header) headers {
	out := headers{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		out[strings.ToLower(name)] = h[name]
	}
	return out
}

type resentOut struct {
	Queued int `json:"queued" doc:"Deliveries that are sent again, or would be."`
}

func (s webhooks) resend(c *call, in *deliveryIn) (*resentOut, error) {
	return &resentOut{1}, s.Webhooks.Resend(c.ctx, c.site.ID, in.ID, in.EventID)
}

type replayIn struct {
	ID     string `path:"id" json:"-" doc:"Endpoint id."`
	DryRun string `query:"dry_run" json:"-" doc:"true only counts."`
	Since  string `json:"since" maxLength:"40" doc:"Events from this moment on, RFC 3339."`
	Until  string `json:"until,omitempty" maxLength:"40" doc:"Events before this moment; now if left out."`
	Which  string `json:"which,omitempty" enum:"failed,all" doc:"failed: those given up, which is what is meant if left out. all: every event the endpoint hears of, delivered or not."`
}

func (s webhooks) replay(c *call, in *replayIn) (*resentOut, error) {
	if in.DryRun != "" && in.DryRun != "true" && in.DryRun != "false" {
		return nil, otl.InvalidField("dry_run", "unknown_value", "must be true or false")
	}
	var err error
	r := otl.Replay{SiteID: c.site.ID, EndpointID: in.ID, Until: s.Now(), Failed: in.Which != "all"}
	if r.Since, err = moment("since", in.Since); err != nil {
		return nil, err
	}
	if in.Until != "" {
		if r.Until, err = moment("until", in.Until); err != nil {
			return nil, err
		}
	}
	n, err := s.Webhooks.ReplayMany(c.ctx, r, in.DryRun == "true")
	if err != nil {
		return nil, err
	}
	return &resentOut{n}, nil
}

func moment(field, s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, otl.InvalidField(field, "not_a_time", "must be a time, such as 2026-01-02T03:04:05Z")
	}
	return t, nil
}
