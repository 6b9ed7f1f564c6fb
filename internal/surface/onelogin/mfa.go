package onelogin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// devices are the calls about second factors of a site's people (contract 2.11 and
// 2.12). To read them is a matter of every site that signs somebody in; what they are is
// for the person himself to change, but for people of the site's own (decision D1).
type devices struct{ *Surface }

func (s devices) serve() {
	const v1, v2 = "/api/1/users/{id}", "/api/2/mfa/users/{id}"
	for _, path := range []string{"auth_factors", "auth_factor"} {
		s.Mux.HandleFunc("GET "+v1+"/"+path, s.byClient(otl.ScopeUsers, s.kinds))
	}
	s.Mux.HandleFunc("GET "+v2+"/factors", s.byClient(otl.ScopeUsers, s.kinds))
	s.Mux.HandleFunc("GET "+v1+"/otp_devices", s.byClient(otl.ScopeUsers, s.listV1))
	s.Mux.HandleFunc("GET "+v2+"/devices", s.byClient(otl.ScopeAuth, s.list))
	s.Mux.HandleFunc("POST "+v1+"/otp_devices", withBody(s.Surface, otl.ScopeUsers, s.enrolV1))
	s.Mux.HandleFunc("POST "+v1+"/otp_devices/{device}/trigger", s.mayHaveBody(s.trigger))
	s.Mux.HandleFunc("POST "+v1+"/otp_devices/{device}/verify", s.mayHaveBody(s.verifyV1))
	s.Mux.HandleFunc("POST "+v1+"/mfa_token", s.mayHaveBody(s.standIn))
	s.Mux.HandleFunc("POST "+v2+"/registrations", withBody(s.Surface, otl.ScopeUsers, s.register))
	s.Mux.HandleFunc("PUT "+v2+"/registrations/{registration}", withBody(s.Surface, otl.ScopeUsers, s.confirm))
	s.Mux.HandleFunc("GET "+v2+"/registrations/{registration}", s.byClient(otl.ScopeUsers, s.registered))
	s.Mux.HandleFunc("POST "+v2+"/verifications", withBody(s.Surface, otl.ScopeUsers, s.begin))
	s.Mux.HandleFunc("PUT "+v2+"/verifications/{verification}", withBody(s.Surface, otl.ScopeUsers, s.answer))
	s.Mux.HandleFunc("GET "+v2+"/verifications/{verification}", s.byClient(otl.ScopeUsers, s.look))
	s.Mux.HandleFunc("POST "+v2+"/mfa_token", s.mayHaveBody(s.standIn))
	s.Mux.HandleFunc("DELETE "+v1+"/otp_devices/{device}", s.byClient(otl.ScopeUsers, s.remove))
	s.Mux.HandleFunc("DELETE "+v2+"/devices/{device}", s.byClient(otl.ScopeUsers, s.remove))
}

// kind is a kind of factor that can be set up here, under the number and the names that
// this wire has for it.
type kindOut struct {
	ID   int    `json:"factor_id"`
	Name string `json:"name"`
	Auth string `json:"auth_factor_name,omitempty"`

	kind otl.FactorKind
}

// enrollable gives them. Codes by mail are none: a site's own people, the only ones it sets
// factors up for, have proven no address.
func enrollable() []kindOut {
	return []kindOut{{1, "Google Authenticator", "Google Authenticator", otl.FactorTOTP}, {2, "OneLogin SMS", "SMS", otl.FactorSMS}}
}

// authName gives the name clients match a factor by (contract 2.12).
func authName(k otl.FactorKind) string {
	switch k {
	case otl.FactorTOTP:
		return "Google Authenticator"
	case otl.FactorSMS:
		return "SMS"
	case otl.FactorMail:
		return "OneLogin Email"
	}
	return factorName(k)
}

