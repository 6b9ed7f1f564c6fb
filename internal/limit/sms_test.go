package limit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// traffic sends codes, one each pause, and enters every entered-th of them after delay.
// It gives how many were sent before the site was stopped, or all.
func traffic(t *testing.T, w *otltest.World, number func(int) string, n int, pause, delay time.Duration, enters func(int) bool) (sent int) {
	t.Helper()
	type code struct {
		number string
		at     time.Time
	}
	var waiting []code
	site := w.Notes.Site.ID
	for i := range n {
		w.Clock.Advance(pause)
		for len(waiting) > 0 && w.Clock.Now().Sub(waiting[0].at) >= delay {
			one := waiting[0]
			waiting = waiting[1:]
			write(t, w, func(ctx context.Context, tx *store.Tx) error { return limit.Entered(ctx, tx, site, one.number, one.at) })
		}
		to := number(i)
		if err := w.SMS.Reaches(t.Context(), site, to); err != nil {
			if !otl.Is(err, "sms_stopped") {
				t.Fatal(err)
			}
			return i
		}
		now := w.Clock.Now()
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			_, err := limit.Sent(ctx, tx, site, to, now)
			return err
		})
		if enters(i) {
			waiting = append(waiting, code{to, now})
		}
	}
	return n
}

func write(t *testing.T, w *otltest.World, do func(context.Context, *store.Tx) error) {
	t.Helper()
	if err := w.Store.Write(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

// spread gives numbers that are no neighbours of each other, in one network.
func spread(i int) string { return fmt.Sprintf("+49170%04d%04d", i, i%7) }

// TestOT20_PumpingIsStopped: codes that nobody enters, at three speeds, and with so few
// entered that they do not pay for the rest. What is spent stays far below the daily cap.
func TestOT20_PumpingIsStopped(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		never := func(int) bool { return false }
		if sent := traffic(t, w, spread, 2000, 10*time.Second, time.Minute, never); sent < 50 || sent > 150 {
			t.Errorf("stopped after %d", sent)
		}
		// Another range, and another site, go on.
		if err := w.SMS.Reaches(t.Context(), w.Notes.Site.ID, "+4915155501000"); err != nil {
			t.Error(err)
		}
		if err := w.SMS.Reaches(t.Context(), w.Shop.Site.ID, spread(1)); err != nil {
			t.Error(err)
		}
		stops, err := w.SMS.Stops(t.Context())
		if err != nil || len(stops) != 1 || stops[0].Prefix != "+49170" || stops[0].SiteID != w.Notes.Site.ID {
			t.Errorf("%+v %v", stops, err)
		}
		// Lifted, it counts anew, and is stopped again.
		lift := func() error {
			return w.SMS.Lift(t.Context(), w.Notes.Site.ID, "+49170", otl.Event{ID: "evt_" + fmt.Sprint(w.Clock.Now().UnixNano()), Type: otl.EventSMSResumed, SiteID: w.Notes.Site.ID, CreatedAt: w.Clock.Now()})
		}
		if err := lift(); err != nil {
			t.Fatal(err)
		}
		if err := lift(); !otl.Is(err, "not_found") {
			t.Error(err)
		}
		if sent := traffic(t, w, spread, 2000, time.Second, time.Minute, func(i int) bool { return i%6 == 0 }); sent < 50 || sent > 700 {
			t.Errorf("one in six entered: stopped after %d", sent)
		}
		if err := lift(); err != nil {
			t.Fatal(err)
		}
		if sent := traffic(t, w, spread, 400, 10*time.Minute, time.Minute, never); sent < 50 || sent > 60 {
			t.Errorf("slowly: stopped after %d", sent)
		}
	})
}

// TestOT20_NormalTrafficIsNeverStopped: in bursts, slowly, with half or a quarter of the
// codes given up, and entered as late as they can be.
func TestOT20_NormalTrafficIsNeverStopped(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		for i, c := range []struct {
			pause, delay time.Duration
			enters       func(int) bool
		}{
			{time.Second, 20 * time.Second, func(int) bool { return true }},
			{100 * time.Millisecond, 4 * time.Minute, func(int) bool { return true }},
			{30 * time.Second, 299 * time.Second, func(i int) bool { return i%2 == 0 }},
			{10 * time.Second, time.Minute, func(i int) bool { return i%4 == 0 }},
		} {
			network := fmt.Sprintf("+4915%d", i)
			number := func(n int) string { return fmt.Sprintf("%s%04d%04d", network, n, n%7) }
			if sent := traffic(t, w, number, 300, c.pause, c.delay, c.enters); sent != 300 {
				t.Errorf("trace %d was stopped after %d", i, sent)
			}
		}
	})
}
