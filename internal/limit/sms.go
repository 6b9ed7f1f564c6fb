package limit

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// SMS says where SMS are sent and how many (OT-20).
type SMS struct {
	Limits   *Limits
	Store    *store.Store
	Now      func() time.Time
	Numbers  []string // calling codes, "*" for all
	DailyCap int      // of one site
}

// ErrNumber is the answer where SMS are not sent to a country or a premium range, ErrStopped where the
// codes a site sent to a range of numbers were not entered.
var (
	ErrNumber  = &otl.Error{Kind: otl.Forbidden, Code: "sms_not_allowed", Text: "SMS are not sent to this country, or not to numbers of this kind."}
	ErrStopped = &otl.Error{Kind: otl.Forbidden, Code: "sms_stopped", Text: "SMS of this site to such numbers were stopped, because hardly any of the codes were entered. The operator can lift that."}
)

// Reaches reports whether a site sends SMS to a number, and counts it among its
// neighbours. The error is ErrNumber, ErrStopped or Exceeded.
func (s SMS) Reaches(ctx context.Context, siteID, number string) error {
	if err := s.Open(ctx, siteID, number); err != nil {
		return err
	}
	return s.Limits.Take(ctx, Neighbour(number))
}

// Open is ErrNumber or ErrStopped where a site sends no SMS to a number, and counts nothing. For
// "", which is nobody's, it is the same work (OT-10).
func (s SMS) Open(ctx context.Context, siteID, number string) error {
	stopped, err := s.Store.Read.SMSCounts.Stopped(ctx, siteID, Range(number))
	switch {
	case err != nil:
		return err
	case !s.Covers(number):
		return ErrNumber
	case stopped:
		return ErrStopped
	}
	return nil
}

// Neighbour is one more SMS among the neighbours of a number: those that differ in the last four
// digits alone are often one owner's, who is paid for what they receive.
func Neighbour(number string) Use {
	return Use{Rate: SMSNeighbours, By: []string{number[:max(len(number)-4, 0)]}}
}

// Covers reports whether SMS are sent to the country, or the range, of a number.
func (s SMS) Covers(number string) bool { return covers(s.Numbers, number) }

// Day is one more SMS of a site.
func (s SMS) Day(siteID string) Use { return Use{Rate: SMSADay(s.DailyCap), By: []string{siteID}} }

// DayOfNobody is one more that seems to be sent, counted apart. There is always room for it: to be
// refused takes a statement more.
func (s SMS) DayOfNobody(siteID string) Use {
	return Use{Rate: SMSADay(1_000_000), By: []string{"nobody " + siteID}}
}

// Factor is one more SMS of a site that carries the code of a second factor. They are counted
// apart: whoever asks for one has proven himself once.
func (s SMS) Factor(siteID string) Use {
	return Use{Rate: Rate{"sms-day-factor", s.DailyCap, 24 * time.Hour}, By: []string{siteID}}
}

// Range gives the range a number is in: "+" and its first five digits, which name the
// country and the network.
func Range(number string) string { return number[:min(len(number), 6)] }

// The brake: of the codes sent in a day, those of the last minutes apart, at least a
// share must have been entered once there are enough to tell. People need minutes to
// enter a code; whoever pumps SMS through a site enters none.
const (
	brakeDay    = 24 * time.Hour
	brakeBucket = 5 * time.Minute
	brakeSends  = 50
	brakeShare  = 5 // one in so many
)

// Sent counts a code that is sent to a number in the transaction that sends it. It
// reports true where that stops the site's SMS to the range: this one is the last. What
// goes to nobody, "", is counted apart and stops nothing.
func Sent(ctx context.Context, tx *store.Tx, siteID, number string, now time.Time) (stopped bool, err error) {
	prefix := Range(number)
	if err := tx.SMSCounts.Add(ctx, siteID, prefix, now.Truncate(brakeBucket), 1, 0); err != nil {
		return false, err
	}
	sent, proven, err := tx.SMSCounts.Sum(ctx, siteID, prefix, now.Add(-brakeDay), now.Add(-2*brakeBucket))
	if err != nil || number == "" || sent < brakeSends || proven*brakeShare >= sent {
		return false, err
	}
	return tx.SMSCounts.Stop(ctx, siteID, prefix, now)
}

// entered is the rate of codes that were entered of one number: a site that pumps could hold
// the brake open by codes to a telephone of its own.
var entered = Rate{"sms-entered", 3, 24 * time.Hour}

// Entered counts a code that was sent to a number at a time and has been entered, up to a
// few a day for each number.
func Entered(ctx context.Context, tx *store.Tx, siteID, number string, sentAt time.Time) error {
	one := Use{Rate: entered, By: []string{siteID, number}}
	reach := entered.reach() + brakeDay // codes are not entered in the order in which they were sent
	if ok, _, err := tx.Rates.Take(ctx, one.name(), sentAt, entered.every(), entered.burst(), reach); err != nil || !ok {
		return err
	}
	return tx.SMSCounts.Add(ctx, siteID, Range(number), sentAt.Truncate(brakeBucket), 0, 1)
}

// Stops lists the ranges to which sites send no more.
func (s SMS) Stops(ctx context.Context) ([]otl.SMSStop, error) {
	return s.Store.Read.SMSCounts.Stops(ctx)
}

// Lift lets a site send to a range again, or fails with NotFound. The event is appended
// with it.
func (s SMS) Lift(ctx context.Context, siteID, prefix string, e otl.Event) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		was, err := tx.SMSCounts.Lift(ctx, siteID, prefix)
		if err != nil {
			return err
		}
		if !was {
			return otl.NoSuch("stop of SMS")
		}
		return tx.Events.Append(ctx, e)
	})
}

// Prune deletes counts that no longer count.
func (s SMS) Prune(ctx context.Context) error {
	return s.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.SMSCounts.Prune(ctx, s.Now().Add(-2*brakeDay), store.Batch)
	})
}
