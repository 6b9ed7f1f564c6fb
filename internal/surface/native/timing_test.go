package native_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestTiming measures whether time tells who has an address or a number (OT-10, PW-09), with the
// limits and the hash of a server that runs. It asserts nothing: `make timing` prints the
// figures for somebody to read.
func TestTiming(t *testing.T) {
	samples := otltest.Samples(t)
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) {
		o.Limits, o.Argon2 = true, secret.Argon2{Memory: 19 << 10, Time: 2, Threads: 1}
	})
	people := (samples+samples/10)/otltest.PerPerson + 1
	known, proven := []string{"member", "elsewhere", "disabled", otltest.Nobody}, []string{"member", "unproven", "disabled", otltest.Nobody}
	for k, one := range []struct {
		path  string
		kinds []string
		phone bool // they are named by their numbers
		body  map[string]string
		first string // what a code is sent by that the call is wrong about
	}{
		{"/api/v1/auth/otp/send", known, false, nil, ""},
		{"/api/v1/auth/otp/send", proven, false, map[string]string{"channel": "sms"}, ""},
		{"/api/v1/auth/otp/send", known, true, nil, ""},
		{"/api/v1/auth/link/send", known, false, map[string]string{"callback_url": "https://notes.test/callback"}, ""},
		{"/api/v1/auth/password/forgot", known, false, nil, ""},
		{"/api/v1/auth/otp/verify", known, false, map[string]string{"code": "123456"}, "/api/v1/auth/otp/send"},
		{"/api/v1/auth/otp/verify", known, true, map[string]string{"code": "123456"}, "/api/v1/auth/otp/send"},
		{"/api/v1/auth/login", known, false, map[string]string{"password": "wrong-horse-7"}, ""},
	} {
		crowds := make([]otltest.Crowd, people)
		for n := range crowds {
			crowds[n] = w.Crowd(t, k*people+n, one.kinds...)
		}
		name := one.path + " " + one.body["channel"]
		if one.phone {
			name = one.path + " by number"
		}
		otltest.Compare(name, samples, one.kinds, func(i int, kind string) time.Duration {
			w.Clock.Advance(70 * time.Minute) // beyond any pause, and below the limits of a day
			named := crowds[i/otltest.PerPerson].Of(kind)
			who := map[string]string{"email": named.Email}
			if one.phone {
				who = map[string]string{"phone": named.Phone}
			}
			if one.first != "" {
				w.Do(t, otltest.Call{Path: one.first, Key: w.Notes.Key, Body: who}).Want(t, http.StatusAccepted)
			}
			maps.Copy(who, one.body)
			began := time.Now()
			r := w.Do(t, otltest.Call{Path: one.path, Key: w.Notes.Key, Body: who})
			spent := time.Since(began)
			if r.Status != http.StatusAccepted && r.Status != http.StatusUnauthorized {
				t.Fatalf("%d %s", r.Status, r.Raw)
			}
			return spent
		})
	}
}
