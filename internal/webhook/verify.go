package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// challengePrefix starts what an endpoint is to answer with.
const challengePrefix = "otl_wc_"

// Verification is how endpoints show that they are their site's.
type Verification struct{ *Webhooks }

// Verify has an endpoint show that it is the site's (WH-15): it is sent a challenge, signed
// as every event is, and must answer with it. The error is a conflict that says what came
// instead.
func (w Verification) Verify(ctx context.Context, siteID, id string) (otl.Endpoint, error) {
	stored, err := find(ctx, w.Store.Read, siteID, id)
	if err != nil {
		return otl.Endpoint{}, err
	}
	if err := changeable(stored.Endpoint); err != nil {
		return otl.Endpoint{}, err
	}
	if stored.State == otl.EndpointDisabled {
		return otl.Endpoint{}, errDisabled()
	}
	challenge, now := secret.NewKey(challengePrefix), w.Now()
	told := Told{
		ID: "evt_" + secret.NewID(now), Type: otl.EventChallenge, CreatedAt: now, SiteID: siteID, Data: map[string]any{"challenge": challenge.Reveal()},
	}
	secrets, err := w.Secrets(stored)
	if err != nil {
		return otl.Endpoint{}, err
	}
	ask, err := told.Request(secrets, now, 1)
	if err != nil {
		return otl.Endpoint{}, err
	}
	status, answer, problem := w.Ask(ctx, stored.SiteID, stored.URL, ask.Head, ask.Body)
	switch {
	case ctx.Err() != nil:
		return otl.Endpoint{}, ctx.Err()
	case problem != "":
		return otl.Endpoint{}, unverified(problem)
	case status/100 != 2:
		return otl.Endpoint{}, unverified("it answered " + strconv.Itoa(status))
	case !answers(answer, challenge):
		return otl.Endpoint{}, unverified("its answer is not the challenge")
	}
	return w.verified(ctx, stored.Endpoint)
}

func unverified(why string) error {
	return &otl.Error{Kind: otl.Conflict, Code: "challenge_failed", Text: "The endpoint did not answer the challenge: " + why + "."}
}

// answers reports whether a body is the challenge, or a JSON object that has it.
func answers(body []byte, challenge secret.Text) bool {
	var in struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(body, &in) != nil {
		in.Challenge = string(bytes.TrimSpace(body))
	}
	return secret.SameDigest(secret.Digest(in.Challenge), secret.Digest(challenge.Reveal()))
}

func (w Verification) verified(ctx context.Context, e otl.Endpoint) (otl.Endpoint, error) {
	before := e
	e.VerifiedAt = w.Now()
	e.UpdatedAt = e.VerifiedAt
	return e, w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		same, err := tx.Endpoints.Verified(ctx, e.ID, e.URL, e.VerifiedAt)
		if err != nil {
			return err
		}
		if !same { // changed or deleted while it was asked
			return unverified("it has another URL by now")
		}
		return w.note(ctx, tx, otl.EventEndpointProven, &before, &e)
	})
}

// known gives when an endpoint that gets a URL was verified: as before where the URL stays
// the same, path and all, because at one host may be many receivers; at once where it is
// this very machine; else not yet.
func known(now time.Time, before otl.Endpoint, to string) time.Time {
	switch {
	case before.URL == to:
		return before.VerifiedAt
	case loopback(hostOf(to)):
		return now
	}
	return time.Time{}
}

// Introduce has an endpoint that is new, or has a new URL, show that it is the site's, once
// and by itself; whether it did is seen on the endpoint. The caller is alone in sending to it.
func (w Verification) Introduce(ctx context.Context, e otl.Endpoint) error {
	first := false
	err := w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		first, err = tx.Endpoints.Asked(ctx, e.ID, e.URL, w.Now())
		return err
	})
	if err != nil || !first {
		return err
	}
	if _, err = w.Verify(ctx, e.SiteID, e.ID); otl.As(err).Kind == otl.Conflict || otl.As(err).Kind == otl.NotFound {
		return nil // somebody will look why
	}
	return err
}

// hostOf gives the host of a URL without the port, "" for none.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// For gives what is told to one endpoint: before that is verified it learns that something
// happened, and to whom by his id, and nothing personal. What was only played is sent whole.
func (t Told) For(e otl.Endpoint) Told {
	if t.Test || !e.VerifiedAt.IsZero() {
		return t
	}
	t.Withheld, t.fields = true, nil
	bare := map[string]any{}
	for name, v := range t.Data {
		if inner, ok := v.(map[string]any); ok && (name == "user" || name == "session") {
			v = map[string]any{"id": inner["id"]}
		}
		bare[name] = v
	}
	t.Data = bare
	return t
}
