package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// auditJSON is an entry of the log as commands print it.
type auditJSON struct {
	Seq       int64             `json:"seq"`
	ID        string            `json:"id"`
	Type      string            `json:"type"`
	By        actorJSON         `json:"by"`
	Via       string            `json:"via"`
	IP        string            `json:"ip"`
	RequestID string            `json:"request_id"`
	UserID    string            `json:"user_id"`
	SiteID    string            `json:"site_id"`
	SessionID string            `json:"session_id"`
	Data      map[string]string `json:"data"`
	Changes   []changeJSON      `json:"changes"`
	Hash      string            `json:"hash"`
	CreatedAt time.Time         `json:"created_at"`
}

type actorJSON struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

type changeJSON struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func newAuditJSON(e otl.Event) auditJSON {
	out := auditJSON{
		Seq: e.Seq, ID: e.ID, Type: string(e.Type), By: actorJSON{string(e.By.Kind), e.By.ID}, Via: e.Via, IP: e.From, RequestID: e.RequestID,
		UserID: e.UserID, SiteID: e.SiteID, SessionID: e.SessionID, Data: e.Data, Changes: []changeJSON{}, Hash: hex.EncodeToString(e.Hash), CreatedAt: e.CreatedAt,
	}
	for _, c := range e.Changes {
		out.Changes = append(out.Changes, changeJSON(c))
	}
	return out
}

func auditCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "The log of what happened: who did what, and whether it is whole"}
	c.AddCommand(auditListCommand(a), auditExportCommand(a), auditVerifyCommand(a))
	return c
}

func auditListCommand(a *app) *cobra.Command {
	var user, siteID, before, kind, since string
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List entries, newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cmp.Or(checkLimit(c, limit), checkPlace(c, "before", "evt_", before)); err != nil {
				return err
			}
			return a.onLog(c, func(ctx context.Context, n *node.Node) error {
				q := store.EventQuery{Type: otl.EventType(kind), Before: before, Limit: limit}
				if since != "" {
					from, err := time.Parse(time.RFC3339, since)
					if err != nil {
						return wrongUse(c, "--since must be a time, such as 2026-01-02T03:04:05Z")
					}
					q.From = "evt_" + secret.FirstID(from)
				}
				found, err := find(ctx, n, user, siteID, q)
				if err != nil {
					return err
				}
				return a.print(map[string]any{"data": found}, func() {
					table(a.stdout, []string{"TIME", "TYPE", "BY", "USER", "SITE", "DATA"}, found, func(e auditJSON) []string {
						return []string{moment(e.CreatedAt), e.Type, otl.Actor{Kind: otl.ActorKind(e.By.Kind), ID: e.By.ID}.String(), e.UserID, e.SiteID, pairs(e.Data) + diff(e.Changes)}
					})
				})
			})
		},
	}
	f := c.Flags()
	f.StringVar(&user, "user", "", "user id or e-mail address")
	f.StringVar(&siteID, "site", "", "site id or slug")
	f.StringVar(&before, "before", "", "go on behind this event id")
	f.StringVar(&kind, "type", "", "only entries of this type")
	f.StringVar(&since, "since", "", "from this moment on, such as 2026-01-02T03:04:05Z")
	f.IntVar(&limit, "limit", 50, "how many, 1 to 1000")
	return c
}

// onLog runs an action on the log, after every event has its place in it: commands
// may have appended some while no server was running.
func (a *app) onLog(c *cobra.Command, do func(context.Context, *node.Node) error) error {
	return a.onNode(c, func(ctx context.Context, n *node.Node) error {
		for {
			placed, err := n.Events.Place(ctx)
			if err != nil {
				return err
			}
			if placed == 0 {
				return do(ctx, n)
			}
		}
	})
}

