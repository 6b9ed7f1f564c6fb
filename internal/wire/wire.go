// Package wire owns what every HTTP surface does alike with an answer, whatever its
// shape: what the log learns of an error, the status of its kind, when to come back,
// what is served by which methods, what a body is said to be, which pages of other origins
// may read an answer, and JSON that nobody keeps.
package wire

import (
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Failed notes an error in its request, for the log, and gives it as it is to be
// answered; when to come back stands in the header already (RFC 9110 section 10.2.3).
// What breaks because the time of a request is over, or its client gone, is no fault
// of ours: it becomes otl.Busy.
func Failed(w http.ResponseWriter, r *http.Request, err error) *otl.Error {
	otl.RequestOf(r.Context()).Err = err
	e := otl.As(err)
	if e.Kind == otl.Internal && r.Context().Err() != nil {
		e = otl.Busy(time.Second).Because(err)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	return e
}

// Status gives the HTTP status of an error. Wires of others that know no 422 or no 409
// say so themselves.
func Status(e *otl.Error) int {
	switch e.Code {
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeMediaType:
		return http.StatusUnsupportedMediaType
	case CodeMethod:
		return http.StatusMethodNotAllowed
	}
	switch e.Kind {
	case otl.Malformed:
		return http.StatusBadRequest
	case otl.Invalid:
		return http.StatusUnprocessableEntity
	case otl.Unauthenticated:
		return http.StatusUnauthorized
	case otl.Forbidden:
		return http.StatusForbidden
	case otl.NotFound:
		return http.StatusNotFound
	case otl.Conflict:
		return http.StatusConflict
	case otl.Limited:
		return http.StatusTooManyRequests
	case otl.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Unread says how an address is fetched that nobody reads, as far as the request tells: by
// "head", or as a "prefetch" of a visit that may never come. It is "" for all others.
func Unread(r *http.Request) string {
	switch h := r.Header; {
	case r.Method == http.MethodHead:
		return "head"
	case h.Get("Sec-Purpose") != "", h.Get("Purpose") == "prefetch", h.Get("X-Moz") == "prefetch", h.Get("X-Purpose") == "preview":
		return "prefetch"
	}
	return ""
}

// Media types of bodies.
const (
	MediaJSON = "application/json"
	MediaForm = "application/x-www-form-urlencoded"
)

// Sends reports whether the body of a request is said to be of a media type: by one header, in
// UTF-8 where a charset is named, and as it is (HT-07, RFC 9110 section 8.3). What another
// program reads in another way is not guessed at.
func Sends(r *http.Request, kind string) bool {
	given := r.Header.Values("Content-Type")
	if len(given) != 1 || r.Header.Get("Content-Encoding") != "" {
		return false
	}
	got, params, err := mime.ParseMediaType(given[0])
	charset := params["charset"]
	return err == nil && got == kind && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// JSON sends a value, which no cache keeps unless the header allows it already
// (Cache-Control). The answer is whole before the first byte goes out; a value that
// cannot be marshalled is a mistake of ours, and panics.
func JSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", MediaJSON)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // a client that went away is no error of ours
}
