package signin

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Devices lets devices in that have no browser (RFC 8628): the device shows a code,
// somebody enters it in a browser elsewhere, proves who he is and says yes, and the device
// fetches its tokens. The visit of that browser is a flow like any other; at its end
// stands a question instead of a code.
type Devices struct{ *Flows }

// ModeDevice is the Mode of a visit of somebody who is to let a device in.
const ModeDevice = "device"

// Members of Asked.More of a visit about a device.
const (
	moreDevice = "device"    // its id
	moreCode   = "user_code" // the keyed digest of its code, in base64
)

const (
	devicePrefix = "otl_dc_"
	// DeviceTTL is how long a device waits.
	DeviceTTL = 10 * time.Minute
	// DevicePause is how many seconds a device is to wait between its questions, and by
	// how many more once it did not.
	DevicePause = 5
)

// userAlphabet are the letters of codes that people enter: no vowels, so that they form
// no words, and none that look like digits (RFC 8628 section 6.1).
const userAlphabet = "BCDFGHJKLMNPQRSTVWXZ"

// userCodeLength makes 34 bits, of which five in a minute can be tried.
const userCodeLength = 8

// What becomes of a device's question.
var (
	ErrDevicePending = &otl.Error{Kind: otl.Unauthenticated, Code: "authorization_pending", Text: "Nobody has let the device in yet."}
	ErrDeviceSoon    = &otl.Error{Kind: otl.Unauthenticated, Code: "slow_down", Text: "The device asks too often. It is to wait five seconds longer from now on."}
	ErrDeviceDenied  = &otl.Error{Kind: otl.Unauthenticated, Code: "access_denied", Text: "The device was turned away."}
	ErrDeviceLate    = &otl.Error{Kind: otl.Unauthenticated, Code: "expired_token", Text: "Nobody let the device in within ten minutes."}
	// ErrUserCode is the answer to a code that no device shows.
	ErrUserCode = &otl.Error{Kind: otl.Invalid, Code: "device_code_unknown", Text: "is not shown by a device, or no longer", Field: "user_code"}
)

// Shown is what a device is given: what it asks with, and what it shows.
type Shown struct {
	Device secret.Text
	User   string // as people read it, four letters twice
}

// Begin has a device of a client wait to be let in with a scope.
func (s Devices) Begin(ctx context.Context, site otl.Site, client, scope string) (Shown, error) {
	now, p := s.Now(), seen(ctx)
	if err := s.Limits.Take(ctx, limit.From(ctx, limit.Flows)); err != nil {
		return Shown{}, err
	}
	d := otl.DeviceGrant{
		ID: secret.NewID(now), SiteID: site.ID, Client: client, Scope: scope, IP: p.IP, UserAgent: p.Agent, State: otl.DeviceWaiting, Pause: DevicePause,
		CreatedAt: now, ExpiresAt: now.Add(DeviceTTL),
	}
	out, code := Shown{Device: secret.NewKey(devicePrefix)}, secret.NewWord(userAlphabet, userCodeLength)
	out.User = spelled(code)
	return out, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.DeviceGrants.Insert(ctx, d, secret.Digest(out.Device.Reveal()), s.userDigest(code))
	})
}

func spelled(code string) string { return code[:userCodeLength/2] + "-" + code[userCodeLength/2:] }

func (s Devices) userDigest(code string) []byte {
	return secret.CodeDigest(s.Codes.Key, code, "user code", "", "device", "")
}

// Enter begins the visit of a browser whose person entered the code of a device: five
// tries a minute from one network. The error is ErrUserCode.
func (s Devices) Enter(ctx context.Context, code string, browser secret.Text, held []secret.Text) (Visit, error) {
	if err := s.Limits.Take(ctx, limit.From(ctx, limit.DeviceCodes)); err != nil {
		return Visit{}, err
	}
	digest := s.userDigest(plain(code))
	d, err := s.Store.Read.DeviceGrants.ByUserCode(ctx, digest, s.Now())
	if errors.Is(err, store.ErrNotFound) {
		err = ErrUserCode
	}
	if err != nil {
		return Visit{}, err
	}
	v := Visit{}
	if v.Site, err = s.Store.Read.Sites.ByID(ctx, d.SiteID); err != nil {
		return v, err
	}
	asked := otl.Asked{Client: d.Client, Mode: ModeDevice, More: map[string]string{moreDevice: d.ID, moreCode: base64.RawURLEncoding.EncodeToString(digest)}}
	if v.Flow, err = s.Flows.Begin(ctx, v.Site, browser, asked); err != nil {
		return v, err
	}
	return Rivals(s).With(ctx, v, held)
}

