package transmit

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// emailContent is what a client puts into a mail (contract 3.3).
type emailContent struct {
	Subject      string `json:"subject"`
	PrimaryColor string `json:"primaryColor"`
	Logo         string `json:"base64logo"`
	HeaderText   string `json:"headerText"`
	BodyText     string `json:"bodyText"`
	LinkText     string `json:"linkText"`
	InfoText     string `json:"infoText"`
	FooterText   string `json:"footerText"`
	SenderName   string `json:"senderName"`
}

var hexColor = regexp.MustCompile(`^#?([0-9A-Fa-f]{3}){1,2}$`)

func (e *emailContent) check() error {
	if e == nil {
		return nil
	}
	if e.Subject == "" {
		return otl.InvalidField("email_content.subject", "required", "is required")
	}
	for field, value := range map[string]string{
		"subject": e.Subject, "headerText": e.HeaderText, "bodyText": e.BodyText, "linkText": e.LinkText, "infoText": e.InfoText,
		"footerText": e.FooterText, "senderName": e.SenderName,
	} {
		if (field == "subject" || field == "senderName") && (utf8.RuneCountInString(value) > message.MaxLine || strings.ContainsAny(value, "\r\n")) {
			return otl.InvalidField("email_content."+field, "invalid", "must be one line of at most 400 characters")
		}
		if utf8.RuneCountInString(value) > message.MaxText {
			return otl.InvalidField("email_content."+field, "invalid", "must be at most 2000 characters")
		}
	}
	if e.PrimaryColor != "" && !hexColor.MatchString(e.PrimaryColor) {
		return otl.InvalidField("email_content.primaryColor", "invalid", "must be a colour such as #1f4fd8")
	}
	if e.Logo == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(e.image())
	if err != nil || len(e.Logo) > message.MaxLogo || !strings.HasPrefix(string(raw), "\x89PNG") && !strings.HasPrefix(string(raw), "\xff\xd8\xff") {
		return otl.InvalidField("email_content.base64logo", "invalid", "must be a PNG or JPEG in base64, at most 20000 characters")
	}
	return nil
}

// image gives the logo in base64, without the head of a data URL that some clients send along.
func (e *emailContent) image() string {
	if head, encoded, is := strings.Cut(e.Logo, ";base64,"); is && strings.HasPrefix(head, "data:image/") {
		return encoded
	}
	return e.Logo
}

// color gives the colour as #rrggbb, "" for none.
func (e *emailContent) color() string {
	c := strings.TrimPrefix(e.PrimaryColor, "#")
	if len(c) == 3 {
		c = string([]byte{c[0], c[0], c[1], c[1], c[2], c[2]})
	}
	if c != "" {
		c = "#" + c
	}
	return c
}

// smsInput is what a client puts into an SMS (contract 3.5).
type smsInput struct {
	Message string `json:"custom_message"`
	Sender  string `json:"sender_id"`
}

var sender = regexp.MustCompile(`^[A-Za-z0-9 ]{1,11}$`)

func (i *smsInput) check() error {
	switch {
	case i == nil:
		return nil
	case i.Message != "" && (!strings.Contains(i.Message, "{otp}") || !strings.Contains(i.Message, "{app}") || utf8.RuneCountInString(i.Message) > message.MaxSMS):
		return otl.InvalidField("custom_sms_input.custom_message", "invalid", "must hold {otp} and {app} and be at most 140 characters")
	case strings.Count(i.Message, "{app}") > message.MaxApp:
		return otl.InvalidField("custom_sms_input.custom_message", "invalid", "must hold {app} at most twice")
	case i.Sender != "" && !sender.MatchString(i.Sender):
		return otl.InvalidField("custom_sms_input.sender_id", "invalid", "must be 1 to 11 letters and digits")
	}
	return nil
}

// custom puts together what a client wants in a message, as it is queued.
func custom(mail *emailContent, sms *smsInput) (string, error) {
	if err := mail.check(); err != nil {
		return "", err
	}
	if err := sms.check(); err != nil {
		return "", err
	}
	var c message.Custom
	if mail != nil {
		c = message.Custom{
			Subject: mail.Subject, Color: mail.color(), Logo: mail.image(), Heading: mail.HeaderText, Body: mail.BodyText, LinkText: mail.LinkText, Info: mail.InfoText,
			Footer: mail.FooterText, Sender: mail.SenderName,
		}
	}
	if sms != nil {
		c.SMS, c.SMSFrom = sms.Message, sms.Sender
	}
	if c == (message.Custom{}) {
		return "", nil
	}
	b, err := json.Marshal(c)
	return string(b), err
}

