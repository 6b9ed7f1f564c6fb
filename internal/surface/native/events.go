package native

import (
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/webhook"
)

// eventOut is an event as the site is told of it.
type eventOut struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	CreatedAt  time.Time       `json:"created_at"`
	SiteID     string          `json:"site_id"`
	Sequence   int64           `json:"sequence" doc:"Rises from event to event of the site."`
	UserSeq    *int64          `json:"user_sequence" doc:"Of the events about one person: 1, 2, 3 … without a gap; null where it is about none of the site's people."`
	Test       bool            `json:"test" doc:"Whether it was sent because somebody asked for a test."`
	Withheld   bool            `json:"withheld,omitempty" doc:"true where nothing personal is told, because the endpoint is not verified."`
	Data       facts           `json:"data" doc:"By type; see the guide on webhooks."`
	Deliveries []eventDelivery `json:"deliveries" doc:"What became of it at each endpoint."`
}

// facts are what an event says; their members differ by its type.
type facts map[string]any

// Schema implements huma.SchemaProvider.
func (facts) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "By type; see the guide on webhooks."}
}

type eventDelivery struct {
	EndpointID string `json:"webhook_id"`
	State      string `json:"state" enum:"waiting,delivered,dead,withdrawn"`
	Attempts   int    `json:"attempts"`
}

func newEventOut(p webhook.Past) eventOut {
	out := eventOut{
		ID: p.ID, Type: string(p.Type), CreatedAt: p.CreatedAt, SiteID: p.SiteID, Sequence: p.Seq, Test: p.Test, Withheld: p.Withheld, Data: p.Data, Deliveries: []eventDelivery{},
	}
	if p.UserSeq != 0 {
		out.UserSeq = &p.UserSeq
	}
	for _, d := range p.Deliveries {
		out.Deliveries = append(out.Deliveries, eventDelivery{d.EndpointID, string(d.State), d.Attempts})
	}
	return out
}

type listEventsIn struct {
	From   string `query:"from" json:"-" doc:"start, or end to begin behind the newest event; start if left out."`
	Type   string `query:"type" json:"-" doc:"Only events of this type; webhook.test for those that were played."`
	UserID string `query:"user_id" json:"-" doc:"Only events about this one of the site's people."`
	Since  string `query:"since" json:"-" doc:"Only events from this moment on, RFC 3339."`
	Order  string `query:"order" json:"-" doc:"asc, or desc for the newest first; asc if left out."`
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"cursor of an answer before, to the same question."`
}

type eventsOut struct {
	Data       []eventOut `json:"data"`
	NextCursor *string    `json:"next_cursor" doc:"null where there is nothing more by now."`
	Cursor     string     `json:"cursor" doc:"Where to go on later; never null."`
}

func (s webhooks) events(c *call, in *listEventsIn) (*eventsOut, error) {
	list := "events|" + c.site.ID
	f, list, err := filter(s.Surface, c, c.site.ID, wanted{in.Type, in.UserID, in.Since, in.Order}, paging{in.Limit, in.Cursor}, list)
	if err != nil {
		return nil, err
	}
	switch in.From {
	case "", "start":
	case "end":
		if in.Cursor == "" {
			if f.At, err = s.Webhooks.End(c.ctx, c.site.ID); err != nil {
				return nil, err
			}
		}
	default:
		return nil, otl.InvalidField("from", "unknown_value", "must be start or end")
	}
	if err := toldType(f.Type); err != nil {
		return nil, err
	}
	past, last, more, err := s.Webhooks.Events(c.ctx, c.site.ID, f)
	if err != nil {
		return nil, err
	}
	out := &eventsOut{Data: []eventOut{}, Cursor: s.cursor(strconv.FormatInt(last, 10), list)}
	if more {
		out.NextCursor = &out.Cursor
	}
	for _, p := range past {
		out.Data = append(out.Data, newEventOut(p))
	}
	return out, nil
}

// wanted are the members of a request that leave only some entries of a log.
type wanted struct{ kind, user, since, order string }

// filter reads what is wanted of a site's log, and gives the list that its cursors are of.
func filter(s *Surface, c *call, siteID string, w wanted, p paging, list string) (f otl.LogFilter, of string, err error) {
	f = otl.LogFilter{Type: otl.EventType(w.kind), UserID: w.user, Newest: w.order == "desc"}
	if w.order != "" && w.order != "asc" && !f.Newest {
		return f, list, otl.InvalidField("order", "unknown_value", "must be asc or desc")
	}
	if len(w.kind) > 64 {
		return f, list, otl.InvalidField("type", "too_long", "must be at most 64 characters")
	}
	if w.since != "" {
		if f.Since, err = moment("since", w.since); err != nil {
			return f, list, err
		}
		f.Since = f.Since.UTC()
	}
	if w.user != "" {
		if _, err := s.Accounts.Member(c.ctx, siteID, w.user); err != nil {
			return f, list, err
		}
	}
	if !f.Plain() {
		list = strings.Join([]string{list, w.kind, w.user, w.since, w.order}, "|")
	}
	f.At, f.Limit, err = place(s, p, list)
	return f, list, err
}

// toldType is an error for a type of event that no site is told of.
func toldType(t otl.EventType) error {
	if t == "" || t.Told() || t == otl.EventWebhookTest {
		return nil
	}
	return otl.InvalidField("type", "unknown_value", "must be a type sites are told of, or webhook.test")
}

func (s webhooks) event(c *call, in *eventIn) (*eventOut, error) {
	p, err := s.Webhooks.Event(c.ctx, c.site.ID, in.ID)
	if err != nil {
		return nil, err
	}
	out := newEventOut(p)
	return &out, nil
}

type triggerIn struct {
	Type string `json:"type" minLength:"1" maxLength:"40" doc:"The type to play."`
	Set  facts  `json:"set,omitempty" doc:"Members of the sample data to set, by paths such as user.email."`
}

func (s webhooks) trigger(c *call, in *triggerIn) (*testedOut, error) {
	id, err := s.Webhooks.Trigger(c.ctx, c.site.ID, in.Type, in.Set)
	if err != nil {
		return nil, err
	}
	return &testedOut{id}, nil
}

type eventIn struct {
	ID string `path:"id" json:"-" doc:"Event id."`
}

func (s webhooks) replayEvent(c *call, in *eventIn) (*resentOut, error) {
	n, err := s.Webhooks.Replay(c.ctx, c.site.ID, in.ID)
	if err != nil {
		return nil, err
	}
	return &resentOut{n}, nil
}
