package wire

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// Codes of errors that only a wire can have.
const (
	CodeTooLarge  = "body_too_large"
	CodeMediaType = "unsupported_media_type"
	CodeMethod    = "method_not_allowed"
	CodeNoPath    = "no_such_path"
)

// TooLarge is the error for a body that is longer than limit bytes (HT-03).
func TooLarge(limit int64) *otl.Error {
	return &otl.Error{Kind: otl.Malformed, Code: CodeTooLarge, Text: "The body is larger than " + strconv.FormatInt(limit, 10) + " bytes."}
}

// Mux is an http.ServeMux that knows what it serves. What it does not serve it leaves to the
// surface as an error: method_not_allowed, with Allow in the header, where the path takes
// other methods (RFC 9110 section 15.5.6), else no_such_path.
type Mux struct {
	mux      *http.ServeMux
	patterns []string
	fail     func(http.ResponseWriter, *http.Request, error)
}

// NewMux gives one that serves nothing yet; fail words its errors.
func NewMux(fail func(http.ResponseWriter, *http.Request, error)) *Mux {
	m := &Mux{mux: http.NewServeMux(), fail: fail}
	m.mux.HandleFunc("/", m.unmatched)
	return m
}

// HandleFunc serves a pattern, "METHOD /path", as http.ServeMux does.
func (m *Mux) HandleFunc(pattern string, h http.HandlerFunc) {
	m.patterns = append(m.patterns, pattern)
	m.mux.HandleFunc(pattern, h)
}

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

// Patterns gives what is served, in the order it was declared in.
func (m *Mux) Patterns() []string { return m.patterns }

// Serves reports whether the address of a request takes a method.
func (m *Mux) Serves(method string, r *http.Request) bool {
	_, pattern := m.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host})
	return pattern != "/"
}

func (m *Mux) unmatched(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, one := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut} {
		if m.Serves(one, r) {
			methods = append(methods, one)
		}
	}
	if len(methods) == 0 {
		m.fail(w, r, &otl.Error{Kind: otl.NotFound, Code: CodeNoPath, Text: "No such path."})
		return
	}
	allowed := strings.Join(methods, ", ")
	w.Header().Set("Allow", allowed)
	m.fail(w, r, &otl.Error{Kind: otl.Malformed, Code: CodeMethod, Text: "This path takes " + allowed + "."})
}
