package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// endpointJSON is an endpoint as the API gives it.
type endpointJSON struct {
	ID          string   `json:"id"`
	URL         string   `json:"url"`
	Description string   `json:"description"`
	Events      []string `json:"events"`
	State       string   `json:"state"`
	Reason      string   `json:"reason"`
	VerifiedAt  *string  `json:"verified_at"`
	Secret      string   `json:"secret"`
}

func webhooksCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "webhooks", Short: "Where a site is told of events",
		Long: "Calls the API of OTL_URL with the key in OTL_SITE_KEY, which needs the scope admin.",
	}
	c.AddCommand(
		webhooksListCommand(a), webhooksCreateCommand(a), webhooksUpdateCommand(a), webhooksDeleteCommand(a), webhooksVerifyCommand(a),
		webhooksDeliveriesCommand(a), webhooksReplayCommand(a), webhooksRotateCommand(a), webhooksTestCommand(a),
	)
	return c
}

func webhooksListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the endpoints", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return show(a, c, http.MethodGet, "/webhooks", nil, nil, func(out struct{ Data []endpointJSON }) {
				table(a.stdout, []string{"ID", "STATE", "URL", "EVENTS"}, out.Data, func(e endpointJSON) []string {
					return []string{e.ID, e.standing(), e.URL, strings.Join(e.Events, " ")}
				})
			})
		},
	}
}

// standing says whether an endpoint is sent to, and why not.
func (e endpointJSON) standing() string {
	words := strings.TrimSpace(e.State + " " + e.Reason)
	if e.VerifiedAt == nil {
		words += " unverified"
	}
	return words
}

func webhooksVerifyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "verify ID", Short: "Have an endpoint show that it is yours, which it must before anything personal is sent there", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(a, c, http.MethodPost, "/webhooks/"+segment(args[0])+"/verify", nil, nil, func(e endpointJSON) {
				fmt.Fprintf(a.stdout, "%s  verified  %s\n", oneLine(e.ID), oneLine(e.URL))
			})
		},
	}
}

// printSecret prints an endpoint whose secret is shown this once.
func (a *app) printSecret(e endpointJSON) {
	fmt.Fprintf(a.stdout, "%s  %s\nSigning secret  %s   (shown this once)\n", oneLine(e.ID), oneLine(e.URL), oneLine(e.Secret))
	if e.VerifiedAt == nil {
		fmt.Fprintf(a.stdout, "It is sent a challenge now, and nothing personal until it answers. To ask again:  otl webhooks verify %s\n", oneLine(e.ID))
	}
}

func webhooksCreateCommand(a *app) *cobra.Command {
	var events []string
	var description string
	c := &cobra.Command{
		Use: "create URL", Short: "Register an endpoint", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := map[string]any{"url": args[0]}
			if len(events) > 0 {
				in["events"] = events
			}
			if description != "" {
				in["description"] = description
			}
			return show(a, c, http.MethodPost, "/webhooks", nil, in, a.printSecret)
		},
	}
	c.Flags().StringSliceVar(&events, "events", nil, "types to be told of, comma-separated (default all)")
	c.Flags().StringVar(&description, "description", "", "what it is for")
	return c
}

func webhooksUpdateCommand(a *app) *cobra.Command {
	var events []string
	var address, description, state string
	c := &cobra.Command{
		Use: "update ID", Short: "Change an endpoint, pause it or switch it on again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := map[string]any{}
			for name, value := range map[string]any{"url": address, "description": description, "state": state, "events": events} {
				if c.Flags().Changed(name) {
					in[name] = value
				}
			}
			if len(in) == 0 {
				return wrongUse(c, "nothing to change: give --url, --events, --description or --state")
			}
			return show(a, c, http.MethodPatch, "/webhooks/"+segment(args[0]), nil, in, func(e endpointJSON) {
				fmt.Fprintf(a.stdout, "%s  %s  %s\n", oneLine(e.ID), oneLine(e.State), oneLine(e.URL))
			})
		},
	}
	f := c.Flags()
	f.StringVar(&address, "url", "", "another address")
	f.StringSliceVar(&events, "events", nil, "all types to be told of, comma-separated; empty for every type")
	f.StringVar(&description, "description", "", "what it is for")
	f.StringVar(&state, "state", "", "on, paused or disabled")
	return c
}

func webhooksDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Remove an endpoint", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return show(a, c, http.MethodDelete, "/webhooks/"+segment(args[0]), nil, nil, func(struct{}) { fmt.Fprintln(a.stdout, "deleted") })
		},
	}
}

// deliveryJSON is a delivery as the API gives it.
type deliveryJSON struct {
	EventID   string    `json:"event_id"`
	Type      string    `json:"type"`
	Test      bool      `json:"test"`
	State     string    `json:"state"`
	Attempts  int       `json:"attempts"`
	Status    *int      `json:"status"`
	Problem   string    `json:"problem"`
	CreatedAt time.Time `json:"created_at"`
	Log       []struct {
		Number    int       `json:"number"`
		StartedAt time.Time `json:"started_at"`
		Took      int       `json:"duration_ms"`
		Status    *int      `json:"status"`
		Problem   string    `json:"problem"`
		Body      string    `json:"response_body"`
	} `json:"attempt_log"`
}

