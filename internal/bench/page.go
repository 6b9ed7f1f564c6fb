package bench

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// reader opens one page after the other.
type reader struct {
	*client
	pages [][]byte
	next  int
}

func (w *reader) step() (bool, error) {
	w.next++
	status, err := w.do(w.pages[w.next%len(w.pages)])
	if err != nil || status != http.StatusOK {
		return false, orUnexpected(err, status, w.body)
	}
	return true, nil
}

// Pages that are opened by people who are not signed in, and by people who are.
var (
	publicPages  = []string{"/signin", "/signup", "/forgot"}
	accountPages = []string{"/account", "/account/profile", "/account/security", "/account/activity", "/account/data"}
)

// readers is how many people open pages at once.
const readers = 8

// viewing is the part of a run that opens pages.
type viewing struct{ *run }

// pages opens the hosted pages, none of which has a password hashed.
func (r viewing) pages(ctx context.Context) error {
	stranger, member := newBrowser(r.Nodes[0]), newBrowser(r.Nodes[0])
	if err := member.signIn(ctx, r.others()[0]); err != nil {
		return err
	}
	var workers []worker
	for i := range readers {
		c, err := newClient(r.Nodes[0])
		if err != nil {
			return err
		}
		w := &reader{client: c, next: i}
		for _, path := range publicPages {
			if _, err := stranger.open(ctx, http.MethodGet, path, nil); err != nil {
				return err
			}
			w.pages = append(w.pages, c.request(http.MethodGet, stranger.at.RequestURI(), stranger.cookies(), nil)) // a visit has begun
		}
		for _, path := range accountPages {
			w.pages = append(w.pages, c.request(http.MethodGet, path, member.cookies(), nil))
		}
		workers = append(workers, w)
	}
	return r.simple(ctx, "hosted pages", workers, nil)
}

// hidden finds a hidden field of a form.
var hidden = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)

// browser keeps cookies and knows where it is.
type browser struct {
	http *http.Client
	base string
	at   *url.URL
}

func newBrowser(base string) *browser {
	jar, _ := cookiejar.New(nil) // which has no error to give
	return &browser{http: &http.Client{Jar: jar, Timeout: callTime}, base: base}
}

// cookies gives what it sends, as a header.
func (b *browser) cookies() string {
	var all []string
	for _, c := range b.http.Jar.Cookies(b.at) {
		all = append(all, c.Name+"="+c.Value)
	}
	return "Cookie: " + strings.Join(all, "; ") + "\r\n"
}

// signIn signs a person in on the hosted pages.
func (b *browser) signIn(ctx context.Context, p Person) error {
	form, err := b.open(ctx, http.MethodGet, "/account", nil)
	if err != nil {
		return err
	}
	values := url.Values{"identifier": {p.Email}, "password": {p.Password.Reveal()}}
	for _, one := range hidden.FindAllStringSubmatch(string(form), -1) {
		if !values.Has(one[1]) {
			values.Set(one[1], html.UnescapeString(one[2]))
		}
	}
	if _, err = b.open(ctx, http.MethodPost, "/signin", values); err == nil && b.at.Path != "/account" {
		err = fmt.Errorf("signing in leads to %s", b.at.Path)
	}
	return err
}

// open follows a link, or sends a form, and gives what that led to.
func (b *browser) open(ctx context.Context, method, path string, form url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b.at = res.Request.URL
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err == nil && res.StatusCode != http.StatusOK {
		err = unexpected(res.StatusCode, body)
	}
	return body, err
}
