package session

import (
	"context"
	"errors"
	"strconv"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Counted is how many people were signed out, and of how many sessions.
type Counted struct{ People, Sessions int }

// everybodysStep is how many people are signed out in one transaction: about ten statements each.
const everybodysStep = 20

// Everybody signs all people out.
type Everybody struct{ *Sessions }

// End ends every session of everybody, as EndAll does of one, and makes worthless what was sent
// to sign in with: after a restore it may have been used already (DD-10). What takes a change back
// stays good. It takes as many transactions as it needs, so that nobody else waits long; where it
// fails those before stand, and it can be called again. That it was done to the end is an entry of the log.
func (s Everybody) End(ctx context.Context, reason otl.EndReason) (Counted, error) {
	var all Counted
	for after, more := "", true; more; {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		var step Counted
		var last string
		err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			step, last, err = s.some(ctx, tx, after, reason)
			if err != nil || last != "" {
				return err
			}
			if err := tx.Tickets.VoidNewcomers(ctx, s.Now()); err != nil {
				return err
			}
			return tx.Events.Append(ctx, s.event(otl.EventAllSignedOut, "", "", "", map[string]string{
				otl.DataReason: string(reason), otl.DataPeople: strconv.Itoa(all.People), otl.DataSessions: strconv.Itoa(all.Sessions),
			}))
		})
		if err != nil {
			return all, err
		}
		all.People += step.People
		all.Sessions += step.Sessions
		after, more = last, last != ""
	}
	return all, nil
}

// some ends the sessions of some people behind an id, and gives the id of the last, "" where there
// was nobody. The feed comes last, once for all of them: its counter is what others wait for.
func (s Everybody) some(ctx context.Context, tx *store.Tx, after string, reason otl.EndReason) (n Counted, last string, err error) {
	people, err := tx.Users.List(ctx, after, everybodysStep)
	if err != nil || len(people) == 0 {
		return n, "", err
	}
	var feed []otl.Revocation
	for _, u := range people {
		version, ended, err := endAll(ctx, tx, s.Sessions, u.ID, "", "", reason)
		if errors.Is(err, store.ErrNotFound) { // deleted meanwhile
			continue
		}
		if err != nil {
			return n, "", err
		}
		for _, p := range []otl.Purpose{otl.PurposeReset, otl.PurposeSignIn, otl.PurposeLinkCode, otl.PurposeFlow, otl.PurposeFactor} {
			if err := tx.Tickets.Void(ctx, u.ID, p, "", s.Now()); err != nil {
				return n, "", err
			}
		}
		if err := logEnded(ctx, tx, s.Sessions, ended, version); err != nil {
			return n, "", err
		}
		feed = append(feed, s.revocations(u.ID, ended, version)...)
		n.People++
		n.Sessions += len(ended)
	}
	return n, people[len(people)-1].ID, tx.Revocations.Append(ctx, feed)
}
