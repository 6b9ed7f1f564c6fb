package webhook

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// View is what the owner of a site looks at, beside its endpoints and deliveries.
type View struct{ *Webhooks }

// Day is how many attempts succeeded and failed.
type Day struct{ Good, Bad int }

// Week is how an endpoint did in the last seven days (UTC), today among them.
type Week struct {
	Days [7]Day // oldest first
	Day         // all of them
	// P95 is how long 95 of 100 attempts that succeeded took at most, to a fifth and a
	// millisecond; 0 where none did.
	P95 time.Duration
}

// stepsOfTime is how many steps of time there are from one duration to twice that.
const stepsOfTime = 4

func step(d time.Duration) int { return int(stepsOfTime * math.Log2(float64(d.Milliseconds()+1))) }

// upTo gives the longest duration of a step.
func upTo(step int) time.Duration {
	return time.Duration(math.Ceil(math.Exp2(float64(step+1)/stepsOfTime))-1) * time.Millisecond
}

func dayOf(t time.Time) int64 { return t.Unix() / int64((24 * time.Hour).Seconds()) }

// Tallies counts attempts: those that succeeded by how long they took.
func Tallies(made []store.Attempted) []otl.Tally {
	counted := map[otl.Tally]*Day{}
	for _, m := range made {
		of := otl.Tally{EndpointID: m.EndpointID, Day: dayOf(m.Attempt.StartedAt)}
		good := m.Attempt.Problem == ""
		if good {
			of.Took = step(m.Attempt.Took)
		}
		d := counted[of]
		if d == nil {
			d = &Day{}
			counted[of] = d
		}
		if good {
			d.Good++
		} else {
			d.Bad++
		}
	}
	var out []otl.Tally
	for of, d := range counted {
		of.Good, of.Bad = d.Good, d.Bad
		out = append(out, of)
	}
	slices.SortFunc(out, func(a, b otl.Tally) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Took, b.Took)) })
	return out
}

// Week gives how an endpoint of a site did lately.
func (v View) Week(ctx context.Context, siteID, id string) (week Week, err error) {
	if _, err := find(ctx, v.Store.Read, siteID, id); err != nil {
		return week, err
	}
	first := dayOf(v.Now()) - int64(len(week.Days)) + 1
	all, err := v.Store.Read.Deliveries.Tallies(ctx, id, first)
	if err != nil {
		return week, err
	}
	for _, t := range all {
		if at := t.Day - first; at < int64(len(week.Days)) { // a clock may be ahead
			week.Days[at].Good += t.Good
			week.Days[at].Bad += t.Bad
			week.Good += t.Good
			week.Bad += t.Bad
		}
	}
	slices.SortFunc(all, func(a, b otl.Tally) int { return cmp.Compare(a.Took, b.Took) })
	for sum, i := 0, 0; i < len(all) && sum*100 < week.Good*95; i++ {
		if sum += all[i].Good; all[i].Good > 0 {
			week.P95 = upTo(all[i].Took)
		}
	}
	return week, nil
}

// Next gives the request that a further attempt of a delivery would make, signed as of now. Ok is
// false where nothing may be told any more, and for a client, which is sent a token.
func (v View) Next(ctx context.Context, siteID string, d Delivery) (url string, r Request, ok bool, err error) {
	to, err := find(ctx, v.Store.Read, siteID, d.EndpointID)
	if err != nil || to.Client != "" {
		return "", r, false, err
	}
	told, ok, err := v.Tell(ctx, d.Event)
	if err != nil || !ok {
		return "", r, false, err
	}
	told = told.For(to.Endpoint)
	secrets, err := v.Secrets(to)
	if err != nil {
		return "", r, false, err
	}
	v.Shown(told)
	r, err = told.Request(secrets, v.Now(), d.Attempts+1)
	return to.URL, r, err == nil, err
}
