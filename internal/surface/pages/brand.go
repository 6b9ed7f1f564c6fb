package pages

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// brands are the looks of sites on pages.
type brands struct{ *Pages }

// brand is what a page shows of the site somebody comes from.
type brand struct {
	Logo  string          // path of its logo, "" for none
	Links []otl.BrandLink // its privacy, terms and help
}

// wears gives what pages show of a site. What cannot be read is not shown, nor a link that
// is none to a page: a page works without it.
func (p brands) wears(r *http.Request, siteID string) brand {
	b, err := p.Sites.Brand(r.Context(), siteID)
	if err != nil {
		otl.RequestOf(r.Context()).Err = err
		return brand{}
	}
	out := brand{Links: slices.DeleteFunc(b.Links, func(l otl.BrandLink) bool { return !strings.HasPrefix(l.URL, "https://") })}
	if b.Logo != "" {
		out.Logo = "/logo/" + siteID
	}
	return out
}

// logo serves the logo of a site. It is an image whose beginning was looked at when it was
// set; no browser takes it for anything else.
func (p brands) logo(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !secret.ValidID(id) {
		return errNoPath
	}
	b, err := p.Sites.Brand(r.Context(), id)
	if err != nil {
		return err
	}
	kind, encoded, found := strings.Cut(strings.TrimPrefix(b.Logo, "data:"), ";base64,")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || kind != "image/png" && kind != "image/jpeg" {
		return errNoPath
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(raw)
	return nil
}
