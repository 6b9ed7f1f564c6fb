package limit

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/store"
)

// Rates of wrong one-time codes, whoever's they are (OT-09): whoever tries a few of each of
// many people stays below what one code and one person take. Of a site each right code that
// was not handed to it gives one back once half is used up, so that the budget grows with
// them. All sites together have none: one of them could use it up for all others (D1). What
// is beyond wrongCodesAll is told in the log, and refuses nobody (ADR 40).
var (
	WrongCodesFrom = Rate{"wrong-codes-from", 60, 15 * time.Minute}
	WrongCodesAt   = Rate{"wrong-codes-at", 1200, time.Hour}
	wrongCodesAll  = Rate{"wrong-codes-all", 12_000, time.Hour}
	wrongCodesTold = Rate{"wrong-codes-told", 1, time.Hour}
	wrongCodesMail = Rate{"wrong-codes-mail", 1, 24 * time.Hour}
)

// Budget is where the budgets of wrong codes stand that one guess would count in. What is
// counted are guesses that are looked at, at codes of nobody too, and they are counted
// when they were wrong. Where a budget is used up a right code is not looked at either.
type Budget struct {
	uses []Use // of the household, the site
	paid []time.Time
	now  time.Time
}

// Budget reads where the budgets stand for whoever makes a request at a site.
func (l *Limits) Budget(ctx context.Context, tx *store.Tx, siteID string) (Budget, error) {
	if l == nil {
		return Budget{}, nil
	}
	b := Budget{now: l.Now(), uses: []Use{From(ctx, WrongCodesFrom), {Rate: WrongCodesAt, By: []string{siteID}}}}
	var err error
	b.paid, err = paidTo(ctx, tx, b.uses, b.now)
	return b, err
}

// Check is Exceeded where a budget is used up. That of the household shuts nobody out whose
// device is trusted, that of the site nobody who is known where he is, or strangers could keep
// everybody from signing in (PW-13). What they say is asked then alone.
func (b Budget) Check(trusted, known func() (bool, error)) error {
	for i, u := range b.uses {
		due := b.paid[i].Add(-u.Rate.burst())
		if !u.counts() || !due.After(b.now) {
			continue
		}
		passes := known
		if i == 0 {
			passes = trusted
		}
		if is, err := passes(); err != nil {
			return err
		} else if !is {
			return Exceeded(due.Sub(b.now))
		}
	}
	return nil
}

// Wrong counts a guess that was wrong. One that is beyond a budget by now is not counted
// there: guesses made at once were all looked at. It reports whether it is to be told that
// there are many of all sites together.
func (b Budget) Wrong(ctx context.Context, tx *store.Tx) (many bool, err error) {
	for _, u := range b.uses {
		if !u.counts() {
			continue
		}
		if _, _, err := u.take(ctx, tx, b.now); err != nil {
			return false, err
		}
	}
	if len(b.uses) == 0 {
		return false, nil
	}
	return alarm(ctx, tx, b.now)
}

// alarm counts a wrong code of the installation, and reports, once an hour at most, that
// there are more than anybody mistypes.
func alarm(ctx context.Context, tx *store.Tx, now time.Time) (bool, error) {
	for _, r := range []Rate{wrongCodesAll, wrongCodesTold} {
		ok, _, err := Use{Rate: r, By: []string{"all"}}.take(ctx, tx, now)
		if err != nil || ok != (r == wrongCodesTold) {
			return false, err
		}
	}
	return true, nil
}

// Mails reports, of what Wrong has told, whether the operator is to get a mail of it: once a day.
func (b Budget) Mails(ctx context.Context, tx *store.Tx) (bool, error) {
	u := Use{Rate: wrongCodesMail, By: []string{"all"}}
	ok, _, err := u.take(ctx, tx, b.now)
	return ok, err
}

// Right gives one back to the site where half is used up.
func (b Budget) Right(ctx context.Context, tx *store.Tx) error {
	for i, u := range b.uses {
		if i == 0 || !b.paid[i].After(b.now.Add(u.Rate.Per/2)) {
			continue
		}
		if err := tx.Rates.Forgive(ctx, u.name(), u.Rate.every()); err != nil {
			return err
		}
	}
	return nil
}
