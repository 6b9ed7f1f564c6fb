package otl_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

func TestCheckBrand(t *testing.T) {
	t.Parallel()
	png := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\nxxxx"))
	jpeg := "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xffxxxx"))
	for _, good := range []otl.Brand{
		{},
		{Color: "#1F4fd8"},
		{Logo: png},
		{Logo: jpeg},
		{Sender: " Acme "},
		{Footer: "Straße 1"},
		{HideCode: true},
		{Links: []otl.BrandLink{{Text: "Help", URL: "https://acme.test/help?a=1"}}},
	} {
		if b, err := otl.CheckBrand("branding", good); err != nil || strings.HasPrefix(b.Sender, " ") {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for part, bad := range map[string]otl.Brand{
		"color":    {Color: "red"},
		"color ":   {Color: "#12345g"},
		"color  ":  {Color: `#fff;background:url(https://evil.test)`},
		"logo":     {Logo: "https://evil.test/logo.png"},
		"logo ":    {Logo: "data:image/svg+xml;base64,PHN2Zz4="},
		"logo  ":   {Logo: "data:image/png;base64,PHN2Zz4="},
		"logo   ":  {Logo: png + strings.Repeat("A", 20000)},
		"logo    ": {Logo: png + `" onerror="alert(1)`},
		"sender":   {Sender: "Acme <a@evil.test>"},
		"sender ":  {Sender: "a\r\nBcc: x"},
		"footer":   {Footer: strings.Repeat("x", 301)},
		"links":    {Links: []otl.BrandLink{{Text: "x", URL: "javascript:alert(1)"}}},
		"links ":   {Links: []otl.BrandLink{{Text: "", URL: "https://acme.test"}}},
		"links  ":  {Links: make([]otl.BrandLink, 6)},
		"links   ": {Links: []otl.BrandLink{{Text: "x", URL: "https://user@acme.test"}}},
	} {
		_, err := otl.CheckBrand("branding", bad)
		if e := otl.As(err); e.Kind != otl.Invalid || e.Field != "branding."+strings.TrimSpace(part) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestABrandIsPlainWhereNothingIsSet(t *testing.T) {
	t.Parallel()
	if !(otl.Brand{}).Plain() || (otl.Brand{HideCode: true}).Plain() || (otl.Brand{HideCode: true}).String() == (otl.Brand{}).String() {
		t.Error("what a brand says of itself")
	}
}

func TestAgent(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"": "", "made-up/1.0": "", "curl/8.5.0": "curl", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0": "Firefox, Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/129.0 Mobile Safari/604.1": "Chrome, iPhone",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36 Edg/129.0":           "Edge, Windows",
	} {
		if got := otl.Agent(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
