package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/store"
)

var (
	errDown    = errors.New("connection refused")
	errSpam    = fmt.Errorf("%w: looks like spam", outbox.ErrRefused)
	errMailbox = fmt.Errorf("%w: no such mailbox", outbox.ErrAddress)
)

// TestARefusalGoesToTheNextProvider: a message is given up once every provider has refused it, or one says that nobody
// can deliver to where it goes (ADR 56).
func TestARefusalGoesToTheNextProvider(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		for what, c := range map[string]struct {
			first, second error
			state         otl.MessageState
			provider      string
			asks          int // of the second
			problem       string
		}{
			"refused, and taken":     {errSpam, nil, otl.MessageSent, "second", 1, ""},
			"refused by both":        {errSpam, errSpam, otl.MessageDead, "", 1, "first: refused: looks like spam; second: refused: looks like spam"},
			"refused, and down":      {errSpam, errDown, otl.MessageWaiting, "", 1, "first: refused: looks like spam; second: connection refused"},
			"down, and refused":      {errDown, errSpam, otl.MessageWaiting, "", 1, "first: connection refused; second: refused: looks like spam"},
			"no such mailbox":        {errMailbox, nil, otl.MessageDead, "first", 0, "first: address refused: no such mailbox"},
			"down, no such mailbox":  {errDown, errMailbox, otl.MessageDead, "second", 1, "first: connection refused; second: address refused: no such mailbox"},
			"refused, no such there": {errSpam, errMailbox, otl.MessageDead, "second", 1, "first: refused: looks like spam; second: address refused: no such mailbox"},
		} {
			d := newDesk(st)
			d.first.fail(c.first)
			d.second.fail(c.second)
			id := d.queue(t, message.Note{})
			d.deliver(t)
			m := d.message(t, id)
			if m.State != c.state || d.first.asks != 1 || d.second.asks != c.asks || m.Problem != c.problem || m.Tries != 1 || m.State != otl.MessageWaiting && m.Provider != c.provider {
				t.Errorf("%s: asked %d and %d times, %+v", what, d.first.asks, d.second.asks, m.Message)
			}
			d.clock.Advance(2 * time.Hour)
			d.first.fail(nil)
			d.second.fail(nil)
			d.deliver(t)
		}
	})
}

// TestWhoRefusedAMessageIsNotAskedAgain, by any node, as long as another provider may take it; once it is given up and is
// to be tried again, everybody is asked.
func TestWhoRefusedAMessageIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d, node := newDesk(st), newDesk(st)
		node.Messages = d.Messages
		for _, one := range []*desk{d, node} {
			one.first.fail(errSpam)
			one.second.fail(errDown)
		}
		id := d.queue(t, message.Note{})
		for try := range 6 {
			at := d
			if try%2 == 1 {
				at = node
			}
			at.deliver(t)
			d.clock.Advance(2 * time.Hour)
			node.clock.Advance(2 * time.Hour)
		}
		m := d.message(t, id)
		if m.State != otl.MessageDead || m.Tries != 6 || d.first.asks != 1 || node.first.asks != 0 || d.second.asks+node.second.asks != 6 {
			t.Errorf("asked %d and %d, %d and %d times: %+v", d.first.asks, node.first.asks, d.second.asks, node.second.asks, m.Message)
		}
		if want := "first: refused at an earlier try: looks like spam; second: connection refused"; m.Problem != want {
			t.Errorf("%q, want %q", m.Problem, want)
		}
		d.first.fail(nil)
		if err := d.Retry(t.Context(), id); err != nil || d.deliver(t) != 1 || d.message(t, id).Provider != "first" {
			t.Errorf("%v %+v", err, d.message(t, id).Message)
		}

		d.first.fail(errSpam)
		d.second.fail(errDown)
		id = d.queue(t, message.Note{})
		d.deliver(t)
		d.Senders[otl.ChannelMail] = d.Senders[otl.ChannelMail][:1] // the other one is no more
		d.clock.Advance(time.Minute)
		if d.deliver(t); d.message(t, id).State != otl.MessageDead {
			t.Errorf("nobody is left: %+v", d.message(t, id).Message)
		}
	})
}

