package dev

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// Catcher receives webhooks in the place of a site: it keeps what came, and answers
// as it was told to.
type Catcher struct {
	Now func() time.Time

	mu        sync.Mutex
	caught    []caught
	behaviour map[string]*behaviour // by name
}

// Bounds of the catcher.
const (
	maxCaught     = 1000     // requests kept; the oldest go first
	maxCaughtBody = 64 << 10 // bytes of a body kept
	maxCatchers   = 100      // names with a behaviour of their own
	maxCatchDelay = 60_000   // milliseconds
	maxBehaviour  = 1 << 10  // bytes of a body that sets a behaviour
)

// caught is one request as catch.json shows it.
type caught struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Method     string            `json:"method"`
	Path       string            `json:"path"`    // with the query
	Headers    map[string]string `json:"headers"` // names in lower case
	Body       string            `json:"body"`
	ReceivedAt time.Time         `json:"received_at"`
}

// behaviour is how a catcher answers.
type behaviour struct {
	Status  int `json:"status"`   // 200 to 599
	Times   int `json:"times"`    // so often, then 200 again; 0 for always
	DelayMS int `json:"delay_ms"` // before the answer
}

// catch takes a request of any method.
func (d *Dev) catch(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !catcherName().MatchString(name) {
		d.missing(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCaughtBody))
	if err != nil {
		d.Fail(w, r, &otl.Error{Kind: otl.Malformed, Code: "body_unreadable", Text: "The body could not be read, or is larger than 64 KiB."})
		return
	}
	one := caught{Name: name, Method: r.Method, Path: r.URL.RequestURI(), Headers: map[string]string{}, Body: string(body)}
	for k, v := range r.Header {
		one.Headers[strings.ToLower(k)] = strings.Join(v, ", ")
	}
	how := d.Catcher.take(&one)
	if how.DelayMS > 0 {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Duration(how.DelayMS) * time.Millisecond):
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(how.Status)
	if how.Status != http.StatusNoContent && how.Status != http.StatusNotModified {
		_ = json.NewEncoder(w).Encode(map[string]string{"caught": one.ID})
	}
}

func catcherName() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`) }

// take keeps a request and says how to answer it.
func (c *Catcher) take(one *caught) behaviour {
	c.mu.Lock()
	defer c.mu.Unlock()
	one.ReceivedAt = c.Now()
	one.ID = "req_" + secret.NewID(one.ReceivedAt)
	c.caught = append(c.caught, *one)
	if extra := len(c.caught) - maxCaught; extra > 0 {
		c.caught = slices.Delete(c.caught, 0, extra)
	}
	b := c.behaviour[one.Name]
	if b == nil {
		return behaviour{Status: http.StatusOK}
	}
	how := *b
	if b.Times == 1 {
		delete(c.behaviour, one.Name)
	} else if b.Times > 1 {
		b.Times--
	}
	return how
}

// list gives what was caught, newest first; "" for every name.
func (c *Catcher) list(name string) []caught {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []caught{}
	for _, one := range slices.Backward(c.caught) {
		if name == "" || one.Name == name {
			out = append(out, one)
		}
	}
	return out
}

// empty forgets what was caught, and how to answer.
func (c *Catcher) empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caught, c.behaviour = nil, nil
}

func (c *Catcher) set(name string, b behaviour) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behaviour[name] == nil && len(c.behaviour) >= maxCatchers {
		return false
	}
	if c.behaviour == nil {
		c.behaviour = map[string]*behaviour{}
	}
	c.behaviour[name] = &b
	return true
}

// behave says how the catcher of a name answers from now on.
func (d *Dev) behave(w http.ResponseWriter, r *http.Request) {
	in := behaviour{Status: http.StatusOK}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBehaviour))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		d.Fail(w, r, &otl.Error{Kind: otl.Malformed, Code: "malformed_json", Text: `Send {"status":500,"times":2,"delay_ms":0}.`})
		return
	}
	var err error
	switch {
	case !catcherName().MatchString(r.PathValue("name")):
		err = otl.InvalidField("name", "malformed", "must be up to 64 letters, digits, dots, hyphens and underscores")
	case in.Status < 200 || in.Status > 599:
		err = otl.InvalidField("status", "out_of_range", "must be from 200 to 599")
	case in.Times < 0 || in.Times > 1_000_000:
		err = otl.InvalidField("times", "out_of_range", "must be from 0, for always, to 1000000")
	case in.DelayMS < 0 || in.DelayMS > maxCatchDelay:
		err = otl.InvalidField("delay_ms", "out_of_range", "must be from 0 to 60000")
	case !d.Catcher.set(r.PathValue("name"), in):
		err = otl.InvalidField("name", "out_of_range", "is one too many: 100 catchers have a behaviour of their own")
	}
	if err != nil {
		d.Fail(w, r, err)
		return
	}
	answer(w, in)
}

func (d *Dev) listCaught(w http.ResponseWriter, r *http.Request) {
	answer(w, map[string]any{"requests": d.Catcher.list(r.URL.Query().Get("name"))})
}

func (d *Dev) emptyCaught(w http.ResponseWriter, _ *http.Request) {
	d.Catcher.empty()
	answer(w, map[string]any{"requests": []caught{}})
}

func (d *Dev) caughtPage(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := d.templates.ExecuteTemplate(&b, "catch.html", d.Catcher.list(r.URL.Query().Get("name"))); err != nil {
		panic(err) // a template of ours; the server answers 500
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}
