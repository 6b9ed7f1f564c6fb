package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/store"
)

// capDesk is a desk whose providers of mail have caps.
func capDesk(t *testing.T, st *store.Store, caps ...int) *desk {
	t.Helper()
	d := newDesk(st)
	all, err := outbox.Cap(otl.ChannelMail, d.Senders[otl.ChannelMail], caps)
	if err != nil {
		t.Fatal(err)
	}
	d.Senders[otl.ChannelMail] = all
	return d
}

// sends queues a message, has it delivered and gives it.
func (d *desk) sends(t *testing.T) store.StoredMessage {
	t.Helper()
	id := d.queue(t, message.Note{})
	d.deliver(t)
	return d.message(t, id)
}

// TestOT20_WhatIsBeyondACapGoesToTheNextProvider: a provider is handed as many letters in a day as its cap says, over
// all nodes, the next one what is beyond, and what nobody may be handed waits for the next day, however often it was looked at.
func TestOT20_WhatIsBeyondACapGoesToTheNextProvider(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := capDesk(t, st, 2, 1)
		node := capDesk(t, st, 2, 1) // another one
		for i, want := range []string{"first", "first", "second"} {
			at := d
			if i == 1 {
				at = node
			}
			if m := at.sends(t); m.State != otl.MessageSent || m.Provider != want {
				t.Errorf("message %d: %s by %q: %s", i, m.State, m.Provider, m.Problem)
			}
		}
		ends := d.clock.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		waits := d.sends(t)
		if due := "the next one at " + ends.Format(time.RFC3339); waits.State != otl.MessageWaiting || !strings.Contains(waits.Problem, due) {
			t.Errorf("%s: %q, want %s", waits.State, waits.Problem, due)
		}
		for d.clock.Now().Before(ends) {
			if d.deliver(t); d.message(t, waits.ID).State != otl.MessageWaiting || d.first.asks+node.first.asks != 2 || d.second.asks != 1 {
				t.Fatalf("at %s: asked %d and %d times, %+v", d.clock.Now(), d.first.asks+node.first.asks, d.second.asks, d.message(t, waits.ID).Message)
			}
			d.clock.Advance(min(time.Hour, ends.Sub(d.clock.Now())))
		}
		d.first.fail(errors.New("down"))
		d.second.fail(errors.New("down"))
		if d.deliver(t); d.message(t, waits.ID).State != otl.MessageWaiting { // it was tried once
			t.Errorf("%+v", d.message(t, waits.ID).Message)
		}
		d.first.fail(nil)
		d.clock.Advance(10 * time.Second)
		if d.deliver(t); d.message(t, waits.ID).Provider != "first" {
			t.Errorf("%+v", d.message(t, waits.ID).Message)
		}
		said, err := st.Read.Events.Select(t.Context(), store.EventQuery{Type: otl.EventProviderFull, Limit: 10})
		if err != nil || len(said) != 2 || said[1].Data["provider"] != "first" || said[0].Data["channel"] != "email" { // once a day of each
			t.Errorf("%+v %v", said, err)
		}
	})
}

// TestOT20_APartOfACapIsKeptForWhatIsNoCode: strangers ask for codes, and use up nobody's mail about his account, nor that which
// tells the operator; a code waits no longer than it is good.
func TestOT20_APartOfACapIsKeptForWhatIsNoCode(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := capDesk(t, st, 60)
		d.Senders[otl.ChannelMail] = d.Senders[otl.ChannelMail][:1]
		d.Messages.Operator = "operator@dev.test"
		code := message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "jane@dev.test", Expires: d.clock.Now().Add(5 * time.Minute)}
		var last string
		for range 58 {
			last = d.queue(t, code)
			d.deliver(t)
		}
		d.deliver(t)
		if n := len(d.first.sent); n != 58 || d.first.sent[57].To != "operator@dev.test" { // who is told that 57 codes are all
			t.Fatalf("%d messages: %+v", n, d.message(t, last).Message)
		}
		if m := d.sends(t); m.Provider != "first" {
			t.Errorf("%+v", m.Message)
		}
		if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { // it expires, and is no code
			return d.Messages.Farewell(ctx, tx, otl.User{Email: otl.Email{Address: "gone@dev.test"}, EmailVerifiedAt: d.clock.Now()}, "")
		}); err != nil {
			t.Fatal(err)
		}
		if d.deliver(t); d.first.sent[len(d.first.sent)-1].To != "gone@dev.test" {
			t.Errorf("%+v", d.first.sent)
		}
		if m := d.sends(t); m.State != otl.MessageWaiting {
			t.Errorf("%+v", m.Message)
		}
		d.clock.Advance(5 * time.Minute)
		if d.deliver(t); d.message(t, last).State != otl.MessageDead {
			t.Errorf("%+v", d.message(t, last).Message)
		}
	})
}

