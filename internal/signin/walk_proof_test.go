package signin_test

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// folk is a person of a walk as he is by now; without a seed where he has no app.
type folk struct {
	holder
	was   secret.Text // seed of the app he had before
	step  int64       // of the latest code of his app that was accepted
	mail  bool        // codes to his mailbox are a factor
	text  bool        // and codes to his telephone
	pass  string      // his password
	past  []string    // some that it was before
	key   *passkey    // nil for none
	paper []string    // recovery codes that are good
	spent []string    // some that are not, any more
}

// enrolled reports whether he has a second factor.
func (f *folk) enrolled() bool { return !f.seed.Empty() || f.mail || f.text || f.key != nil }

// has reports whether he has one of a kind.
func (f *folk) has(k otl.FactorKind) bool {
	switch k {
	case otl.FactorTOTP:
		return !f.seed.Empty()
	case otl.FactorMail:
		return f.mail
	case otl.FactorSMS:
		return f.text
	case otl.FactorKey:
		return f.key != nil
	}
	return len(f.paper) > 0
}

// could reports whether he can prove something further than some methods.
func (f *folk) could(ms otl.Methods) bool {
	return slices.ContainsFunc(kinds(), func(k otl.FactorKind) bool { return f.has(k) && ms.Adds(k.Method()) })
}

// kinds are the kinds of factors that people of a walk have.
func kinds() []otl.FactorKind {
	return []otl.FactorKind{otl.FactorTOTP, otl.FactorMail, otl.FactorSMS, otl.FactorKey, otl.FactorRecovery}
}

// lose takes a factor of a kind from him.
func (f *folk) lose(k otl.FactorKind) {
	switch k {
	case otl.FactorTOTP:
		f.was, f.seed, f.step = f.seed, secret.Text{}, 0
	case otl.FactorMail:
		f.mail = false
	case otl.FactorSMS:
		f.text = false
	case otl.FactorKey:
		f.key = nil
	}
	if k == otl.FactorRecovery || !f.enrolled() {
		f.write(nil)
	}
}

// write gives him other recovery codes than before.
func (f *folk) write(codes []secret.Text) {
	if len(f.paper) > 0 {
		f.spent = kept(f.spent, f.paper[0])
	}
	f.paper = nil
	for _, c := range codes {
		f.paper = append(f.paper, c.Reveal())
	}
}

// passkey is an authenticator of somebody else's making with one key.
type passkey struct {
	by   *folk
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
	seen uint32 // the counter of what was accepted last
	last uint32 // and of what was signed
}

// newPasskey makes one with a key pair of which the library writes down both numbers in
// full: of one in 128 it leaves a leading zero out.
func newPasskey(f *folk) *passkey {
	k := &passkey{by: f, auth: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(f.ID)})}
	for len(k.key.ID) == 0 || len(k.key.Key.AttestationData()) != 77 {
		k.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return k
}

// party is the server as its keys know it.
func party() virtualwebauthn.RelyingParty {
	return virtualwebauthn.RelyingParty{ID: "id.test", Name: "id.test", Origin: otltest.Issuer}
}

// made is what navigator.credentials.create gives.
func (k *passkey) made(t *testing.T, options string) secret.Text {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		t.Fatalf("%v: %s", err, options)
	}
	return secret.NewText(virtualwebauthn.CreateAttestationResponse(party(), k.auth, k.key, *o))
}

// signed is what navigator.credentials.get gives, with a counter, and whether the key has
// verified who holds it.
func (k *passkey) signed(t *testing.T, options string, counter uint32, verified bool) secret.Text {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		t.Fatalf("%v: %s", err, options)
	}
	k.key.Counter, k.auth.Options.UserNotVerified = counter, !verified
	return secret.NewText(virtualwebauthn.CreateAssertionResponse(party(), k.auth, k.key, *o))
}

// count gives the counter of what a key signs next, at times one that it had before, and
// whether it goes on.
func (k *passkey) count(x *walker) (counter uint32, on bool) {
	if k.seen > 0 && x.once(8) {
		return k.seen, false
	}
	k.last++
	return k.last, true
}

// prompt is what is asked for in one place: the code that was sent last, for which kind, and the challenge
// of a key.
type prompt struct {
	code    string
	sent    otl.FactorKind
	options string
}

// proofs are what people of a walk prove second factors with.
type proofs struct{ *walker }