// TestWhyAProviderRefusedAMessageIsReadToTheEnd: in every later try and where it is given up, of each provider, with a bound; where an
// older program kept none, that it did. Of what was sent nothing is left.
func TestWhyAProviderRefusedAMessageIsReadToTheEnd(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		third := &faulty{name: "third", err: errDown}
		d.Senders[otl.ChannelMail] = append(d.Senders[otl.ChannelMail], third)
		d.first.fail(fmt.Errorf("%w: 550 = \r\n 5 %% +\x00 „Spam“", outbox.ErrRefused))
		d.second.fail(fmt.Errorf("%w: %s", outbox.ErrRefused, strings.Repeat("ö", 1000)))
		id := d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "jane@dev.test", Expires: d.clock.Now().Add(time.Hour)})
		d.deliver(t)
		for _, pause := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, time.Hour} {
			d.clock.Advance(pause)
			d.deliver(t)
			m, want := d.message(t, id), "first: refused at an earlier try: 550 = \r\n 5 % + „Spam“; second: refused at an earlier try: öö"
			if pause == time.Hour {
				want = "refused: it is of no use any more; the try before: " + want
			}
			if !strings.HasPrefix(m.Problem, want) || !strings.HasSuffix(m.Problem, "ö; third: connection refused") || len(m.Problem) > 500 {
				t.Errorf("%s: %q", m.State, m.Problem)
			}
		}
		if m := d.message(t, id); m.State != otl.MessageDead || d.first.asks != 1 || d.second.asks != 1 {
			t.Errorf("asked %d and %d times: %+v", d.first.asks, d.second.asks, m.Message)
		}

		id = d.queue(t, message.Note{})
		d.deliver(t)
		m := d.message(t, id).Message
		for i := range m.RefusedBy {
			m.RefusedBy[i].Said = ""
		}
		if err := st.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Messages.Defer(ctx, m) }); err != nil {
			t.Fatal(err)
		}
		d.clock.Advance(time.Minute)
		d.deliver(t)
		if m := d.message(t, id); m.Problem != "first: refused at an earlier try; second: refused at an earlier try; third: connection refused" {
			t.Errorf("%q", m.Problem)
		}
		third.fail(nil)
		d.clock.Advance(time.Hour)
		d.deliver(t)
		if m := d.message(t, id); m.Provider != "third" || m.Problem != "" || m.RefusedBy != nil || d.first.asks != 2 || d.second.asks != 2 {
			t.Errorf("asked %d and %d times: %+v", d.first.asks, d.second.asks, m)
		}
	})
}

// TestOT20_WhatIsRefusedWaitsForTheCapOfTheOther: one provider refuses a message, the other has as many as its cap allows.
func TestOT20_WhatIsRefusedWaitsForTheCapOfTheOther(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := capDesk(t, st, 1, 1)
		d.first.fail(errSpam)
		if m := d.sends(t); m.Provider != "second" {
			t.Errorf("%+v", m.Message)
		}
		waits := d.sends(t)
		if waits.State != otl.MessageWaiting || waits.Tries != 0 || d.first.asks != 2 {
			t.Errorf("asked %d times: %+v", d.first.asks, waits.Message)
		}
		for range 24 {
			d.clock.Advance(time.Hour)
			d.deliver(t)
		}
		if m := d.message(t, waits.ID); m.Provider != "second" || d.first.asks != 2 {
			t.Errorf("asked %d times: %+v", d.first.asks, m.Message)
		}
		d.first.fail(nil)
		if m := d.sends(t); m.Provider != "first" { // nothing it refused was counted
			t.Errorf("%+v", m.Message)
		}
	})
}