// find reads entries, newest first, and notes that they were read (AU-05).
func find(ctx context.Context, n *node.Node, user, siteID string, q store.EventQuery) ([]auditJSON, error) {
	if user != "" {
		u, err := n.Accounts.Find(ctx, user)
		if err != nil {
			return nil, err
		}
		user = u.ID
	}
	if siteID != "" {
		s, err := n.Sites.Get(ctx, siteID)
		if err != nil {
			return nil, err
		}
		siteID = s.ID
	}
	if q.Before != "" {
		if known, err := n.Store.Read.Events.Known(ctx, q.Before); err != nil || !known {
			return nil, cmp.Or(err, error(otl.NoSuch("entry of the log, behind which --before goes on: "+q.Before)))
		}
	}
	q.UserID, q.SiteID = user, siteID
	found, err := n.Store.Read.Events.Select(ctx, q)
	if err != nil {
		return nil, err
	}
	out := []auditJSON{}
	for _, e := range found {
		out = append(out, newAuditJSON(e))
	}
	if len(found) == 0 {
		return out, nil
	}
	return out, n.Events.Note(ctx, otl.EventAuditRead, siteID, found[len(found)-1].Seq, found[0].Seq)
}

// diff words what an act changed.
func diff(changes []changeJSON) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, " %s: %q → %q", c.Field, c.Before, c.After)
	}
	return b.String()
}

func auditExportCommand(a *app) *cobra.Command {
	var siteID string
	var after int64
	c := &cobra.Command{
		Use: "export", Short: "Write the log as one JSON object a line, oldest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onLog(c, func(ctx context.Context, n *node.Node) error {
				if siteID != "" {
					s, err := n.Sites.Get(ctx, siteID)
					if err != nil {
						return err
					}
					siteID = s.ID
				}
				return export(ctx, c, n, a.stdout, siteID, after)
			})
		},
	}
	c.Flags().StringVar(&siteID, "site", "", "the log of this site, by id or slug, instead of the installation's")
	c.Flags().Int64Var(&after, "after", 0, "go on behind this seq")
	return c
}

