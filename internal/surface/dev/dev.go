package dev

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Dev serves /dev/….
type Dev struct {
	Inbox   *outbox.Inbox
	Clock   *Clock
	Catcher *Catcher
	// Fail answers an error in the shape of the API.
	Fail func(http.ResponseWriter, *http.Request, error)

	mux       *http.ServeMux
	templates *template.Template
}

// New builds the surface.
func New(inbox *outbox.Inbox, clock *Clock, fail func(http.ResponseWriter, *http.Request, error)) *Dev {
	d := &Dev{Inbox: inbox, Clock: clock, Catcher: &Catcher{Now: clock.Now}, Fail: fail, mux: http.NewServeMux(), templates: template.Must(template.ParseFS(templateFiles, "templates/*.html"))}
	d.mux.HandleFunc("GET /dev/inbox", d.page)
	d.mux.HandleFunc("GET /dev/inbox/{id}", d.letter)
	d.mux.HandleFunc("GET /dev/inbox.json", d.list)
	d.mux.HandleFunc("DELETE /dev/inbox.json", d.empty)
	d.mux.HandleFunc("GET /dev/clock", d.now)
	d.mux.HandleFunc("POST /dev/clock", d.move)
	d.mux.HandleFunc("/dev/catch/{name}", d.catch)
	d.mux.HandleFunc("POST /dev/catch/{name}/behaviour", d.behave)
	d.mux.HandleFunc("GET /dev/catch", d.caughtPage)
	d.mux.HandleFunc("GET /dev/catch.json", d.listCaught)
	d.mux.HandleFunc("DELETE /dev/catch.json", d.emptyCaught)
	d.mux.HandleFunc("/", d.missing)
	return d
}

// policy of the pages: what this server serves, and nothing else.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// letterPolicy lets a mail look as it does in a mailbox, and do nothing.
const letterPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"

// ServeHTTP implements http.Handler. A page of another site may not use it: what
// is in the inbox signs people in.
func (d *Dev) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		d.Fail(w, r, &otl.Error{Kind: otl.Forbidden, Code: "cross_site", Text: "Another site may not call this."})
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Cache-Control", "no-store")
	d.mux.ServeHTTP(w, r)
}

func (d *Dev) missing(w http.ResponseWriter, r *http.Request) {
	d.Fail(w, r, &otl.Error{Kind: otl.NotFound, Code: "no_such_path", Text: "No such path."})
}

// received is one letter as inbox.json shows it.
type received struct {
	ID        string      `json:"id"`
	Channel   otl.Channel `json:"channel"`
	To        string      `json:"to"`
	From      string      `json:"from"`
	Subject   string      `json:"subject"`
	Text      string      `json:"text"`
	HTML      string      `json:"html"`
	Code      string      `json:"code"`
	Link      string      `json:"link"`
	CreatedAt time.Time   `json:"created_at"`
}

func (d *Dev) letters(to string) []received {
	out := []received{}
	for _, l := range d.Inbox.Letters(to) {
		from := l.Sender
		if l.Channel == otl.ChannelSMS {
			from = l.From
		}
		out = append(out, received{l.ID, l.Channel, l.To, from, l.Subject, l.Text, l.HTML, l.Code, l.Link, l.At})
	}
	return out
}

func (d *Dev) list(w http.ResponseWriter, r *http.Request) {
	answer(w, map[string]any{"messages": d.letters(r.URL.Query().Get("to"))})
}

func (d *Dev) empty(w http.ResponseWriter, _ *http.Request) {
	d.Inbox.Empty()
	answer(w, map[string]any{"messages": []received{}})
}

func (d *Dev) page(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := d.templates.ExecuteTemplate(&b, "inbox.html", d.letters(r.URL.Query().Get("to"))); err != nil {
		panic(err) // a template of ours; the server answers 500
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// dark makes of a mail what mailboxes do that turn its colours round where it is dark.
const dark = "<style>html{filter:invert(1) hue-rotate(180deg)}img{filter:invert(1) hue-rotate(180deg)}</style>"

// letter shows a mail as a mailbox would: in the light, in the dark, or as text.
func (d *Dev) letter(w http.ResponseWriter, r *http.Request) {
	for _, l := range d.letters("") {
		if l.ID == r.PathValue("id") && l.HTML != "" {
			w.Header().Set("Content-Security-Policy", letterPolicy)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			switch r.URL.Query().Get("as") {
			case "text":
				w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				_, _ = io.WriteString(w, l.Text)
			case "dark":
				_, _ = io.WriteString(w, strings.Replace(l.HTML, "</head>", dark+"</head>", 1))
			default:
				_, _ = io.WriteString(w, l.HTML)
			}
			return
		}
	}
	d.missing(w, r)
}

func (d *Dev) now(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]time.Time{"now": d.Clock.Now()})
}

// maxMove is the longest body that moves the clock, in bytes.
const maxMove = 1 << 10

func (d *Dev) move(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Advance string `json:"advance"`
		Reset   bool   `json:"reset"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMove))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		d.Fail(w, r, &otl.Error{Kind: otl.Malformed, Code: "malformed_json", Text: `Send {"advance":"31m"} or {"reset":true}.`})
		return
	}
	var err error
	if in.Reset {
		err = d.Clock.Reset()
	}
	if in.Advance != "" && err == nil {
		by, bad := time.ParseDuration(in.Advance)
		if err = d.Clock.Advance(by); bad != nil {
			err = errClock
		}
	}
	if errors.Is(err, errClock) {
		err = otl.InvalidField("advance", "out_of_range", errClock.Error())
	}
	if err != nil {
		d.Fail(w, r, err)
		return
	}
	d.now(w, r)
}

func answer(w http.ResponseWriter, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // types of ours
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
}
