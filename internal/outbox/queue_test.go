package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// faulty is a provider that fails as it is told to.
type faulty struct {
	name string
	mu   sync.Mutex
	err  error
	sent []message.Letter
	asks int
}

func (f *faulty) Name() string { return f.name }

func (f *faulty) Send(_ context.Context, l message.Letter) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asks++
	if f.err == nil {
		f.sent = append(f.sent, l)
	}
	return f.err
}

func (f *faulty) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// desk is a queue with two providers of mail and none of SMS.
type desk struct {
	*outbox.Queue
	clock         *otltest.Clock
	first, second *faulty
}

func newDesk(st *store.Store) *desk {
	d := &desk{clock: otltest.NewClock(), first: &faulty{name: "first"}, second: &faulty{name: "second"}}
	d.Queue = &outbox.Queue{
		Store: st, Messages: &message.Messages{Store: st, Master: secret.NewMaster(), Now: d.clock.Now}, Now: d.clock.Now, Log: slog.New(slog.DiscardHandler),
		Senders: map[otl.Channel][]outbox.Sender{otl.ChannelMail: {d.first, d.second}},
	}
	return d
}

func (d *desk) queue(t *testing.T, n message.Note) string {
	t.Helper()
	if n.Kind == "" {
		n.Kind, n.Channel, n.To = otl.MessageSignIn, otl.ChannelMail, "jane@dev.test"
	}
	var id string
	err := d.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		id, err = d.Messages.Queue(ctx, tx, n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (d *desk) deliver(t *testing.T) int {
	t.Helper()
	n, err := d.Deliver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (d *desk) message(t *testing.T, id string) store.StoredMessage {
	t.Helper()
	all, err := d.Store.Read.Messages.List(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.ID == id {
			return m
		}
	}
	t.Fatalf("no message %s", id)
	panic("unreachable")
}

// TestPR05_OfAMailToANewcomerNothingIsKept once it was sent: whoever it makes an account for may delete it, and the mail is of nobody. What is
// given up is listed as ever.
func TestPR05_OfAMailToANewcomerNothingIsKept(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		listed := func() int {
			t.Helper()
			all, err := st.Read.Messages.List(t.Context(), "", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		to := message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "nia@dev.test", Data: map[string]string{message.DataNewcomer: "1"}}
		d.queue(t, to)
		if d.deliver(t) != 1 || len(d.first.sent) != 1 || listed() != 0 {
			t.Errorf("sent %d, listed %d", len(d.first.sent), listed())
		}
		d.first.fail(errMailbox)
		id := d.queue(t, to)
		d.deliver(t)
		if m := d.message(t, id); m.State != otl.MessageDead || m.Recipient != "nia@dev.test" || listed() != 1 {
			t.Errorf("%+v", m.Message)
		}
	})
}

func TestAMessageIsSentOnceAndForgotten(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		id := d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "jane@dev.test", Data: map[string]string{"code": "482917"}})
		if stored := d.message(t, id); strings.Contains(string(stored.Sealed), "482917") {
			t.Error("OT-03: the code stands in the table")
		}
		if d.deliver(t) != 1 || d.deliver(t) != 0 || len(d.first.sent) != 1 || d.first.sent[0].Code != "482917" {
			t.Fatalf("%+v", d.first.sent)
		}
		if m := d.message(t, id); m.State != otl.MessageSent || m.Provider != "first" || len(m.Sealed) != 0 || !m.SettledAt.Equal(d.clock.Now()) || m.Tries != 1 {
			t.Errorf("%+v", m)
		}
		d.clock.Advance(31 * 24 * time.Hour)
		if err := d.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, err := st.Read.Messages.List(t.Context(), "", "", 10); err != nil || len(all) != 0 {
			t.Errorf("kept %v %v", all, err)
		}
	})
}

// TestPR05_TheLastMailLeavesNothing, whether it was sent, is not taken or came too late.
func TestPR05_TheLastMailLeavesNothing(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for what, c := range map[string]struct {
			err   error
			after time.Duration
			sent  int
		}{"sent": {nil, 0, 1}, "not taken": {outbox.ErrRefused, 0, 0}, "too late": {nil, 73 * time.Hour, 0}} {
			d := newDesk(st)
			d.first.fail(c.err)
			d.second.fail(c.err)
			if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				was := otl.User{Email: otl.Email{Address: "jane@dev.test", Key: "jane@dev.test"}, EmailVerifiedAt: d.clock.Now()}
				return d.Messages.Farewell(ctx, tx, was, "")
			}); err != nil {
				t.Fatal(err)
			}
			d.clock.Advance(c.after)
			if d.deliver(t) != 1 || len(d.first.sent) != c.sent {
				t.Errorf("%s: %+v", what, d.first.sent)
			}
			if all, err := st.Read.Messages.List(t.Context(), "", "", 10); err != nil || len(all) != 0 {
				t.Errorf("%s: kept %v %v", what, all, err)
			}
		}
	})
}

