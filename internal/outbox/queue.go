package outbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Sender is a provider that delivers letters of one channel.
type Sender interface {
	// Name is what the log and the list of messages call it.
	Name() string
	// Send hands a letter over. The error wraps ErrAddress where nobody can deliver to where
	// it goes, ErrRefused where this provider will never take it; any other one may go away.
	Send(ctx context.Context, l message.Letter) error
}

// Queue sends what is queued.
type Queue struct {
	Store    *store.Store
	Messages *message.Messages
	Senders  map[otl.Channel][]Sender // of each channel, the first one first
	Now      func() time.Time
	Log      *slog.Logger

	mu       sync.Mutex
	breakers map[place]*breaker
}

// place is where a provider stands in the list of its channel. Names do not tell providers
// apart: two may be of one kind.
type place struct {
	channel otl.Channel
	number  int
}

const (
	// look is how often a node looks for messages that are due.
	look = 100 * time.Millisecond
	// batch is how many messages a node sends at once.
	batch = 16
	// sendTime is how long a provider may take for one letter.
	sendTime = 10 * time.Second
	// lease keeps others from a message that is being sent; what it takes to hand it
	// over, to however many providers, ends before.
	lease    = 30 * time.Second
	handTime = 25 * time.Second
	// abandoned is how long a message is overdue that a node gives up which has no provider
	// for it: while nodes get one, one after the other, those that have it send.
	abandoned = time.Hour
	// kept is how long it is known what became of a message.
	kept = 30 * 24 * time.Hour
)

// retries are the pauses between tries.
var retries = [...]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

// channels are those that messages take. Each has a line of its own: a mail server that
// hangs holds no SMS.
var channels = [...]otl.Channel{otl.ChannelMail, otl.ChannelSMS}

// Run sends until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, c := range channels {
		all.Go(func() { q.run(ctx, c) })
	}
	all.Wait()
}

func (q *Queue) run(ctx context.Context, c otl.Channel) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for more := true; more && ctx.Err() == nil; {
			n, err := q.send(ctx, c)
			if err != nil && ctx.Err() == nil {
				q.Log.Error("deliver messages", "err", err)
			}
			more = n == batch && err == nil
		}
	}
}

// Deliver sends one batch of what is due on each channel and says how many messages they
// held.
func (q *Queue) Deliver(ctx context.Context) (int, error) {
	all := 0
	for _, c := range channels {
		n, err := q.send(ctx, c)
		if all += n; err != nil {
			return all, err
		}
	}
	return all, nil
}

// send sends one batch of what is due on a channel and says how many messages it held.
func (q *Queue) send(ctx context.Context, c otl.Channel) (int, error) {
	now, lease := q.Now(), lease
	if len(q.Senders[c]) == 0 { // another node may have one
		now, lease = now.Add(-abandoned), lease+abandoned
	}
	if due, err := q.Store.Read.Messages.Due(ctx, c, now); err != nil || !due {
		return 0, err
	}
	var claimed []store.StoredMessage
	err := q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		claimed, err = tx.Messages.Claim(ctx, c, now, lease, batch)
		return err
	})
	if err != nil {
		return 0, err
	}
	problems := make([]error, len(claimed))
	var all sync.WaitGroup
	for i, one := range claimed {
		all.Go(func() { problems[i] = q.deliver(ctx, one) })
	}
	all.Wait()
	return len(claimed), errors.Join(problems...)
}