// TestOT20_WhatACapHoldsBackOutlivesAnotherThatFails: one provider is down for longer than messages are tried, the other one takes the
// next day what its cap kept from it. What a provider says of its address ends it before.
func TestOT20_WhatACapHoldsBackOutlivesAnotherThatFails(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := capDesk(t, st, 0, 1)
		d.first.fail(errDown)
		if m := d.sends(t); m.Provider != "second" {
			t.Fatalf("%+v", m.Message)
		}
		waits, code := d.queue(t, message.Note{}), d.queue(t, message.Note{
			Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "jane@dev.test", Expires: d.clock.Now().Add(2 * time.Hour),
		})
		ends := d.clock.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		for d.clock.Now().Before(ends) {
			d.deliver(t)
			if m := d.message(t, waits); m.State != otl.MessageWaiting || len(d.second.sent) != 1 {
				t.Fatalf("at %s: %d sent, %+v", d.clock.Now(), len(d.second.sent), m.Message)
			}
			d.clock.Advance(10 * time.Minute)
		}
		if m := d.message(t, code); m.State != otl.MessageDead {
			t.Errorf("what is of no use any more: %+v", m.Message)
		}
		d.clock.Advance(time.Hour)
		if d.deliver(t); d.message(t, waits).Provider != "second" {
			t.Errorf("%+v", d.message(t, waits).Message)
		}

		waits = d.queue(t, message.Note{})
		for range 8 {
			d.deliver(t)
			d.clock.Advance(2 * time.Hour)
		}
		d.first.fail(errMailbox)
		if d.deliver(t); d.message(t, waits).State != otl.MessageDead {
			t.Errorf("%+v", d.message(t, waits).Message)
		}
	})
}

// late is the error of a provider that did not answer in time.
type late struct{ error }

func (late) Timeout() bool { return true }

// TestOT20_WhatAProviderDoesNotTakeIsNotCounted: what failed, and what was refused, leaves its place to the next; of what was not
// answered in time nobody knows, and it counts.
func TestOT20_WhatAProviderDoesNotTakeIsNotCounted(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := capDesk(t, st, 1)
		d.second.fail(errors.New("down"))
		for _, err := range []error{errors.New("down"), fmt.Errorf("%w: no such address", outbox.ErrRefused)} {
			d.first.fail(err)
			d.sends(t)
		}
		d.first.fail(nil)
		if m := d.sends(t); m.Provider != "first" {
			t.Errorf("%+v", m.Message)
		}
		d.clock.Advance(48 * time.Hour)
		d.deliver(t) // those that were put off
		d.clock.Advance(48 * time.Hour)
		for _, err := range []error{context.DeadlineExceeded, context.Canceled, late{errors.New("slow")}} {
			d.first.fail(err)
			asks := d.first.asks
			d.sends(t)
			d.first.fail(nil)
			if m := d.sends(t); m.State != otl.MessageWaiting || d.first.asks != asks+1 {
				t.Errorf("after %v: asked %d times, %+v", err, d.first.asks-asks, m.Message)
			}
			d.clock.Advance(48 * time.Hour)
		}
	})
}

// TestCap: caps stand where providers do; 0 and none are no bound, and more than there are providers are a mistake.
func TestCap(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		if _, err := outbox.Cap(otl.ChannelMail, []outbox.Sender{&faulty{}}, []int{1, 1}); !errors.Is(err, outbox.ErrCaps) {
			t.Error(err)
		}
		d := capDesk(t, st, 0, 1)
		for range 3 {
			if m := d.sends(t); m.Provider != "first" {
				t.Errorf("%+v", m.Message)
			}
		}
		d.second.name = "first" // of one kind, and counted apart
		all, err := outbox.Cap(otl.ChannelMail, []outbox.Sender{d.first, d.second}, []int{1, 1})
		if err != nil {
			t.Fatal(err)
		}
		d.Senders[otl.ChannelMail] = all
		d.sends(t)
		if m := d.sends(t); m.State != otl.MessageSent || d.second.asks != 1 {
			t.Errorf("%+v", m.Message)
		}
	})
}

// TestOT20_ACapIsItsProvidersWhereverItStands: providers of one name that change places in the configuration keep what
// they were handed by then, a new password too.
func TestOT20_ACapIsItsProvidersWhereverItStands(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		var asked sync.Map
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			n, _ := asked.LoadOrStore(r.URL.Path, new(atomic.Int32))
			n.(*atomic.Int32).Add(1)
		}))
		t.Cleanup(srv.Close)
		d := newDesk(st)
		for i, list := range []string{"/a /b", "/b /a", "/a /b"} {
			list = "webhook:" + srv.URL + strings.Replace(list, " /", " webhook:"+srv.URL+"/", 1)
			all, err := outbox.NewMail(list, outbox.Post{From: "login@notes.test", Now: d.clock.Now}, nil)
			if err == nil {
				all, err = outbox.Cap(otl.ChannelMail, all, []int{1, 1})
			}
			if err != nil {
				t.Fatal(err)
			}
			d.Senders[otl.ChannelMail] = all
			if m := d.sends(t); (m.State == otl.MessageSent) != (i < 2) {
				t.Errorf("message %d: %s by %q: %s", i, m.State, m.Provider, m.Problem)
			}
		}
		for _, path := range []string{"/a", "/b"} {
			if n, is := asked.Load(path); !is || n.(*atomic.Int32).Load() != 1 {
				t.Errorf("%s was handed %v", path, n)
			}
		}
	})
}

// TestOT20_ACapThatIsLoweredIsInForce for the day in which it is: what was handed over counts.
func TestOT20_ACapThatIsLoweredIsInForce(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		t.Cleanup(srv.Close)
		d := newDesk(st)
		for i, most := range []int{10, 10, 10, 10, 2, 10} {
			all, err := outbox.NewMail("webhook:"+srv.URL, outbox.Post{From: "login@notes.test", Now: d.clock.Now}, nil)
			if err == nil {
				all, err = outbox.Cap(otl.ChannelMail, all, []int{most})
			}
			if err != nil {
				t.Fatal(err)
			}
			d.Senders[otl.ChannelMail] = all
			if m := d.sends(t); (m.State == otl.MessageSent) != (most == 10) {
				t.Errorf("message %d: %s: %s", i, m.State, m.Problem)
			}
		}
	})
}
