package limit_test

import (
	"context"
	"errors"
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

// TestOT20_ATelephoneOfItsOwnHoldsNoBrakeOpen: a site enters every code it sends to one number of
// its own, a fifth of all, and is stopped all the same.
func TestOT20_ATelephoneOfItsOwnHoldsNoBrakeOpen(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		own := func(i int) bool { return i%4 == 0 }
		number := func(i int) string {
			if own(i) {
				return spread(0)
			}
			return spread(i)
		}
		if sent := traffic(t, w, number, 400, time.Minute, time.Minute, own); sent == 400 {
			t.Errorf("%d SMS and no stop", sent)
		}
	})
}

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

// TestOT20_PremiumRangesAreRefused: wherever SMS are sent to, numbers that cost more or pay
// somebody are not among them, unless the operator names their range; mobile numbers are.
func TestOT20_PremiumRangesAreRefused(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		reaches := func(number string, codes ...string) bool {
			s := w.SMS
			s.Numbers = codes
			err := s.Reaches(t.Context(), w.Notes.Site.ID, number)
			if err != nil && !errors.Is(err, limit.ErrNumber) {
				t.Fatal(err)
			}
			return err == nil
		}
		for number, code := range map[string]string{
			"+19005550100": "1", "+979312345678": "979", "+881612345678": "881", "+447012345678": "44", "+449012345678": "44", "+4990012345678": "49", "+4913712345678": "49",
			"+33899123456": "33", "+34803123456": "34", "+31906123456": "31", "+390899123456": "39", "+39899123456": "39", "+48700123456": "48", "+41900123456": "41", "+78091234567": "7",
		} {
			if number == "+390899123456" { // Salerno, which is no premium range
				if !reaches(number, code) {
					t.Error(number)
				}
				continue
			}
			if reaches(number, "*") || len(code) < 3 && reaches(number, code) {
				t.Errorf("SMS go to %s", number)
			}
			if !reaches(number, "33", number[1:6]) {
				t.Errorf("%s is not sent to though its range is named", number)
			}
		}
		for _, number := range []string{"+12025550100", "+447700900123", "+491705550100", "+33612345678", "+34612345678", "+31612345678", "+393451234567", "+48512345678", "+41781234567", "+79161234567", "+61412345678", "+46701234567", "+4741234567", "+4520123456", "+436641234567", "+358401234567", "+420601123456", "+351912345678", "+32470123456"} {
			if !reaches(number, "*") || !reaches(number, number[1:3], number[1:2], number[1:4]) || reaches(number, "99") {
				t.Errorf("%s", number)
			}
		}
	})
}
