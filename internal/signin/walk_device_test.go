package signin_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// listens gives the id of a client of a site that runs on devices without a browser.
func listens(t *testing.T, w *otltest.World, s otl.Site) string {
	t.Helper()
	c, err := w.Clients.Create(t.Context(), s.ID, site.NewClient{Name: "tv", Auth: "none", Device: true})
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// wait is a device that waits to be let in (RFC 8628), with what became of it.
type wait struct {
	signin.Shown
	id     string // "" before somebody has entered its code
	site   int
	until  time.Time
	is     *begun // who let it in, and by what; nil for nobody
	holder string // id of the session in which he did
	over   bool   // it was turned away, or has its tokens
}

// waits are the devices of a walk.
type waits struct{ *walker }

func (x waits) devices() signin.Devices { return signin.Devices{Flows: x.w.Flows} }

// act has a device begin to wait, or one ask what became of it.
func (x waits) act(ctx context.Context) {
	if len(x.waiting) > 0 && !x.once(4) {
		x.fetch(ctx, one(x.walker, x.waiting))
		return
	}
	x.begin(ctx)
}

// begin has a device begin to wait.
func (x waits) begin(ctx context.Context) {
	at := x.dice.IntN(len(x.sites))
	shown, err := x.devices().Begin(ctx, x.sites[at].Site, x.clients[at], "openid")
	if err != nil {
		x.Fatal(err)
	}
	x.waiting = kept(x.waiting, &wait{Shown: shown, site: at, until: x.w.Clock.Now().Add(signin.DeviceTTL)})
}

// enter enters the code of a device in a browser, or one that none shows.
func (x waits) enter(ctx context.Context, b *seat) {
	if len(x.waiting) == 0 {
		return
	}
	d := x.waiting[len(x.waiting)-1]
	if x.once(2) {
		d = one(x.walker, x.waiting)
	}
	code, right := d.User, d.is == nil && !d.over && x.w.Clock.Now().Before(d.until)
	if x.once(8) {
		code, right = "BBBB-BBBB", false
	}
	v, err := x.devices().Enter(ctx, code, b.browser, b.held)
	if x.took("a code of a device", right, err); err == nil {
		b.flow, d.id = v.ID, v.Asked.More["device"]
	}
}

// decide lets the device of a visit in, or turns it away.
func (x waits) decide(ctx context.Context, v signin.Visit) {
	allow := !x.once(6)
	asked, err := x.devices().Decide(ctx, v, allow)
	i := slices.IndexFunc(x.waiting, func(d *wait) bool { return d.id != "" && d.id == asked.ID })
	if x.sound("decided", err); err != nil || i < 0 {
		return
	}
	d := x.waiting[i]
	x.took("decided", d.is == nil && !d.over && x.w.Clock.Now().Before(d.until), nil)
	if d.over = !allow; !allow {
		return
	}
	d.is, d.holder = &begun{by: x.who(v.Who.User.ID), site: d.site, methods: x.proven[v.Who.Session.ID]}, v.Who.Session.ID
	if x.once(2) {
		x.w.Clock.Advance(time.Minute)
		if !x.fetch(x.Context(), d) && !d.over && x.w.Clock.Now().Before(d.until) {
			x.Errorf("a device that %s has just let in by %q waits for ever", d.is.by.ID, d.is.methods)
		}
	}
}

// fetch has a device ask what became of it, at times as another site's, and reports whether it got its
// tokens: of who let it in, while his session stands.
func (x waits) fetch(ctx context.Context, d *wait) bool {
	at := d.site
	if x.once(8) {
		at = x.dice.IntN(len(x.sites))
	}
	right := at == d.site && d.is != nil && !d.over
	if right {
		st, err := x.w.Store.Read.Sessions.Standing(x.Context(), d.holder)
		right = err == nil && st.Session.Live(x.w.Clock.Now()) && !x.ended[d.holder]
	}
	got, err := x.devices().Fetch(ctx, signin.Fetch{Site: x.sites[at].Site, Client: x.clients[at], Device: d.Device})
	if x.took("a device", right, err); err != nil {
		if errors.Is(err, signin.ErrDeviceSoon) || at != d.site {
			return true // it asks again
		}
		return false
	}
	d.over = true
	x.in("a device", got.Session, d.is, nil)
	x.holds(d.is.by, got.Session.ID, got.Access, got.Refresh)
	return true
}
