package pages

import (
	"context"
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Bounds of a stream to a page that waits: after listenTime the browser connects again, which sheds pages that
// are gone; as often as listenQuiet a comment shows that the stream lives.
const (
	listenTime  = 5 * time.Minute
	listenQuiet = 15 * time.Second
)

// What a stream says (WHATWG HTML section 9.2): when to connect again, that there is nothing new, and that the link
// was opened.
const (
	heardFirst = "retry: 3000\n\n"
	heardQuiet = ": waiting\n\n"
	heardReady = "event: ready\ndata: {}\n\n"
)

// listen tells the script of a page that waits, by one server-sent event, that the link was opened elsewhere. Where no more are told
// it answers 204, by which a browser knows not to ask again, and the page asks wait now and then.
func (p sending) listen(w http.ResponseWriter, r *http.Request) error {
	v, err := p.visit(r)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	leave, ok := p.Listeners.Enter(v.ID)
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that collects what it passes on is not to
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	req := otl.RequestOf(r.Context())
	ctx, cancel := req.Patient(listenTime)
	defer cancel()
	flush := http.NewResponseController(w)
	for said := heardFirst; ctx.Err() == nil; said = heardQuiet {
		if _, err := w.Write([]byte(said)); err != nil || flush.Flush() != nil {
			return nil // the browser has gone
		}
		part, done := context.WithTimeout(ctx, listenQuiet)
		ready, err := p.Listeners.Await(part, req.Stopping, v.ID)
		done()
		if ready {
			_, err = w.Write([]byte(heardReady))
		}
		if ready || err != nil {
			return nil // the head has gone out: of a visit that is over the browser hears when it asks again
		}
		select {
		case <-req.Stopping:
			return nil
		default:
		}
	}
	return nil
}
