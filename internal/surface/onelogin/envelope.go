package onelogin

import (
	"net/http"
	"strings"

	"github.com/onetimelogin/otl/internal/wire"
)

// status is the head of every answer of version 1 (contract 2.1).
type status struct {
	Error   bool   `json:"error"`
	Code    int    `json:"code"`
	Type    string `json:"type"`
	Message any    `json:"message"` // a text, or the member at fault
}

// envelope is an answer of version 1.
type envelope struct {
	Status     status      `json:"status"`
	Pagination *pagination `json:"pagination,omitempty"`
	Data       any         `json:"data,omitempty"`
}

// pagination stands in the answers of lists of version 1.
type pagination struct {
	Before       *string `json:"before_cursor"`
	After        *string `json:"after_cursor"`
	PreviousLink *string `json:"previous_link"`
	NextLink     *string `json:"next_link"`
}

// reply is what an operation answers.
type reply struct {
	code int
	body any // nil for none
}

// success is the answer of version 1 to what was done.
func success(data any) reply { return done("Success", data) }

// done is success in other words.
func done(message string, data any) reply {
	return reply{http.StatusOK, envelope{Status: status{Code: http.StatusOK, Type: "success", Message: message}, Data: data}}
}

// page is the success of a list of version 1, with where the pages beside it are.
func page(data any, p pagination) reply {
	return reply{http.StatusOK, envelope{Status: status{Code: http.StatusOK, Type: "success", Message: "Success"}, Pagination: &p, Data: data}}
}

// write sends an answer. Its body begins with its first bracket: some clients look
// at nothing else.
func write(w http.ResponseWriter, a reply) {
	if a.body == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(a.code)
		return
	}
	wire.JSON(w, a.code, a.body)
}

// bare reports whether a path is one of version 2, whose answers have no envelope.
func bare(path string) bool { return strings.HasPrefix(path, "/api/2/") }
