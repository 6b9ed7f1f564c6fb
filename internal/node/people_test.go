package node_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// enrolment is what somebody has set up.
type enrolment string

const (
	bare  enrolment = "nothing"
	app   enrolment = "an app"
	lost  enrolment = "an app that was lost, and codes on paper"
	sms   enrolment = "a telephone"
	mail  enrolment = "a mailbox"
	key   enrolment = "a passkey"
	paper enrolment = "codes on paper alone"
)

// enrolled reports whether it is a second factor: codes on paper stand in for one.
func (e enrolment) enrolled() bool { return e != bare && e != paper }

// person is somebody who comes in, with a proven address and a proven number.
type person struct {
	otl.User
	has    enrolment
	seed   secret.Text
	second string // number of a telephone of its own
	key    *passkey
	paper  []secret.Text
	b      *otltest.Browser
}

// passkey is an authenticator of somebody else's making with one key.
type passkey struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

// newPasskey makes one with a key pair of which the library writes down both numbers in
// full: of one in 128 it leaves a leading zero out.
func newPasskey(holder string) *passkey {
	k := &passkey{rp: virtualwebauthn.RelyingParty{ID: "id.test", Name: "id.test", Origin: otltest.Issuer}}
	k.auth = virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(holder)})
	for len(k.key.ID) == 0 || len(k.key.Key.AttestationData()) != 77 {
		k.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return k
}

// signed is what navigator.credentials.get gives.
func (k *passkey) signed(t *testing.T, options string) string {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		t.Fatalf("%v: %s", err, options)
	}
	k.key.Counter++
	return virtualwebauthn.CreateAssertionResponse(k.rp, k.auth, k.key, *o)
}

// person adds somebody with a role at the site, "" for none.
func (d *doors) person(has enrolment, role string) person {
	d.Helper()
	p := personOf(d, has, d.w.Notes.Site)
	give(d, p, role)
	return p
}

// personOf adds somebody who is at one site.
func personOf(d *doors, has enrolment, at otl.Site) person {
	d.Helper()
	d.people++
	p := person{User: d.w.Person(d.T, fmt.Sprintf("p%d@dev.test", d.people), at), has: has, b: d.w.Browser(d.T)}
	p.second = fmt.Sprintf("+49170666%04d", d.people)
	if err := d.w.Store.Write(d.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		p.Phone = fmt.Sprintf("+49170555%04d", d.people)
		if _, err = tx.Users.UpdateProfile(ctx, p.User); err != nil {
			return err
		}
		if _, err = tx.Users.VerifyEmail(ctx, p.ID, p.Email.Key, d.w.Clock.Now()); err != nil {
			return err
		}
		if _, err = tx.Users.VerifyPhone(ctx, p.ID, p.Phone, d.w.Clock.Now()); err != nil {
			return err
		}
		p.User, err = tx.Users.ByID(ctx, p.ID)
		return err
	}); err != nil {
		d.Fatal(err)
	}
	d.w.Sees(d.T, p.User, at, otl.MinimalFields().With(otl.FieldPhone)...)
	d.enrol(&p)
	return p
}

// give gives somebody a role at the site, "" for none.
func give(d *doors, p person, role string) {
	d.Helper()
	if role == "" {
		return
	}
	if err := d.w.Store.Write(d.Context(), func(ctx context.Context, tx *store.Tx) error {
		g, err := tx.Grants.Of(ctx, p.ID, d.w.Notes.Site.ID)
		if err == nil {
			_, err = tx.Grants.SetRoles(ctx, g, []string{role})
		}
		return err
	}); err != nil {
		d.Fatal(err)
	}
}

// enrol sets up what somebody has.
func (d *doors) enrol(p *person) {
	d.Helper()
	give := func(n factor.New) string {
		p.seed = secret.NewTOTPSeed()
		f, err := d.w.Setup.Give(d.Context(), p.User, factor.Given{New: n, Seed: p.seed})
		if err != nil {
			d.Fatal(err)
		}
		return f.ID
	}
	switch p.has {
	case app:
		give(factor.New{Kind: otl.FactorTOTP})
	case sms:
		give(factor.New{Kind: otl.FactorSMS, Number: p.second})
	case mail:
		give(factor.New{Kind: otl.FactorMail})
	case key:
		d.keyed(p)
	case lost, paper:
		id := give(factor.New{Kind: otl.FactorTOTP})
		by := d.w.Strong(d.T, p.User)
		var err error
		if p.paper, _, err = d.w.Setup.NewCodes(d.Context(), by); err == nil && p.has == paper {
			err = d.w.Store.Write(d.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Factors.Delete(ctx, p.ID, id)
				return err
			})
		}
		if err != nil {
			d.Fatal(err)
		}
		end(d, by)
	}
}

