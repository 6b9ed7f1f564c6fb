package onelogin

import (
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// stepOut is a sign-in that waits for its second step (contract 2.6).
type stepOut struct {
	StateToken string      `json:"state_token"`
	Callback   string      `json:"callback_url"`
	User       userOut     `json:"user"`
	Devices    []deviceOut `json:"devices"`
}

// deviceOut is a second factor as the answer to a sign-in names it.
type deviceOut struct {
	ID   int    `json:"device_id"`
	Type string `json:"device_type"`
}

// factorName gives what this wire calls a kind of factor at a sign-in (contract 5 B2).
func factorName(k otl.FactorKind) string {
	switch k {
	case otl.FactorTOTP:
		return "Google Authenticator"
	case otl.FactorSMS:
		return "OneLogin OTP SMS"
	case otl.FactorMail:
		return "OneLogin Email"
	case otl.FactorRecovery:
		return "Recovery Code"
	}
	return ""
}

// errNoDevice is the answer where none of a person's factors can be passed on by a server.
var errNoDevice = literal(http.StatusForbidden, "The second factor of this user works at the hosted sign-in pages only")

// stepDue answers with the second step that is due. Factors that no server can pass
// on, such as a passkey, are not offered here.
func (s logins) stepDue(c *call, step signin.Pending, u userOut) (reply, error) {
	out := stepOut{step.Token.Reveal(), s.PublicURL + "/api/1/verify_factor", u, []deviceOut{}}
	var refs []string
	for _, o := range step.Factors {
		if name := factorName(o.Kind); name != "" {
			refs, out.Devices = append(refs, o.ID), append(out.Devices, deviceOut{Type: name})
		}
	}
	ids, err := s.Numbers.All(c.ctx(), number.Device, refs)
	if err != nil {
		return reply{}, err
	}
	for i, id := range ids {
		out.Devices[i].ID = id
	}
	if len(out.Devices) == 0 || keyed(step.Factors) {
		return reply{}, errNoDevice
	}
	return done("MFA is required for this user", []stepOut{out}), nil
}

// keyed reports whether somebody has passkeys, and beside them nothing but the recovery codes that
// stand in for them: he is not to be asked for one of those each time.
func keyed(all []factor.Offer) bool {
	key := false
	for _, o := range all {
		switch o.Kind {
		case otl.FactorKey:
			key = true
		case otl.FactorRecovery:
		default:
			return false
		}
	}
	return key
}

// verifyIn is a proof of a second factor (contract 2.7).
type verifyIn struct {
	Device *integer    `json:"device_id"`
	State  secret.Text `json:"state_token"`
	Proof  code        `json:"otp_token"`
	Silent bool        `json:"do_not_notify"`
}

// The literals of a second step. The one for a step that is over must not hold the
// words of the one for a wrong code, at which clients ask for another code.
var (
	errFactor  = literal(http.StatusUnauthorized, "Failed authentication with this factor")
	errState   = literal(http.StatusUnauthorized, "State token is invalid or has expired")
	errOver    = literal(http.StatusBadRequest, errState.text) // of a verification outside any sign-in
	errNoProof = literal(http.StatusBadRequest, "otp_token is missing")
)

const (
	pendingSMS  = "SMS token sent to your mobile device. Authentication pending."
	pendingMail = "Token sent to your email address. Authentication pending."
	pendingApp  = "Authentication pending."
)

// verify is POST /api/1/login/verify_factor and /api/1/verify_factor. A wrong code
// leaves the state token as it is; five end it.
func (s logins) verify(c *call, in *verifyIn) (reply, error) {
	origins, err := namedOrigins(c.r)
	switch {
	case err != nil:
		return reply{}, err
	case in.Device == nil:
		return reply{}, invalid("device_id", "is required")
	case in.State.Empty():
		return reply{}, invalid("state_token", "is required")
	}
	device, err := s.Numbers.Ref(c.ctx(), number.Device, int(*in.Device))
	if err != nil && otl.As(err).Kind != otl.NotFound {
		return reply{}, err // one that is unknown is tried like somebody else's (MF-04)
	}
	proof := signin.StepProof{Token: in.State, Site: c.site, Door: s.door(c, asked{}), FactorID: device, Proof: in.Proof.Text}
	if in.Proof.Empty() {
		return s.challenge(c, proof, in.Silent)
	}
	t, data, err := s.Second.CompleteHandOver(c.ctx(), proof, origins)
	if err != nil && t.User.ID == "" {
		return reply{}, failedFactor(err)
	}
	return s.handed(c, t, asked{signin.HandoverOf(data), data[keptTyped], data[keptFields]}, err)
}

// challenge sends the code of a device that needs one sent. Who only waits for it asks
// for no other.
func (s logins) challenge(c *call, proof signin.StepProof, silent bool) (reply, error) {
	proof.Quiet = silent
	offer, _, err := s.Second.Challenge(c.ctx(), proof)
	switch {
	case err != nil:
		return reply{}, failedFactor(err)
	case offer.Kind.Sent():
		return pending(waiting(offer.Kind)), nil
	}
	return reply{}, errNoProof
}

// waiting words that a code of a kind of factor is waited for.
func waiting(k otl.FactorKind) string {
	switch k {
	case otl.FactorSMS:
		return pendingSMS
	case otl.FactorMail:
		return pendingMail
	}
	return pendingApp
}

// pending is the answer to a step that waits for a code.
func pending(message string) reply {
	return reply{http.StatusOK, envelope{Status: status{Code: http.StatusOK, Type: "pending", Message: message}}}
}

// failedFactor words what went wrong with a second factor. A device that is unknown, or
// somebody else's, fails like a wrong code, and so does one that too many of them locked. Of a
// rate that is used up nothing is said here: it is 429.
func failedFactor(err error) error {
	switch {
	case errors.Is(err, signin.ErrStep):
		return errState.because(err)
	case errors.Is(err, factor.ErrVerification):
		return errOver.because(err)
	case errors.Is(err, factor.ErrProof), errors.Is(err, factor.ErrNone), errors.Is(err, limit.ErrClosed):
		return errFactor.because(err)
	}
	return err
}
