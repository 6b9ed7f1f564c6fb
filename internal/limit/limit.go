package limit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Limits keeps rates and failures. The methods of a nil one allow everything:
// that is OTL_RATE_LIMITS=off, for load programs.
type Limits struct {
	Store *store.Store
	Now   func() time.Time
}

// Rate allows a number of uses in a time, evenly or in one burst.
type Rate struct {
	Name string
	Uses int
	Per  time.Duration
}

// The rates of decision D15.
var (
	LoginPerIdentifier = Rate{"login", 10, time.Minute}
	LoginPerAddress    = Rate{"login-from", 60, time.Minute}
	Register           = Rate{"register", 20, time.Minute}
	Refresh            = Rate{"refresh", 60, time.Minute}
	Calls              = Rate{"calls", 200, time.Second}
	Searches           = Rate{"searches", 50, 10 * time.Second} // of deliveries by a filter
	Flows              = Rate{"flows", 240, time.Minute}
	Public             = Rate{"public", 240, time.Minute}
	Pushes             = Rate{"pushes", 3000, time.Minute}
	DeviceCodes        = Rate{"device-codes", 5, time.Minute}
)

// From is one use of a rate by whoever makes a request; by nobody where no address of his
// is known. Where he sits a site may have said: that counts for the site alone, or it
// could use up what others have left.
func From(ctx context.Context, r Rate) Use {
	from := otl.RequestOf(ctx)
	site := ""
	if from.Client != from.Peer {
		site = from.SiteID
	}
	return Use{Rate: r, By: []string{site, Network(from.Client)}}
}

// Prompts is the rate of codes sent to somebody as a second step: three at once, and
// no more than three in any ten minutes (MF-11).
var Prompts = Rate{"prompts", 3, 30 * time.Minute}

// SitePrompts is the part of Prompts that codes may take which a site asks for outside any
// sign-in: two of the three, counted with all others. What is left is for signing in.
var SitePrompts = Rate{Prompts.Name, 2, 20 * time.Minute}

// NewDevices is the rate of mails to one person about a sign-in from what he is not known by.
var NewDevices = Rate{"new-devices", 3, 24 * time.Hour}

// Connections is the rate of mails to one person about one site that is connected to his account, and about its being so no more.
var Connections = Rate{"connections", 3, 24 * time.Hour}

// NewPasswords is the rate of passwords that one person chooses in the place of the present one: each is
// hashed, ends sessions and is told by mail.
var NewPasswords = Rate{"new-passwords", 5, time.Hour}

// SMSNeighbours is the rate of SMS to numbers that differ in their last four digits
// alone.
var SMSNeighbours = Rate{"sms-neighbours", 20, time.Hour}

// SMSADay is the rate of all SMS of one site.
func SMSADay(n int) Rate { return Rate{"sms-day", n, 24 * time.Hour} }

// every is the time one use pays for, burst how far ahead uses may pay.
func (r Rate) every() time.Duration { return r.Per / time.Duration(r.Uses) }
func (r Rate) burst() time.Duration { return r.Per - r.every() }

// reach is how far ahead uses can have paid, by whichever part of the rate and whichever node's clock: what is paid
// for beyond it was before the clock was set back. Clocks may differ by more where a rate is long, as that of a day's SMS,
// which would begin anew with each of two nodes that use it by turns.
func (r Rate) reach() time.Duration {
	per := r.Per
	if r.Name == Prompts.Name {
		per = Prompts.Per
	}
	return per + max(store.Skew, per/24)
}

// Use is one use of a rate by somebody.
type Use struct {
	Rate Rate
	By   []string // what is counted together: a site and an identifier, for example

	exact []Rate // of messages: what they are counted by in the place of Rate, at least one
}

// take makes the use, and says whether it was within the rate, and if not, when the next one will be.
func (u Use) take(ctx context.Context, tx *store.Tx, now time.Time) (ok bool, due time.Time, err error) {
	return tx.Rates.Take(ctx, u.name(), now, u.Rate.every(), u.Rate.burst(), u.Rate.reach())
}