// person gives the one of the site's people a path names, with the literal these calls
// have for nobody.
func (s devices) person(c *call) (account.Member, error) {
	m, err := s.member(c)
	if err == errNoUser && !bare(c.r.URL.Path) { //nolint:errorlint // it is a value to compare with
		err = literal(http.StatusBadRequest, errNoUser.text)
	}
	return m, err
}

func (s devices) kinds(c *call) (reply, error) {
	if _, err := s.person(c); err != nil {
		return reply{}, err
	}
	if bare(c.r.URL.Path) {
		return reply{http.StatusOK, enrollable()}, nil
	}
	out := enrollable()
	for i := range out {
		out[i].Auth = ""
	}
	return success(map[string][]kindOut{"auth_factors": out}), nil
}

// deviceV1 is a second factor in version 1.
type deviceV1 struct {
	ID      int    `json:"id"`
	Active  bool   `json:"active"`
	Default bool   `json:"default"`
	Name    string `json:"auth_factor_name"`
	Type    string `json:"type_display_name"`
	Label   string `json:"user_display_name"`
	Phone   string `json:"phone_number,omitempty"`
	Trigger bool   `json:"needs_trigger"`
	State   string `json:"state_token,omitempty"`
}

// deviceV2 is one in version 2, where its id is a text.
type deviceV2 struct {
	ID      string `json:"device_id"`
	Label   string `json:"user_display_name"`
	Type    string `json:"type_display_name"`
	Name    string `json:"auth_factor_name"`
	Default bool   `json:"default"`
}

// owned gives the factors of a person that can be used on this wire, with their numbers.
func (s devices) owned(c *call, u otl.User) ([]factor.Offer, []int, error) {
	has, err := s.Factors.List(c.ctx(), u)
	if err != nil {
		return nil, nil, err
	}
	var offers []factor.Offer
	var refs []string
	for _, o := range has.Factors {
		if factorName(o.Kind) != "" {
			offers, refs = append(offers, o), append(refs, o.ID)
		}
	}
	if i := slices.IndexFunc(offers, func(o factor.Offer) bool { return o.Default }); i < 0 && len(offers) > 0 {
		offers[0].Default = true // the one he prefers is none of this wire's, which has one (contract 2.12)
	}
	ids, err := s.Numbers.All(c.ctx(), number.Device, refs)
	return offers, ids, err
}

func (s devices) list(c *call) (reply, error) {
	m, err := s.person(c)
	if err != nil {
		return reply{}, err
	}
	has, ids, err := s.owned(c, m.User)
	out := make([]deviceV2, len(has))
	for i, o := range has {
		out[i] = deviceV2{strconv.Itoa(ids[i]), o.Label, factorName(o.Kind), authName(o.Kind), o.Default}
	}
	return reply{http.StatusOK, out}, err
}

func (s devices) listV1(c *call) (reply, error) {
	m, err := s.person(c)
	if err != nil {
		return reply{}, err
	}
	has, ids, err := s.owned(c, m.User)
	out := make([]deviceV1, len(has))
	for i, o := range has {
		out[i] = newDeviceV1(ids[i], o.Factor)
	}
	return success(map[string][]deviceV1{"otp_devices": out}), err
}

func newDeviceV1(id int, f otl.Factor) deviceV1 {
	return deviceV1{ID: id, Active: !f.ConfirmedAt.IsZero(), Default: f.Default, Name: authName(f.Kind), Type: factorName(f.Kind), Label: f.Label, Trigger: f.Kind.Sent()}
}

// own gives one of the site's people as whose factors are to change with the authority that the
// site has over him. Whether it has any is asked where they change (decision D1).
func (s devices) own(c *call) (b signin.Bearer, err error) {
	m, err := s.person(c)
	b.User, b.Site, b.Grant, b.Session.Methods = m.User, c.site, m.Grant, otl.Methods{otl.MethodAdmin}
	return b, err
}