// who reads an identifier. A type of the client's own names nobody here. A client of pairwise
// subjects asks for nobody by the id that is the same everywhere: where it has heard of one it would
// learn by it who is a member, and by a code whose other id is whose (PR-07).
func (c *call) who(kind, value string) (signin.Identifier, error) {
	if value == "" {
		return signin.Identifier{}, otl.InvalidField("identifier", "required", "is required")
	}
	switch t := signin.IdentifierType(kind); {
	case t == "":
		return signin.Identifier{}, otl.InvalidField("identifier_type", "required", "is required")
	case t == signin.ByID && c.client.SubjectType == otl.SubjectPairwise:
		return signin.Identifier{}, otl.InvalidField("identifier_type", "not_allowed", "must not be user_id for a client of pairwise subjects")
	case slices.Contains([]signin.IdentifierType{signin.ByEmail, signin.ByPhone, signin.ByUsername, signin.ByID}, t):
		return signin.Identifier{Type: t, Value: value}, of("identifier", form(t, value))
	}
	return signin.Identifier{Type: signin.ByID}, nil
}

// form holds what names somebody, or where a code goes, against the form it has.
func form(t signin.IdentifierType, value string) error {
	i := signin.Identifier{Type: t, Value: value}
	return i.Check()
}

type sendCodeIn struct {
	Channel        string            `json:"channel"`
	IdentifierType string            `json:"identifier_type"`
	Identifier     string            `json:"identifier"`
	Mail           *emailContent     `json:"email_content"`
	SMS            *smsInput         `json:"custom_sms_input"`
	Approval       map[string]string `json:"approval_data"`
	CustomEmail    string            `json:"custom_email"`
	CustomPhone    string            `json:"custom_phone_number"`
	ExpiresIn      *float64          `json:"expires_in"`
	RequestID      bool              `json:"generate_request_id"`
	Attributes     attributes        `json:"client_attributes"`
	Device         string            `json:"device_id"`
}

