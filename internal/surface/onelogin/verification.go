package onelogin

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// The calls by which a site asks, outside any sign-in, whether one of its people has a
// factor (contract 2.11 and 2.12, ADR 30).

// maxVerification is how many seconds a verification may be good.
const maxVerification = 900

// standInDevice is the number of what stands in for a factor.
const standInDevice = 0

// noFactor is the id of no factor.
const noFactor = "none"

// mayHaveBody serves a call of the scope users whose body may be left out.
func (s devices) mayHaveBody(do func(*call, *askIn) (reply, error)) http.HandlerFunc {
	with := withBody(s.Surface, otl.ScopeUsers, do)
	without := s.byClient(otl.ScopeUsers, func(c *call) (reply, error) { return do(c, &askIn{}) })
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			without(w, r)
			return
		}
		with(w, r)
	}
}

// askIn is what a site asks, in both versions.
type askIn struct {
	Device    *integer    `json:"device_id"`
	Expires   *integer    `json:"expires_in"`             // seconds
	ExpiresV1 *integer    `json:"state_token_expires_in"` // seconds
	SMS       string      `json:"custom_message"`
	SMSV1     string      `json:"sms_message"`
	Redirect  string      `json:"redirect_to"`
	Reusable  bool        `json:"reusable"`
	State     secret.Text `json:"state_token"`
	Proof     code        `json:"otp_token"`
	ProofV2   code        `json:"otp"`
}

