package pages

import (
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// maxForm is the longest body of a form, in bytes.
const maxForm = 64 << 10

// act is what a page does; its error becomes an error page.
type act func(w http.ResponseWriter, r *http.Request) error

// get serves what changes nothing.
func (p *Pages) get(pattern string, do act) {
	p.Mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			p.Fail(w, r, err)
		}
	})
}

// post serves a form. One that another site sends is refused (AD-01): a browser says
// where a form comes from, and the token of the page must come along.
func (p *Pages) post(pattern string, do act) {
	p.Mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) {
		err := p.read(w, r)
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			p.Fail(w, r, err)
		}
	})
}

var errForeign = &otl.Error{Kind: otl.Forbidden, Code: "cross_site", Text: "Another site may not call this."}

// read checks where a form comes from and reads it: each field once, but those of lists.
func (p *Pages) read(w http.ResponseWriter, r *http.Request) error {
	if p.origin.Check(r) != nil {
		return errForeign
	}
	if r.ContentLength != 0 && !wire.Sends(r, wire.MediaForm) {
		return &otl.Error{Kind: otl.Malformed, Code: wire.CodeMediaType, Text: "Send application/x-www-form-urlencoded."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return wire.TooLarge(maxForm)
		}
		return &otl.Error{Kind: otl.Malformed, Code: "form_invalid", Text: "The form could not be read."}
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && name != fieldsField && name != eventsField {
			return otl.InvalidField(name, "duplicate", "must be given once") // PW-16
		}
	}
	if ambient(r) && !secret.SameDigest(secret.Digest(r.PostForm.Get("token")), secret.Digest(token(p.jar.Get(r, cookie.Flow)))) {
		return errForeign
	}
	return nil
}

// ambient reports whether a request carries what its sender need not know. A program
// that only presses a link has no cookies, and another site gains nothing by theirs.
func ambient(r *http.Request) bool { return r.Header.Get("Cookie") != "" }

// token is what every form of a browser carries: nobody can know it who does not hold
// its cookie.
func token(browser secret.Text) string {
	if browser.Empty() {
		return base64.RawURLEncoding.EncodeToString(secret.Bytes(32)) // of nobody
	}
	return base64.RawURLEncoding.EncodeToString(secret.Digest("form|" + browser.Reveal()))
}

// bind gives the value of the cookie that flows of this browser are bound to, and sets
// it where there is none.
func (p *Pages) bind(w http.ResponseWriter, r *http.Request) secret.Text {
	if b := p.jar.Get(r, cookie.Flow); signin.ValidBrowser(b) {
		return b
	}
	b := signin.NewBrowser()
	p.jar.Set(w, cookie.Flow, b, 0)
	return b
}

// Names of check boxes, of which there are several: what a site may see, and what an endpoint is
// told of.
const (
	fieldsField = "fields"
	eventsField = "events"
)