type sentOut struct {
	Message   string            `json:"message"`
	Approval  map[string]string `json:"approval_data,omitempty"`
	Code      string            `json:"code,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
}

// dataApproval is the member of a ticket's data that holds what was approved.
const dataApproval = "approval"

// sendCode is POST /v1/auth/otp/send (contract 3.5).
func (s *Surface) sendCode(c *call, in *sendCodeIn) (any, error) {
	id, err := c.who(in.IdentifierType, in.Identifier)
	if err != nil {
		return nil, err
	}
	req := signin.CodeRequest{Site: c.site, Who: id, Channel: otl.Channel(in.Channel), Bound: in.RequestID, Known: true, Joins: true}
	switch req.Channel {
	case otl.ChannelMail:
		req.To = in.CustomEmail
	case otl.ChannelSMS:
		req.To = in.CustomPhone
	case otl.ChannelDirect:
	default:
		return nil, otl.InvalidField("channel", "unknown_value", "must be sms, email or direct")
	}
	if err := in.fits(); err != nil {
		return nil, err
	}
	if err := in.goes(); err != nil {
		return nil, err
	}
	if (req.Channel == otl.ChannelDirect || req.To != "") && !c.scopes.Has(otl.ScopeOTPDirect) {
		return nil, &otl.Error{Kind: otl.Forbidden, Code: "scope_missing", Text: "This client lacks the scope otp:direct."}
	}
	if req.TTL, err = life(in.ExpiresIn, req.Channel); err != nil {
		return nil, err
	}
	if req.Custom, err = custom(in.Mail, in.SMS); err != nil {
		return nil, err
	}
	if req.Data, err = approval(in.Approval); err != nil {
		return nil, err
	}
	if err := c.from(in.Attributes, in.Device); err != nil {
		return nil, err
	}
	sent, err := s.Codes.Send(c.r.Context(), req)
	if errors.Is(err, otl.ErrWay) && !c.site.Offers(otl.WayCode) && !c.site.Offers(otl.WaySMS) && !c.site.Offers(otl.WayLink) {
		err = errNoWay.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return sentOut{"OTP sent", in.Approval, sent.Code.Reveal(), sent.RequestID}, nil
}

// errNoWay is what the vendor answers where an app has no login preferences at all: the site takes nothing that is sent.
var errNoWay = &otl.Error{Kind: otl.NotFound, Code: "no_one_time_login", Text: "People do not sign in to this site by anything that is sent to them: its owner has switched it off."}

// goes holds the destination that a client names against its form, before the code counts as sent.
func (in *sendCodeIn) goes() error {
	switch {
	case in.CustomEmail != "":
		return of("custom_email", form(signin.ByEmail, in.CustomEmail))
	case in.CustomPhone != "":
		return of("custom_phone_number", form(signin.ByPhone, in.CustomPhone))
	}
	return nil
}

// fits refuses what is for another channel than the one that was asked for: it would be
// passed over, and whoever sent it would not know.
func (in *sendCodeIn) fits() error {
	for _, one := range []struct {
		field   string
		given   bool
		channel otl.Channel
	}{
		{"custom_email", in.CustomEmail != "", otl.ChannelMail},
		{"email_content", in.Mail != nil, otl.ChannelMail},
		{"custom_phone_number", in.CustomPhone != "", otl.ChannelSMS},
		{"custom_sms_input", in.SMS != nil, otl.ChannelSMS},
	} {
		if one.given && otl.Channel(in.Channel) != one.channel {
			return otl.InvalidField(one.field, "unsupported", "is for the channel "+string(one.channel))
		}
	}
	return nil
}

// life reads how many minutes a code is good: up to an hour, and up to a day by the
// channel direct. It is 0 for the usual time.
func life(minutes *float64, channel otl.Channel) (time.Duration, error) {
	if minutes == nil {
		return 0, nil
	}
	most := 60.0
	if channel == otl.ChannelDirect {
		most = 1440
	}
	if *minutes < 1 || *minutes > most {
		return 0, otl.InvalidField("expires_in", "out_of_range", "must be from 1 to 60 minutes, by the channel direct to 1440")
	}
	return time.Duration(*minutes * float64(time.Minute)), nil
}

// maxApproval is the longest name or value of approval_data.
const maxApproval = 200

var approvalWord = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func approvable(s string) bool { return len(s) <= maxApproval && approvalWord.MatchString(s) }

// approval checks what a person is to approve: flat, at most ten members.
func approval(data map[string]string) (map[string]string, error) {
	if len(data) == 0 {
		return nil, nil
	}
	for k, v := range data {
		if len(data) > 10 || !approvable(k) || !approvable(v) {
			return nil, otl.InvalidField("approval_data", "invalid", "must be at most 10 members, names and values of 1 to "+strconv.Itoa(maxApproval)+" letters, digits, _ - and .")
		}
	}
	b, err := json.Marshal(data)
	return map[string]string{dataApproval: string(b)}, err
}

type verifyCodeIn struct {
	Passcode       string `json:"passcode"`
	IdentifierType string `json:"identifier_type"`
	Identifier     string `json:"identifier"`
	RequestID      string `json:"request_id"`
	Session        string `json:"session_id"`
	wanted
}

// verifyCode is POST /v1/auth/otp/authenticate (contract 3.6).
func (s *Surface) verifyCode(c *call, in *verifyCodeIn) (any, error) {
	a, err := c.grants(in.wanted)
	if err == nil {
		err = needed("passcode", in.Passcode)
	}
	if err != nil {
		return nil, err
	}
	id, err := c.who(in.IdentifierType, in.Identifier)
	if err != nil {
		return nil, err
	}
	p, err := s.Codes.Verify(c.r.Context(), signin.CodeAttempt{
		Site: c.site, Who: id, Code: secret.NewText(in.Passcode), RequestID: in.RequestID, Known: true, Client: c.client.ID, Join: in.Session,
	})
	if errors.Is(err, signin.ErrDisabled) { // since the code was sent; this call has no word for it
		err = signin.ErrCode.Because(err)
	}
	if err != nil {
		return nil, err
	}
	if raw := p.Ticket.Data[dataApproval]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &a.Approval); err != nil {
			return nil, err
		}
	}
	return s.answer(p.Tokens, a)
}
