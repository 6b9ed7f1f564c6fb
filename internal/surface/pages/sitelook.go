package pages

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// looks are the page on which the owner of a site says how its mails and pages look.
type looks struct{ owners }

// siteLookPage is that page.
type siteLookPage struct {
	At           string
	Version      int
	Brand        otl.Brand // as it was sent, with a link to be filled in
	Color        string    // that is in force, "" for ours
	Logo         string    // where the one in force is shown, "" for none
	Sender, Foot int       // bounds of texts, in characters
}

func (p looks) routes() {
	f := siteForm[otl.Brand]{p.owners, siteLook, func(of otl.Site) otl.Brand { return of.Brand }, worn, rebrand, p.lay}
	at := ownedAt("{id}", siteLook)
	p.get(at, f.look)
	forms{p.Pages}.upload(at, f.sent)
}

// worn gives the brand that was sent. Without a file the logo stays, unless it is to go.
func worn(r *http.Request, of otl.Site) otl.Brand {
	said := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	b := otl.Brand{Color: said("color"), Logo: of.Brand.Logo, Sender: said("sender"), Footer: said("footer"), HideCode: said("hide_code") == "yes"}
	if said("unlogo") == "yes" {
		b.Logo = ""
	}
	if raw := r.PostForm.Get(logoField); raw != "" {
		b.Logo = "data:" + http.DetectContentType([]byte(raw)) + ";base64," + base64.StdEncoding.EncodeToString([]byte(raw))
	}
	for i := range otl.MaxBrandLinks {
		n := strconv.Itoa(i)
		if l := (otl.BrandLink{Text: said("link_text_" + n), URL: said("link_url_" + n)}); l != (otl.BrandLink{}) {
			b.Links = append(b.Links, l)
		}
	}
	return b
}

func rebrand(b otl.Brand, _ otl.Site) site.Change { return site.Change{Brand: &b} }

func (p looks) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, b otl.Brand, wrong error) error {
	s := p.screen(w, r, v, nil)
	s.about(of, siteLook, "own_look_heading")
	page := siteLookPage{At: ownedAt(of.ID, siteLook), Version: of.Version, Brand: b, Color: of.Brand.Color, Sender: otl.MaxSender, Foot: otl.MaxFooter}
	if of.Brand.Logo != "" {
		page.Logo = "/logo/" + of.ID + "?v=" + strconv.Itoa(of.Version) // the one before may be kept for a while
	}
	if len(b.Links) < otl.MaxBrandLinks {
		page.Brand.Links = append(b.Links[:len(b.Links):len(b.Links)], otl.BrandLink{})
	}
	s.Data = page
	return p.present(w, r, s, "sitelook.html", wrong)
}