func TestAProviderThatFailsIsPassedOver(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		d.first.fail(errors.New("connection refused"))
		for range 7 {
			d.queue(t, message.Note{})
			d.deliver(t)
		}
		if len(d.second.sent) != 7 || d.first.asks != 5 {
			t.Errorf("the second took %d; the first was asked %d times, want 5", len(d.second.sent), d.first.asks)
		}
		d.clock.Advance(30 * time.Second)
		d.first.fail(nil)
		d.queue(t, message.Note{})
		if d.deliver(t); len(d.first.sent) != 1 {
			t.Error("the first is not asked again")
		}
	})
}

// TestAProviderOutOfOrderIsAskedAgainBySeconds: after five failures in a row it is left alone for half a minute, and
// for another one at the next failure; one success, and it takes five again.
func TestAProviderOutOfOrderIsAskedAgainBySeconds(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		send := func(n int) {
			t.Helper()
			for range n {
				d.queue(t, message.Note{})
				d.deliver(t)
			}
		}
		d.first.fail(errors.New("connection refused"))
		for i, want := range []int{5, 6, 7} {
			if send(8); d.first.asks != want || len(d.second.sent) != 9*i+8 {
				t.Errorf("round %d: asked %d times, want %d; the second took %d", i, d.first.asks, want, len(d.second.sent))
			}
			d.clock.Advance(29 * time.Second)
			if send(1); d.first.asks != want {
				t.Errorf("round %d: asked before its time", i)
			}
			d.clock.Advance(time.Second)
		}
		d.first.fail(nil)
		send(1)
		d.first.fail(errors.New("connection refused"))
		if send(8); d.first.asks != 7+1+5 || len(d.first.sent) != 1 {
			t.Errorf("after a success: asked %d times", d.first.asks)
		}
	})
}

// TestNothingIsLostWhileEveryProviderIsOutOfOrder: a message waits, nobody is asked, and it goes out once one is
// back.
func TestNothingIsLostWhileEveryProviderIsOutOfOrder(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		d.first.fail(errors.New("connection refused"))
		d.second.fail(errors.New("timeout"))
		for range 5 {
			d.queue(t, message.Note{})
			d.deliver(t)
		}
		if !d.Failing(otl.ChannelMail) || d.Failing(otl.ChannelSMS) {
			t.Error("it is not told that no mail goes out")
		}
		id := d.queue(t, message.Note{})
		d.deliver(t)
		if m := d.message(t, id); m.State != otl.MessageWaiting || !strings.Contains(m.Problem, "out of order") || d.first.asks != 5 || d.second.asks != 5 {
			t.Errorf("%+v; %d and %d asked", m.Message, d.first.asks, d.second.asks)
		}
		d.second.fail(nil)
		d.clock.Advance(30 * time.Second)
		d.deliver(t)
		if m := d.message(t, id); m.State != otl.MessageSent || m.Provider != "second" || d.Failing(otl.ChannelMail) {
			t.Errorf("%+v", m.Message)
		}
	})
}

// TestWhatEachProviderSaidIsKept, by its name and in the order they were asked, also where one says much.
func TestWhatEachProviderSaidIsKept(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		for said, want := range map[string]string{
			"connection refused":       "first: connection refused; second: timeout",
			strings.Repeat("é", 1000):  "first: " + strings.Repeat("é", 120) + "; second: timeout",
			"with \x00 and \xff in it": "first: with  and  in it; second: timeout",
		} {
			d.first.fail(errors.New(said))
			d.second.fail(errors.New("timeout"))
			id := d.queue(t, message.Note{})
			d.deliver(t)
			if m := d.message(t, id); m.Problem != want {
				t.Errorf("%q", m.Problem)
			}
		}
	})
}

// stopping is a provider that has its node stop while it takes a letter.
type stopping struct {
	*faulty
	stop func()
}

func (s *stopping) Send(ctx context.Context, l message.Letter) error {
	s.stop()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.faulty.Send(ctx, l)
}

