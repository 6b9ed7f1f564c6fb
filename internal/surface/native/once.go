package native

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/once"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/wire"
)

// Headers of requests that may be repeated.
const (
	headerOnce     = "Idempotency-Key"
	headerReplayed = "Idempotent-Replayed"
)

// repeatable reports whether an operation keeps its answer for whoever asks again
// with the same Idempotency-Key (HT-14): whatever creates something. To the
// others it makes no difference to be asked twice, or they must not be: a
// password is checked anew each time.
func (o *operation) repeatable() bool {
	return o.method == http.MethodPost && o.success == http.StatusCreated
}

// kept is an answer as it is stored.
type kept struct {
	ETag string          `json:"etag,omitempty"`
	Body json.RawMessage `json:"body"`
}

// again does what creates something and shapes its result, in the answer as in
// what is kept of it.
func again[Result, Out any](c *call, shape func(Result) *Out, do func(context.Context) (Result, error)) (*Out, error) {
	if o := otl.RequestOf(c.ctx).Once; o != nil {
		seal := o.Seal
		o.Seal = func(result any) ([]byte, error) { return seal(shape(result.(Result))) }
	}
	result, err := do(c.ctx)
	if err != nil {
		return nil, err
	}
	return shape(result), nil
}

// seal makes what is kept of an answer.
func seal(out any) ([]byte, error) {
	body, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return json.Marshal(kept{etag(out), body})
}

// once answers a request with what was answered to it before, or else with what
// act does. An act that fails has had no effect and may be tried again under the
// same key.
func (s *Surface) once(w http.ResponseWriter, c *call, o *operation, act func() error) error {
	sent := c.r.Header.Values(headerOnce)
	if !o.repeatable() || len(sent) == 0 {
		return act()
	}
	r := once.Request{Caller: c.owner(), Key: strings.Join(sent, ", "), Asked: c.asked(o)}
	held, done, err := s.Once.Begin(r, seal)
	if err != nil {
		return err
	}
	defer done()
	if replayed, err := s.replay(w, c, o, held, r); replayed || err != nil {
		return err
	}
	otl.RequestOf(c.ctx).Once = held
	failed := act()
	if failed == nil {
		return nil
	}
	// Another node may have been asked at the same time: then it was done.
	if replayed, err := s.replay(w, c, o, held, r); replayed || errors.Is(err, once.ErrOther) {
		return err
	}
	return failed
}

func (s *Surface) replay(w http.ResponseWriter, c *call, o *operation, held *otl.Once, r once.Request) (bool, error) {
	raw, err := s.Once.Answer(c.ctx, held, r)
	if raw == nil || err != nil {
		return false, err
	}
	var k kept
	if err := json.Unmarshal(raw, &k); err != nil {
		return false, err
	}
	w.Header().Set(headerReplayed, "true")
	if k.ETag != "" {
		w.Header().Set("ETag", k.ETag)
	}
	wire.JSON(w, o.success, k.Body)
	return true, nil
}

// owner names whose Idempotency-Keys a request uses: those of the site of its
// key, else the person's.
func (c *call) owner() string {
	if c.key.ID != "" {
		return "site " + c.key.SiteID
	}
	return "person " + c.bearer.User.ID + " at " + c.bearer.Site.ID
}

// asked is everything a request asks for: the operation, what its path names and
// the members of its body, in whatever order and spacing they were sent.
func (c *call) asked(o *operation) string {
	all := []string{o.id}
	for _, p := range o.params {
		if p.where == "path" {
			all = append(all, c.r.PathValue(p.name))
		}
	}
	var body any
	if err := json.Unmarshal(c.body, &body); err == nil { // checked before; empty where it may be
		plain, _ := json.Marshal(body) // what was just read can be written
		all = append(all, string(plain))
	}
	return strings.Join(all, "\x00")
}
