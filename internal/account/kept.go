package account

import (
	"context"
	"encoding/json"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Labels gives what a site calls the texts that it keeps of its people, by their names; where it
// says nothing else the name is the label.
func (a *Members) Labels(ctx context.Context, siteID string) (map[string]string, error) {
	return a.Store.Read.Records.Labels(ctx, siteID)
}

// keptTexts is what the log calls the texts that a site keeps of its people under names of its own.
const keptTexts = "custom_attributes"

// Label says what a site calls a text that it keeps of its people from now on, and what it called it
// before; "" for one that it did not keep, or keeps no more.
func (a *Members) Label(ctx context.Context, siteID, name, before, after string) error {
	if before == after {
		return nil
	}
	label := after
	if label == name {
		label = ""
	}
	named := func(label string) map[string]string {
		if label == "" || label == name {
			return map[string]string{keptTexts: label}
		}
		return map[string]string{keptTexts: name + " (" + label + ")"}
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Records.Label(ctx, siteID, name, label); err != nil {
			return err
		}
		e := a.event(otl.EventSiteUpdated, "", siteID, map[string]string{otl.DataChanged: keptTexts})
		e.Changes = otl.Changes(named(before), named(after))
		return tx.Events.Append(ctx, e)
	})
}

// forgetStep is how many people something is taken from before it is looked who else has it.
const forgetStep = 200

// Forget takes a member of an object that a site keeps of its people from all of them; they are
// found by the trait of it. Each is a change of its own: where it is cut short, it goes on at the
// next call.
func (a *Members) Forget(ctx context.Context, site otl.Site, object, member, trait string) error {
	raw, err := json.Marshal(map[string]any{member: nil})
	if err != nil {
		return err
	}
	c := MemberChange{Data: map[string]json.RawMessage{object: raw}, Merge: []string{object}, Traits: map[string]string{trait: ""}}
	q := Query{Filter: otl.Filter{Attr: otl.AttrTrait, Name: trait, Op: otl.OpPresent}, Limit: forgetStep}
	for {
		held, _, err := a.Search(ctx, site.ID, q)
		if err != nil || len(held) == 0 {
			return err
		}
		for _, m := range held {
			if _, err := a.Change(ctx, site, m.User.ID, c); err != nil && otl.As(err).Kind != otl.NotFound {
				return err
			}
		}
	}
}
