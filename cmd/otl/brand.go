package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/site"
)

// brandJSON is how the mails of a site look, as commands print it: not the logo itself.
type brandJSON struct {
	SiteID string   `json:"site_id"`
	Color  string   `json:"color"`
	Logo   int      `json:"logo_characters"`
	Sender string   `json:"sender"`
	Footer string   `json:"footer"`
	Links  []string `json:"links"`
	Hide   bool     `json:"hide_code"`
}

func newBrandJSON(s otl.Site) brandJSON {
	out := brandJSON{s.ID, s.Brand.Color, len(s.Brand.Logo), s.Brand.Sender, s.Brand.Footer, []string{}, s.Brand.HideCode}
	for _, l := range s.Brand.Links {
		out.Links = append(out.Links, l.Text+"="+l.URL)
	}
	return out
}

// lines gives what is set of a brand.
func (b brandJSON) lines() []string {
	var out []string
	for _, one := range []struct{ name, value string }{{"color", b.Color}, {"sender", b.Sender}, {"footer", b.Footer}} {
		if one.value != "" {
			out = append(out, one.name+" "+one.value)
		}
	}
	if b.Logo > 0 {
		out = append(out, "a logo")
	}
	if b.Hide {
		out = append(out, "no code in the subject")
	}
	for _, l := range b.Links {
		out = append(out, "link "+l)
	}
	return out
}

// sitesBrand sets parts of a brand; those not named stay.
func sitesBrand(a *app) *cobra.Command {
	var color, logo, sender, footer string
	var links []string
	var hide bool
	c := &cobra.Command{
		Use: "brand SITE", Short: "Set how the mails of a site look", Args: cobra.ExactArgs(1),
		Example: `  otl sites brand notes --color '#1f4fd8' --logo logo.png --sender Notes --link 'Help=https://notes.example.com/help'`,
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.ContainsFunc([]string{"color", "hide-code", "logo", "sender", "footer", "link"}, c.Flags().Changed) {
				return wrongUse(c, "nothing to set: name what is to be different; otl sites show says what is set")
			}
			return a.onNode(c, func(ctx context.Context, n *node.Node) error {
				s, err := n.Sites.Get(ctx, args[0])
				if err != nil {
					return err
				}
				b := s.Brand
				for _, one := range []struct {
					flag  string
					given string
					dst   *string
				}{{"color", color, &b.Color}, {"sender", sender, &b.Sender}, {"footer", footer, &b.Footer}} {
					if c.Flags().Changed(one.flag) {
						*one.dst = one.given
					}
				}
				if c.Flags().Changed("logo") {
					if b.Logo, err = dataURL(logo); err != nil {
						return err
					}
				}
				if c.Flags().Changed("link") {
					b.Links = nil
					for _, l := range slices.DeleteFunc(links, func(l string) bool { return l == "" }) {
						text, url, _ := strings.Cut(l, "=")
						b.Links = append(b.Links, otl.BrandLink{Text: text, URL: url})
					}
				}
				if c.Flags().Changed("hide-code") {
					b.HideCode = hide
				}
				if s, err = n.Sites.Set(ctx, s.ID, site.Change{Brand: &b}); err != nil {
					return err
				}
				return a.print(newBrandJSON(s), func() { fmt.Fprintln(a.stdout, "set") })
			})
		},
	}
	f := c.Flags()
	f.StringVar(&color, "color", "", "of buttons, such as #1f4fd8; empty for ours")
	f.BoolVar(&hide, "hide-code", false, "keep the code to sign in with out of the subject")
	f.StringVar(&logo, "logo", "", "a file with a PNG or JPEG, at most 14 KB; empty for none")
	f.StringVar(&sender, "sender", "", "name mails come from; empty for the site's")
	f.StringVar(&footer, "footer", "", "a line below every mail; empty for none")
	f.StringArrayVar(&links, "link", nil, "TEXT=URL below every mail; may be repeated; empty for none")
	return c
}

// dataURL gives a picture as a data URL, "" for no file.
func dataURL(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return "data:" + http.DetectContentType(raw) + ";base64," + base64.StdEncoding.EncodeToString(raw), nil
}
