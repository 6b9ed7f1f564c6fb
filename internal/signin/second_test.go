package signin_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// demand sets when a site asks for a second factor and gives the site as it is then.
func demand(t *testing.T, w *otltest.World, s site.Registered, p otl.MFAPolicy, roles ...string) site.Registered {
	t.Helper()
	err := w.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, r := range roles { // it may have it already
			if _, err := tx.Roles.Insert(ctx, otl.Role{SiteID: s.Site.ID, Name: r, CreatedAt: w.Clock.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Site, err = w.Sites.Set(t.Context(), s.Site.ID, site.Change{MFA: (*string)(&p), MFARoles: &roles}); err != nil {
		t.Fatal(err)
	}
	return s
}

// holder is a person with a proven address and number, and perhaps an app.
type holder struct {
	otl.User
	seed secret.Text
}

func hold(t *testing.T, w *otltest.World, email, phone string, app bool, sites ...otl.Site) holder {
	t.Helper()
	h := holder{User: w.Person(t, email, sites...)}
	write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
		h.Phone = phone
		if _, err = tx.Users.UpdateProfile(ctx, h.User); err != nil {
			return err
		}
		if _, err = tx.Users.VerifyEmail(ctx, h.ID, h.Email.Key, w.Clock.Now()); err != nil {
			return err
		}
		if _, err = tx.Users.VerifyPhone(ctx, h.ID, phone, w.Clock.Now()); err != nil {
			return err
		}
		h.User, err = tx.Users.ByID(ctx, h.ID)
		return err
	})
	for _, s := range sites { // they send to the number
		w.Sees(t, h.User, s, otl.MinimalFields().With(otl.FieldPhone)...)
	}
	if app {
		h.seed = secret.NewTOTPSeed()
		if _, err := w.Setup.Give(t.Context(), h.User, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: h.seed}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// path is one way in.
type path struct {
	name string
	go_  func(t *testing.T, w *otltest.World, s site.Registered, h holder, d *signin.Door) (signin.Entered, error)
}

// ways is every way in there is below the wires, those of a first proof.
func ways() []path {
	code := func(channel otl.Channel) func(*testing.T, *otltest.World, site.Registered, holder, *signin.Door) (signin.Entered, error) {
		return func(t *testing.T, w *otltest.World, s site.Registered, h holder, d *signin.Door) (signin.Entered, error) {
			who := signin.Identifier{Type: signin.ByID, Value: h.ID}
			sent, err := w.Codes.Send(t.Context(), signin.CodeRequest{Site: s.Site, Who: who, Channel: channel, Known: true})
			if err != nil {
				t.Fatal(err)
			}
			plain := sent.Code
			if channel != otl.ChannelDirect {
				to := map[otl.Channel]string{otl.ChannelMail: h.Email.Address, otl.ChannelSMS: h.Phone}[channel]
				for _, l := range w.Letters(t, to) {
					if l.Code != "" {
						plain = secret.NewText(l.Code)
					}
				}
			}
			p, err := w.Codes.Verify(t.Context(), signin.CodeAttempt{Site: s.Site, Who: who, Code: plain, Known: true, Door: d})
			return p.Entered, err
		}
	}
	return []path{
		{"password", func(t *testing.T, w *otltest.World, s site.Registered, h holder, d *signin.Door) (signin.Entered, error) {
			p, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: s.Site, Email: h.Email.Address, Password: secret.NewText(otltest.Password)})
			if err != nil {
				t.Fatal(err)
			}
			return w.SignIn.Second.Enter(t.Context(), p, d)
		}},
		{"mail", code(otl.ChannelMail)},
		{"sms", code(otl.ChannelSMS)},
		{"direct", code(otl.ChannelDirect)},
		{"link", func(t *testing.T, w *otltest.World, s site.Registered, h holder, d *signin.Door) (signin.Entered, error) {
			_, err := w.Codes.SendLink(t.Context(), signin.LinkRequest{
				CodeRequest: signin.CodeRequest{Site: s.Site, Who: signin.Identifier{Type: signin.ByEmail, Value: h.Email.Address}, Channel: otl.ChannelMail, Known: true, Redirect: "https://notes.test/callback"},
				Confirm:     otl.ConfirmAlways,
			})
			if err != nil {
				t.Fatal(err)
			}
			link := w.Newest(t, h.Email.Address).Link
			to := confirmed(t, w, link[strings.LastIndex(link, "/")+1:])
			_, back, _ := strings.Cut(to, "code=")
			back, _, _ = strings.Cut(back, "&")
			p, err := w.Codes.Redeem(t.Context(), signin.LinkAttempt{Site: s.Site, Code: secret.NewText(back), Door: d})
			return p.Entered, err
		}},
	}
}

// TestMF05_NoDoorSkipsAFactor generates way in × policy × enrolment × door and holds
// each against the rule: what was opened has two factors wherever they are due.
func TestMF05_NoDoorSkipsAFactor(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	editors := []string{"editor"}
	policies := []struct {
		policy otl.MFAPolicy
		roles  []string // of the site's policy
		person []string // of the person
	}{
		{otl.MFAOff, nil, nil}, {otl.MFAOptional, nil, nil}, {otl.MFARequired, nil, nil}, {otl.MFARoles, editors, nil}, {otl.MFARoles, editors, editors},
	}
	n := 0
	for _, p := range policies {
		s := demand(t, w, w.Notes, p.policy, p.roles...)
		for _, app := range []bool{false, true} {
			for _, way := range ways() {
				for _, d := range []*signin.Door{nil, {Name: "test"}} {
					n++
					h := hold(t, w, fmt.Sprintf("p%d@dev.test", n), fmt.Sprintf("+4917055501%02d", n), app, s.Site)
					write(t, w, func(ctx context.Context, tx *store.Tx) error {
						g, err := tx.Grants.Of(ctx, h.ID, s.Site.ID)
						if err == nil {
							_, err = tx.Grants.SetRoles(ctx, g, p.person)
						}
						return err
					})
					what := fmt.Sprintf("%s, %v, app %v, by %s, door %v", p.policy, p.person, app, way.name, d != nil)
					demanded := p.policy == otl.MFARequired || len(p.person) > 0
					due := demanded || app && p.policy != otl.MFAOff
					in, err := way.go_(t, w, s, h, d)
					switch {
					case !due:
						wantCode(t, what, err, "")
						if in.Access.Empty() {
							t.Errorf("%s: nothing was opened", what)
						}
						continue
					case !app:
						wantCode(t, what, err, "mfa_enrollment_required")
					case way.name == "direct":
						wantCode(t, what, err, "mfa_kind")
					case d == nil:
						wantCode(t, what, err, "mfa_required")
					default:
						wantCode(t, what, err, "")
						if in.Step == nil {
							t.Fatalf("%s: no step", what)
						}
					}
					if live, err := w.SignIn.List(t.Context(), scope(h.User), "", 10); err != nil || len(live) > 0 || !in.Access.Empty() {
						t.Fatalf("%s: a session before the second step (%v)", what, err)
					}
					if in.Step == nil {
						continue
					}
					w.Clock.Advance(30 * time.Second)
					done, err := w.SignIn.Second.Complete(t.Context(), signin.StepProof{
						Token: in.Step.Token, Site: s.Site, Door: *d, Kind: otl.FactorTOTP, Proof: secret.NewText(secret.TOTP(h.seed, w.Clock.Now())),
					})
					wantCode(t, what, err, "")
					if done.Session.Methods.Factors() != 2 {
						t.Errorf("%s: opened by %s", what, done.Session.Methods)
					}
				}
			}
		}
	}
	if n != 100 {
		t.Errorf("%d cells", n)
	}
}

// TestMF06_WhatACodeShowsIsSaidByTheCode: a visit that was read before its SMS was sent, and
// saved after it, makes no mail of it. Whoever has the telephone alone has one factor.
func TestMF06_WhatACodeShowsIsSaidByTheCode(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane := hold(t, w, "jane@dev.test", "+491705550122", true, w.Notes.Site)
		if _, err := w.Setup.Give(t.Context(), jane.User, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: jane.Phone}}); err != nil {
			t.Fatal(err)
		}
		s, browser := signin.Arrivals{Flows: w.Flows}, signin.NewBrowser()
		f, err := s.Begin(t.Context(), w.Notes.Site, browser, otl.Asked{Redirect: back, Hint: "jane@dev.test"})
		if err != nil {
			t.Fatal(err)
		}
		stale, err := s.Visit(t.Context(), f.ID, browser, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := (signin.Texts{Arrivals: s}).Send(t.Context(), stale, "jane@dev.test"); err != nil {
			t.Fatal(err)
		}
		a, err := s.Code(t.Context(), stale, secret.NewText(w.Newest(t, jane.Phone).Code))
		if err != nil {
			t.Fatal(err)
		}
		if a.Step == nil || slices.ContainsFunc(a.Step.Factors, func(o factor.Offer) bool { return o.Kind == otl.FactorSMS }) {
			t.Error("the telephone that received the first code is asked for the second")
		}
	})
}

