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
		data := sample(otl.EventType(as), siteID, now)
		has := strings.Join(paths("", data), ", ")
		if unknown, err := replace(data, string(raw)); err != nil {
			return "", err
		} else if unknown != "" {
			return "", otl.InvalidField("set", "unknown_value", "names "+strconv.Quote(unknown)+", which the data of "+as+" does not have; it has "+has)
		}
		e.Data[otl.DataSet] = string(raw)
	}
	return e.ID, w.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Events.Append(ctx, e) })
}

// replace sets members of data, which is made of maps and values, by paths. It gives the
// first path by which the data has nothing, "" for none; such are left out.
func replace(data map[string]any, set string) (unknown string, err error) {
	if set == "" {
		return "", nil
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(set), &members); err != nil {
		return "", err
	}
	for _, path := range slices.Sorted(maps.Keys(members)) {
		steps := strings.Split(path, ".")
		if len(path) > maxPath || len(steps) > maxDepth || slices.Contains(steps, "") {
			return "", otl.InvalidField("set", "malformed", "must have names such as user.email, of at most 8 steps")
		}
		if !put(data, steps, members[path], false) && unknown == "" {
			unknown = path
		}
	}
	return unknown, nil
}

// preferences are what a person's sites write there: the one member that has any others.
const preferences = "preferences"

// put sets one member, if there is one at this path, or any may be made there; it reports
// whether it did.
func put(in map[string]any, steps []string, value any, free bool) bool {
	step := steps[0]
	was, there := in[step]
	if !there && !free {
		return false
	}
	if len(steps) == 1 {
		in[step] = value
		return true
	}
	next, inner := was.(map[string]any)
	if free = free || step == preferences; !inner {
		if !free {
			return false
		}
		next = map[string]any{}
		in[step] = next
	}
	return put(next, steps[1:], value, free)
}

// paths names the members of data, in order.
func paths(before string, data map[string]any) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if inner, ok := data[name].(map[string]any); ok && len(inner) > 0 {
			out = append(out, paths(before+name+".", inner)...)
			continue
		}
		out = append(out, before+name)
	}
	return out
}
