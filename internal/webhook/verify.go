package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
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
	if stored.Client != "" { // it is a client's, and told of no person but by a token
		return otl.Endpoint{}, noEndpoint()
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
	status, answer, problem := w.Ask(ctx, stored.URL, ask.Head, ask.Body)
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

// known gives when an endpoint that gets a URL was verified: at once where the URL is at a
// host of the site's own, to which it sends people with their codes anyway, or on this very
// machine; as before where scheme and host stay the same; else not yet.
func known(ctx context.Context, tx *store.Tx, now time.Time, siteID string, before otl.Endpoint, to string) (time.Time, error) {
	if !before.VerifiedAt.IsZero() && otl.Origin(before.URL) == otl.Origin(to) {
		return before.VerifiedAt, nil
	}
	own, err := hosts(ctx, tx, siteID)
	if host := hostOf(to); err != nil || !loopback(host) && !slices.Contains(own, host) {
		return time.Time{}, err
	}
	return now, nil
}

// hosts gives the hosts of a site's own: its domain, and those of its callback URLs and of
// the origins of its scripts.
func hosts(ctx context.Context, tx *store.Tx, siteID string) ([]string, error) {
	s, err := tx.Sites.ByID(ctx, siteID)
	if err != nil {
		return nil, err
	}
	callbacks, err := tx.Sites.Callbacks(ctx, siteID)
	if err != nil {
		return nil, err
	}
	origins, err := tx.Sites.Origins(ctx, siteID)
	hosts := []string{s.Domain}
	for _, u := range slices.Concat(callbacks, origins) {
		hosts = append(hosts, hostOf(u))
	}
	return slices.DeleteFunc(hosts, func(h string) bool { return h == "" }), err
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
	t.Withheld = true
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
