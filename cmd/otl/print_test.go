package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestTableIsNotSteeredByWhatItShows(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	table(&b, []string{"ID", "USER AGENT"}, []string{"plain", "a\tb\nc", "\x1b]0;title\x07x", "", "wide ünïcödé"}, func(s string) []string { return []string{"1", s} })
	want := "ID  USER AGENT\n1   plain\n1   a b c\n1   ]0;title x\n1\n1   wide ünïcödé\n"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
}

func TestPairsHaveAnOrder(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]map[string]string{
		"":            nil,
		"a=1 b=2 c=3": {"c": "3", "a": "1", "b": "2"},
		"a=1":         {"a": "1", "owner": ""},
	} {
		if got := pairs(m); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTimesAreOfOneZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 5*3600+1800))
	if got := moment(at); got != "2026-01-01 21:34Z" {
		t.Errorf("got %s", got)
	}
	if got := momentOr(nil, "never"); got != "never" {
		t.Errorf("got %s", got)
	}
	if optionalTime(time.Time{}) != nil || *optionalTime(at) != at {
		t.Error("no time must be nil, any other itself")
	}
	if n := now(); n.Location() != time.UTC || n.Nanosecond()%int(time.Millisecond) != 0 {
		t.Errorf("%s is not as it would be stored", n)
	}
}

// broken is a standard output that is full or gone.
type broken struct{ after int }

func (b *broken) Write(p []byte) (int, error) {
	if b.after -= len(p); b.after < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

// TestResultsAreNotLostInSilence: a key that was shown once to a full disk is
// gone, and the exit code must say so.
func TestResultsAreNotLostInSilence(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"version"},
		{"version", "--json"},
		{"config", "env"},
		{"openapi"},
		{"--help"},
		{"help"},
		{"sites", "create", "--name", "Notes", "--data", t.TempDir()},
	} {
		for _, after := range []int{0, 3} {
			var errs strings.Builder
			code := run(t.Context(), args, nil, nil, &broken{after}, &errs)
			if code != exitFailed || !strings.HasSuffix(errs.String(), "otl: write standard output: no space left on device\n") {
				t.Errorf("%v: code %d, %q", args, code, errs.String())
			}
		}
	}
}

func TestDevLogIsForPeople(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	level := new(slog.LevelVar)
	log := slog.New(newDevHandler(&b, level))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	write := func(l *slog.Logger, level slog.Level, msg string, args ...any) {
		r := slog.NewRecord(at, level, msg, 0)
		r.Add(args...)
		if l.Enabled(context.Background(), level) {
			if err := l.Handler().Handle(context.Background(), r); err != nil {
				t.Error(err)
			}
		}
	}
	request := []any{"request_id", "7f3c2a54-0000", "route", "POST /api/auth/login", "method", "POST", "status", 200, "dur_ms", 38.25, "bytes", 9, "site_id", "S"}
	write(log, slog.LevelInfo, "request", request...)
	write(log, slog.LevelInfo, "request", append(request, "err", "no such\n\x1b[31muser")...)
	write(log.With("job", "prune").WithGroup("g"), slog.LevelWarn, "slow", "dur_ms", 51)
	write(log, slog.LevelDebug, "hidden")
	level.Set(slog.LevelDebug)
	write(log, slog.LevelDebug, "shown")
	want := "03:04:05  POST /api/auth/login                     200    38.25 ms  req 7f3c2a54\n" +
		"03:04:05  POST /api/auth/login                     200    38.25 ms  req 7f3c2a54  no such  [31muser\n" +
		"03:04:05  WARN  slow  job=prune dur_ms=51\n" +
		"03:04:05  DEBUG shown\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestLoggerFormats(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"json": `"msg":"hello"`, "text": "msg=hello", "auto": `"msg":"hello"`} { // a buffer is no terminal
		var b bytes.Buffer
		a := &app{stderr: &b, stdout: io.Discard, environ: []string{"OTL_LOG_FORMAT=" + format, "OTL_LOG_LEVEL=warn"}}
		c, err := a.load(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		log := a.logger(c, new(slog.LevelVar))
		log.Info("hidden")
		log.Warn("hello")
		if !strings.Contains(b.String(), want) || strings.Contains(b.String(), "hidden") {
			t.Errorf("%s: %q", format, b.String())
		}
	}
}
