package pages

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// The longest body of a form, and of one that brings a file along, in bytes. Of the latter
// no more is kept than of the former, so that a file which is too large is refused at its
// field and not with the whole form.
const (
	maxForm   = 64 << 10
	maxUpload = 8 << 20
)

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
func (p *Pages) post(pattern string, do act) { forms{p}.serve(pattern, p.read, do) }

// forms are what browsers send to the pages.
type forms struct{ *Pages }

// upload serves a form that may bring a file along (RFC 7578). Of whoever is not signed in nothing is read
// of it: what he sends is as long as he likes (HT-03).
func (p forms) upload(pattern string, do act) {
	p.serve(pattern, func(w http.ResponseWriter, r *http.Request) error {
		if !wire.Sends(r, mediaParts) {
			return p.read(w, r)
		}
		if err := p.foreign(r); err != nil {
			return err
		}
		who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
		if err != nil {
			return err
		}
		if who.Session.ID == "" {
			r.Body = http.MaxBytesReader(w, r.Body, 0)
			return nil // and what the form does asks him who he is
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
		if err := readParts(r); err != nil {
			return err
		}
		return p.lawful(r)
	}, do)
}

// serve serves a form that is read in a way of its own.
func (p forms) serve(pattern string, read, do act) {
	p.Mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) {
		err := read(w, r)
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			p.Fail(w, r, err)
		}
	})
}

var errForeign = &otl.Error{Kind: otl.Forbidden, Code: "cross_site", Text: "Another site may not call this."}

// foreign is errForeign where a browser says that another site sends a form.
func (p forms) foreign(r *http.Request) error {
	if p.origin.Check(r) != nil {
		return errForeign
	}
	return nil
}

// read checks where a form comes from and reads it.
func (p *Pages) read(w http.ResponseWriter, r *http.Request) error {
	f := forms{p}
	if err := f.foreign(r); err != nil {
		return err
	}
	if r.ContentLength != 0 && !wire.Sends(r, wire.MediaForm) {
		return &otl.Error{Kind: otl.Malformed, Code: wire.CodeMediaType, Text: "Send application/x-www-form-urlencoded."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return unread(err)
	}
	return f.lawful(r)
}

// unread says why a form could not be read.
func unread(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return wire.TooLarge(large.Limit)
	}
	return &otl.Error{Kind: otl.Malformed, Code: "form_invalid", Text: "The form could not be read."}
}

// mediaParts is the type of a form in parts, of which one may be a file.
const mediaParts = "multipart/form-data"

// readParts reads such a form. A file becomes a field of its first bytes: one more than a logo
// may have is too many.
func readParts(r *http.Request) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	boundary := params["boundary"]
	if err != nil || boundary == "" {
		return unread(err)
	}
	end := &ending{Reader: r.Body}
	all := multipart.NewReader(end, boundary)
	r.PostForm, r.Form = url.Values{}, r.URL.Query()
	for left := int64(maxForm); ; {
		part, err := all.NextPart()
		if errors.Is(err, io.EOF) && bytes.Contains(end.last, []byte("--"+boundary+"--")) {
			return nil // else it was cut off
		}
		if err != nil {
			return unread(err)
		}
		most, file := left, part.FileName() != ""
		if file {
			most = min(left, otl.MaxLogo)
		}
		raw, err := io.ReadAll(io.LimitReader(part, most))
		if err != nil {
			return unread(err)
		}
		if left -= int64(len(raw)); left == 0 && !file {
			return wire.TooLarge(maxForm)
		}
		r.PostForm.Add(part.FormName(), string(raw))
		r.Form.Add(part.FormName(), string(raw))
	}
}

// maxEnd is longer than a boundary can be with what stands around it (RFC 2046 section 5.1.1),
// in bytes.
const maxEnd = 128

// ending keeps the last bytes that were read.
type ending struct {
	io.Reader
	last []byte
}

// Read implements io.Reader.
func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.last = append(e.last, p[:n]...)
	e.last = e.last[max(0, len(e.last)-maxEnd):]
	return n, err
}

// lawful holds a form that was read to what holds for all: each field once, but those of
// lists, and the token of the page.
func (p forms) lawful(r *http.Request) error {
	for name, values := range r.PostForm {
		if len(values) > 1 && !slices.Contains([]string{fieldsField, eventsField, waysField, rolesField, scopesField}, name) {
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

// Names of check boxes, of which there are several: what a site may see, what an endpoint is
// told of, what people sign in to a site with, who needs a second factor there, and what a key may
// do.
const (
	fieldsField = "fields"
	eventsField = "events"
	waysField   = "ways"
	rolesField  = "roles"
	scopesField = "scopes"
)

// logoField brings a file along.
const logoField = "logo"
