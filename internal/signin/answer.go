package signin

import (
	"net/url"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// Answer is what a browser takes back to a site, or to a page of ours.
type Answer struct {
	To   string     // address
	Form url.Values // what it posts there; nil where it is sent there by a redirect
}

// ModeForm is the Mode of a request whose answer the browser posts (OAuth 2.0 Form Post
// Response Mode).
const ModeForm = "form_post"

// Back gives the way back to a site with an answer, in pairs of a name and a value, the
// state it sent, and who answers (RFC 9207). The address's own query stays.
func (s *Flows) Back(a otl.Asked, pairs ...string) Answer {
	if a.State != "" {
		pairs = append(pairs, "state", a.State)
	}
	pairs = append(pairs, "iss", s.Issuer)
	if a.Mode == ModeForm {
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return Answer{a.Redirect, form}
	}
	var to strings.Builder
	to.WriteString(a.Redirect)
	join := "?"
	if strings.Contains(a.Redirect, "?") {
		join = "&"
	}
	for i := 0; i < len(pairs); i += 2 {
		to.WriteString(join + pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
		join = "&"
	}
	return Answer{To: to.String()}
}