type enrolIn struct {
	Factor   integer  `json:"factor_id"`
	Label    string   `json:"display_name"`
	Number   string   `json:"number"`
	Verified bool     `json:"verified"`
	Expires  *integer `json:"expires_in"` // seconds; of version 2, as those below
	SMS      string   `json:"custom_message"`
	Redirect string   `json:"redirect_to"`
}

// wished gives the factor that is asked for, and its kind as this wire has it.
func (in *enrolIn) wished(u otl.User) (factor.New, error) {
	n := factor.New{Label: in.Label, Number: in.Number}
	if in.Factor == 0 && in.Number != "" { // one client names none
		n.Kind = otl.FactorSMS
	}
	for _, k := range enrollable() {
		if k.ID == int(in.Factor) {
			n.Kind = k.kind
		}
	}
	switch {
	case n.Kind == "":
		return n, invalid("factor_id", "is none that can be set up here")
	case strings.TrimSpace(n.Label) == "":
		return n, invalid("display_name", "is required")
	case in.Verified:
		return n, invalid("verified", "must be false: a factor is confirmed by a code")
	case n.Kind == otl.FactorSMS && n.Number == "":
		n.Number = u.Phone
	}
	return n, noLink(in.Redirect)
}

// noLink refuses what stands for a link in the place of a code.
func noLink(redirect string) error {
	if redirect != "" {
		return invalid("redirect_to", "is not served: factors that are links are none here")
	}
	return nil
}

// enrol begins to set a factor up for a person of the site's own.
func (s devices) enrol(c *call, b signin.Bearer, n factor.New) (e factor.Enrolment, id int, err error) {
	if e, err = s.Factors.Enrol(c.ctx(), b.Standing, n); err != nil {
		return e, 0, called(err, map[string]string{"phone": "number", "label": "display_name"})
	}
	id, err = s.Numbers.Of(c.ctx(), number.Device, e.ID)
	return e, id, err
}

// enrolV1 is POST /api/1/users/{id}/otp_devices, which has no place for the seed of an app.
func (s devices) enrolV1(c *call, in *enrolIn) (reply, error) {
	b, err := s.own(c)
	if err != nil {
		return reply{}, err
	}
	n, err := in.wished(b.User)
	if err == nil && n.Kind != otl.FactorSMS {
		err = invalid("factor_id", "is set up by version 2")
	}
	if err != nil {
		return reply{}, err
	}
	e, id, err := s.enrol(c, b, n)
	if err != nil {
		return reply{}, err
	}
	d := newDeviceV1(id, e.Factor)
	d.Phone, d.State = e.Target, registration(e.ID)
	return success([]deviceV1{d}), nil
}

// registrationOut is a factor that is being set up (contract 2.12).
type registrationOut struct {
	ID        string            `json:"id"`
	Status    string            `json:"status"`
	Name      string            `json:"auth_factor_name,omitempty"`
	Type      string            `json:"type_display_name,omitempty"`
	Label     string            `json:"user_display_name,omitempty"`
	ExpiresAt any               `json:"expires_at,omitempty"`
	Data      map[string]string `json:"factor_data,omitempty"`
	Device    any               `json:"device_id"` // a text, but a number where a verification begins
	User      string            `json:"user_id,omitempty"`
}

// registration gives the id of a factor in the form of a UUID, and factorOf the id back.
func registration(factorID string) string {
	id, err := ulid.ParseStrict(factorID)
	if err != nil {
		return ""
	}
	return uuid.UUID(id).String()
}

func factorOf(registration string) string {
	id, err := uuid.Parse(registration)
	if err != nil {
		return ""
	}
	return ulid.ULID(id).String()
}

