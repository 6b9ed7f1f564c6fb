package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/webhook"
)

// toldJSON is an event as the API gives it.
type toldJSON struct {
	ID         string                     `json:"id"`
	Type       string                     `json:"type"`
	CreatedAt  time.Time                  `json:"created_at"`
	SiteID     string                     `json:"site_id"`
	Sequence   int64                      `json:"sequence"`
	UserSeq    int64                      `json:"user_sequence"`
	Test       bool                       `json:"test"`
	Data       map[string]json.RawMessage `json:"data"` // as it came: no number, no order is lost
	Deliveries []struct {
		EndpointID string `json:"webhook_id"`
		State      string `json:"state"`
		Attempts   int    `json:"attempts"`
	} `json:"deliveries"`
}

// told gives the event as a webhook tells of it.
func (e toldJSON) told() webhook.Told {
	data := map[string]any{}
	for name, raw := range e.Data {
		data[name] = raw
	}
	return webhook.Told{
		ID: e.ID, Type: otl.EventType(e.Type), CreatedAt: e.CreatedAt, SiteID: e.SiteID, Seq: e.Sequence, UserSeq: e.UserSeq, Test: e.Test, Data: data,
	}
}

func eventsCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "events", Short: "What a site is told of",
		Long: "Calls the API of OTL_URL with the key in OTL_SITE_KEY, which needs the scope admin.\n" +
			"The log of everything that happened, for operators, is `otl audit`.",
	}
	c.AddCommand(eventsListCommand(a), eventsShowCommand(a), eventsResendCommand(a))
	return c
}

func eventsListCommand(a *app) *cobra.Command {
	var cursor, kind, user, since string
	var limit int
	var newest bool
	c := &cobra.Command{
		Use: "list", Short: "List events, oldest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			set(query, "cursor", cursor)
			set(query, "type", kind)
			set(query, "user_id", user)
			set(query, "since", since)
			if newest {
				query.Set("order", "desc")
			}
			return show(a, c, http.MethodGet, "/events", query, nil, func(out struct {
				Data []toldJSON
				Next *string `json:"next_cursor"`
			},
			) {
				table(a.stdout, []string{"TIME", "EVENT", "TYPE", "DELIVERIES"}, out.Data, func(e toldJSON) []string {
					var to []string
					for _, d := range e.Deliveries {
						to = append(to, d.EndpointID+" "+d.State)
					}
					return []string{moment(e.CreatedAt), e.ID, played(e.Type, e.Test), strings.Join(to, ", ")}
				})
				more(a.stderr, out.Next)
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "how many, 1 to 200")
	c.Flags().StringVar(&cursor, "cursor", "", "go on from here")
	c.Flags().StringVar(&kind, "type", "", "only events of this type")
	c.Flags().StringVar(&user, "user", "", "only events about this user id")
	c.Flags().StringVar(&since, "since", "", "from this moment on, such as 2026-01-02T03:04:05Z")
	c.Flags().BoolVar(&newest, "newest", false, "the newest first")
	return c
}

func eventsShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show EVENT", Short: "Show one event as it is sent", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(a, c, http.MethodGet, "/events/"+segment(args[0]), nil, nil, func(e toldJSON) { printEvent(a.stdout, e) })
		},
	}
}

// played gives a type, marked where somebody only had it played.
func played(kind string, test bool) string {
	if test && kind != string(otl.EventWebhookTest) {
		return kind + " (played)"
	}
	return kind
}

// printEvent prints an event, indented.
func printEvent(out io.Writer, e any) {
	raw, err := json.MarshalIndent(e, "", "  ")
	if err != nil { // of JSON that was just read
		panic(err)
	}
	for line := range strings.Lines(string(raw)) {
		fmt.Fprintln(out, visible(strings.TrimRight(line, "\n")))
	}
}

func eventsResendCommand(a *app) *cobra.Command {
	var endpoint string
	var f forward
	c := &cobra.Command{
		Use: "resend EVENT", Short: "Send an event again: to every endpoint that hears of it, to one, or to an address of yours", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.to != "" {
				return a.onRemote(c, func(ctx context.Context, r *remote) error {
					var e toldJSON
					if err := r.call(ctx, http.MethodGet, "/events/"+segment(args[0]), nil, nil, &e); err != nil {
						return err
					}
					l, err := newListener(a, r, f)
					if err != nil {
						return err
					}
					body, err := e.told().Body(1)
					if err != nil {
						return err
					}
					return l.forward(ctx, e.told(), body)
				})
			}
			path := "/webhooks/events/" + segment(args[0]) + "/replay"
			if endpoint != "" {
				path = "/webhooks/" + segment(endpoint) + "/deliveries/" + segment(args[0]) + "/resend"
			}
			return show(a, c, http.MethodPost, path, nil, nil, func(out struct{ Queued int }) {
				fmt.Fprintf(a.stdout, "queued for %d endpoints\n", out.Queued)
			})
		},
	}
	c.Flags().StringVar(&endpoint, "webhook", "", "only to this endpoint")
	f.flags(c)
	return c
}

func triggerCommand(a *app) *cobra.Command {
	var sets []string
	var times int
	c := &cobra.Command{
		Use: "trigger EVENT", Short: "Play an event with sample data, marked as a test", Args: cobra.ExactArgs(1),
		Long: "Has the server of OTL_URL tell the site of OTL_SITE_KEY of an event that did not happen:\n" +
			"its endpoints and `otl listen` get it. The sample data is changed\n" +
			"by --set, as in --set user.email=me@example.com.",
		ValidArgs: otl.EventTypes(otl.ToldEvents()).Strings(),
		RunE: func(c *cobra.Command, args []string) error {
			if times < 1 || times > 100 {
				return wrongUse(c, "--times must be a number from 1 to 100")
			}
			in := map[string]any{"type": args[0]}
			set, err := assignments(sets)
			if err != nil {
				return wrongUse(c, err.Error())
			}
			if len(set) > 0 {
				in["set"] = set
			}
			return a.onRemote(c, func(ctx context.Context, r *remote) error {
				ids := []string{}
				for range times {
					var out struct {
						EventID string `json:"event_id"`
					}
					if err := r.call(ctx, http.MethodPost, "/events/test", nil, in, &out); err != nil {
						return err
					}
					ids = append(ids, out.EventID)
				}
				return a.print(map[string]any{"event_ids": ids}, func() {
					for _, id := range ids {
						fmt.Fprintln(a.stdout, oneLine(id))
					}
				})
			})
		},
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "PATH=VALUE: a member of the data; may stand several times")
	c.Flags().IntVar(&times, "times", 1, "how often, 1 to 100")
	return c
}

// assignments reads PATH=VALUE. A value that is JSON is taken as such, else it is a
// text.
func assignments(all []string) (map[string]any, error) {
	out := map[string]any{}
	for _, one := range all {
		path, text, ok := strings.Cut(one, "=")
		if !ok || path == "" || slices.Contains(strings.Split(path, "."), "") {
			return nil, errors.New("--set must be PATH=VALUE, such as user.email=me@example.com")
		}
		var value any = text
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var parsed any
		if dec.Decode(&parsed) == nil && !dec.More() {
			value = parsed
		}
		out[path] = value
	}
	return out, nil
}