// TestARefusedLetterTellsNothingOfItsProvider: it is asked for the next one as before, whether it was in order or not. A
// mailbox that does not exist it could only tell by working.
func TestARefusedLetterTellsNothingOfItsProvider(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		send := func(err error, n int) {
			t.Helper()
			d.first.fail(err)
			for range n {
				d.sends(t)
			}
		}
		if send(errSpam, 8); d.first.asks != 8 || len(d.second.sent) != 8 || d.Failing(otl.ChannelMail) {
			t.Errorf("asked %d times", d.first.asks)
		}
		send(errDown, 4)
		send(errSpam, 1)
		if send(errDown, 2); d.first.asks != 8+4+1+1 { // the fifth in a row
			t.Errorf("asked %d times", d.first.asks)
		}
		d.clock.Advance(30 * time.Second)
		send(errMailbox, 1)
		if send(errDown, 6); d.first.asks != 14+1+5 {
			t.Errorf("asked %d times", d.first.asks)
		}
	})
}

// TestOT23_WhatAProviderRepeatsIsNotKept: one that says what it was sent says no code, no token and no link in the list of messages,
// in what it refused and in the log, however it spells them and wherever what it says is cut.
func TestOT23_WhatAProviderRepeatsIsNotKept(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		data := map[string]string{message.DataCode: "84731926", message.DataToken: "otl_pr_Canary-1", message.DataLink: "https://id.test/l/otl_ln_Canary_2"}
		for status, state := range map[int]otl.MessageState{http.StatusInternalServerError: otl.MessageWaiting, http.StatusUnprocessableEntity: otl.MessageDead} {
			for _, cut := range []int{0, 100, 192, 193, 194, 195, 196, 197, 198, 199} {
				p := newProvider(t)
				p.answers(status, strings.Repeat("x", cut)+`84731926 is no code {"token":"otl_pr_Canary-1","link":"https:\/\/id.test\/l\/otl_ln_Canary_2","again":"https%3A%2F%2Fid.test%2Fl%2Fotl_ln_Canary_2"}`)
				mails, err := outbox.NewMail("webhook:"+p.URL, outbox.Post{From: "login@notes.test"}, nil)
				if err != nil {
					t.Fatal(err)
				}
				d, log := newDesk(st), &strings.Builder{}
				d.Log = slog.New(slog.NewTextHandler(log, nil))
				d.Senders[otl.ChannelMail] = []outbox.Sender{mails[0], d.second}
				d.second.fail(errSpam)
				id := d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "jane@dev.test", Data: data})
				d.deliver(t)
				m := d.message(t, id)
				if m.State != state || !strings.Contains(m.Problem, fmt.Sprint(status)) || !strings.Contains(log.String(), fmt.Sprint(status)) {
					t.Fatalf("%+v\n%s", m.Message, log)
				}
				for _, said := range []string{m.Problem, log.String(), fmt.Sprint(m.RefusedBy)} {
					if strings.Contains(said, "Canary") || strings.Contains(said, "84731926") || strings.Contains(said, "x847") {
						t.Errorf("%d at %d: %s", status, cut, said)
					}
				}
			}
		}
	})
}

// TestOT23_WhatASecretBeginsWithIsNoSecret: one or two digits at the end of what a provider said are of its reply code.
func TestOT23_WhatASecretBeginsWithIsNoSecret(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		d := newDesk(st)
		d.Senders[otl.ChannelMail] = []outbox.Sender{d.second}
		d.second.fail(errors.New("smtp: 550 5.1.15"))
		id := d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: otl.ChannelMail, To: "jane@dev.test", Data: map[string]string{message.DataCode: "155201"}})
		d.deliver(t)
		if m := d.message(t, id); !strings.Contains(m.Problem, "5.1.15") {
			t.Errorf("%s", m.Problem)
		}
	})
}

// TestAProviderThatWasLeftNoTimeHasNotFailed: those before it took all there is for a message, or the node stopped. The next
// ones go to it as soon as there is time.
func TestAProviderThatWasLeftNoTimeHasNotFailed(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		const messages = 6
		d := newDesk(st)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hangs := &endless{all: messages, over: cancel}
		prompt := &heeding{d.second}
		d.Senders[otl.ChannelMail] = []outbox.Sender{hangs, prompt}
		for range messages {
			d.queue(t, message.Note{})
		}
		if _, err := d.Deliver(ctx); !errors.Is(err, context.Canceled) || d.second.asks != 0 {
			t.Fatalf("asked %d times, %v", d.second.asks, err)
		}
		d.Senders[otl.ChannelMail] = []outbox.Sender{d.first, prompt}
		d.first.fail(errDown)
		if m := d.sends(t); m.State != otl.MessageSent || m.Provider != "second" || d.first.asks != 1 {
			t.Errorf("asked %d times: %+v", d.first.asks, m.Message)
		}
		d.clock.Advance(time.Minute)
		if d.deliver(t); len(d.second.sent) != 1+messages {
			t.Errorf("took %d", len(d.second.sent))
		}
	})
}