// register is POST /api/2/mfa/users/{id}/registrations.
func (s devices) register(c *call, in *enrolIn) (reply, error) {
	b, err := s.own(c)
	if err != nil {
		return reply{}, err
	}
	n, err := in.wished(b.User)
	if err == nil {
		n.TTL, err = seconds("expires_in", in.Expires, factor.VerificationTTL, int(factor.VerificationTTL.Seconds()), maxVerification)
	}
	if err == nil {
		n.Text, err = written("custom_message", in.SMS, n.TTL)
	}
	if err != nil {
		return reply{}, err
	}
	e, id, err := s.enrol(c, b, n)
	if err != nil {
		return reply{}, err
	}
	user, err := s.Numbers.Of(c.ctx(), number.User, b.User.ID)
	out := registrationOut{
		registration(e.ID), "pending", authName(e.Kind), factorName(e.Kind), e.Label, moment(e.ExpiresAt), map[string]string{}, strconv.Itoa(id), strconv.Itoa(user),
	}
	if !e.Seed.Empty() {
		out.Data["verification_token"], out.Data["totp_url"] = e.Seed.Reveal(), e.Link.Reveal()
	}
	return reply{http.StatusCreated, out}, err
}

// code is a code as clients write it: as a text, or as a number without the noughts at
// its beginning.
type code struct{ secret.Text }

// UnmarshalJSON implements json.Unmarshaler.
func (c *code) UnmarshalJSON(b []byte) error {
	if n, err := strconv.Atoi(string(b)); err == nil {
		c.Text = secret.NewText(fmt.Sprintf("%06d", n))
		return nil
	}
	return json.Unmarshal(b, &c.Text)
}

type confirmIn struct {
	Code code `json:"otp"`
}

// confirm is PUT /api/2/mfa/users/{id}/registrations/{registration}.
func (s devices) confirm(c *call, in *confirmIn) (reply, error) {
	b, err := s.own(c)
	if err != nil {
		return reply{}, err
	}
	one, err := s.Factors.Confirm(c.ctx(), b.Standing, factorOf(c.r.PathValue("registration")), in.Code.Text)
	if err != nil {
		return reply{}, failedFactor(err)
	}
	id, err := s.Numbers.Of(c.ctx(), number.Device, one.ID)
	return reply{http.StatusOK, registrationOut{ID: registration(one.ID), Status: "accepted", Device: strconv.Itoa(id)}}, err
}

// registered is GET /api/2/mfa/users/{id}/registrations/{registration}.
func (s devices) registered(c *call) (reply, error) {
	b, err := s.own(c)
	if err != nil {
		return reply{}, err
	}
	e, err := factor.Registrations{Setup: s.Factors}.Begun(c.ctx(), b.Standing, factorOf(c.r.PathValue("registration")))
	if err != nil {
		return reply{}, err
	}
	out := registrationOut{ID: registration(e.ID), Status: string(factor.VerificationPending)}
	if !e.ConfirmedAt.IsZero() {
		out.Status = string(factor.VerificationAccepted)
	}
	id, err := s.Numbers.Of(c.ctx(), number.Device, e.ID)
	out.Device = strconv.Itoa(id)
	return reply{http.StatusOK, out}, err
}

// device gives the id of the factor a path names, "" for one that is unknown.
func (s devices) device(c *call) (string, error) {
	n, err := strconv.Atoi(c.r.PathValue("device"))
	if err != nil {
		return "", invalid("device_id", "is none")
	}
	return s.numbered(c, n)
}

// numbered gives the id of the factor with a number, "" for one that is unknown.
func (s devices) numbered(c *call, n int) (string, error) {
	id, err := s.Numbers.Ref(c.ctx(), number.Device, n)
	if err != nil && otl.As(err).Kind == otl.NotFound {
		return "", nil
	}
	return id, err
}

// remove takes a factor away from a person of the site's own.
func (s devices) remove(c *call) (reply, error) {
	b, err := s.own(c)
	if err != nil {
		return reply{}, err
	}
	id, err := s.device(c)
	if err == nil {
		_, err = s.Factors.Remove(c.ctx(), b.Standing, id)
	}
	if err != nil {
		return reply{}, err
	}
	if bare(c.r.URL.Path) {
		return reply{http.StatusNoContent, nil}, nil
	}
	return success(nil), nil
}