// ask has a factor asked for in a place, and keeps what for.
func (x proofs) ask(f *folk, p *prompt, asks func(otl.FactorKind) (factor.Offer, error)) {
	k := one(x.walker, []otl.FactorKind{otl.FactorMail, otl.FactorMail, otl.FactorSMS, otl.FactorSMS, otl.FactorKey, otl.FactorKey, otl.FactorTOTP})
	o, err := asks(k)
	if x.sound("asked", err); err != nil {
		return
	}
	x.stray = prompt{cmp.Or(p.code, x.stray.code), "", cmp.Or(p.options, x.stray.options)}
	if k.Sent() {
		p.code, p.sent = post(x).letter(f.at(k), otl.MessageFactorCode).Code, k
	}
	if k == otl.FactorKey {
		p.options = o.Options
	}
}

// post is what people of a walk are sent.
type post struct{ *walker }

// at gives where codes of a kind of factor go.
func (f *folk) at(k otl.FactorKind) string {
	if k == otl.FactorSMS {
		return f.Phone
	}
	return f.Email.Address
}

// letter gives the newest letter of a kind to an address or number, and throws all away.
func (x post) letter(to string, kind otl.MessageKind) outbox.Received {
	x.Helper()
	all := x.w.Letters(x.T, to)
	x.w.Inbox.Empty()
	i := slices.IndexFunc(all, func(l outbox.Received) bool { return l.Kind == kind })
	if i < 0 {
		x.Fatalf("no %s to %s", kind, to)
	}
	return all[i]
}

// shown is a proof of a second factor as somebody gives it.
type shown struct {
	kind  otl.FactorKind
	proof secret.Text
	right bool   // it is one of a factor he has, and was not used
	then  func() // what its being taken changes
}

// note notes that a proof was taken.
func (x *walker) note(p shown) {
	x.ways["by "+string(p.kind)]++
	p.then()
}

// prove gives a proof of something that somebody has, or has not, where he was asked for it.
func (x proofs) prove(f *folk, asked *prompt) shown {
	switch {
	case asked.code != "" && x.once(2):
		return x.fromCode(f, asked)
	case asked.options != "" && x.once(2):
		return x.fromKey(f, asked)
	case x.once(4):
		return x.fromPaper(f)
	}
	return x.fromApp(f)
}

// code gives what somebody's app shows, or what nobody's does.
func (x proofs) code(f *folk) secret.Text {
	seed := f.seed
	switch x.dice.IntN(8) {
	case 0:
		seed = one(x.walker, x.people).seed
	case 1:
		seed = f.was
	case 2:
		seed = secret.Text{}
	}
	if seed.Empty() {
		seed = secret.NewTOTPSeed()
	}
	return secret.NewText(secret.TOTP(seed, x.w.Clock.Now()))
}

func (x proofs) fromApp(f *folk) shown {
	proof := x.code(f)
	step, ok := secret.MatchTOTP(f.seed, proof, x.w.Clock.Now())
	return shown{otl.FactorTOTP, proof, ok && !f.seed.Empty() && step > f.step, func() { f.step = step }}
}

func (x proofs) fromPaper(f *folk) shown {
	of := f
	if x.once(5) {
		of = one(x.walker, x.people)
	}
	pool := of.paper
	if len(pool) == 0 || x.once(5) {
		pool = append(slices.Clone(of.spent), "aaaa-bbbb-ccccc")
	}
	code := one(x.walker, pool)
	return shown{otl.FactorRecovery, secret.NewText(code), slices.Contains(f.paper, code), func() {
		f.paper = slices.DeleteFunc(f.paper, func(c string) bool { return c == code })
		f.spent = kept(f.spent, code)
	}}
}

func (x proofs) fromCode(f *folk, asked *prompt) shown {
	code, k := asked.code, asked.sent
	if x.once(5) && x.stray.code != "" {
		code = x.stray.code
	}
	if other := map[otl.FactorKind]otl.FactorKind{otl.FactorMail: otl.FactorSMS, otl.FactorSMS: otl.FactorMail}; x.once(4) {
		k = other[k]
	}
	return shown{k, secret.NewText(code), f.has(k) && k == asked.sent && code == asked.code, func() { asked.code = "" }}
}