// end ends a session, as if it had never been.
func end(d *doors, s store.Standing) {
	d.Helper()
	if err := d.w.Store.Write(d.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := d.w.SignIn.Sessions.End(ctx, tx, s.User.ID, s.Session.ID, otl.EndSuperseded)
		return err
	}); err != nil {
		d.Fatal(err)
	}
}

// keyed sets a passkey up.
func (d *doors) keyed(p *person) {
	d.Helper()
	by := d.w.Strong(d.T, p.User)
	e, err := d.w.Setup.Enrol(d.Context(), by, factor.New{Kind: otl.FactorKey})
	if err != nil {
		d.Fatal(err)
	}
	p.key = newPasskey(p.ID)
	o, err := virtualwebauthn.ParseAttestationOptions(e.Options)
	if err != nil {
		d.Fatal(err)
	}
	if _, err := d.w.Setup.Confirm(d.Context(), by, e.ID, secret.NewText(virtualwebauthn.CreateAttestationResponse(p.key.rp, p.key.auth, p.key.key, *o))); err != nil {
		d.Fatal(err)
	}
	own, err := d.w.Setup.List(d.Context(), p.User) // it came with codes on paper
	if err == nil {
		_, err = d.w.Setup.Remove(d.Context(), by, own.Factors[1].ID)
	}
	if err != nil {
		d.Fatal(err)
	}
	end(d, by)
}

// shown gives the code that proves what somebody has, which was sent where it is one that is.
func (d *doors) shown(p person) string {
	d.Helper()
	switch p.has {
	case sms, mail:
		to := map[enrolment]string{sms: p.second, mail: p.Email.Address}[p.has]
		all := d.w.Letters(d.T, to)
		if len(all) == 0 || all[0].Code == "" {
			d.Fatalf("no code to %s", to)
		}
		return all[0].Code
	case lost:
		return p.paper[0].Reveal()
	}
	d.w.Clock.Advance(30 * time.Second)
	return secret.TOTP(p.seed, d.w.Clock.Now())
}

// proof gives what `mfa/verify` takes for one of the factors that a 401 offers, or for a step
// up, by a call that asks for a challenge.
func (d *doors) proof(p person, factorID string, ask func(path string, body object) otltest.Reply) object {
	d.Helper()
	if p.has == key {
		given := ask("/auth/mfa/challenge", object{"factor_id": factorID}).Want(d.T, http.StatusOK)
		return object{"factor_id": factorID, "assertion": raw(p.key.signed(d.T, string(encoded(d.T, given.JSON["options"]))))}
	}
	if p.has == sms || p.has == mail {
		ask("/auth/mfa/challenge", object{"factor_id": factorID}).Want(d.T, http.StatusOK)
	}
	return object{"factor_id": factorID, "code": d.shown(p)}
}

// kind gives what the factor is that somebody proves.
func (p person) kind() otl.FactorKind {
	return map[enrolment]otl.FactorKind{app: otl.FactorTOTP, lost: otl.FactorRecovery, sms: otl.FactorSMS, mail: otl.FactorMail, key: otl.FactorKey}[p.has]
}

// verified takes the second step on our own wire.
func (d *doors) verified(p person, c came) otltest.Reply {
	d.Helper()
	token, id := c.Text("mfa_token"), ""
	offered, _ := c.JSON["factors"].([]any)
	for _, o := range offered {
		if one := o.(object); one["kind"] == string(p.kind()) {
			id, _ = one["id"].(string)
		}
	}
	ask := func(path string, body object) otltest.Reply {
		body["mfa_token"] = token
		return d.native(path, body)
	}
	return ask("/auth/mfa/verify", d.proof(p, id, ask))
}

var lostLink = regexp.MustCompile(`href="(/mfa\?f=[^"]*)"`)

// stepped takes the second step of the pages.
func (d *doors) stepped(p person, c came) otltest.Page {
	d.Helper()
	page := c.page
	if p.has == lost {
		m := lostLink.FindSubmatch(page.Raw)
		if m == nil {
			d.Fatalf("nothing stands in for the app at %s\n%s", page.Path, page.Raw)
		}
		page = p.b.Get(html.UnescapeString(string(m[1])))
	}
	if page.Fields("send") != nil {
		page = p.b.Submit(page, "send", nil)
	}
	if page.Fields("second") == nil {
		d.Fatalf("no second step at %s\n%s", page.Path, page.Raw)
	}
	if p.has == key {
		asked := p.b.Send("/mfa/send", page.Fields("second"))
		return p.b.Submit(page, "second", map[string]string{"credential": p.key.signed(d.T, string(asked.Raw))})
	}
	return p.b.Submit(page, "second", map[string]string{"code": d.shown(p)})
}
