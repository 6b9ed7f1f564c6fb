package native

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// feed is the list of ended sessions for sites that verify tokens by themselves
// (decision D18).
type feed struct{ *Surface }

type listRevocationsIn struct {
	Cursor string `query:"cursor" json:"-" doc:"cursor of the answer before."`
	Wait   int    `query:"wait" json:"-" doc:"Seconds to hold an empty answer back, 0 to 60."`
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 200 if left out."`
}

type revocationOut struct {
	UserID         string    `json:"user_id"`
	SessionID      *string   `json:"session_id" doc:"The session of your site that ended; null where another one did."`
	SessionVersion int       `json:"session_version" doc:"The person's tokens with a lower one are void; 0 where it was not raised."`
	At             time.Time `json:"at"`
}

type revocationsOut struct {
	Data   []revocationOut `json:"data"`
	Cursor string          `json:"cursor" doc:"Where to go on; never null."`
}

// maxWait is how long an empty answer is held back at most, in seconds.
const maxWait = 60

func (s feed) list(c *call, in *listRevocationsIn) (*revocationsOut, error) {
	if in.Wait < 0 || in.Wait > maxWait {
		return nil, otl.InvalidField("wait", "out_of_range", "must be an integer from 0 to 60")
	}
	if in.Limit == 0 {
		in.Limit = maxLimit
	}
	_, limit, err := s.after(paging{limit: in.Limit}, "")
	if err != nil {
		return nil, err
	}
	if in.Cursor == "" {
		newest, err := s.Feed.Newest(c.ctx)
		return &revocationsOut{[]revocationOut{}, s.at(c, newest)}, err
	}
	after, err := s.position(c, in.Cursor)
	if err != nil {
		return nil, err
	}
	req, ctx := otl.RequestOf(c.ctx), c.ctx
	if in.Wait > 0 && req.Patient != nil {
		var cancel context.CancelFunc
		ctx, cancel = req.Patient(time.Duration(in.Wait) * time.Second)
		defer cancel()
	}
	found, after, err := s.Feed.Since(ctx, req.Stopping, c.site.ID, after, limit, in.Wait > 0)
	if err != nil {
		return nil, err
	}
	out := &revocationsOut{make([]revocationOut, len(found)), s.at(c, after)}
	for i, r := range found {
		out.Data[i] = newRevocationOut(r)
	}
	return out, nil
}

func newRevocationOut(r otl.Revocation) revocationOut {
	out := revocationOut{UserID: r.UserID, SessionVersion: r.SessionVersion, At: r.At}
	if r.SessionID != "" {
		out.SessionID = &r.SessionID
	}
	return out
}

// at gives the cursor of a site at a position of the feed.
func (s feed) at(c *call, seq int64) string {
	return s.cursor(strconv.FormatInt(seq, 10), "revocations|"+c.site.ID)
}

func (s feed) position(c *call, cursor string) (int64, error) {
	id, err := s.cursorID(cursor, "revocations|"+c.site.ID)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(id, 10, 64) // one of ours: it is authenticated
}

// Bounds of a stream: after streamTime the client connects again, which sheds
// those that are gone; after quiet without an entry a comment shows that the
// stream lives.
const (
	streamTime = 10 * time.Minute
	quiet      = 15 * time.Second
)

// stream sends entries as server-sent events (WHATWG HTML, section 9.2) until
// the client goes, the server stops or streamTime is over. It goes on behind the
// cursor in the query or in Last-Event-ID.
func (s feed) stream(c *call, w http.ResponseWriter) error {
	cursor := c.r.Header.Get("Last-Event-ID")
	if cursor == "" {
		cursor = c.r.URL.Query().Get("cursor")
	}
	after, err := s.Feed.Newest(c.ctx)
	if err == nil && cursor != "" {
		after, err = s.position(c, cursor)
	}
	if err != nil {
		return err
	}
	req := otl.RequestOf(c.ctx)
	ctx, cancel := req.Patient(streamTime)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	// The first thing sent is where the stream stands: a client that is cut off
	// before the first entry comes back with it, and misses none.
	err = send(w, nil, s.at(c, after))
	for err == nil && flush.Flush() == nil && ctx.Err() == nil {
		part, done := context.WithTimeout(ctx, quiet)
		var found []otl.Revocation
		found, after, err = s.Feed.Since(part, req.Stopping, c.site.ID, after, maxLimit, true)
		done()
		if err != nil {
			break // the head has gone out; the client comes back with its cursor
		}
		err = send(w, found, s.at(c, after))
		select {
		case <-req.Stopping:
			return nil
		default:
		}
	}
	return nil // the client has gone, or it is time that it connects again
}

// send writes entries as one event that carries the cursor behind them. Where
// there are none it writes the cursor alone, which a client remembers and which
// is no event to it.
func send(w http.ResponseWriter, found []otl.Revocation, cursor string) error {
	if len(found) == 0 {
		_, err := w.Write([]byte(": quiet\nid: " + cursor + "\n\n"))
		return err
	}
	out := make([]revocationOut, len(found))
	for i, r := range found {
		out[i] = newRevocationOut(r)
	}
	b, err := json.Marshal(revocationsOut{out, cursor})
	if err != nil {
		return err
	}
	_, err = w.Write([]byte("id: " + cursor + "\ndata: " + string(b) + "\n\n"))
	return err
}