// deliver sends one message and writes down what became of it, also where the node stops meanwhile: what a provider took would be sent
// again otherwise.
func (q *Queue) deliver(ctx context.Context, stored store.StoredMessage) error {
	handing, cancel := context.WithTimeout(context.WithoutCancel(ctx), handTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(parting, cancel) })()
	m, provider, err := q.hand(handing, stored)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return ctx.Err() // whether it was taken nobody knows: the lease ends, and another node goes on
	}
	ctx = context.WithoutCancel(ctx)
	now := q.Now()
	useless := !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt)
	m.SettledAt, m.Provider, m.Problem = now, provider, problem(err)
	full, waits := heldBack(err, m.Tries > len(retries))
	switch {
	case err == nil:
		m.State = otl.MessageSent
	case waits && !useless: // however often
		m.DueAt = full.again(m, now)
		return q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Messages.Postpone(ctx, m) })
	case errors.Is(err, ErrRefused), m.Tries > len(retries), useless:
		m.State = otl.MessageDead
		q.Log.Warn("message given up", "id", m.ID, "kind", string(m.Kind), "channel", string(m.Channel), "tries", m.Tries, "problem", m.Problem)
	default:
		pause := retries[m.Tries-1]
		m.DueAt = now.Add(pause*9/10 + spread(m.ID, m.Tries, pause/5))
		q.Log.Info("message put off", "id", m.ID, "kind", string(m.Kind), "channel", string(m.Channel), "tries", m.Tries, "problem", m.Problem)
		return q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Messages.Defer(ctx, m) })
	}
	settled := store.StoredMessage{Message: m, Sealed: []byte{}}
	if m.State == otl.MessageDead && !useless {
		settled.Sealed = stored.Sealed // somebody may mend what was wrong and have it tried again
	}
	return q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if fleeting(m) {
			return tx.Messages.Drop(ctx, m)
		}
		_, err := tx.Messages.Settle(ctx, settled)
		return err
	})
}

// fleeting reports whether nothing is kept of a message that was settled. It is of nobody, and no deletion finds where it went (PR-05):
// the last one to somebody, and one by which he may have got an account, unless it did not reach him.
func fleeting(m otl.Message) bool {
	return m.Kind.Last() || m.State == otl.MessageSent && m.Data[message.DataNewcomer] != ""
}

// Retry has a message that was given up sent again. The error is NotFound for any
// other.
func (q *Queue) Retry(ctx context.Context, id string) error {
	return q.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		ok, err := tx.Messages.Retry(ctx, id, q.Now())
		if err == nil && !ok {
			err = otl.NoSuch("message that was given up and is still of use")
		}
		if err != nil {
			return err
		}
		now := q.Now()
		return tx.Events.Append(ctx, otl.Event{ID: "evt_" + secret.NewID(now), Type: otl.EventMessageRetried, Data: map[string]string{"message_id": id}, CreatedAt: now})
	})
}

// spread gives a share of d that differs between what is sent and between its tries,
// so that what failed together is not tried again together.
func spread(id string, try int, d time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	_, _ = h.Write([]byte{byte(try)})
	return d * time.Duration(h.Sum32()%1000) / 1000
}

// problem words an error for the list of messages.
func problem(err error) string {
	if err == nil {
		return ""
	}
	return cut(err.Error(), maxProblem)
}

// maxProblem is how much is kept of what went wrong with a message, in bytes.
const maxProblem = 500

// cut gives the beginning of a text, of at most so many bytes, as every database takes it.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

var errNoProvider = fmt.Errorf("%w: no provider is configured for this channel", ErrRefused)

// expired is the error of a message that is of no use any more; why it was not sent in time the try before it says.
func expired(m otl.Message) error {
	if m.Problem == "" {
		return fmt.Errorf("%w: it is of no use any more", ErrRefused)
	}
	return fmt.Errorf("%w: it is of no use any more; the try before: %s", ErrRefused, m.Problem)
}