func scope(u otl.User) signin.Scope { return signin.Scope{UserID: u.ID} }

func confirmed(t *testing.T, w *otltest.World, token string) string {
	t.Helper()
	to, err := w.Codes.Confirm(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestMF05_RefreshAndResumeKnowWhatASiteDemandsNow(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		w.Person(t, "jane@dev.test", w.Notes.Site)
		in := login(t, w, w.Notes, "jane@dev.test")
		demand(t, w, w.Notes, otl.MFARequired)
		_, err := w.SignIn.Refresh(t.Context(), in.Refresh, w.Notes.Site)
		wantCode(t, "refresh", err, session.ErrStronger.Code)
		_, err = w.SignIn.Resume(t.Context(), w.Notes.Site, session.Holder{}, in.Session.ID)
		wantCode(t, "resume", err, session.ErrStronger.Code)
		demand(t, w, w.Notes, otl.MFAOptional)
		_, err = w.SignIn.Refresh(t.Context(), in.Refresh, w.Notes.Site)
		wantCode(t, "refresh after the site changed its mind", err, "")
	})
}

// TestMF05_RegisteringIsADoorToo: nobody is signed in with one factor by registering.
func TestMF05_RegisteringIsADoorToo(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	s := demand(t, w, w.Notes, otl.MFARequired)
	_, err := w.Accounts.Register(t.Context(), account.Registration{Site: s.Site, Email: "new@dev.test", Password: secret.NewText(otltest.Password)})
	wantCode(t, "register", err, "mfa_enrollment_required")
}

