package node_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// reader asks for everything that can be asked for.
type reader struct {
	*traveller
	callers map[string]otltest.Call // what each sends along
	ids     []string                // that stood in answers
	text    strings.Builder         // of all answers
	reads   int
}

// learn remembers the ids in an answer, but no more of each member than a few.
func (x *reader) learn(v any, name string) {
	switch v := v.(type) {
	case object:
		for name, one := range v {
			x.learn(one, name)
		}
	case []any:
		for _, one := range v[:min(len(v), 3)] {
			x.learn(one, name)
		}
	case string:
		if (name == "id" || strings.HasSuffix(name, "_id")) && len(v) < 60 && !slices.Contains(x.ids, v) && len(x.ids) < 60 {
			x.ids = append(x.ids, v)
		}
	}
}

// read asks for a path by every caller, with every id in the place of what varies.
func (x *reader) read(path string) {
	before, rest, varies := strings.Cut(path, "{")
	if varies {
		_, rest, _ = strings.Cut(rest, "}")
		for _, id := range x.ids {
			if part := before + id; !strings.Contains(rest, "{") || x.known(part) {
				x.read(part + rest)
			}
		}
		return
	}
	for _, c := range x.callers {
		c.Path = path
		got := x.w.Do(x.T, c)
		if x.reads++; got.Status == http.StatusOK {
			x.learn(got.JSON, "")
			x.text.Write(got.Raw)
		}
	}
}

// known reports whether somebody gets an answer at a path.
func (x *reader) known(path string) bool {
	for _, c := range x.callers {
		c.Path = path
		if x.w.Do(x.T, c).Status == http.StatusOK {
			return true
		}
	}
	return false
}

// TestAD08_ASecretIsShownOnce goes through everything that hands a secret out, and then reads
// whatever can be read, by the site's key, its owner, and the person: no secret stands anywhere
// again, whole or by more than its beginning.
func TestAD08_ASecretIsShownOnce(t *testing.T) {
	t.Parallel()
	x := &reader{traveller: &traveller{T: t, canaries: map[string]string{}, w: otltest.New(t, otltest.SQLite)}}
	if err := x.w.Installation.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.people()
	x.secondFactor()
	x.owner()
	x.hooks()
	x.clients()
	u, err := x.w.Accounts.Find(t.Context(), "armed@dev.test")
	if err != nil {
		t.Fatal(err)
	}
	codes, _, err := x.w.Setup.NewCodes(t.Context(), x.w.Strong(t, u))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range codes {
		x.canaries[fmt.Sprint("recovery code ", i)] = c.Reveal()
	}
	x.callers = map[string]otltest.Call{"site": {Key: x.w.Notes.Key}, "owner": {Bearer: x.canaries["the owner's token"]}}
	x.w.Clock.Advance(31 * time.Second)
	asked := x.native("/auth/login", object{"email": "armed@dev.test", "password": otltest.Password}).Want(t, http.StatusUnauthorized)
	in := x.native("/auth/mfa/verify", object{"mfa_token": asked.Text("mfa_token"), "code": secret.TOTP(secret.NewText(x.canaries["the seed of an app"]), x.w.Clock.Now())}).Want(t, http.StatusOK)
	x.callers["person"] = otltest.Call{Bearer: in.Text("access_token")}
	x.canaries["the person's tokens"] = in.Text("refresh_token")
	for range 2 { // the second time with all ids
		for _, r := range described(t, x.w) {
			if r.method == http.MethodGet && strings.HasPrefix(r.path, "/api/v1/") {
				x.read(r.path)
			}
		}
	}
	beginnings := 0
	for what, value := range x.canaries {
		if shown, is := secret.CheckKey(site.KeyPrefix, value); is && strings.Contains(x.text.String(), `"prefix":"`+shown+`"`) {
			beginnings++
		}
		if len(value) >= 8 && strings.Contains(x.text.String(), value[:len(value)*2/3]) {
			t.Errorf("%s can be read again", what)
		}
	}
	if len(x.canaries) < 40 || x.reads < 300 || x.text.Len() < 20_000 || beginnings != 3 {
		t.Errorf("only %d secrets, %d of them by their beginning, %d reads, %d bytes", len(x.canaries), beginnings, x.reads, x.text.Len())
	}
}