// endless is a provider that answers nobody before the time of all is over.
type endless struct {
	all  int
	over func()
	mu   sync.Mutex
}

func (h *endless) Name() string { return "endless" }

func (h *endless) Send(ctx context.Context, _ message.Letter) error {
	h.mu.Lock()
	if h.all--; h.all == 0 {
		h.over()
	}
	h.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// heeding is a provider that does nothing once the time is over.
type heeding struct{ *faulty }

func (h heeding) Send(ctx context.Context, l message.Letter) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return h.faulty.Send(ctx, l)
}

// turnedDown are answers of providers to the first message they are handed: whether another one gets it, whether the next
// message is offered to them, too, and whether they are left alone after five.
type turnedDown map[string]struct {
	next, open bool
}

// try has each provider refuse messages in its way and sees who gets them.
func (all turnedDown) try(t *testing.T, st *store.Store, c otl.Channel, to string, says func(how string), refuses, takes outbox.Sender, count func() (refused, took int)) {
	t.Helper()
	for how, want := range all {
		says(how)
		d := newDesk(st)
		d.Senders[c] = []outbox.Sender{refuses, takes}
		refused, took := count()
		last := ""
		for range 7 {
			last = d.queue(t, message.Note{Kind: otl.MessageSignIn, Channel: c, To: to})
			d.deliver(t)
		}
		wantRefused, wantTook, state := 7, 7, otl.MessageSent
		if want.open {
			wantRefused = 5
		}
		if !want.next {
			wantTook, state = 0, otl.MessageDead
		}
		nowRefused, nowTook := count()
		if m := d.message(t, last); nowRefused-refused != wantRefused || nowTook-took != wantTook || m.State != state {
			t.Errorf("%s: refused %d, took %d, want %d and %d: %+v", how, nowRefused-refused, nowTook-took, wantRefused, wantTook, m.Message)
		}
	}
}

// TestWhatAMailServerRefuses, by SMTP: our account, our network and our address are left to the next provider, and the
// server is out of order; a letter too, and it is not; a mailbox that does not exist ends it.
func TestWhatAMailServerRefuses(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		post, hook := openPostOffice(t, 0), newProvider(t)
		mails, err := outbox.NewMail("smtp://otl:secret@"+post.Addr().String()+"?tls=none webhook:"+hook.URL, outbox.Post{From: "login@notes.test", Host: "id.test", Now: time.Now}, nil)
		if err != nil {
			t.Fatal(err)
		}
		turnedDown{
			"AUTH 535 5.7.8 wrong password":                         {true, true},
			"MAIL 550 5.7.1 you may not write as that":              {true, true},
			"MAIL 553 5.1.8 no such sender":                         {true, true},
			"RCPT 554 5.7.1 relay access denied":                    {true, false}, // anybody types addresses that it does not serve
			"RCPT 530 authentication required":                      {true, true},
			"RCPT 421 4.7.0 too many connections":                   {true, true},
			"RCPT 550 no":                                           {true, false}, // who knows whom it means
			"DATA 554 5.5.1 no valid recipients":                    {true, false},
			". 554 5.7.1 looks like spam":                           {true, false},
			"RCPT 501 5.1.3 bad address syntax":                     {true, false},
			". 552 5.3.4 too big":                                   {true, false},
			"RCPT 550 5.1.1 no such mailbox":                        {false, false},
			"RCPT 550-5.1.1 no such mailbox\r\n550 5.1.1 try again": {false, false},
			"RCPT 556 5.1.10 takes no mail":                         {false, false},
			". 552 5.2.2 mailbox full":                              {false, false},
		}.try(t, st, otl.ChannelMail, "jane@dev.test", func(how string) {
			verb, answer, _ := strings.Cut(how, " ")
			post.told(verb, answer)
		}, mails[0], mails[1], func() (int, int) {
			calls, taken := post.counts()
			if taken != 0 {
				t.Errorf("it took %d", taken)
			}
			return calls, len(hook.calls)
		})
		post.told("RCPT", "554 5.7.1 relay access denied")
		d := newDesk(st)
		d.Senders[otl.ChannelMail] = mails[:1]
		if m := d.sends(t); m.State != otl.MessageWaiting {
			t.Errorf("what is not relayed: %+v", m)
		}
	})
}

