package limit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// soon is the first of Sends: one message does not follow another at once.
var soon = Rate{"send", 1, 30 * time.Second}

// Sends are the rates of messages that were asked for by an address alone, each
// by that address. They are exact: in no time of any of them more go than it says. The last
// is that of a day, the others are the pauses between messages.
var Sends = []Rate{soon, {"send-quarter", 5, 15 * time.Minute}, {"send-day", 10, 24 * time.Hour}}

// SendsFrom is the rate of messages that one household asks for, whoever is to get them.
var SendsFrom = Rate{"send-from", 60, 15 * time.Minute}

// SendsKept is the rate of messages a day beyond Sends for whoever is known where he is:
// strangers may have used up the others (PW-13). It is exact, too.
var SendsKept = Rate{"send-kept", 3, 24 * time.Hour}

// kept are the rates of those messages: SendsKept, with the pauses of Sends.
var kept = append(slices.Clone(Sends[:len(Sends)-1]), SendsKept)

// Sending is one message, counted by all of them for each of whom it is for and where it
// goes: a person, the key of an address, a number. What is named twice counts once. Transactions that
// count the same two do so in the same order.
func Sending(to ...string) []Use {
	to = slices.Clone(to)
	slices.Sort(to)
	var uses []Use
	for _, one := range slices.Compact(to) {
		uses = append(uses, Use{Rate: soon, By: []string{one}, exact: Sends})
	}
	return uses
}

// To names a person in Sending, whatever he was called: by his address, so that messages
// sent there for other reasons count too, or by his id where he has none.
func To(u otl.User) string {
	if u.Email.Key == "" {
		return u.ID
	}
	return u.Email.Key
}

// send counts a message by rates that are exact. The error is Exceeded, and says when all of them let the next one go.
func (u Use) send(ctx context.Context, tx *store.Tx, now time.Time) error {
	var pauses store.Pauses
	for _, r := range u.exact {
		pauses[r.Uses-1] = r.Per
	}
	ok, last, err := tx.Sends.Take(ctx, u.name(), now, pauses)
	if err != nil || ok {
		return err
	}
	return u.follows(last, now)
}

// follows is Exceeded where a message would follow the last ones too soon: because of the rate that keeps it for longest.
func (u Use) follows(last store.Times, now time.Time) error {
	var most time.Duration
	var why usedUp
	for i, r := range u.exact {
		wait := last.Due(r.Uses, r.Per, now).Sub(now)
		if wait <= most {
			continue
		}
		if i == len(u.exact)-1 && most > 0 {
			why.pause = exceeded(why, most)
		}
		most, why.Rate = wait, r
	}
	if most == 0 {
		return nil
	}
	return exceeded(why, most)
}

// lastSent gives when the last messages went that each of some uses counts.
func lastSent(ctx context.Context, tx *store.Tx, uses []Use) (map[string]store.Times, error) {
	if len(uses) == 0 {
		return nil, nil
	}
	return tx.Sends.Last(ctx, names(uses))
}

// ErrWithheld is the cause of Exceeded where whoever is known where he is would have got his
// message: it tells a neighbour behind the same address who is signed in there.
var ErrWithheld = errors.New("held back from whoever is not known")

// passed reports whether uses were refused for what whoever is known passes: the messages of a
// day, or of a site. The pauses between two, and what a household may ask for, are everybody's: where
// a pause holds as well, it is why.
func passed(refused error) (bool, error) {
	var full usedUp
	if !errors.As(refused, &full) {
		return false, refused
	}
	if full.pause != nil {
		return false, full.pause
	}
	return full.Rate != SendsFrom && !slices.Contains(Sends[:len(Sends)-1], full.Rate), refused
}

// Keep gives whoever is known where he is, where uses were refused as an error says, SendsKept in
// the place of what is used up, with the pauses of Sends, counted apart from what strangers ask
// for. Everybody else is counted in the same way by his household, so that neither answers nor
// what follows on them tell who is known; his error, and that beyond SendsKept, is Exceeded
// because of ErrWithheld. Any other error, also that for a household, stays as it is.
func (l *Limits) Keep(ctx context.Context, refused error, known func() (bool, error), uses ...Use) error {
	passes, refused := passed(refused)
	if !passes {
		return refused
	}
	is, err := known()
	if err != nil {
		return err
	}
	apart := []string{"known"}
	if !is {
		apart = append([]string{"unknown"}, From(ctx, SendsKept).By...)
	}
	var household, own []Use
	for _, u := range uses {
		if u.exact == nil {
			household = append(household, u)
			continue
		}
		own = append(own, Use{Rate: u.Rate, By: slices.Concat(apart, u.By), exact: kept})
	}
	if err := l.Take(ctx, household...); err != nil { // counted also where the others refuse
		return err
	}
	err = l.Take(ctx, own...)
	switch {
	case err == nil && is:
		return nil
	case err != nil && otl.As(err).Kind != otl.Limited:
		return err
	}
	held := otl.As(refused).Because(ErrWithheld)
	if is { // whichever goes first
		held.RetryAfter = min(held.RetryAfter, otl.As(err).RetryAfter)
	}
	return held
}