// seconds reads how long something is to be good.
func seconds(name string, given *integer, usual time.Duration, least, most int) (time.Duration, error) {
	if given == nil {
		return usual, nil
	}
	if n := int(*given); n < least || n > most {
		return 0, invalid(name, "must be a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return time.Duration(*given) * time.Second, nil
}

// maxSMS is the longest message of a site's own, in code points.
const maxSMS = 160

// written reads the text of a message of a site's own, whose code and time have other
// names here.
func written(name, text string, ttl time.Duration) (string, error) {
	if text == "" {
		return "", nil
	}
	if !strings.Contains(text, "{{otp_code}}") {
		return "", invalid(name, "must hold {{otp_code}}")
	}
	minutes := strconv.Itoa(max(int(ttl.Minutes()), 1))
	text = strings.NewReplacer("{{otp_code}}", "{otp}", "{{expiration}}", minutes, "{{otp_expiry}}", minutes).Replace(text)
	return otl.CheckText(name, text, maxSMS)
}

// asked gives what a call asks about: a factor of one of the site's people by its number,
// or what stands in for those of a person of the site's own.
func (s devices) asked(c *call, device int) (q factor.Question, err error) {
	if device == standInDevice {
		b, err := s.own(c)
		q.Standing, q.FactorID = b.Standing, factor.StandIn
		return q, err
	}
	m, err := s.person(c)
	if err != nil {
		return q, err
	}
	q.User, q.Site, q.Grant = m.User, c.site, m.Grant
	q.FactorID, err = s.numbered(c, device)
	q.FactorID = cmp.Or(q.FactorID, noFactor)
	return q, err
}

func (s devices) verifications() factor.Verifications {
	return factor.Verifications{Factors: s.Factors.Factors}
}

// triggerOut is a device whose code was sent (contract 2.11).
type triggerOut struct {
	ID      int    `json:"id"` // of the person
	Device  int    `json:"device_id"`
	Active  bool   `json:"active"`
	State   string `json:"state_token"`
	Expires any    `json:"state_token_expires_at"`
	Name    string `json:"auth_factor_name"`
	Type    string `json:"type_display_name"`
	Label   string `json:"user_display_name"`
}

// trigger is POST /api/1/users/{id}/otp_devices/{device}/trigger.
func (s devices) trigger(c *call, in *askIn) (reply, error) {
	device, err := strconv.Atoi(c.r.PathValue("device"))
	if err != nil || device == standInDevice {
		return reply{}, invalid("device_id", "is none")
	}
	ttl, err := seconds("state_token_expires_in", in.ExpiresV1, factor.VerificationTTL, 1, maxVerification)
	if err != nil {
		return reply{}, err
	}
	q, err := s.asked(c, device)
	if err == nil {
		q.SMS, err = written("sms_message", in.SMSV1, ttl)
	}
	if err != nil {
		return reply{}, err
	}
	q.Token = secret.NewText(hex.EncodeToString(secret.Bytes(20)))
	v, err := s.verifications().Begin(c.ctx(), q, ttl)
	if err != nil {
		return reply{}, err
	}
	user, err := s.Numbers.Of(c.ctx(), number.User, q.User.ID)
	return done(waiting(v.Kind), []triggerOut{{user, device, true, q.Token.Reveal(), moment(v.ExpiresAt), authName(v.Kind), factorName(v.Kind), v.Label}}), err
}

// verifyV1 is POST /api/1/users/{id}/otp_devices/{device}/verify: of a device that is
// being set up, of one that was triggered or needs no trigger, or of what stands in.
func (s devices) verifyV1(c *call, in *askIn) (reply, error) {
	device, err := strconv.Atoi(c.r.PathValue("device"))
	if err != nil {
		return reply{}, invalid("device_id", "is none")
	}
	q, err := s.asked(c, device)
	if err != nil {
		return reply{}, err
	}
	one, err := s.Factors.Begun(c.ctx(), q.User.ID, q.FactorID)
	switch {
	case in.Proof.Empty():
		return reply{}, errNoProof
	case err == nil && one.ConfirmedAt.IsZero() && !in.State.Empty() && in.State.Reveal() != registration(one.ID):
		return reply{}, errOver
	case err == nil && one.ConfirmedAt.IsZero():
		var b signin.Bearer
		if b, err = s.own(c); err == nil {
			_, err = s.Factors.Confirm(c.ctx(), b.Standing, q.FactorID, in.Proof.Text)
		}
	case err == nil && one.Kind.Sent() && in.State.Empty():
		return reply{}, invalid("state_token", "is required")
	default:
		q.Token = in.State
		if device == standInDevice {
			q.Token = secret.Text{}
		}
		_, err = s.verifications().Answer(c.ctx(), q, in.Proof.Text)
	}
	if err != nil {
		return reply{}, failedFactor(err)
	}
	return success(nil), nil
}

// begin is POST /api/2/mfa/users/{id}/verifications.
func (s devices) begin(c *call, in *askIn) (reply, error) {
	if in.Device == nil {
		return reply{}, invalid("device_id", "is required")
	}
	if err := noLink(in.Redirect); err != nil {
		return reply{}, err
	}
	ttl, err := seconds("expires_in", in.Expires, factor.VerificationTTL, int(factor.VerificationTTL.Seconds()), maxVerification)
	if err != nil {
		return reply{}, err
	}
	q, err := s.asked(c, int(*in.Device))
	if err == nil {
		q.SMS, err = written("custom_message", in.SMS, ttl)
	}
	if err != nil {
		return reply{}, err
	}
	id := uuid.NewString()
	q.Token = secret.NewText(id)
	v, err := s.verifications().Begin(c.ctx(), q, ttl)
	if err != nil {
		return reply{}, err
	}
	user, err := s.Numbers.Of(c.ctx(), number.User, q.User.ID)
	return reply{http.StatusCreated, registrationOut{
		ID: id, Status: string(v.State), Name: authName(v.Kind), Type: factorName(v.Kind), Label: v.Label, ExpiresAt: moment(v.ExpiresAt),
		Device: int(*in.Device), User: strconv.Itoa(user),
	}}, err
}

// named gives the verification that a path of version 2 names, and what it asks about.
func (s devices) named(c *call) (q factor.Question, v factor.Verification, err error) {
	m, err := s.person(c)
	if err != nil {
		return q, v, err
	}
	q.User, q.Site, q.Grant, q.Token = m.User, c.site, m.Grant, secret.NewText(c.r.PathValue("verification"))
	if v, err = s.verifications().Look(c.ctx(), q); err != nil {
		err = failedFactor(err)
	}
	return q, v, err
}

// acceptedOut says that a verification has succeeded. One client looks at the status, one
// at the name, and one reads all but the name.
type acceptedOut struct {
	Status  string `json:"status"`
	Name    string `json:"name"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// answer is PUT /api/2/mfa/users/{id}/verifications/{verification}.
func (s devices) answer(c *call, in *askIn) (reply, error) {
	q, _, err := s.named(c)
	if err == nil && in.Device != nil {
		var of factor.Question
		of, err = s.asked(c, int(*in.Device))
		q.FactorID = of.FactorID
	}
	if err == nil && in.ProofV2.Empty() {
		err = invalid("otp", "is required")
	}
	if err != nil {
		return reply{}, err
	}
	v, err := s.verifications().Answer(c.ctx(), q, in.ProofV2.Text)
	if err != nil {
		return reply{}, failedFactor(err)
	}
	return reply{http.StatusOK, acceptedOut{string(v.State), "Success", http.StatusOK, "Success"}}, nil
}

// look is GET /api/2/mfa/users/{id}/verifications/{verification}.
func (s devices) look(c *call) (reply, error) {
	q, v, err := s.named(c)
	if err != nil {
		return reply{}, err
	}
	device := standInDevice
	if v.ID != factor.StandIn {
		device, err = s.Numbers.Of(c.ctx(), number.Device, v.ID)
	}
	return reply{http.StatusOK, registrationOut{ID: q.Token.Reveal(), Status: string(v.State), Device: strconv.Itoa(device)}}, err
}

// standInOut is what stands in for a factor.
type standInOut struct {
	Token    string `json:"mfa_token"`
	Reusable bool   `json:"reusable"`
	Expires  any    `json:"expires_at"`
	Device   string `json:"device_id,omitempty"` // of version 2
}

// standIn is POST …/mfa_token, for people of the site's own (decision D1). The token is
// taken by verifications, and by no sign-in.
func (s devices) standIn(c *call, in *askIn) (reply, error) {
	ttl, err := seconds("expires_in", in.Expires, factor.MaxStandIn, int(factor.MinStandIn.Seconds()), int(factor.MaxStandIn.Seconds()))
	if err != nil {
		return reply{}, err
	}
	b, err := s.own(c)
	if err != nil {
		return reply{}, err
	}
	token, until, err := s.verifications().StandIn(c.ctx(), b.Standing, ttl, in.Reusable)
	out := standInOut{Token: token.Reveal(), Reusable: in.Reusable, Expires: moment(until)}
	if bare(c.r.URL.Path) {
		out.Device = strconv.Itoa(standInDevice)
	}
	return reply{http.StatusCreated, out}, err
}