// paidTo gives up to when each of some uses is paid for by those before it.
func paidTo(ctx context.Context, tx *store.Tx, uses []Use, now time.Time) ([]time.Time, error) {
	if len(uses) == 0 {
		return nil, nil
	}
	found, err := tx.Rates.PaidTo(ctx, names(uses))
	out := make([]time.Time, len(uses))
	for i, u := range uses {
		if to := found[u.name()]; !to.After(now.Add(u.Rate.reach())) {
			out[i] = to
		}
	}
	return out, err
}

// counts reports whether it is a use by somebody.
func (u Use) counts() bool { return len(u.By) > 0 && u.By[len(u.By)-1] != "" }

// name is the key of a counter. What people typed is in it as a digest only.
func (u Use) name() string { return u.Rate.Name + ":" + digest(u.By...) }

func names(uses []Use) []string {
	out := make([]string, len(uses))
	for i, u := range uses {
		out[i] = u.name()
	}
	return out
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Exceeded is the error for a use beyond its rate.
func Exceeded(wait time.Duration) *otl.Error {
	return &otl.Error{
		Kind: otl.Limited, Code: "rate_limited", Text: "Too many requests. Wait as long as Retry-After says.",
		RetryAfter: max(wait, time.Second),
	}
}

// Take uses several rates at once: all of them, or none and the error says when
// to come back. A use by nobody (an empty last part) is not counted.
func (l *Limits) Take(ctx context.Context, uses ...Use) error {
	if l == nil || !slices.ContainsFunc(uses, Use.counts) {
		return nil
	}
	return l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return l.take(ctx, tx, uses) })
}

// TakeIn is Take in a transaction, which the error is to undo.
func (l *Limits) TakeIn(ctx context.Context, tx *store.Tx, uses ...Use) error {
	if l == nil {
		return nil
	}
	return l.take(ctx, tx, uses)
}

func (l *Limits) take(ctx context.Context, tx *store.Tx, uses []Use) error {
	now := l.Now()
	for _, u := range uses {
		if !u.counts() {
			continue
		}
		if err := u.within(ctx, tx, now); err != nil {
			return err
		}
	}
	return nil
}

// within makes the use, or the error is Exceeded.
func (u Use) within(ctx context.Context, tx *store.Tx, now time.Time) error {
	if u.exact != nil {
		return u.send(ctx, tx, now)
	}
	ok, due, err := u.take(ctx, tx, now)
	if err != nil || ok {
		return err
	}
	return u.exceeded(due.Sub(now))
}

// Look is what TakeIn would say now, and takes none: for transactions that go on where it refuses. It is
// one statement for rates and one for messages, whatever it says.
func (l *Limits) Look(ctx context.Context, tx *store.Tx, uses ...Use) error {
	if l == nil {
		return nil
	}
	now := l.Now()
	var rates, sends []Use
	for _, u := range uses {
		if u.exact != nil {
			sends = append(sends, u)
		} else {
			rates = append(rates, u)
		}
	}
	paid, err := paidTo(ctx, tx, rates, now)
	if err != nil {
		return err
	}
	last, err := lastSent(ctx, tx, sends)
	if err != nil {
		return err
	}
	for i, u := range rates {
		if due := paid[i].Add(-u.Rate.burst()); u.counts() && due.After(now) {
			return u.exceeded(due.Sub(now))
		}
	}
	for _, u := range sends {
		if err := u.follows(last[u.name()], now); u.counts() && err != nil {
			return err
		}
	}
	return nil
}

// usedUp is the cause of Exceeded: which rate it was.
type usedUp struct {
	Rate
	pause error // the same because of a pause between messages, where that of a day is over later; nil where none holds
}

// exceeded is Exceeded because of a use.
func (u Use) exceeded(wait time.Duration) *otl.Error { return exceeded(usedUp{Rate: u.Rate}, wait) }

// exceeded is Exceeded because of what is used up. Of a message that follows another one too soon it says that: whoever has just
// signed up, and was sent one, has tried nothing too often. It is the same for nobody, who was sent none (OT-10).
func exceeded(why usedUp, wait time.Duration) *otl.Error {
	e := Exceeded(wait).Because(why)
	if JustAsked(e) {
		e.Text = fmt.Sprintf("A message was asked for a moment ago. Another can be asked for in %.0f s.", math.Ceil(e.RetryAfter.Seconds()))
	}
	return e
}

