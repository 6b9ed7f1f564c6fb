package otltest

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Browser visits the pages of a server under test as a person does whose browser runs
// no scripts: it keeps cookies, follows redirects and sends forms as they stand.
type Browser struct {
	World   *World
	Cookies map[string]string
	Headers map[string]string           // sent with every request
	Seen    func(method string, p Page) // is told of every answer, redirects too; nil for nobody
	t       testing.TB
}

// Browser opens one without cookies.
func (w *World) Browser(t testing.TB) *Browser {
	return &Browser{World: w, Cookies: map[string]string{}, Headers: map[string]string{"Accept": "text/html", "Accept-Language": "en"}, t: t}
}

// Visit opens one at a server that runs elsewhere.
func Visit(t testing.TB, url string) *Browser { return (&World{URL: url, acts: &acts{}}).Browser(t) }

// Page is where a browser ended up.
type Page struct {
	Reply
	Path   string   // at this server, with its query
	Left   *url.URL // where it was sent away to; nil while it is here
	Title  string   // the one heading
	forms  []form
	choice form // of a language, at the foot
}

// form is one form with the fields it would send as it stands.
type form struct {
	id, method, action string
	fields             url.Values
}

// Get opens a page.
func (b *Browser) Get(path string) Page {
	b.t.Helper()
	return b.follow(http.MethodGet, path, nil)
}

// Submit sends the form of an id, or the first one for "", with fields changed: a
// field without a value is left out.
func (b *Browser) Submit(p Page, id string, change map[string]string) Page {
	b.t.Helper()
	for _, f := range p.forms {
		if id == "" || f.id == id || strings.HasPrefix(id, "/") && f.action == id {
			values := maps.Clone(f.fields)
			for k, v := range change {
				values.Del(k)
				for one := range strings.FieldsSeq(v) {
					if k == "fields" {
						values.Add(k, one)
					}
				}
				if k != "fields" && v != "" {
					values.Set(k, v)
				}
			}
			return b.follow(http.MethodPost, f.action, values)
		}
	}
	b.t.Fatalf("no form %q on %s\n%s", id, p.Path, p.Raw)
	panic("unreachable")
}

// Fields gives the fields of a form as it stands, nil where there is no such form.
func (p Page) Fields(id string) url.Values {
	for _, f := range p.forms {
		if f.id == id || f.action == id {
			return f.fields
		}
	}
	return nil
}

func (b *Browser) follow(method, path string, values url.Values) Page {
	b.t.Helper()
	for range 10 {
		p := b.once(method, path, values)
		to := p.Header.Get("Location")
		if p.Status/100 != 3 {
			return p
		}
		u, err := url.Parse(to)
		if err != nil {
			b.t.Fatal(err)
		}
		if u.IsAbs() {
			p.Left = u
			return p
		}
		method, path, values = http.MethodGet, to, nil
	}
	b.t.Fatalf("sent around in a circle at %s", path)
	panic("unreachable")
}

// once sends one request and keeps the cookies of the answer.
func (b *Browser) once(method, path string, values url.Values) Page {
	b.t.Helper()
	c := Call{Method: method, Path: path, Headers: maps.Clone(b.Headers)}
	if method == http.MethodPost {
		c.Body, c.Headers["Content-Type"] = values.Encode(), "application/x-www-form-urlencoded"
		c.Headers["Sec-Fetch-Site"] = "same-origin"
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b.Cookies)) {
		pairs = append(pairs, name+"="+b.Cookies[name])
	}
	if len(pairs) > 0 {
		c.Headers["Cookie"] = strings.Join(pairs, "; ")
	}
	p := Page{Reply: b.World.Do(b.t, c), Path: path}
	for _, set := range (&http.Response{Header: p.Header}).Cookies() {
		if b.Cookies[set.Name] = set.Value; set.MaxAge < 0 {
			delete(b.Cookies, set.Name)
		}
	}
	p.read(b.t)
	if b.Seen != nil {
		b.Seen(method, p)
	}
	return p
}

// read finds heading and forms.
func (p *Page) read(t testing.TB) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(p.Raw))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "h1":
			p.Title = words(n)
		case n.Data == "form":
			f := form{id: attr(n, "id"), method: attr(n, "method"), action: attr(n, "action"), fields: url.Values{}}
			for in := range n.Descendants() {
				name, kind := attr(in, "name"), attr(in, "type")
				if in.Data == "textarea" {
					f.fields.Add(name, words(in))
				}
				if in.Data == "option" && f.method == "post" && has(in, "selected") {
					f.fields.Add(attr(in.Parent, "name"), attr(in, "value"))
				}
				if in.Data != "input" || name == "" || (kind == "checkbox" || kind == "radio") && !has(in, "checked") {
					continue
				}
				f.fields.Add(name, attr(in, "value"))
			}
			switch {
			case f.method == "post":
				p.forms = append(p.forms, f)
			case f.method == "get" && !has(n, "hidden"): // one that is hidden is for scripts
				p.choice = f
			}
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// words gives the text of an element.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// In gives the address that the choice of a language leads to, "" where the page offers none.
func (p Page) In(lang string) string {
	if p.choice.method == "" {
		return ""
	}
	values := maps.Clone(p.choice.fields)
	values.Set("lang", lang)
	action, _, _ := strings.Cut(cmp.Or(p.choice.action, p.Path), "?") // a form that names no address goes to its page's
	return action + "?" + values.Encode()
}

// Send sends a form that is on no page.
func (b *Browser) Send(path string, values url.Values) Page {
	b.t.Helper()
	return b.follow(http.MethodPost, path, values)
}

// Actions gives where the forms of a page go.
func (p Page) Actions() []string {
	out := make([]string, len(p.forms))
	for i, f := range p.forms {
		out[i] = f.action
	}
	return out
}
