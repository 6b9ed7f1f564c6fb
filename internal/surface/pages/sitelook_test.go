package pages_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/site"
)

// parts writes a form as a browser does that has a file in it (RFC 7578), and gives the type that
// goes with it.
func parts(t testing.TB, form url.Values, file []byte) (body, kind string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile("logo", "logo.png") // it stands before most fields
	if err == nil {
		_, err = part.Write(file)
	}
	for name, values := range form {
		for _, v := range values {
			if err == nil && name != "logo" {
				err = m.WriteField(name, v)
			}
		}
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), m.FormDataContentType()
}

// posts sends a body as a browser that is signed in does.
func posts(t *testing.T, b *otltest.Browser, path, body, kind string) otltest.Reply {
	t.Helper()
	pairs := make([]string, 0, len(b.Cookies))
	for name, v := range b.Cookies {
		pairs = append(pairs, name+"="+v)
	}
	return b.World.Do(t, otltest.Call{Method: http.MethodPost, Path: path, Body: body, Headers: map[string]string{
		"Content-Type": kind, "Cookie": strings.Join(pairs, "; "), "Sec-Fetch-Site": "same-origin", "Accept": anyPage,
	}})
}

// picture gives a PNG of one pixel, made longer by so many bytes that mean nothing.
func picture(t testing.TB, more int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), make([]byte, more)...)
}

// TestAnOwnerDressesHisSite: colour, sender, footer, links and logo, which comes as a file from a
// browser without scripts.
func TestAnOwnerDressesHisSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		b, mine := keeper(t, w)
		at := ownAt(mine, "look")
		p := b.Get(at)
		holds(t, p, "How Mine looks", `enctype="multipart/form-data"`, `name="link_text_0"`, `!name="link_text_1"`, "!/logo/", "!Remove the logo", "!class=\"swatch\"")
		p = b.Submit(p, "look", map[string]string{
			"color": "#1f4fd8", "sender": "Corner Shop", "footer": "Main Street 1", "link_text_0": "Help", "link_url_0": "https://mine.test/help", "hide_code": "yes",
		})
		holds(t, p, "Saved.", `fill="#1f4fd8"`, `value="Corner Shop"`, `value="https://mine.test/help"`, `name="link_text_1"`, `name="hide_code" value="yes" checked`)
		form := p.Fields("look")
		body, kind := parts(t, form, picture(t, 0))
		posts(t, b, at, body, kind).Want(t, http.StatusSeeOther)
		logo := "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture(t, 0))
		want := otl.Brand{Color: "#1f4fd8", Logo: logo, Sender: "Corner Shop", Footer: "Main Street 1", Links: []otl.BrandLink{{Text: "Help", URL: "https://mine.test/help"}}, HideCode: true}
		if got := stored(t, w, mine).Brand; got.String() != want.String() || got.Logo != logo {
			t.Fatalf("%+v", got)
		}
		p = b.Get(at)
		holds(t, p, `src="/logo/`+mine.ID+`?v=`, "Remove the logo")
		if got := w.Do(t, otltest.Call{Path: "/logo/" + mine.ID + "?v=3"}); !bytes.Equal(got.Raw, picture(t, 0)) {
			t.Errorf("%q", got.Raw)
		}
		p = b.Submit(p, "look", map[string]string{"link_text_0": "", "link_url_0": "", "hide_code": ""})
		if holds(t, p, "Saved."); stored(t, w, mine).Brand.Logo != logo {
			t.Error("the logo went with the rest")
		}
		holds(t, b.Submit(p, "look", map[string]string{"unlogo": "yes"}), "Saved.", "!/logo/")
		if got := stored(t, w, mine).Brand; got.Logo != "" || len(got.Links) != 0 || got.HideCode || got.Footer == "" {
			t.Errorf("%+v", got)
		}
	})
}

// TestWhatNoLookIsIsRefusedAtItsField, and nothing of the form is kept.
func TestWhatNoLookIsIsRefusedAtItsField(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	at := ownAt(mine, "look")
	p := b.Get(at)
	for name, c := range map[string]struct{ field, value, want string }{
		"a colour by name":  {"color", "navy", `id="color-wrong">Enter a colour such as #1f4fd8.`},
		"an address":        {"sender", "a@mine.test", `id="sender-wrong">Write a name without &lt;, &gt;, @ and quotation marks.`},
		"a long footer":     {"footer", strings.Repeat("x", 301), `id="footer-wrong"`},
		"a link of no text": {"link_url_0", "https://mine.test/", `id="links-wrong">Give each link a text and an address that begins with https://.`},
		"a script":          {"link_url_0", "javascript:alert(1)", `id="links-wrong"`},
	} {
		if got := b.Submit(p, "look", map[string]string{c.field: c.value}); got.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got.Status)
		} else {
			holds(t, got, c.want, "!Saved.")
		}
	}
	form := p.Fields("look")
	for name, file := range map[string][]byte{
		"a GIF": []byte("GIF89a\x01\x00\x01\x00"), "a drawing": []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "a page": []byte("<html><script>alert(1)</script>"),
		"too large": picture(t, 15_000), "far too large": picture(t, 1<<20),
	} {
		body, kind := parts(t, form, file)
		if got := posts(t, b, at, body, kind).Want(t, http.StatusBadRequest); !strings.Contains(string(got.Raw), `id="logo-wrong">Choose a PNG or JPEG of at most 14 kB.`) {
			t.Errorf("%s: %.3000s", name, got.Raw)
		}
	}
	if got := stored(t, w, mine); got.Version != mine.Version || !got.Brand.Plain() {
		t.Errorf("something was kept: %+v", got)
	}
}

