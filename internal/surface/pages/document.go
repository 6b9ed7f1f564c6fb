package pages

import (
	"bytes"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
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
		p.write(w, raw, name != "index")
	}
	return nil
}

// links turns links between documents, which name files so that they also work
// in a checkout, into links between pages.
type links struct{}

// Transform implements parser.ASTTransformer.
func (links) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if link, ok := n.(*ast.Link); ok && entering && !bytes.Contains(link.Destination, []byte(":")) {
			page, fragment, _ := strings.Cut(string(link.Destination), "#")
			if name, ok := strings.CutSuffix(page, ".md"); ok {
				page = "/docs/" + name
			}
			if fragment != "" {
				page += "#" + fragment
			}
			link.Destination = []byte(page)
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
	p.write(w, []byte("# "+r.PathValue("code")+"\n"+section), true)
	return nil
}

// write shows a document. What may be wider than a screen can be reached by keys, and a cell
// without words heads nothing (WCAG 2.1.1, 1.3.1).
func (p library) write(w http.ResponseWriter, raw []byte, deep bool) {
	var body bytes.Buffer
	if err := p.markdown.Convert(raw, &body); err != nil {
		panic(err) // it writes to memory
	}
	reachable := strings.NewReplacer("<pre>", `<pre tabindex="0">`, "<table>", `<table tabindex="0">`, "<th></th>", "<td></td>")
	title, _, _ := strings.Cut(strings.TrimLeft(string(raw), "# "), "\n")
	p.render(w, "doc.html", document{Title: title, Deep: deep, Body: template.HTML(reachable.Replace(body.String()))}) //nolint:gosec // documents of ours, raw HTML off
}
