package webhook

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Bounds of what is set in the sample data of a test.
const (
	maxSet   = 4 << 10 // bytes
	maxPath  = 200     // bytes
	maxDepth = 8
)

// Trigger tells a site of an event that did not happen, with sample data, marked as a
// test: every endpoint that hears of such events gets it, and who pulls. Set replaces
// members of the data, by paths such as "user.email". It gives the event's id.
func (w *Webhooks) Trigger(ctx context.Context, siteID, as string, set map[string]any) (string, error) {
	if _, err := otl.ParseEventTypes("type", []string{as}); err != nil {
		return "", err
	}
	now := w.Now()
	e := otl.Event{
		ID: "evt_" + secret.NewID(now), Type: otl.EventWebhookTest, SiteID: siteID, CreatedAt: now, Data: map[string]string{otl.DataAs: as},
	}
	if len(set) > 0 {
		raw, err := json.Marshal(set)
		if err != nil || len(raw) > maxSet {
			return "", otl.InvalidField("set", "too_long", "must be at most "+strconv.Itoa(maxSet)+" bytes of JSON")
		}
		if err := replace(sample(otl.EventType(as), siteID, now), string(raw)); err != nil {
			return "", err
		}
		e.Data[otl.DataSet] = string(raw)
	}
	return e.ID, w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) })
}

// replace sets members of data, which is made of maps and values. Members that are
// not there yet are made.
func replace(data map[string]any, set string) error {
	if set == "" {
		return nil
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(set), &members); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(members)) {
		steps := strings.Split(path, ".")
		if len(path) > maxPath || len(steps) > maxDepth || slices.Contains(steps, "") {
			return otl.InvalidField("set", "malformed", "must have names such as user.email, of at most 8 steps")
		}
		in := data
		for _, step := range steps[:len(steps)-1] {
			next, ok := in[step].(map[string]any)
			if !ok {
				next = map[string]any{}
			}
			in[step], in = next, next
		}
		in[steps[len(steps)-1]] = members[path]
	}
	return nil
}