func (x proofs) fromKey(f *folk, asked *prompt) shown {
	k, options := f.key, asked.options
	if (k == nil || x.once(6)) && len(x.keys) > 0 {
		k = one(x.walker, x.keys)
	}
	if x.once(3) && x.stray.options != "" {
		options = x.stray.options
	}
	if k == nil {
		return shown{otl.FactorKey, secret.NewText("{}"), false, func() {}}
	}
	counter, on := k.count(x.walker)
	right := k == f.key && options == asked.options && on
	return shown{otl.FactorKey, k.signed(x.T, options, counter, x.once(2)), right, func() { k.seen, asked.options = counter, "" }}
}

// trusted is a device that somebody trusts, by what he was told.
type trusted struct {
	token        secret.Text
	id           string
	by           *folk
	at           string // id of the site
	since, until time.Time
	gone         bool
}

// spares reports whether it spares somebody the second step at a site, as that has it by now.
func (d *trusted) spares(x *walker, f *folk, s otl.Site) bool {
	now := x.w.Clock.Now()
	return d != nil && !d.gone && d.by == f && (d.at == s.ID || d.at == x.home.ID) && now.Before(d.until) && now.Before(d.since.Add(s.TrustTTL()))
}

// from gives a request, from a device that somebody trusts or from any, and that device.
func (x *walker) from() (context.Context, *trusted) {
	r := &otl.Request{}
	if len(x.devices) == 0 || x.once(2) {
		return otl.WithRequest(x.Context(), r), nil
	}
	d := one(x, x.devices)
	r.Device = factor.DeviceDigest(d.token)
	return otl.WithRequest(x.Context(), r), d
}

// somebody gives whose device it is that a request comes from, or anybody.
func somebody(x *walker, d *trusted) *folk {
	if d == nil || x.once(3) {
		return one(x, x.people)
	}
	return d.by
}

// trust keeps the token of a device that is trusted from now on, if one is, and gives it.
func (x *walker) trust(token secret.Text, f *folk, at otl.Site, ttl time.Duration) *trusted {
	if token.Empty() {
		return nil
	}
	now := x.w.Clock.Now()
	t, err := x.w.Store.Read.Tickets.Live(x.Context(), otl.PurposeDevice, factor.DeviceDigest(token), now)
	if err != nil {
		x.Fatal(err)
	}
	d := &trusted{token, t.ID, f, at.ID, now, now.Add(ttl), false}
	x.devices = kept(x.devices, d)
	return d
}

// forget notes that somebody trusts no device any more at a site or, for "", anywhere.
func (x *walker) forget(f *folk, at string) {
	for _, d := range (gates{x}).known() {
		d.gone = d.gone || d.by == f && (at == "" || d.at == at)
	}
}

// changes change what a walk goes by.
type changes struct{ *walker }

// change changes what a site asks for, or what somebody has.
func (x changes) change(at int, f *folk) {
	if gates(x).out(f) {
		return
	}
	switch x.dice.IntN(6) {
	case 0:
		policies := []otl.MFAPolicy{otl.MFAOff, otl.MFAOptional, otl.MFAOptional, otl.MFAOptional, otl.MFARequired, otl.MFARequired, otl.MFARoles}
		x.sites[at] = demand(x.T, x.w, x.sites[at], one(x.walker, policies), "editor")
		days := one(x.walker, []int{0, 1, 30, 30})
		var err error
		if x.sites[at].Site, err = x.w.Sites.Set(x.Context(), x.sites[at].Site.ID, site.Change{TrustDays: &days}); err != nil {
			x.Fatal(err)
		}
	case 1:
		if f.enrolled() {
			x.strip(f)
		}
	case 3:
		gates(x).shut(f, at)
	case 2:
		if x.once(2) {
			passwords(x).change(f)
		}
	default:
		x.equip(f)
	}
}

// strip takes one of somebody's factors, or all.
func (x changes) strip(f *folk) {
	defer func() { x.forget(f, "") }()
	if x.once(3) {
		if _, err := x.w.Setup.Reset(x.Context(), f.User); err != nil {
			x.Fatal(err)
		}
		for _, k := range kinds() {
			f.lose(k)
		}
		return
	}
	own, err := x.w.Setup.List(x.Context(), f.User)
	if err != nil || len(own.Factors) == 0 {
		x.Fatal(own, err)
	}
	gone := one(x.walker, own.Factors)
	if gone.Kind == otl.FactorRecovery {
		gone = own.Factors[0] // which is never that, and takes the devices along
	}
	x.as(f, func(by store.Standing) error {
		_, err := x.w.Setup.Remove(x.Context(), by, gone.ID)
		return err
	})
	f.lose(gone.Kind)
}