// JustAsked reports whether an error is Exceeded because a message would follow another one too soon.
func JustAsked(err error) bool { return Use{Rate: soon}.Over(err) }

// Over reports whether an error is Exceeded because the rate of a use is used up.
func (u Use) Over(err error) bool {
	var full usedUp
	return errors.As(err, &full) && full.Rate == u.Rate
}

// Error names the rate.
func (u usedUp) Error() string { return "the rate " + u.Name + " is used up" }

// Paid is a rate that is kept in the row of what it limits: it takes the moment
// up to which uses were paid for, and gives the new one or the error.
func (l *Limits) Paid(r Rate, paidTo, now time.Time) (time.Time, error) {
	if l == nil {
		return paidTo, nil
	}
	switch {
	case paidTo.Before(now), paidTo.After(now.Add(r.reach())):
		paidTo = now
	case paidTo.After(now.Add(r.burst())):
		return paidTo, Exceeded(paidTo.Add(-r.burst()).Sub(now))
	}
	return paidTo.Add(r.every()), nil
}

// maxFailures is how many proofs of one kind may fail in a row (PW-11): then the
// kind is closed until another one succeeds or the password is reset.
const maxFailures = 100

// nobodysClosed is for how long nobody's account stays closed, as somebody's does until he proves himself in
// another way: whoever comes back would learn by it which is which. Each takes a hundred tries to close.
const nobodysClosed = 365 * 24 * time.Hour

// freeFailures is how many of them are followed by no pause.
const freeFailures = 5

// Account names whose failures are counted: a person by his id, whatever he
// calls himself and at whatever door; somebody unknown by what he typed, so that
// the two cannot be told apart by being limited.
type Account struct{ name string }

// Person is the account of a person. Place is where he is known: an address he is signed
// in from, or a device he trusts; "" for everywhere else. Failures from there are counted
// apart, so that strangers who fail on purpose do not lock him out (PW-13).
func Person(id, place string) Account {
	if place != "" {
		return Account{"person:" + id + ":" + digest(place)}
	}
	return Account{"person:" + id}
}

// Unknown is the account of an identifier that belongs to nobody.
func Unknown(identifier string) Account { return Account{unknownPrefix + digest(identifier)} }

const unknownPrefix = "unknown:"

// Try counts a try of an account's password, as if it failed, after using rates.
// It is to be called before the password is looked at, so that guesses sent at
// once are not evaluated at once.
func (l *Limits) Try(ctx context.Context, a Account, uses ...Use) error {
	if l == nil {
		return nil
	}
	var turn store.Turn
	err := l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		turn = store.Turn{}
		if err = l.take(ctx, tx, uses); err != nil {
			return err
		}
		now := l.Now()
		turn, err = tx.Failures.Try(ctx, a.name, now, freeFailures, maxFailures)
		return early(turn, now, err)
	})
	if turn.Back { // what the transaction wrote is undone by its error
		bad := l.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Failures.Again(ctx, a.name, l.Now()) })
		if bad != nil {
			return bad
		}
	}
	return err
}

// Clear forgets the failures of an account in the transaction of its success.
func (l *Limits) Clear(ctx context.Context, tx *store.Tx, a Account) error {
	if l == nil {
		return nil
	}
	return Clear(ctx, tx, a)
}

// Clear forgets the failures of some accounts, whatever OTL_RATE_LIMITS says.
func Clear(ctx context.Context, tx *store.Tx, all ...Account) error {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.name
	}
	return tx.Failures.Clear(ctx, names)
}

// Codes is the account of a person's one-time codes. It has no pauses, because each
// code has few tries, and it counts whatever OTL_RATE_LIMITS says. Nobody has one by what
// he was called, which fills in the same way: being limited does not tell the two apart.
func Codes(u otl.User, called string) Account {
	if u.ID == "" {
		return Unknown("codes " + called)
	}
	return codes(u.ID)
}

func codes(userID string) Account { return Account{"codes:" + userID} }

// Factors is the account of the codes of a person's second factors, at whatever door
// and in whatever step (OT-08). A right password does not clear it: whoever guesses at
// a second factor has the password.
func Factors(userID string) Account { return Account{"factors:" + userID} }