// TestAD01_AFormInPartsIsHeldAsAnyOther: to the token of its page, to its size, to fields that
// stand once, and where it comes from; other forms come in no parts.
func TestAD01_AFormInPartsIsHeldAsAnyOther(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	b, mine := keeper(t, w)
	at := ownAt(mine, "look")
	form := b.Get(at).Fields("look")
	with := func(name string, values ...string) url.Values {
		out := url.Values{name: values}
		for k, v := range form {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		form url.Values
		want int
	}{
		"another's token": {with("token", strings.Repeat("A", 43)), http.StatusForbidden},
		"no token":        {with("token"), http.StatusForbidden},
		"a field twice":   {with("footer", "a", "b"), http.StatusBadRequest},
		"a long field":    {with("footer", strings.Repeat("x", 64<<10)), http.StatusRequestEntityTooLarge},
		"as it should be": {form, http.StatusSeeOther},
	} {
		body, kind := parts(t, c.form, picture(t, 0))
		if got := posts(t, b, at, body, kind); got.Status != c.want {
			t.Errorf("%s: %d, want %d", name, got.Status, c.want)
		} else if c.want == http.StatusRequestEntityTooLarge && (!strings.Contains(string(got.Raw), "Check what you entered here.") || strings.Contains(string(got.Raw), "The site that sent you")) {
			t.Errorf("%s: %s", name, got.Raw)
		}
	}
	body, kind := parts(t, form, nil)
	_, boundary, _ := strings.Cut(kind, "boundary=")
	for i := range len(body) - len("--\r\n") { // cut off around each boundary, and here and there
		if near := strings.Contains(body[max(0, i-len(boundary)-8):min(len(body), i+4)], boundary); near || i%97 == 0 {
			if got := posts(t, b, at, body[:i], kind); got.Status != http.StatusBadRequest {
				t.Errorf("cut off at %d of %d: %d", i, len(body), got.Status)
			}
		}
	}
	posts(t, b, at, body, "multipart/form-data").Want(t, http.StatusBadRequest)
	posts(t, b, at, body, kind+`; charset=utf-16`).Want(t, http.StatusUnsupportedMediaType)
	posts(t, b, ownAt(mine, "details"), body, kind).Want(t, http.StatusUnsupportedMediaType)
	if r := w.Do(t, otltest.Call{Method: http.MethodPost, Path: at, Body: body, Headers: map[string]string{"Content-Type": kind, "Sec-Fetch-Site": "cross-site"}}); r.Status != http.StatusForbidden {
		t.Errorf("from elsewhere: %d", r.Status)
	}
}

// TestHT03_NothingIsReadOfAStrangersFile: whoever is not signed in is asked who he is, whatever he sends.
func TestHT03_NothingIsReadOfAStrangersFile(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	_, mine := keeper(t, w)
	at := ownAt(mine, "look")
	_, kind := parts(t, nil, nil)
	for who, cookies := range map[string]map[string]string{"nobody": {}, "an old cookie": {"otl_session": "otl_bs_x"}} {
		b := w.Browser(t)
		maps.Copy(b.Cookies, cookies)
		if got := posts(t, b, at, "no form at all", kind); got.Status != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/signin") {
			t.Errorf("%s: %d %s", who, got.Status, got.Header.Get("Location"))
		}
	}
}

// FuzzAFormInParts: whatever its body and its boundary, it is refused or understood.
func FuzzAFormInParts(f *testing.F) {
	w := otltest.New(f, otltest.SQLite)
	u := w.Person(f, jane)
	own := w.Register(f, site.Registration{Name: "Mine", Owner: u.ID}).Site
	b := w.Browser(f) // nothing is read of whoever is not signed in
	if p := password(b, b.Get("/account")); p.Title != "Your account" {
		f.Fatal(p.Title)
	}
	held := make([]string, 0, len(b.Cookies))
	for name, v := range b.Cookies {
		held = append(held, name+"="+v)
	}
	body, kind := parts(f, url.Values{"token": {"x"}, "footer": {"y"}}, picture(f, 0))
	for _, seed := range []string{"", body, body[:len(body)/2], strings.ReplaceAll(body, "\r\n", "\n"), body + body, "--x--", strings.Repeat("--x\r\n\r\n", 100)} {
		f.Add(seed, kind)
		f.Add(seed, "multipart/form-data; boundary=x")
	}
	f.Add(body, "multipart/form-data; boundary=\"\xff\"")
	f.Fuzz(func(t *testing.T, body, kind string) {
		rec := serve(w, http.MethodPost, ownAt(own, "look"), body, map[string]string{"Accept": anyPage, "Content-Type": kind, "Cookie": strings.Join(held, "; ")})
		if rec.Code >= 500 && rec.Code != http.StatusServiceUnavailable {
			t.Fatalf("%q %q: %d %s", body, kind, rec.Code, rec.Body)
		}
	})
}
