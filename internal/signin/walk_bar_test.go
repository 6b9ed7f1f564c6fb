package signin_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// bar keeps somebody of a walk out for a while: of every site, of one that has suspended him, or of every one but
// ours because he asked for his account to be deleted; or a site takes a way to sign in no more. Nothing that was come
// by before ends with it, so that each door has to look by itself.
type bar struct {
	by *folk   // nil where it is about a way
	at string  // id of the site, "" for every one
	no string  // id of a site that it does not keep him out of
	of int     // which of the sites it is about
	on otl.Way // that the site takes no more
}

// keeps reports whether it keeps somebody out of a site.
func (b *bar) keeps(f *folk, siteID string) bool {
	return b != nil && b.by == f && (b.at == "" || b.at == siteID) && b.no != siteID
}

// gates are what keeps the people of a walk out, and what ends with their sessions.
type gates struct{ *walker }

// out reports whether somebody is kept out of any site.
func (x gates) out(f *folk) bool { return x.bar != nil && x.bar.by == f }

// shut bars somebody: he is disabled, leaves, or a site suspends him; or has the site take what people sign in with but
// for one way.
func (x gates) shut(f *folk, at int) {
	x.open()
	x.bar = &bar{by: f, of: at}
	switch x.dice.IntN(4) {
	case 0:
		x.bar.at = x.sites[at].Site.ID
	case 1:
		x.bar.no = x.home.ID
	case 2:
		x.bar.by, x.bar.on = nil, one(x.walker, otl.AllWays())
	}
	x.bars(x.w.Clock.Now())
}

// open takes back what there is of it.
func (x gates) open() {
	if x.bar != nil {
		x.bars(time.Time{})
		x.bar = nil
	}
}

// bars writes since when it holds, the zero time for not any more.
func (x gates) bars(since time.Time) {
	b := x.bar
	if b.by == nil {
		x.takes(b.of, since)
		return
	}
	write(x.T, x.w, func(ctx context.Context, tx *store.Tx) (err error) {
		var g otl.Grant
		switch {
		case b.no != "":
			_, err = tx.Users.SetDeleteAt(ctx, b.by.ID, since)
		case b.at == "":
			_, err = tx.Users.SetDisabled(ctx, b.by.ID, since)
		default:
			if g, err = tx.Grants.Of(ctx, b.by.ID, b.at); err == nil {
				_, err = tx.Grants.Suspend(ctx, g, since, time.Time{})
			}
		}
		return err
	})
}

// takes has a site take every way to sign in, but for that of the bar since a time that is not zero.
func (x gates) takes(at int, since time.Time) {
	off := otl.Ways{}
	if !since.IsZero() {
		off = otl.Ways{x.bar.on}
	}
	words := off.Others().Strings()
	var err error
	if x.sites[at].Site, err = x.w.Sites.Set(x.Context(), x.sites[at].Site.ID, site.Change{Ways: &words}); err != nil {
		x.Fatal(err)
	}
}

// refused reports whether what was to be sent was refused as it may be, to somebody who is kept out or in a way
// that is switched off.
func (x gates) refused(f *folk, err error) bool {
	if err != nil && !x.out(f) && !errors.Is(err, otl.ErrWay) {
		x.Fatal(err)
	}
	return err != nil
}

// ends notes that the sessions of somebody ended at a site or, for "", everywhere, but for one, and with
// them whatever keeps a proof of his for later.
func (x gates) ends(f *folk, at, but string) {
	for id, by := range x.whose {
		if by == f && id != but && (at == "" || x.where[id] == at) {
			x.ended[id] = true
			delete(x.whose, id)
		}
	}
	for _, b := range x.begun {
		b.gone = b.gone || b.by == f && (at == "" || x.sites[b.site].Site.ID == at)
	}
	for _, h := range x.handed {
		h.used = h.used || h.is.by == f && (at == "" || x.sites[h.is.site].Site.ID == at)
	}
	for _, l := range x.landed {
		l.used = l.used || l.by == f && (at == "" || x.sites[l.site].Site.ID == at)
	}
	x.forget(f, at)
	if at != "" {
		return
	}
	for _, b := range x.seats {
		if b.step != nil {
			b.step.gone = b.step.gone || b.step.by == f
		}
	}
	for flow, by := range x.ready {
		if by == f {
			delete(x.ready, flow)
		}
	}
}

// known gives the devices of the walk.
func (x gates) known() []*trusted {
	all := slices.Clone(x.devices)
	for _, b := range x.seats {
		if b.device != nil {
			all = append(all, b.device)
		}
	}
	return all
}

// from gives a request from the device that this browser trusts, as a rule, else as any has it.
func (b *seat) from(ctx context.Context, x *walker, d *trusted) (context.Context, *trusted) {
	if b.device == nil || x.once(4) {
		return ctx, d
	}
	return otl.WithRequest(x.Context(), &otl.Request{Device: factor.DeviceDigest(b.device.token)}), b.device
}

// anew has the browser closed, so that only the device stays trusted, and whoever trusts it sign in by his password and go
// where that leads him: to a site, or to let a device in.
func (b *seat) anew(ctx context.Context, x *walker, s signin.SetUps, d *trusted) {
	b.held = nil
	if b.begin(ctx, x, s); x.once(3) {
		waits{x}.begin(ctx)
		waits{x}.enter(ctx, b)
	}
	v, err := s.Visit(ctx, b.flow, b.browser, b.held)
	if err != nil {
		return
	}
	f := b.device.by
	a, err := s.Password(ctx, v, f.Email.Address, secret.NewText(f.pass))
	b.came(x, "a visit", &begun{by: f, methods: otl.Methods{otl.MethodPassword}}, d, a, err)
	if v, err = s.Visit(ctx, b.flow, b.browser, b.held); err == nil && v.Known() {
		b.finish(ctx, x, v, d)
	}
}

// again has a proof that has just raised a session raise it once more.
func (x gates) again(ctx context.Context, u signin.StepUp) {
	if x.once(3) {
		_, err := x.w.SignIn.Second.Raise(ctx, u)
		x.took("raised again by "+string(u.Kind), false, err)
	}
}