// TestWhatAProviderOverHTTPRefuses: by the status of its answer, and by the codes of those whose are known.
func TestWhatAProviderOverHTTPRefuses(t *testing.T) {
	t.Parallel()
	otltest.EachStore(t, func(t *testing.T, st *store.Store) {
		hook, post := newProvider(t), openPostOffice(t, 0)
		mails, err := outbox.NewMail("webhook:"+hook.URL, outbox.Post{From: "login@notes.test"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		says := func(p *provider) func(string) {
			return func(how string) {
				var status int
				if _, err := fmt.Sscanf(how, "%d", &status); err != nil {
					t.Fatal(err)
				}
				p.answers(status, how[4:])
			}
		}
		turnedDown{
			"401 who are you": {true, true}, "402 pay first": {true, true}, "403 you may not": {true, true}, "404 no such account": {true, true}, "429 later": {true, true}, "500 oh": {true, true},
			"400 what is this": {true, false}, "413 too big": {true, false}, "422 no": {true, false},
		}.try(t, st, otl.ChannelMail, "jane@dev.test", says(hook), mails[0], post.sender(t), func() (int, int) {
			_, taken := post.counts()
			return len(hook.calls), taken
		})
		twilio, vonage := newProvider(t), newProvider(t)
		first, second := sender(t, "twilio://AC1:token@"+twilio.host()+"?from=%2B15550100&tls=none"), sender(t, "vonage://key:secret@"+vonage.host()+"?from=ACME&tls=none")
		counts := func(a, b *provider) func() (int, int) {
			return func() (int, int) { return len(a.calls), len(b.calls) }
		}
		vonage.answers(http.StatusOK, `{"messages":[{"status":"0"}]}`)
		turnedDown{
			`401 {"code":20003,"message":"Authenticate"}`:       {true, true},
			`400 {"code":21606,"message":"no 'From' of yours"}`: {true, false},
			`400 {"code":21408,"message":"not that region"}`:    {true, false},
			`400 nonsense`: {true, false},
			`400 {"code":21211,"message":"no such 'To'"}`: {false, false},
			`400 {"code":21610,"message":"STOP"}`:         {false, false},
			`400 {"code":21614,"message":"no mobile"}`:    {false, false},
		}.try(t, st, otl.ChannelSMS, "+491705550100", says(twilio), first, second, counts(twilio, vonage))
		twilio.answers(http.StatusCreated, `{"sid":"SM1"}`)
		turnedDown{
			`200 {"messages":[{"status":"4","error-text":"credentials"}]}`: {true, true},
			`200 {"messages":[{"status":"9","error-text":"quota"}]}`:       {true, true},
			`200 {"messages":[{"status":"6","error-text":"unroutable"}]}`:  {true, false},
			`200 {"messages":[{"status":"15","error-text":"sender"}]}`:     {true, false},
			`200 {"messages":[{"status":"12","error-text":"too long"}]}`:   {true, false},
			`200 {"messages":[{"status":"7","error-text":"barred"}]}`:      {false, false},
			`200 {"messages":[{"status":"33","error-text":"given up"}]}`:   {false, false},
			`200 {"messages":[{"status":"0"},{"status":"6"}]}`:             {false, false}, // a part of it is on its way
		}.try(t, st, otl.ChannelSMS, "+491705550100", says(vonage), second, first, counts(vonage, twilio))
	})
}
