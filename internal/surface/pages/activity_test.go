package pages_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// types gives every type of event there is, as the source declares them.
func types(t *testing.T) []otl.EventType {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../otl/event.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var out []otl.EventType
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if of, ok := v.Type.(*ast.Ident); ok && of.Name == "EventType" {
				said, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, otl.EventType(said))
			}
		}
		return true
	})
	return out
}

// TestEverythingThatHappensToAPersonIsASentence: of all types of events, only those that
// are of a site or of the installation, and the end of the person himself, have none.
func TestEverythingThatHappensToAPersonIsASentence(t *testing.T) {
	t.Parallel()
	nobodys := []string{"site.", "site_key.", "client.", "endpoint.", "webhook.", "signing_key.", "master_key.", "message.", "mail.", "sms.", "audit.", "plan.", "order.", "access.", "codes.", "signup.", "everybody.", "role.created", "role.updated", "role.deleted", "user.deleted"}
	all := types(t)
	if len(all) < 60 || !slices.Contains(all, otl.EventSignInFailed) {
		t.Fatalf("%d types: %s", len(all), all)
	}
	en := message.Speak(nil, "en")
	for _, one := range all {
		of := slices.ContainsFunc(nobodys, func(prefix string) bool { return strings.HasPrefix(string(one), prefix) })
		if said := en.Say("act_" + strings.ReplaceAll(string(one), ".", "_")); (said == "") != of {
			t.Errorf("%s: %q", one, said)
		}
	}
}

// TestWhoTriedInVainIsInTheActivity: in a sentence, with how and from where, on the page
// and in the export.
func TestWhoTriedInVainIsInTheActivity(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, jane)
		b := w.Browser(t)
		p := b.Get("/account")
		for range 2 {
			b.Submit(p, "/signin", map[string]string{"identifier": jane, "password": "not hers at all"})
		}
		if err := w.SignIn.Second.Failures.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b = home(t, w)
		said := []string{"Somebody tried to sign in to OneTimeLogin and failed. Tries: 2", "· password ·", "!signin.failed"}
		holds(t, b.Get("/account/activity"), said...)
		holds(t, b.Submit(b.Get("/account/data"), "export", map[string]string{"format": "html"}), said...)
	})
}

// TestWhoProvesAgainIsNotSignedOut: that a newer session of the same browser took the place of one is no news; that he signed out is.
func TestWhoProvesAgainIsNotSignedOut(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := verified(t, w)
		seed, b := secondFactors(t, w, u), w.Browser(t)
		prove := func(path string) otltest.Page {
			return b.Submit(password(b, b.Get(path)), "second", map[string]string{"code": secret.TOTP(seed, w.Clock.Now())})
		}
		prove("/account")
		mine := w.Register(t, site.Registration{Name: "Mine", Owner: u.ID, Callbacks: []string{"https://mine.test/callback"}}).Site
		w.Clock.Advance(signin.Recent + time.Minute)
		holds(t, prove(ownAt(mine, "ways")), "Signing in to Mine")
		for _, path := range []string{"/account", "/account/activity"} {
			holds(t, b.Get(path), "Signed in to OneTimeLogin", "!Signed out of")
		}
		b.Submit(b.Get("/signout"), "signout", nil)
		w.Clock.Advance(time.Minute)
		prove("/account")
		holds(t, b.Get("/account/activity"), "Signed out of OneTimeLogin")
	})
}
