package outbox

import (
	"net/http"
	"testing"
	"time"
)

// FuzzRetryAfter: whatever a receiver asks for, it waits between nothing and a day.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, s := range []string{"", "0", "120", "-1", "86401", "9223372036854775807", "99999999999999999999", "1e3", " 7", now.Format(http.TimeFormat), now.Add(time.Hour).Format(time.RFC850), now.AddDate(300, 0, 0).Format(http.TimeFormat)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := asked(s, now); d < 0 || d > longestWait {
			t.Fatalf("%q waits %v", s, d)
		}
	})
}
