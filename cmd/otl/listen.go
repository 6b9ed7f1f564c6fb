package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/webhook"
)

// pullEvery is how often `otl listen` asks for news.
const pullEvery = time.Second

// forward says where events go.
type forward struct {
	to         string
	events     []string
	print      bool
	skipVerify bool
}

func (f *forward) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.to, "forward-to", "", "URL of your receiver, such as localhost:3000/hooks")
	c.Flags().BoolVar(&f.skipVerify, "skip-verify", false, "believe any certificate of the receiver")
}

func listenCommand(a *app) *cobra.Command {
	var f forward
	c := &cobra.Command{
		Use: "listen", Short: "Bring the events of a site to a receiver on your machine", Args: cobra.NoArgs,
		Long: "Asks the server of OTL_URL for the events of the site of OTL_SITE_KEY, from now on, and sends\n" +
			"each to --forward-to, with headers and signatures as a webhook has them. Nothing has to reach\n" +
			"your machine from outside. The signing secret is made from the site key and stays the same.",
		RunE: func(c *cobra.Command, _ []string) error {
			if f.to == "" && !f.print {
				return wrongUse(c, "say where events go: --forward-to URL, or --print")
			}
			if _, err := otl.ParseEventTypes("--events", f.events); err != nil {
				return wrongUse(c, faultText(err))
			}
			return a.onRemote(c, func(ctx context.Context, r *remote) error {
				l, err := newListener(a, r, f)
				if err != nil {
					return err
				}
				return l.listen(ctx)
			})
		},
	}
	f.flags(c)
	c.Flags().StringSliceVar(&f.events, "events", nil, "types to bring, comma-separated (default all)")
	c.Flags().BoolVar(&f.print, "print", false, "print the body of each event, as it would be sent")
	return c
}

// listener brings events of a site to a receiver.
type listener struct {
	*app
	remote   *remote
	how      forward
	receiver *egress.Client
	secret   secret.Text
}

func newListener(a *app, r *remote, f forward) (*listener, error) {
	if f.to != "" && !strings.Contains(f.to, "://") {
		f.to = "http://" + f.to
	}
	if u, err := url.Parse(f.to); f.to != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return nil, usageError{errors.New("--forward-to must be a URL such as localhost:3000/hooks"), ""}
	}
	return &listener{a, r, f, newCaller(f.skipVerify), listenSecret(r.key)}, nil
}

// listenSecret makes the secret that forwarded events are signed with. It follows
// from the site key, so that it stays the same, and does not give it away.
func listenSecret(key secret.Text) secret.Text {
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	h.Write([]byte("otl listen"))
	return secret.NewText(webhook.SecretPrefix + base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

// listen forwards what happens until ctx ends. A server that is away for a while is
// asked again; it is gone on from where it was.
func (l *listener) listen(ctx context.Context) error {
	cursor, _, err := l.pull(ctx, url.Values{"from": {"end"}})
	if err != nil {
		return err
	}
	fmt.Fprintf(l.stderr, "Ready. Signing secret  %s   (stays the same for this site key)\n", l.secret.Reveal())
	away := false
	tick := time.NewTicker(pullEvery)
	defer tick.Stop()
	for {
		next, all, err := l.pull(ctx, url.Values{"cursor": {cursor}, "limit": {"200"}})
		var gone unreachable
		switch {
		case errors.As(err, &gone):
			if !away {
				fmt.Fprintln(l.stderr, "otl: "+oneLine(err.Error())+"; asking again")
			}
			away = true
		case err != nil:
			return err
		default:
			away, cursor = false, next
			for _, e := range all {
				if err := l.bring(ctx, e); err != nil {
					return err
				}
			}
		}
		if len(all) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (l *listener) pull(ctx context.Context, query url.Values) (string, []toldJSON, error) {
	var out struct {
		Data   []toldJSON
		Cursor string
	}
	err := l.remote.call(ctx, http.MethodGet, "/events", query, nil, &out)
	return out.Cursor, out.Data, err
}

// bring takes one event to where it is to go.
func (l *listener) bring(ctx context.Context, e toldJSON) error {
	if len(l.how.events) > 0 && !slices.Contains(l.how.events, e.Type) {
		return nil
	}
	body, err := e.told().Body(1)
	if err != nil {
		return err
	}
	if l.how.print {
		text := string(body)
		if !l.json {
			text = visible(text)
		}
		fmt.Fprintln(l.stdout, text)
	}
	if l.how.to == "" {
		return nil
	}
	return l.forward(ctx, e.told(), body)
}

// forward sends one event to the receiver as a webhook and prints what it answers.
func (l *listener) forward(ctx context.Context, e webhook.Told, body []byte) error {
	start := time.Now()
	a, err := l.receiver.Do(ctx, http.MethodPost, l.how.to, e.Head([]secret.Text{l.secret}, start, 1, body), body)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	took := time.Since(start)
	outcome, good := egress.Problem(err), false
	if err == nil {
		outcome, good = strings.TrimSpace(fmt.Sprintf("%d  %s", a.Status, http.StatusText(a.Status))), a.Status/100 == 2
	}
	if l.json {
		return l.app.print(map[string]any{"type": "forwarded", "event_id": e.ID, "event": e.Type, "ok": good, "status": a.Status, "outcome": outcome, "duration_ms": took.Milliseconds()}, nil)
	}
	line := fmt.Sprintf("%s  %-18s  %s  →  %-24s  %4d ms", start.Format(time.TimeOnly), oneLine(string(e.Type)), oneLine(e.ID), outcome, took.Milliseconds())
	if good {
		fmt.Fprintln(l.stdout, line)
		return nil
	}
	if text := oneLine(string(a.Body)); text != "" {
		line += fmt.Sprintf("   body: %.200q", text)
	}
	fmt.Fprintf(l.stdout, "%s\n          otl events resend %s --forward-to %s   to try again\n", line, oneLine(e.ID), oneLine(l.how.to))
	return nil
}

// faultText words what is wrong with a value, without the rest of an error.
func faultText(err error) string {
	var known *otl.Error
	if errors.As(err, &known) {
		return faults(known)
	}
	return err.Error()
}