// FactorAt is the account of one factor of a person at one site, for proofs that the site
// asks for outside any sign-in: what fails there closes the factor there alone (decision
// D1), until somebody signs in at the site with it.
func FactorAt(userID, siteID, factorID string) Account {
	return Account{"factor:" + userID + ":" + siteID + ":" + factorID}
}

// Recovery is the account of a person's recovery codes, which stay good when guesses
// have closed his other factors (PW-13).
func Recovery(userID string) Account { return Account{"recovery:" + userID} }

// TryFactor counts a guess at one of a person's second factors before it is looked
// at. After 100 wrong ones in a row the account is closed until it is cleared.
func TryFactor(ctx context.Context, tx *store.Tx, a Account, now time.Time) error {
	turn, err := tx.Failures.Try(ctx, a.name, now, maxFailures+1, maxFailures)
	return early(turn, now, err)
}

// early is Exceeded where it is not a try's turn, because of ErrClosed where none will have one.
func early(turn store.Turn, now time.Time, err error) error {
	if err != nil || turn.OK {
		return err
	}
	e := Exceeded(turn.Due.Sub(now))
	if turn.Closed {
		return e.Because(ErrClosed)
	}
	return e
}

// ClearFactors forgets wrong guesses at a person's second factors after a right one, and those
// of more accounts.
func ClearFactors(ctx context.Context, tx *store.Tx, userID string, more ...Account) error {
	return Clear(ctx, tx, append(more, Factors(userID), Recovery(userID))...)
}

// ErrClosed is the cause of limit.Exceeded where a person's password, codes or second factors are
// closed to him, and not only too early, for wires that have a word for it.
var ErrClosed = errors.New("too many wrong ones in a row")

// WrongCode counts a wrong guess at a one-time code of a person, at whatever site (OT-08).
// After 100 in a row codes are closed to him until he proves himself in another way (OT-07).
func WrongCode(ctx context.Context, tx *store.Tx, a Account, now time.Time) error {
	return TryFactor(ctx, tx, a, now)
}

// RightCode is the error of WrongCode where codes are closed: a right guess is none then.
func RightCode(ctx context.Context, tx *store.Tx, a Account, now time.Time) error {
	turn, err := tx.Failures.Look(ctx, a.name, now, maxFailures)
	return early(turn, now, err)
}

// ClearAll forgets every proof of a person that failed: passwords, also from the
// places where he is known, codes, second factors, recovery codes, and those more
// accounts.
func ClearAll(ctx context.Context, tx *store.Tx, userID string, places []string, more ...Account) error {
	all := append([]Account{Person(userID, ""), codes(userID), Factors(userID), Recovery(userID)}, more...)
	for _, one := range places {
		all = append(all, Person(userID, one))
	}
	return Clear(ctx, tx, all...)
}

// ClearCodes forgets a person's wrong codes after he has proven himself.
func ClearCodes(ctx context.Context, tx *store.Tx, userID string) error {
	return Clear(ctx, tx, codes(userID))
}

// Network gives what addresses are counted together: an IPv4 address, or the 64
// bits of an IPv6 one that a single household has (HT-09). It is empty for none.
func Network(a netip.Addr) string {
	home := otl.Household(a)
	switch {
	case !home.IsValid():
		return ""
	case home.IsSingleIP():
		return home.Addr().String()
	}
	return home.String()
}

// furthest is further ahead than any rate can be paid for.
const furthest = 30 * 24 * time.Hour

// Prune deletes counters that no longer count.
func (l *Limits) Prune(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return l.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		now := l.Now()
		rates, err := tx.Rates.Prune(ctx, now.Add(-time.Minute), now.Add(furthest), store.Batch)
		if err != nil {
			return 0, err
		}
		sends, err := tx.Sends.Prune(ctx, now.Add(-25*time.Hour), now.Add(furthest), store.Batch)
		if err != nil {
			return 0, err
		}
		failures, err := tx.Failures.Prune(ctx, unknownPrefix, maxFailures, now.Add(-24*time.Hour), now.Add(-nobodysClosed), store.Batch)
		return max(rates, sends, failures), err
	})
}