func webhooksDeliveriesCommand(a *app) *cobra.Command {
	var state, cursor, kind, user, since string
	var limit int
	c := &cobra.Command{
		Use: "deliveries ID [EVENT]", Short: "List what was sent to an endpoint, or show every attempt of one event", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			path := "/webhooks/" + segment(args[0]) + "/deliveries"
			if len(args) == 2 {
				return show(a, c, http.MethodGet, path+"/"+segment(args[1]), nil, nil, func(d deliveryJSON) { printDelivery(a.stdout, d) })
			}
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, value := range map[string]string{"state": state, "type": kind, "user_id": user, "since": since, "cursor": cursor} {
				set(query, name, value)
			}
			return show(a, c, http.MethodGet, path, query, nil, func(out struct {
				Data []deliveryJSON
				Next *string `json:"next_cursor"`
			},
			) {
				table(a.stdout, []string{"TIME", "EVENT", "TYPE", "STATE", "ATTEMPTS", "STATUS", "PROBLEM"}, out.Data, func(d deliveryJSON) []string {
					return []string{moment(d.CreatedAt), d.EventID, played(d.Type, d.Test), d.State, strconv.Itoa(d.Attempts), status(d.Status), d.Problem}
				})
				more(a.stderr, out.Next)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&state, "state", "", "waiting, delivered, dead or withdrawn (default all)")
	f.StringVar(&kind, "type", "", "only of events of this type")
	f.StringVar(&user, "user", "", "only of events about this person")
	f.StringVar(&since, "since", "", "only of events from this moment on, RFC 3339")
	f.IntVar(&limit, "limit", 50, "how many, 1 to 200")
	f.StringVar(&cursor, "cursor", "", "go on from here")
	return c
}

func printDelivery(out io.Writer, d deliveryJSON) {
	fmt.Fprintf(out, "%s  %s  %s after %d attempts\n", oneLine(d.EventID), oneLine(played(d.Type, d.Test)), oneLine(d.State), d.Attempts)
	for _, t := range d.Log {
		fmt.Fprintf(out, "%d  %s  %s  %d ms  %s\n", t.Number, moment(t.StartedAt), status(t.Status), t.Took, oneLine(t.Problem))
		for line := range strings.Lines(t.Body) {
			fmt.Fprintln(out, "   | "+visible(strings.TrimRight(line, "\r\n")))
		}
	}
}

func webhooksReplayCommand(a *app) *cobra.Command {
	var since, until string
	var every, dry bool
	c := &cobra.Command{
		Use: "replay ID", Short: "Send again what was given up since a moment, or every event", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := map[string]any{"since": since}
			if until != "" {
				in["until"] = until
			}
			if every {
				in["which"] = "all"
			}
			query := url.Values{}
			if dry {
				query.Set("dry_run", "true")
			}
			return show(a, c, http.MethodPost, "/webhooks/"+segment(args[0])+"/replay", query, in, func(out struct{ Queued int }) {
				if dry {
					fmt.Fprintf(a.stdout, "would be sent again: %d\n", out.Queued)
					return
				}
				fmt.Fprintf(a.stdout, "sent again: %d\n", out.Queued)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&since, "since", "", "from this moment on, such as 2026-01-02T03:04:05Z")
	f.StringVar(&until, "until", "", "before this moment (default now)")
	f.BoolVar(&every, "all", false, "every event of the time that the endpoint hears of, whatever became of it")
	f.BoolVar(&dry, "dry-run", false, "only count them")
	require(c, "since")
	return c
}

func webhooksRotateCommand(a *app) *cobra.Command {
	var overlap time.Duration
	c := &cobra.Command{
		Use: "rotate-secret ID", Short: "Give an endpoint another secret; both sign for the overlap", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := map[string]any{}
			if c.Flags().Changed("overlap") {
				in["overlap_seconds"] = int(overlap.Seconds())
			}
			return show(a, c, http.MethodPost, "/webhooks/"+segment(args[0])+"/rotate-secret", nil, in, a.printSecret)
		},
	}
	c.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the secret before signs too")
	return c
}

func webhooksTestCommand(a *app) *cobra.Command {
	var as string
	c := &cobra.Command{
		Use: "test ID", Short: "Have a test sent to an endpoint", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := map[string]any{}
			if as != "" {
				in["type"] = as
			}
			return show(a, c, http.MethodPost, "/webhooks/"+segment(args[0])+"/test", nil, in, func(out struct {
				EventID string `json:"event_id"`
			},
			) {
				fmt.Fprintf(a.stdout, "sent %s\n", oneLine(out.EventID))
			})
		},
	}
	c.Flags().StringVar(&as, "type", "", "the type of event to play, with sample data")
	return c
}

// set adds a parameter unless it is empty.
func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// status gives the status of an answer that there may not be.
func status(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

// more says how to go on with a list.
func more(out io.Writer, cursor *string) {
	if cursor != nil {
		fmt.Fprintf(out, "more with --cursor %s\n", oneLine(*cursor))
	}
}
