package signin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// passwords are those of the people of a walk.
type passwords struct{ *walker }

// reset is a mail by which somebody can choose a new password.
type reset struct {
	token secret.Text
	by    *folk
	site  string
	until time.Time
	gone  bool
}

// say gives what somebody says is his password, and whether it is.
func (x passwords) say(f *folk) (said string, right bool) {
	if len(f.past) > 0 && x.once(10) {
		said = one(x.walker, f.past)
		return said, said == f.pass
	}
	return f.pass, true
}

// fresh gives a password that nobody had.
func (x passwords) fresh() string { return fmt.Sprintf("staple-battery-%d", x.dice.Uint64()) }

// became notes that somebody has another password: every session of his ends but one, "" for none, his steps, session tokens and
// devices with them, and so do mails to choose one.
func (x passwords) became(f *folk, next, but string) {
	f.past, f.pass = kept(f.past, f.pass), next
	gates(x).ends(f, "", but)
	for _, r := range x.resets {
		r.gone = r.gone || r.by == f
	}
}

// replace has somebody who is signed in by tokens replace his password.
func (x passwords) replace(ctx context.Context, b signin.Bearer) {
	f, next := x.who(b.User.ID), x.fresh()
	said, right := x.say(f)
	_, err := x.w.Accounts.Change(ctx, account.Change{Bearer: b.Standing, Current: secret.NewText(said), New: secret.NewText(next)})
	if x.took("a password replaced", right, err); err == nil {
		x.ways["a password replaced"]++
		x.became(f, next, b.Session.ID)
	}
}

// renew has somebody choose one in a browser, where a proof may be fresh enough to do without the present one.
func (x passwords) renew(ctx context.Context, b *seat) {
	who, err := x.w.Flows.Who(ctx, b.held)
	if x.sound("who", err); err != nil || who.User.ID == "" {
		return
	}
	f, next, methods := x.who(who.User.ID), x.fresh(), x.proven[who.Session.ID]
	said, right := x.say(f)
	fresh := x.w.Clock.Now().Sub(who.Session.AuthAt) <= account.Fresh && who.Session.HandedBy == ""
	right = right || fresh && (methods.Strong() || slices.Contains(methods, otl.MethodPassword))
	got, err := account.Renewal{Accounts: x.w.Accounts}.Renew(ctx, account.Renewed{By: who.Standing, Present: secret.NewText(said), New: secret.NewText(next)})
	if x.took("a new password", right && !x.ended[who.Session.ID], err); err != nil {
		return
	}
	x.became(f, next, "")
	b.held = []secret.Text{got.Cookie}
	x.in("a new password", got.Session, &begun{by: f, methods: methods}, nil)
}

// change has somebody forget his password: a mail comes, by which he chooses another, or tries to by one that is good no more.
func (x passwords) change(f *folk) {
	if gates(x).out(f) {
		return
	}
	at := one(x.walker, x.sites).Site
	if len(x.resets) == 0 || x.once(2) {
		if err := x.w.Accounts.Forgot(x.Context(), at.ID, f.Email.Address); err != nil {
			x.Fatal(err)
		}
		for _, r := range x.resets {
			r.gone = r.gone || r.by == f && r.site == at.ID
		}
		link := post(x).letter(f.Email.Address, otl.MessageReset).Link
		token := link[strings.LastIndex(link, "/")+1:]
		x.resets = kept(x.resets, &reset{secret.NewText(token), f, at.ID, x.w.Clock.Now().Add(account.ResetTTL), false})
	}
	r, next := one(x.walker, x.resets), x.fresh()
	err := x.w.Accounts.Reset(x.Context(), at, r.token, secret.NewText(next))
	if x.took("a password forgotten", !r.gone && x.w.Clock.Now().Before(r.until), err); err == nil {
		x.ways["a password forgotten"]++
		x.became(r.by, next, "")
	}
}