// TestANodeThatStopsKeepsWhatBecameOfALetter that it was handing over: nobody gets it twice because a node was replaced, nor waits for it
// as long as it is that node's.
func TestANodeThatStopsKeepsWhatBecameOfALetter(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for said, want := range map[error]otl.MessageState{nil: otl.MessageSent, errDown: otl.MessageWaiting, errMailbox: otl.MessageDead} {
			d := newDesk(st)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			d.first.fail(said)
			d.Senders[otl.ChannelMail] = []outbox.Sender{&stopping{d.first, stop}}
			id := d.queue(t, message.Note{})
			if _, err := d.Deliver(ctx); err != nil && !errors.Is(err, context.Canceled) { // it goes no further than this message
				t.Errorf("%v: %v", said, err)
			}
			m := d.message(t, id)
			if m.State != want || (m.Problem != "") != (said != nil) || want == otl.MessageWaiting && m.DueAt.After(d.clock.Now().Add(10*time.Second)) {
				t.Errorf("%v: %+v", said, m.Message)
			}
			d.clock.Advance(2 * time.Hour)
			d.first.fail(nil)
			d.deliver(t) // out of the way
		}
	})
}

func TestAMessageIsTriedAgainAndThenGivenUp(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		d.first.fail(errors.New("connection refused"))
		d.second.fail(errors.New("timeout with \x00 and \xff in it"))
		id := d.queue(t, message.Note{})
		for try := 1; try <= 6; try++ {
			if d.deliver(t) != 1 || d.deliver(t) != 0 {
				t.Fatalf("try %d", try)
			}
			m := d.message(t, id)
			if m.Tries != try || m.Problem == "" || (m.State == otl.MessageDead) != (try == 6) {
				t.Fatalf("try %d: %+v", try, m.Message)
			}
			d.clock.Advance(2 * time.Hour)
		}
		if d.deliver(t) != 0 {
			t.Error("tried a seventh time")
		}

		id = d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "x@dev.test", Expires: d.clock.Now().Add(time.Minute)})
		d.clock.Advance(time.Minute)
		asked := d.first.asks
		d.deliver(t)
		if m := d.message(t, id); m.State != otl.MessageDead || d.first.asks != asked {
			t.Errorf("expired: %+v", m.Message)
		}
		id = d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelSMS, To: "+491705550100"})
		if d.deliver(t); d.message(t, id).State != otl.MessageWaiting {
			t.Errorf("another node may have a provider: %+v", d.message(t, id).Message)
		}
		d.clock.Advance(time.Hour)
		d.deliver(t)
		if m := d.message(t, id); m.State != otl.MessageDead || !strings.Contains(m.Problem, "no provider") {
			t.Errorf("without a provider: %+v", m.Message)
		}
		d.Senders[otl.ChannelSMS] = []outbox.Sender{d.first}
		d.first.fail(nil)
		if err := d.Retry(t.Context(), id); err != nil || d.deliver(t) != 1 || d.message(t, id).State != otl.MessageSent {
			t.Errorf("once there is one: %v %+v", err, d.message(t, id).Message)
		}
	})
}

// TestMN12_ANodeWithoutAProviderLeavesItToOthers: while nodes get one, one after the other, a
// message waits for one that has it, and is lost to nobody.
func TestMN12_ANodeWithoutAProviderLeavesItToOthers(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d, other := newDesk(st), newDesk(st)
		other.Messages = d.Messages
		id := d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelSMS, To: "+491705550100"})
		other.Senders[otl.ChannelSMS] = []outbox.Sender{other.first}
		if n := d.deliver(t); n != 0 {
			t.Errorf("a node without a provider takes %d", n)
		}
		if n := other.deliver(t); n != 1 || d.message(t, id).State != otl.MessageSent {
			t.Errorf("%d %+v", n, d.message(t, id).Message)
		}
	})
}

// TestMN12_NodesShareTheQueue: of any number of nodes one sends a message, and a
// node that dies with one in its hands leaves it to the others.
func TestMN12_NodesShareTheQueue(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		for range 60 {
			d.queue(t, message.Note{})
		}
		var all sync.WaitGroup
		for range 4 {
			node := &outbox.Queue{Store: st, Messages: d.Messages, Now: d.clock.Now, Log: d.Log, Senders: d.Senders}
			all.Go(func() {
				for {
					n, err := node.Deliver(t.Context())
					if err != nil {
						t.Error(err)
					}
					if n == 0 {
						return
					}
				}
			})
		}
		all.Wait()
		ids := map[string]int{}
		for _, l := range d.first.sent {
			ids[l.ID]++
		}
		if len(ids) != 60 || len(d.first.sent) != 60 {
			t.Errorf("%d letters with %d ids, want 60", len(d.first.sent), len(ids))
		}

		id := d.queue(t, message.Note{})
		err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { // a node takes it, and dies
			_, err := tx.Messages.Claim(ctx, otl.ChannelMail, d.clock.Now(), time.Minute, 16)
			return err
		})
		if err != nil || d.deliver(t) != 0 {
			t.Fatalf("%v", err)
		}
		d.clock.Advance(time.Minute)
		if d.deliver(t) != 1 || d.message(t, id).State != otl.MessageSent {
			t.Errorf("%+v", d.message(t, id).Message)
		}
	})
}