// TestOT16_AFactorThatWasPlantedGoes: who sets up a factor with an address he does not
// hold keeps nobody out who does.
func TestOT16_AFactorThatWasPlantedGoes(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test", w.Notes.Site)
		seed := secret.NewTOTPSeed()
		if _, err := w.Setup.Give(t.Context(), u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Setup.NewCodes(t.Context(), w.Strong(t, u)); err != nil {
			t.Fatal(err)
		}
		var device secret.Text
		write(t, w, func(ctx context.Context, tx *store.Tx) (err error) {
			device, err = w.Factors.Trust(ctx, tx, u.ID, w.Notes.Site.ID, time.Hour)
			return err
		})
		planted, err := w.SignIn.Prove(t.Context(), signin.Attempt{Site: w.Notes.Site, Email: "jane@dev.test", Password: secret.NewText(otltest.Password)})
		if err != nil {
			t.Fatal(err)
		}
		step, err := w.SignIn.Second.Begin(t.Context(), planted, signin.Door{Name: "test"})
		if err != nil || step == nil {
			t.Fatal(step, err)
		}
		in, err := ways()[1].go_(t, w, w.Notes, holder{User: u}, nil) // a code by mail: the first proof
		wantCode(t, "whoever holds the address", err, "")
		if in.Access.Empty() {
			t.Error("was not let in")
		}
		own, err := w.Setup.List(t.Context(), u)
		if err != nil || len(own.Factors) != 0 || own.CodesLeft != 0 {
			t.Errorf("left: %+v %v", own, err)
		}
		_, err = w.SignIn.Second.Complete(t.Context(), signin.StepProof{
			Token: step.Token, Site: w.Notes.Site, Door: signin.Door{Name: "test"}, Kind: otl.FactorTOTP, Proof: secret.NewText(secret.TOTP(seed, w.Clock.Now())),
		})
		wantCode(t, "the step that was under way", err, "mfa_token_invalid")
		if _, err := w.Store.Read.Tickets.Live(t.Context(), otl.PurposeDevice, factor.DeviceDigest(device), w.Clock.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the trusted device: %v", err)
		}
	})
}
