package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// TestSeedGoesOnWhereItStopped makes part of a world, as a start that was killed
// leaves it, and starts again.
func TestSeedGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		if _, err := w.Accounts.Create(t.Context(), account.Creation{Email: ownerEmail, Password: secret.NewText(ownerPassword)}); err != nil {
			t.Fatal(err)
		}
		first, err := seed(t.Context(), w.Node)
		if err != nil {
			t.Fatal(err)
		}
		second, err := seed(t.Context(), w.Node)
		if err != nil {
			t.Fatal(err)
		}
		first.url, second.url = "u", "u"
		if a, b := fmt.Sprint(first.env()), fmt.Sprint(second.env()); a != b {
			t.Errorf("the world was\n%s\nand is\n%s", a, b)
		}
		people, err := w.Store.Read.Users.List(t.Context(), "", 10)
		if err != nil || len(people) != 3 { // somebody, somebody with second factors, the owner
			t.Errorf("%d people, %v", len(people), err)
		}
		for _, r := range []site.Registered{first.notes, first.shop} { // they were there before, with other keys and callbacks
			if _, s, err := w.Sites.Authenticate(t.Context(), r.Key); err != nil || s.ID != r.Site.ID {
				t.Errorf("the key of %s opens %s, %v", r.Site.Slug, s.ID, err)
			}
		}
		notes, err := w.Sites.Get(t.Context(), "notes")
		if err != nil || !slices.Contains(notes.CallbackURLs, notesCallback) || first.user.Phone != userPhone {
			t.Errorf("the callback URLs are %v, the phone %s, %v", notes.CallbackURLs, first.user.Phone, err)
		}
	})
}

func TestSeedStopsAtAnError(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := seed(ctx, w.Node); err == nil {
		t.Error("seeded without a database")
	}
	w.Person(t, "jane@real.test")
	if _, err := seed(t.Context(), w.Node); err == nil || !strings.Contains(err.Error(), "holds people") {
		t.Errorf("got %v", err)
	}
	if _, err := w.Accounts.Find(t.Context(), ownerEmail); !otl.Is(err, "not_found") {
		t.Error("somebody with a public password was added")
	}
}

// TestRevokedSeedKeyIsSaid: handing out a key that opens nothing in silence would
// cost somebody an hour.
func TestRevokedSeedKeyIsSaid(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	made, err := seed(t.Context(), w.Node)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := w.Sites.Authenticate(t.Context(), made.shop.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Sites.RevokeKey(t.Context(), made.shop.Site.ID, key.ID); err != nil {
		t.Fatal(err)
	}
	again, err := seed(t.Context(), w.Node)
	if err != nil || len(again.remarks) != 1 || !strings.Contains(again.remarks[0], "the key of Shop in dev.env was revoked") {
		t.Errorf("got %v, %v", again.remarks, err)
	}
}

// TestListsArePaged has more sites than one page.
func TestListsArePaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := &app{stdout: io.Discard, stderr: io.Discard, dataDir: dir}
	c, err := a.load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts, err := nodeOptions(c, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 201 {
		if _, err := n.Sites.Register(t.Context(), site.Registration{Name: fmt.Sprint("Site ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	list := object(t, dir, nil, "sites", "list", "--data", dir)["data"].([]any)
	seen := map[any]bool{}
	for _, s := range list {
		seen[s.(map[string]any)["slug"]] = true
	}
	if len(list) != 201 || len(seen) != 201 {
		t.Errorf("%d sites, %d of them different", len(list), len(seen))
	}
}

func TestBlocklistIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, "Sommer-Regen-2026\n", dir, "words.txt")
	create := func(email, password string) (int, string) {
		t.Helper()
		var errs strings.Builder
		code := run(t.Context(), []string{"users", "create", "--email", email, "--password-stdin", "--data", filepath.Join(dir, "data")},
			[]string{"OTL_PASSWORD_BLOCKLIST=" + filepath.Join(dir, "words.txt")}, strings.NewReader(password), io.Discard, &errs)
		return code, errs.String()
	}
	if code, errs := create("jane@dev.test", "sommer-regen-2026"); code != exitInvalid || !strings.HasPrefix(errs, "otl: password: ") {
		t.Errorf("code %d, %q", code, errs)
	}
	if code, errs := create("jane@dev.test", "sommer-regen-2027\r\n"); code != exitOK {
		t.Errorf("code %d, %q", code, errs)
	}
}

func TestURLOfAServerWithoutOne(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:8787": "http://localhost:8787", "[::1]:80": "http://localhost:80", "localhost:1": "http://localhost:1", "unix:/run/a:b": "http://localhost", "": "http://localhost",
	} {
		if got := localURL(configured(t), listen); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
	if got := localURL(configured(t, "OTL_TLS_CERT=a", "OTL_TLS_KEY=b"), "127.0.0.1:1"); got != "https://localhost:1" {
		t.Errorf("with a certificate: got %s", got)
	}
}
