package pages

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/onetimelogin/otl/docs"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// Pages serves the front page and the documentation.
type Pages struct {
	mux       *http.ServeMux
	templates *template.Template
	markdown  goldmark.Markdown
	fail      func(http.ResponseWriter, *http.Request, error)
	codes     *signin.Codes
	origin    *http.CrossOriginProtection
}

// policy lets a page use what this server serves and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// New builds the pages. Fail answers a path nobody serves.
func New(codes *signin.Codes, fail func(http.ResponseWriter, *http.Request, error)) *Pages {
	p := &Pages{
		mux: http.NewServeMux(), fail: fail, codes: codes, origin: http.NewCrossOriginProtection(), markdown: goldmark.New(goldmark.WithExtensions(extension.Table),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(links{}, 1)))),
		templates: template.Must(template.ParseFS(templateFiles, "templates/*.html")),
	}
	p.mux.HandleFunc("GET /{$}", p.front)
	p.mux.HandleFunc("GET /docs", p.doc)
	p.mux.HandleFunc("GET /docs/{name...}", p.doc)
	p.mux.HandleFunc("GET /docs/errors/{code}", p.errorCode)
	p.mux.HandleFunc("GET /static/{name}", p.static)
	p.mux.HandleFunc("GET /l/{token}", p.link)
	p.mux.HandleFunc("POST /l/{token}", p.confirmLink)
	p.mux.HandleFunc("POST /l/{token}/deny", p.denyLink)
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.missing(w, r) })
	return p
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	p.mux.ServeHTTP(w, r)
}

func (p *Pages) missing(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, &otl.Error{Kind: otl.NotFound, Code: "no_such_path", Text: "No such path."})
}

// static serves one file; there is no list of them.
func (p *Pages) static(w http.ResponseWriter, r *http.Request) {
	name := "static/" + r.PathValue("name")
	if info, err := fs.Stat(staticFiles, name); err != nil || info.IsDir() {
		p.missing(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	http.ServeFileFS(w, r, staticFiles, name) //nolint:gosec // G703: the file system is embedded
}

// page is what every template is given.
type page struct {
	Title string
	Body  template.HTML
}

func (p *Pages) render(w http.ResponseWriter, name string, data page) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // a template of ours; the server answers 500
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(b.Bytes())
}

func (p *Pages) front(w http.ResponseWriter, _ *http.Request) {
	p.render(w, "front.html", page{Title: "OneTimeLogin"})
}

// doc shows one document, the index for none.
func (p *Pages) doc(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "" {
		name = "index"
	}
	raw, err := docs.Files.ReadFile(strings.TrimSuffix(name, ".md") + ".md")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		p.missing(w, r)
	case err != nil:
		p.fail(w, r, err)
	case strings.HasSuffix(name, ".md"):
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		_, _ = w.Write(raw) //nolint:gosec // G705: a document of ours, as text
	default:
		p.show(w, raw)
	}
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
func (p *Pages) errorCode(w http.ResponseWriter, r *http.Request) {
	raw, err := docs.Files.ReadFile("errors.md")
	if err != nil {
		p.fail(w, r, err)
		return
	}
	_, after, found := strings.Cut(string(raw), "\n## "+r.PathValue("code")+"\n")
	if !found {
		p.missing(w, r)
		return
	}
	section, _, _ := strings.Cut(after, "\n## ")
	p.show(w, []byte("# "+r.PathValue("code")+"\n"+section))
}

func (p *Pages) show(w http.ResponseWriter, raw []byte) {
	var body bytes.Buffer
	if err := p.markdown.Convert(raw, &body); err != nil {
		panic(err) // it writes to memory
	}
	title, _, _ := strings.Cut(strings.TrimLeft(string(raw), "# "), "\n")
	p.render(w, "doc.html", page{Title: title, Body: template.HTML(body.String())}) //nolint:gosec // documents of ours, raw HTML off
}