// as does something in a session in which somebody may change what he proves himself with.
func (x changes) as(f *folk, do func(store.Standing) error) {
	by := x.w.Strong(x.T, f.User)
	if err := do(by); err != nil {
		x.Fatal(err)
	}
	if _, err := x.w.SignIn.Revoke(x.Context(), signin.Scope{UserID: f.ID}, by.Session.ID, otl.EndSuperseded); err != nil {
		x.Fatal(err)
	}
}

// equip gives somebody something that he has not, or other recovery codes.
func (x changes) equip(f *folk) {
	k := one(x.walker, kinds())
	switch {
	case k == otl.FactorRecovery && f.enrolled():
		x.as(f, func(by store.Standing) error {
			codes, _, err := x.w.Setup.NewCodes(x.Context(), by)
			f.write(codes)
			return err
		})
	case k == otl.FactorRecovery || f.has(k):
	case k == otl.FactorKey:
		x.as(f, func(by store.Standing) error {
			e, err := x.w.Setup.Enrol(x.Context(), by, factor.New{Kind: k})
			if err != nil {
				return err
			}
			key := newPasskey(f)
			c, err := x.w.Setup.Confirm(x.Context(), by, e.ID, key.made(x.T, e.Options))
			x.equipped(f, c, secret.Text{}, key)
			return err
		})
	default:
		given := factor.Given{New: factor.New{Kind: k}, Seed: secret.NewTOTPSeed()}
		if k == otl.FactorSMS {
			given.Number = f.Phone
		}
		got, err := x.w.Setup.Give(x.Context(), f.User, given)
		if err != nil {
			x.Fatal(err)
		}
		x.equipped(f, factor.Confirmed{Factor: got}, given.Seed, nil)
	}
}

// equipped notes what somebody has set up.
func (x changes) equipped(f *folk, c factor.Confirmed, seed secret.Text, key *passkey) {
	switch c.Kind {
	case otl.FactorTOTP:
		f.seed, f.step = seed, c.LastStep
	case otl.FactorMail:
		f.mail = true
	case otl.FactorSMS:
		f.text = true
	case otl.FactorKey:
		f.key, x.keys = key, kept(x.keys, key)
	}
	if len(c.RecoveryCodes) > 0 {
		f.write(c.RecoveryCodes)
	}
}

// posted is a code, and perhaps a link, to sign somebody in at a site, or in a visit to the pages.
type posted struct {
	by         *folk
	site, flow string
	method     otl.Method // of the code
	code, link string
	number     string // that the visit shows
	gone       bool   // used, or replaced
	next       *posted
	crosses    time.Time // until when its link opens the next
}

// sent keeps what was sent; what was sent for the same before is worthless, but for a link that
// crosses a newer one.
func (x post) sent(m *posted) {
	for _, before := range x.mails {
		if before.gone || before.by != m.by || before.site != m.site {
			continue
		}
		if before.gone = true; before.link != "" && m.link != "" {
			before.next, before.crosses = m, x.w.Clock.Now().Add(time.Minute)
		}
	}
	x.mails = kept(x.mails, m)
}

// pick gives something that was sent: as a rule what is for a visit to the pages, for "" a site.
func (x post) pick(flow string) *posted {
	fit := slices.DeleteFunc(slices.Clone(x.mails), func(m *posted) bool { return m.gone || m.flow != flow })
	if len(fit) > 0 && !x.once(4) {
		return one(x.walker, fit)
	}
	return one(x.walker, x.mails)
}

// good reports whether a code signs somebody in at a site, or in a visit to the pages.
func (x post) good(f *folk, at, flow, code string) bool {
	return slices.ContainsFunc(x.mails, func(m *posted) bool {
		return !m.gone && m.by == f && m.site == at && m.flow == flow && m.code == code
	})
}

// opens gives what a link opens by now, nil for nothing.
func (x post) opens(m *posted) *posted {
	switch {
	case !m.gone:
		return m
	case m.next != nil && x.w.Clock.Now().Before(m.crosses):
		return x.opens(m.next)
	}
	return nil
}

// landed is what the link of a site led to.
type landed struct {
	code        secret.Text
	by          *folk
	site        int
	used, tried bool
}

