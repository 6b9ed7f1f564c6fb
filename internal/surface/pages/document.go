package pages

import (
	"bytes"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/onetimelogin/otl/docs"
	"github.com/onetimelogin/otl/internal/signin"
)

// document is what the template of a document is given.
type document struct {
	Title string
	Deep  bool // it is not the first one
	Body  template.HTML
}

// library is the front page and the documentation.
type library struct{ *Pages }

// routes serves the front page and the documentation.
func (p library) routes() {
	p.get("/{$}", p.front)
	p.get("/docs", p.doc)
	p.get("/docs/{name...}", p.doc)
	p.get("/docs/errors/{code}", p.errorCode)
}

// frontPage leads in.
type frontPage struct {
	In  bool // somebody is signed in
	New bool // an account can be created
}

// front says what this server is, and leads whoever comes by himself in.
func (p library) front(w http.ResponseWriter, r *http.Request) error {
	who, err := p.Flows.Who(r.Context(), p.jar.Held(r))
	if err != nil {
		return err
	}
	home, err := p.Flows.Home(r.Context())
	if err != nil {
		return err
	}
	page := frontPage{In: who.Session.ID != "", New: signin.Ways{Codes: p.Codes}.Mails(home)}
	s := screen{Voice: p.voice(w, r, nil, who.User.Locale), Data: page}
	s.Title = s.Say("front_heading")
	p.show(w, http.StatusOK, "front.html", "", s)
	return nil
}

func (p library) render(w http.ResponseWriter, name string, data document) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // a template of ours; the server answers 500
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(b.Bytes())
}

// doc shows one document, the index for none.
func (p library) doc(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if name == "" {
		name = "index"
	}
	raw, err := docs.Files.ReadFile(strings.TrimSuffix(name, ".md") + ".md")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return errNoPath
	case err != nil:
		return err
	case strings.HasSuffix(name, ".md"):
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		_, _ = w.Write(raw) //nolint:gosec // G705: a document of ours, as text
	default:
		p.write(w, name, raw)
	}
	return nil
}

// relink makes links between documents, which name files by their way from the one they stand in
// so that they work in a checkout, links between pages. name is that of the document.
func relink(tree ast.Node, name string) {
	from := &url.URL{Path: "/docs/" + name}
	_ = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		link, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		if to, err := url.Parse(string(link.Destination)); err == nil && to.Scheme == "" && to.Host == "" {
			to = from.ResolveReference(to)
			to.Path = strings.TrimSuffix(to.Path, ".md")
			link.Destination = []byte(to.String())
		}
		return ast.WalkContinue, nil
	})
}

// errorCode shows what one error code means: its section of errors.md.
func (p library) errorCode(w http.ResponseWriter, r *http.Request) error {
	raw, err := docs.Files.ReadFile("errors.md")
	if err != nil {
		return err
	}
	_, after, found := strings.Cut(string(raw), "\n## "+r.PathValue("code")+"\n")
	if !found {
		return errNoPath
	}
	section, _, _ := strings.Cut(after, "\n## ")
	p.write(w, "errors", []byte("# "+r.PathValue("code")+"\n"+section))
	return nil
}

// write shows a document of a name, or a part of it. What may be wider than a screen can be reached by keys, and a cell
// without words heads nothing (WCAG 2.1.1, 1.3.1).
func (p library) write(w http.ResponseWriter, name string, raw []byte) {
	var body bytes.Buffer
	tree := p.markdown.Parser().Parse(text.NewReader(raw))
	relink(tree, name)
	if err := p.markdown.Renderer().Render(&body, raw, tree); err != nil {
		panic(err) // it writes to memory
	}
	reachable := strings.NewReplacer("<pre>", `<pre tabindex="0">`, "<table>", `<table tabindex="0">`, "<th></th>", "<td></td>")
	title, _, _ := strings.Cut(strings.TrimLeft(string(raw), "# "), "\n")
	p.render(w, "doc.html", document{Title: title, Deep: name != "index", Body: template.HTML(reachable.Replace(body.String()))}) //nolint:gosec // documents of ours, raw HTML off
}
