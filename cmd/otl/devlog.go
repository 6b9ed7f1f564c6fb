package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// devHandler writes log records for somebody who watches: one short line a
// request, the rest as it comes.
type devHandler struct {
	mu    *sync.Mutex
	out   io.Writer
	level slog.Leveler
	attrs []slog.Attr
}

func newDevHandler(out io.Writer, level slog.Leveler) *devHandler {
	return &devHandler{mu: new(sync.Mutex), out: out, level: level}
}

// Enabled implements slog.Handler.
func (h *devHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithAttrs implements slog.Handler.
func (h *devHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr{}, h.attrs...), attrs...)
	return &c
}

// WithGroup implements slog.Handler. Groups are not shown.
func (h *devHandler) WithGroup(string) slog.Handler { return h }

// Handle implements slog.Handler.
func (h *devHandler) Handle(_ context.Context, r slog.Record) error {
	values := map[string]string{}
	var rest []string
	take := func(a slog.Attr) bool {
		values[a.Key] = a.Value.String()
		rest = append(rest, a.Key+"="+a.Value.String())
		return true
	}
	for _, a := range h.attrs {
		take(a)
	}
	r.Attrs(take)
	line := fmt.Sprintf("%s  %-5s %s  %s", r.Time.Format("15:04:05"), r.Level, r.Message, strings.Join(rest, " "))
	if r.Message == "request" {
		line = fmt.Sprintf("%s  %-40s %s  %7s ms  req %.8s  %s", r.Time.Format("15:04:05"), values["route"], values["status"],
			values["dur_ms"], values["request_id"], values["err"])
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, strings.TrimRight(visible(line), " ")+"\n")
	return err
}