// export writes a log as far as it goes now. That it is exported is noted before the
// first line, so that an export that is broken off is in the log too (AU-05).
func export(ctx context.Context, c *cobra.Command, n *node.Node, out io.Writer, siteID string, after int64) error {
	span, err := n.Store.Read.Logs.Span(ctx, siteID)
	if err != nil {
		return err
	}
	if after < 0 || after > span.Head.Length {
		return wrongUse(c, fmt.Sprintf("--after must be a seq of the log, of which the newest is %d, or 0", span.Head.Length))
	}
	after = max(after, span.Pruned.Length)
	if err := n.Events.Note(ctx, otl.EventAuditExported, siteID, after+1, span.Head.Length); err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for after < span.Head.Length {
		page, err := entries(ctx, n, siteID, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if after = e.Seq; after > span.Head.Length {
				return nil
			}
			if err := enc.Encode(newAuditJSON(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// entries gives the next entries of a log, with place and hash of that log.
func entries(ctx context.Context, n *node.Node, siteID string, after int64) ([]otl.Event, error) {
	const page = 1000
	if siteID == "" {
		return n.Store.Read.Events.After(ctx, after, page)
	}
	found, err := n.Store.Read.Logs.Of(ctx, siteID, after, false, page)
	var out []otl.Event
	for _, e := range found {
		one := e.Event
		one.Seq, one.Hash = e.Seq, e.Hash
		out = append(out, one)
	}
	return out, err
}

// verifiedJSON is what became of the check of one log.
type verifiedJSON struct {
	SiteID string      `json:"site_id"` // "" for the installation
	First  int64       `json:"first"`
	Length int64       `json:"length"`
	Hash   string      `json:"hash"`
	Since  *time.Time  `json:"since"`
	Faults []faultJSON `json:"faults"`
}

type faultJSON struct {
	Seq     int64  `json:"seq"`
	EventID string `json:"event_id"`
	What    string `json:"what"`
}

func auditVerifyCommand(a *app) *cobra.Command {
	var expect string
	c := &cobra.Command{
		Use: "verify", Short: "Check that no entry was changed, removed, moved or put in", Args: cobra.NoArgs,
		Long: "Goes through the log of the installation and those of all sites. Each entry carries a\n" +
			"hash over all before. Who can write the whole database could write all of them anew, so\n" +
			"keep the head that this prints elsewhere and give it with --expect the next time.",
		RunE: func(c *cobra.Command, _ []string) error {
			seq, hash, err := parseHead(expect)
			if err != nil {
				return wrongUse(c, "--expect must be SEQ:HASH, as an earlier verify printed it")
			}
			return a.onLog(c, func(ctx context.Context, n *node.Node) error {
				found, err := verify(ctx, n)
				if err != nil {
					return err
				}
				if seq > 0 {
					if err := expected(ctx, n, &found[0], seq, hash); err != nil {
						return err
					}
				}
				return a.printVerified(found)
			})
		},
	}
	c.Flags().StringVar(&expect, "expect", "", "SEQ:HASH of an earlier head, which must still be in the log")
	return c
}

func parseHead(s string) (seq int64, hash []byte, err error) {
	if s == "" {
		return 0, nil, nil
	}
	at, sum, _ := strings.Cut(s, ":")
	if seq, err = strconv.ParseInt(at, 10, 64); err != nil || seq < 1 {
		return 0, nil, errors.New("no place")
	}
	if hash, err = hex.DecodeString(sum); err != nil || len(hash) != 32 {
		return 0, nil, errors.New("no hash")
	}
	return seq, hash, nil
}

// expected looks whether an earlier head is still in the log.
func expected(ctx context.Context, n *node.Node, installation *verifiedJSON, seq int64, hash []byte) error {
	have, known, err := n.Events.At(ctx, seq)
	if err != nil {
		return err
	}
	if !known || !bytes.Equal(have, hash) {
		installation.Faults = append(installation.Faults, faultJSON{seq, "", "the log has not the hash that was expected here"})
	}
	return nil
}

// verify checks every log, that of the installation first in what it gives. Those of
// the sites are checked meanwhile.
func verify(ctx context.Context, n *node.Node) ([]verifiedJSON, error) {
	var whole event.Report
	var failed error
	var beside sync.WaitGroup
	beside.Go(func() { whole, failed = n.Events.Verify(ctx, "") })
	var out []verifiedJSON
	var err error
	for after, more := "", true; more && err == nil; {
		var sites []string
		sites, err = n.Store.Read.Logs.Sites(ctx, after, 100)
		for _, id := range sites {
			var r event.Report
			if r, err = n.Events.Verify(ctx, id); err != nil {
				break
			}
			out = append(out, newVerifiedJSON(r))
			after = id
		}
		more = len(sites) > 0
	}
	beside.Wait()
	return append([]verifiedJSON{newVerifiedJSON(whole)}, out...), errors.Join(failed, err)
}

func newVerifiedJSON(r event.Report) verifiedJSON {
	out := verifiedJSON{r.SiteID, r.First, r.Head.Length, hex.EncodeToString(r.Head.Hash), optionalTime(r.Since), []faultJSON{}}
	for _, f := range r.Faults {
		out.Faults = append(out.Faults, faultJSON(f))
	}
	return out
}

// findings is what a check found: reason enough for an exit code of its own.
type findings struct{ text string }

// Error says what was found.
func (f findings) Error() string { return f.text }

func faultCount(n int) string {
	if n == 1 {
		return "1 fault"
	}
	return strconv.Itoa(n) + " faults"
}

// shownFaults is how many faults of a log are shown as text.
const shownFaults = 20

func (a *app) printVerified(all []verifiedJSON) error {
	faults := 0
	for _, v := range all {
		faults += len(v.Faults)
	}
	err := a.print(map[string]any{"ok": faults == 0, "logs": all}, func() {
		for _, v := range all {
			name := "installation"
			if v.SiteID != "" {
				name = "site " + v.SiteID
			}
			state := "unbroken"
			if len(v.Faults) > 0 {
				state = faultCount(len(v.Faults))
			}
			fmt.Fprintf(a.stdout, "%s: %d entries, %s since %s; head %d:%s\n", name, v.Length-v.First+1, state, momentOr(v.Since, "now"), v.Length, v.Hash)
			for _, f := range v.Faults[:min(len(v.Faults), shownFaults)] {
				fmt.Fprintf(a.stdout, "  %d %s %s\n", f.Seq, oneLine(f.EventID), f.What)
			}
		}
	})
	if err == nil && faults > 0 {
		err = findings{"the log is not what it was: " + faultCount(faults)}
	}
	return err
}