// hand gives a message to the first provider that takes it, and says which those were that refused it.
func (q *Queue) hand(ctx context.Context, stored store.StoredMessage) (m otl.Message, provider string, err error) {
	if m, err = q.Messages.Open(stored); err != nil {
		return m, "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if !m.ExpiresAt.IsZero() && !q.Now().Before(m.ExpiresAt) {
		return m, "", expired(m)
	}
	site, err := q.Store.Read.Sites.ByID(ctx, m.SiteID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return m, "", err
	}
	if site.Name == "" { // of no site: from the installation itself
		site.Name = "OneTimeLogin"
	}
	brand, err := q.Store.Read.Brands.Of(ctx, m.SiteID)
	if err != nil {
		return m, "", err
	}
	l, err := q.Messages.WriteAs(m, site.Name, brand)
	if err != nil {
		return m, "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	provider, err = q.offerAll(ctx, &m, l)
	return m, provider, err
}

// offerAll offers the letter of a message to one provider after the other until one takes it, or says that nobody can
// (ADR 56). Those that refuse it are noted in the message with what they said, and are not offered it again.
func (q *Queue) offerAll(ctx context.Context, m *otl.Message, l message.Letter) (provider string, err error) {
	var all faults
	for i, s := range q.Senders[m.Channel] {
		who := identity(s)
		said := refusedBefore(*m, who)
		if said == nil {
			if said = q.offer(ctx, q.breaker(place{m.Channel, i}), s, *m, l); said == nil {
				return s.Name(), nil
			}
			if errors.Is(said, ErrRefused) {
				refuse(m, who, said, maxProblem/len(q.Senders[m.Channel]))
			}
		}
		if all = append(all, fault{s.Name(), said}); errors.Is(said, ErrAddress) {
			return s.Name(), all
		}
	}
	if len(all) == 0 {
		return "", errNoProvider // somebody who names one has it sent by otl messages retry
	}
	return "", all
}

// errBroken is the error of a provider that failed several times in a row.
var errBroken = errors.New("out of order, tried again shortly")

// offer hands a letter to a provider that works and whose cap allows it. One for which those before it left no time, or less than
// it may take, is held to work as before.
func (q *Queue) offer(ctx context.Context, b *breaker, s Sender, m otl.Message, l message.Letter) error {
	if !b.closed(q.Now()) {
		return errBroken
	}
	if ctx.Err() != nil {
		return fmt.Errorf("not asked in time: %w", ctx.Err())
	}
	if err := q.count(ctx, m, s); err != nil {
		return err
	}
	err := discreet(m, Give(ctx, s, l))
	switch {
	case err == nil, errors.Is(err, ErrAddress):
		b.note(q.Now(), true)
	case ctx.Err() != nil:
	case !errors.Is(err, ErrRefused) && !errors.Is(err, errRelay): // which tell nothing of other letters: neither one site's words nor the address a stranger types must hold everybody's
		b.note(q.Now(), false)
	}
	if back := q.uncount(context.WithoutCancel(ctx), s, err); back != nil {
		q.Log.Error("take back what was counted of a provider", "provider", s.Name(), "err", back)
	}
	return err
}

// Give hands a letter to one provider, which has ten seconds for it. Its errors are those of Sender.
func Give(ctx context.Context, s Sender, l message.Letter) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return s.Send(ctx, l)
}

// Prune deletes what became of messages long ago.
func (q *Queue) Prune(ctx context.Context) error {
	return q.Store.Drain(ctx, func(ctx context.Context, tx *store.Tx) (int, error) {
		return tx.Messages.Prune(ctx, q.Now().Add(-kept), store.Batch)
	})
}

func (q *Queue) breaker(of place) *breaker {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.breakers == nil {
		q.breakers = map[place]*breaker{}
	}
	if q.breakers[of] == nil {
		q.breakers[of] = &breaker{}
	}
	return q.breakers[of]
}

// breaker leaves a provider alone for a while after it has failed several times
// in a row, so that letters go to the next one without waiting for it.
type breaker struct {
	mu     sync.Mutex
	failed int
	until  time.Time
}

const (
	breakAfter = 5
	breakTime  = 30 * time.Second
)

// Failing reports whether every provider of a channel has failed several times in a row, as
// this node sees it; a channel without any fails nobody.
func (q *Queue) Failing(channel otl.Channel) bool {
	for i := range q.Senders[channel] {
		if !q.breaker(place{channel, i}).failing() {
			return false
		}
	}
	return len(q.Senders[channel]) > 0
}

func (b *breaker) failing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed >= breakAfter
}

func (b *breaker) closed(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !now.Before(b.until)
}

func (b *breaker) note(now time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failed, b.until = 0, time.Time{}
		return
	}
	if b.failed++; b.failed >= breakAfter {
		b.until = now.Add(breakTime)
	}
}