// plain gives a code as it was made, however somebody typed it.
func plain(code string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(userAlphabet, r) {
			return r
		}
		return -1
	}, strings.ToUpper(code))
}

// Waiting is what somebody is asked about a device.
type Waiting struct {
	otl.DeviceGrant
	Client string // the name of its client
}

// Look gives the device that a visit is about, once everything else about the person is
// known. The error is ErrFlow where there is none any more.
func (s Devices) Look(ctx context.Context, v Visit) (Waiting, error) {
	if step, err := s.Next(ctx, v); err != nil || step != StepDone || v.Asked.Mode != ModeDevice {
		if err == nil {
			err = ErrFlow
		}
		return Waiting{}, err
	}
	d, err := s.Store.Read.DeviceGrants.Waiting(ctx, v.Asked.More[moreDevice], s.Now())
	if err != nil {
		return Waiting{}, orFlow(err)
	}
	c, _, _, err := s.Store.Read.Clients.ByID(ctx, d.Client)
	return Waiting{d, c.Name}, orFlow(err)
}

// Shows gives a code that somebody entered as the device of a visit shows it, "" where that
// shows another one.
func (s Devices) Shows(v Visit, code secret.Text) string {
	entered := plain(code.Reveal())
	is, err := base64.RawURLEncoding.DecodeString(v.Asked.More[moreCode])
	if err != nil || !secret.SameDigest(is, s.userDigest(entered)) {
		return ""
	}
	return spelled(entered)
}

func orFlow(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrFlow
	}
	return err
}

// Decide lets the device of a visit in, or turns it away, and says which it was. The error is ErrFlow.
func (s Devices) Decide(ctx context.Context, v Visit, allow bool) (Waiting, error) {
	d, err := s.Look(ctx, v)
	if err != nil {
		return d, err
	}
	state := otl.DeviceDenied
	if allow {
		state = otl.DeviceAllowed
	}
	return d, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.Flows.Finish(ctx, v.ID, s.Now())
		if err == nil && first {
			first, err = tx.DeviceGrants.Decide(ctx, d.ID, state, v.Who.User.ID, v.Who.Session.ID, s.Now())
		}
		if err == nil && !first {
			err = ErrFlow
		}
		return err
	})
}

// Fetch is the question of a device what became of it.
type Fetch struct {
	Site   otl.Site
	Client string
	Device secret.Text
	Key    string // as in Exchange
	Bind   bool
}

// Fetch opens the session of a device that was let in, once, for who let it in and in the
// ways he proved himself. The errors are those of devices, and ErrCode for what is no
// device of the client's.
func (s Devices) Fetch(ctx context.Context, f Fetch) (session.Tokens, error) {
	var opened session.Opened
	var refused error
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, soon, err := tx.DeviceGrants.Ask(ctx, f.Client, secret.Digest(f.Device.Reveal()), DevicePause, s.Now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrCode
		}
		if err != nil {
			return err
		}
		if refused = became(d, soon, s.Now()); refused != nil {
			return nil //nolint:nilerr // that it asked stays noted; it is refused afterwards
		}
		if first, err := tx.DeviceGrants.Use(ctx, d.ID); err != nil || !first {
			if err == nil {
				err = ErrCode
			}
			return err
		}
		opened, err = s.arrive(ctx, tx, Exchange{Site: f.Site, Client: f.Client, Key: f.Key, Bind: f.Bind, Apart: true}, otl.Ticket{
			UserID: d.UserID, SiteID: d.SiteID,
			Data: map[string]string{dataHolder: d.Holder, dataClient: d.Client, dataIP: d.IP, dataAgent: d.UserAgent, dataMore + MoreScope: d.Scope},
		})
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return session.Tokens{}, err
	}
	otl.RequestOf(ctx).UserID = opened.User.ID
	return opened.ForClient(), nil
}

// became gives what a device is told that cannot fetch its tokens, nil where it can.
func became(d otl.DeviceGrant, soon bool, now time.Time) error {
	switch {
	case d.State == otl.DeviceUsed:
		return ErrCode
	case d.State == otl.DeviceDenied:
		return ErrDeviceDenied
	case !now.Before(d.ExpiresAt):
		return ErrDeviceLate
	case soon:
		return ErrDeviceSoon
	case d.State != otl.DeviceAllowed:
		return ErrDevicePending
	}
	return nil
}