// send has a code or link sent to somebody by a site, or a code handed to it.
func (x post) send(f *folk, at int) {
	s := x.sites[at].Site
	r := signin.CodeRequest{Site: s, Who: signin.Identifier{Type: signin.ByEmail, Value: f.Email.Address}, Channel: otl.ChannelMail, Known: true}
	m, to := &posted{by: f, site: s.ID, method: otl.MethodMailCode}, f.Email.Address
	var err error
	switch x.dice.IntN(4) {
	case 0:
		var got signin.CodeSent
		r.Channel, m.method = otl.ChannelDirect, otl.MethodDirect
		got, err = x.w.Codes.Send(x.Context(), r)
		m.code = got.Code.Reveal()
	case 1:
		_, err = x.w.Codes.Send(x.Context(), r)
	case 2:
		r.Redirect = back
		_, err = x.w.Codes.SendLink(x.Context(), signin.LinkRequest{CodeRequest: r, Confirm: otl.ConfirmAlways})
	case 3:
		r.Channel, m.method, to = otl.ChannelSMS, otl.MethodSMS, f.Phone
		if _, err = x.w.Codes.Send(x.Context(), r); err != nil { // as many went as may go
			x.sound("texted", err)
			return
		}
	}
	if gates(x).refused(f, err) {
		return
	}
	if m.code == "" {
		l := x.letter(to, otl.MessageSignIn)
		m.code, m.link = l.Code, tokenOf(l.Link)
	}
	x.sent(m)
}

// tokenOf gives the token of a link, "" for none.
func tokenOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || len(u.Path) < 3 {
		return ""
	}
	return u.Path[len("/l/"):]
}

// mail has somebody sent a code or link, or uses one, where it was sent for or elsewhere.
func (x post) mail(ctx context.Context, d *trusted) {
	switch {
	case len(x.landed) > 0 && (!x.landed[len(x.landed)-1].tried || x.once(4)):
		x.redeem(ctx, d)
	case len(x.mails) == 0 || x.once(3):
		x.send(one(x.walker, x.people), x.dice.IntN(len(x.sites)))
	case x.once(2):
		x.press(ctx)
	default:
		x.enter(ctx, d)
	}
}

// enter enters a code at a site.
func (x post) enter(ctx context.Context, d *trusted) {
	m, at := x.pick(""), x.dice.IntN(len(x.sites))
	is := &begun{by: m.by, site: at, door: one(x.walker, x.doors), methods: otl.Methods{m.method}}
	if i := slices.IndexFunc(x.sites, func(s site.Registered) bool { return s.Site.ID == m.site }); i >= 0 && !x.once(5) {
		is.site = i
	}
	if x.once(6) {
		is.by = one(x.walker, x.people)
	}
	s := x.sites[is.site].Site
	p, err := x.w.Codes.Verify(ctx, signin.CodeAttempt{
		Site: s, Who: signin.Identifier{Type: signin.ByEmail, Value: is.by.Email.Address}, Code: secret.NewText(m.code), Known: true, Door: &is.door,
	})
	if x.took("a code", x.good(is.by, s.ID, "", m.code), err); err == nil {
		m.gone = true
	}
	x.entered("a code", is, d, p.Entered, err)
}

// press opens a link of a site.
func (x post) press(ctx context.Context) {
	m := x.pick("")
	if m.link == "" {
		return
	}
	is := x.opens(m)
	to, err := x.w.Codes.Confirm(ctx, m.link)
	if x.took("pressed", is != nil && is.flow == "", err); err != nil || is == nil {
		return
	}
	is.gone = true
	u, err := url.Parse(to)
	if err != nil {
		x.Fatal(err)
	}
	at := slices.IndexFunc(x.sites, func(s site.Registered) bool { return s.Site.ID == m.site })
	x.landed = kept(x.landed, &landed{secret.NewText(u.Query().Get("code")), m.by, at, false, false})
}

// redeem redeems what a link led to.
func (x post) redeem(ctx context.Context, d *trusted) {
	l := x.landed[len(x.landed)-1]
	if l.tried || x.once(4) {
		l = one(x.walker, x.landed)
	}
	is := &begun{by: l.by, site: l.site, door: one(x.walker, x.doors), methods: otl.Methods{otl.MethodMailLink}}
	if x.once(6) {
		is.site = x.dice.IntN(len(x.sites))
	}
	p, err := x.w.Codes.Redeem(ctx, signin.LinkAttempt{Site: x.sites[is.site].Site, Code: l.code, Door: &is.door})
	x.took("a link", !l.used && is.site == l.site, err)
	l.used, l.tried = l.used || err == nil, l.tried || is.site == l.site // who is kept out for a while comes back before it is too late
	x.entered("a link", is, d, p.Entered, err)
}
