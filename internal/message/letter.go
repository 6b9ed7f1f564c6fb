package message

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/otl"
)

//go:embed templates/mail.html
var templateFiles embed.FS

// Letter is a message as it is handed to whoever delivers it.
type Letter struct {
	ID      string // the same at every try
	Kind    otl.MessageKind
	Locale  string // BCP 47, the language it is written in
	Site    string // name of the site it is of
	Channel otl.Channel
	To      string
	Sender  string // name of who writes, "" for the installation's
	Subject string // "" in an SMS
	Text    string
	HTML    string // "" in an SMS
	Logo    string // an image as a data URL, for which the HTML says "cid:logo"; "" for none
	Thread  string // what letters of one conversation share, "" for none
	Request string // id of the request it follows from, "" for none
	Code    string // the one-time code in it, if any
	Link    string // the one-time link in it, if any
	// From is the sender of an SMS, as Custom asked for it.
	From string
}

// Bounds of Custom, in characters: at all of them a mail is shorter than what mailboxes cut (102 kB of HTML).
const (
	MaxText = 2_000  // of each text but
	MaxLine = 400    // subject and sender, which stand in headers: a line has 998 bytes at most (RFC 5322), and where there is no blank it is not folded
	MaxLogo = 20_000 // of the logo, in base64
	MaxSMS  = 140
	MaxApp  = 2 // how often the name of a site, which may be long, stands in an SMS
)

// Custom is what a site may put into its messages in place of ours (contract 3.3
// and 3.5). Whatever is empty stays as it is.
type Custom struct {
	Subject  string `json:"subject,omitempty"`
	Color    string `json:"color,omitempty"` // #rrggbb, of the button
	Logo     string `json:"logo,omitempty"`  // a PNG or JPEG in base64
	Heading  string `json:"heading,omitempty"`
	Body     string `json:"body,omitempty"`
	LinkText string `json:"link_text,omitempty"`
	Info     string `json:"info,omitempty"`
	Footer   string `json:"footer,omitempty"`
	Sender   string `json:"sender,omitempty"`
	SMS      string `json:"sms,omitempty"`      // with {otp} and {app}
	SMSFrom  string `json:"sms_from,omitempty"` // up to 11 letters and digits
}

// sheet is what the templates of a mail are given.
type sheet struct {
	Lang, Dir, Subject, Site       string
	Heading, Body, Code, Link      string
	LinkText, Token, Info, Warning string
	Footer, Color                  string
	Logo                           template.URL
	Newcomer                       string // what the link may make of whoever follows it; no site writes it
	Preview                        string // what lists of mails show after the subject
	Asked                          string // when and by whom it was asked for
	Safe, SafeText                 string // where to whoever did not ask is led
	Below                          string // the site's own line
	Links                          []otl.BrandLink
}

// color of buttons where a site has none of its own.
const defaultColor = "#1f4fd8"

var htmlMail = template.Must(template.ParseFS(templateFiles, "templates/mail.html"))

// Write writes a message of a site in the language of whom it goes to.
func (m *Messages) Write(one otl.Message, siteName string) (Letter, error) {
	return m.WriteAs(one, siteName, otl.Brand{})
}

// WriteAs writes a message as the site wants its mails to look. What came with the
// message itself goes before that.
func (m *Messages) WriteAs(one otl.Message, siteName string, brand otl.Brand) (Letter, error) {
	data := maps.Clone(one.Data)
	if data == nil {
		data = map[string]string{}
	}
	data["site"] = siteName
	var c Custom
	if raw := data[DataCustom]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &c); err != nil {
			return Letter{}, fmt.Errorf("message %s: %w", one.ID, err)
		}
	}
	l := Letter{ID: one.ID, Channel: one.Channel, To: one.Recipient, Sender: c.Sender, Thread: data[DataThread], Request: data[DataRequest], Code: data[DataCode], Link: data[DataLink]}
	if l.Sender == "" {
		l.Sender = brand.Sender
	}
	if l.Sender == "" {
		l.Sender = siteName
	}
	base := strings.TrimSuffix(m.PublicURL, "/")
	if to := alarms(one.Kind, one.Channel); to != "" && base != "" && l.Link == "" {
		data[DataLink] = base + to // everybody's, so not the Link of the letter
	}
	v := Speak(data, one.Locale)
	l.Kind, l.Locale, l.Site = one.Kind, v.Lang, siteName
	if one.Channel == otl.ChannelSMS {
		switch l.Text, l.From = m.sms(v, c), c.SMSFrom; one.Kind {
		case otl.MessageConfirmChange:
			l.Text = v.Say("sms_change")
		case otl.MessageTest:
			l.Text = v.Say("test_body")
		case otl.MessageChangeAsked:
			l.Text = v.Say("change_asked_body") + "\n" + v.Say("change_asked_link") + ": " + v.data[DataLink]
		case otl.MessagePasswordRemoved:
			l.Text = v.Say("sms_password_removed")
			if to := v.data[DataLink]; to != "" {
				l.Text += "\n" + v.Say("reset_link") + ": " + to
			}
		}
		return l, nil
	}
	s := lay(v, one.Kind)
	if one.Kind == otl.MessageFactorAdded && l.Link != "" { // the first one, which can be undone
		s.Info, s.LinkText, s.Footer = v.Say("change_asked_info")+" "+v.Say("undo_factors"), v.Say("change_asked_link"), v.Say("change_asked_footer")+" "+v.Say("password_changed_footer")
		s.Safe, s.SafeText = base+"/forgot", v.Say("reset_link") // whoever set it up may know the password
	}
	s.reassure(v, one.Kind, base)
	if brand.HideCode && one.Kind == otl.MessageSignIn {
		s.Subject = v.Say("signin_link_subject")
	}
	l.Logo = s.wear(brand)
	if own := s.customise(c); own != "" {
		l.Logo = own
	}
	if l.Logo != "" {
		s.Logo = logoURL
	}
	s.Site, s.Preview = siteName, s.preview()
	l.Subject = s.Subject
	var html bytes.Buffer
	if err := htmlMail.ExecuteTemplate(&html, "mail.html", s); err != nil {
		return Letter{}, err
	}
	l.HTML, l.Text = html.String(), s.plain()
	return l, nil
}

// alarms gives the page to which a message leads that tells of what only its person should
// have done, "" for all others: where he chooses a new password, which ends all sessions, or
// is led through what to do.
func alarms(kind otl.MessageKind, by otl.Channel) string {
	switch kind {
	case otl.MessagePasswordRemoved:
		if by == otl.ChannelSMS { // no mail may reach whoever has proven a number; he signs in by it, and chooses there
			return "/account/password"
		}
		return "/forgot"
	case otl.MessagePasswordChanged, otl.MessageFactorAdded, otl.MessageFactorRemoved, otl.MessageRecoveryUsed, otl.MessageSessionReused, otl.MessageSignedOut:
		return "/forgot"
	case otl.MessageNewDevice, otl.MessageSiteConnected, otl.MessageSiteLeft, otl.MessageDataExported:
		return "/account/secure"
	}
	return ""
}

// lay puts the words of one kind of message on the sheet.
func lay(v Voice, kind otl.MessageKind) sheet {
	s := sheet{Lang: v.Lang, Dir: v.Dir(), Color: defaultColor, Code: v.data[DataCode], Link: v.data[DataLink], Token: v.data[DataToken], Footer: v.Say("ignore")}
	info := "signin_info"
	if s.Link != "" && s.Code != "" && v.data[DataLinkMinutes] != "" {
		info = "both_info"
	}
	name := string(kind)
	s.Subject, s.Heading, s.Body, s.Info = v.Say(name+"_subject"), v.Say(name+"_heading"), v.Say(name+"_body"), v.Say(name+"_info")
	switch kind {
	case otl.MessageVerify, otl.MessageExisting:
		s.LinkText, s.Warning = v.Say("signin_link"), v.Say("never_share")
		s.Subject, s.Heading, s.Body, s.Info = v.Say("verify_subject"), v.Say("verify_subject"), v.Say("signin_both_body"), v.Say(info)
		switch {
		case s.Link == "":
			s.Body = v.Say("signin_body")
		case s.Code == "":
			s.Body, s.Info, s.Warning = v.Say("signin_link_body"), "", ""
		}
		if kind == otl.MessageExisting {
			s.Subject, s.Heading, s.Body = v.Say("existing_subject"), v.Say("existing_subject"), v.With("how", s.Body).Say("existing_body")
		}
	case otl.MessageSignIn:
		s.LinkText, s.Warning = v.Say("signin_link"), v.Say("never_share")
		if v.data[DataNewcomer] != "" {
			s.Newcomer = v.Say("link_newcomer")
		}
		switch {
		case s.Link == "":
		case s.Code == "":
			s.Subject, s.Body, s.Info, s.Warning = v.Say("signin_link_subject"), v.Say("signin_link_body"), "", ""
		default:
			s.Body, s.Info = v.Say("signin_both_body"), v.Say(info)
		}
	case otl.MessageFactorCode:
		s.Info, s.Warning, s.Footer = v.Say("signin_info"), v.Say("never_share"), v.Say("mfa_code_footer")
	case otl.MessageReset:
		s.Subject, s.Heading, s.Body, s.Info = v.Say("reset_subject"), v.Say("reset_heading"), v.Say("reset_body"), v.Say("reset_info")
		if s.Link != "" {
			s.Body, s.LinkText, s.Token = v.Say("reset_link_body"), v.Say("reset_link"), ""
		}
	case otl.MessageInvite:
		s.Info, s.LinkText, s.Footer, s.Token = v.Say("reset_info"), v.Say("invite_link"), v.Say("invite_footer"), ""
	case otl.MessageTest:
		s.Heading, s.Info, s.Footer = s.Subject, "", ""
	case otl.MessageWebhookFailing, otl.MessageWebhookStopped, otl.MessageSMSStopped, otl.MessageMailStopped, otl.MessageCodesGuessed, otl.MessageProviderFull:
		s.Footer = ""
	case otl.MessagePasswordChanged: // who has just chosen one is not asked for another
		s.Info, s.LinkText, s.Footer = "", v.Say("link_deny"), v.Say("password_changed_footer")
	case otl.MessageSessionReused, otl.MessageSignedOut:
		s.Info, s.LinkText, s.Footer = "", v.Say("reset_link"), v.Say("password_changed_footer")
	case otl.MessagePasswordRemoved:
		for _, also := range strings.Fields(v.data[DataAlso]) {
			s.Body += " " + v.Say(name+"_"+also)
		}
		s.LinkText, s.Footer = v.Say("reset_link"), ""
	case otl.MessageFactorAdded, otl.MessageFactorRemoved, otl.MessageRecoveryUsed:
		s.Info, s.LinkText, s.Footer = "", v.Say("link_deny"), v.Say("factor_footer")
	case otl.MessageNewDevice, otl.MessageDataExported:
		s.Info, s.LinkText, s.Footer = "", v.Say("link_deny"), v.Say("change_asked_footer")
	case otl.MessageSiteConnected, otl.MessageSiteLeft:
		s.LinkText, s.Footer = v.Say("link_deny"), v.Say("change_asked_footer")
		if kind == otl.MessageSiteConnected && v.data[DataShared] == "" { // nothing but who he is
			s.Info = ""
		}
	case otl.MessageDeleteDone:
		s.Footer = ""
	case otl.MessageLeaving:
		s.Subject, s.Info, s.LinkText, s.Footer = s.Heading, "", v.Say("leaving_keep"), v.Say("password_changed_footer")
	case otl.MessageConfirmChange:
		s.LinkText = v.Say("confirm_change_link")
	case otl.MessageChangeAsked:
		s.LinkText, s.Footer = v.Say("change_asked_link"), v.Say("change_asked_footer")
	case otl.MessagePhoneRemoved:
		s.Info, s.LinkText, s.Footer = v.Say("change_asked_info"), v.Say("change_asked_link"), v.Say("change_asked_footer")
	}
	return s
}

// reassure says who asked for what lets somebody in, and leads whoever did not to where he
// can do something about it.
func (s *sheet) reassure(v Voice, kind otl.MessageKind, base string) {
	asked := "asked_for"
	switch kind {
	case otl.MessageSignIn:
		if s.Newcomer == "" { // else he may have no account to secure
			s.Safe, s.SafeText = "/account/secure", v.Say("secure_heading")
		}
	case otl.MessageFactorCode:
		s.Safe, s.SafeText = "/forgot", v.Say("reset_link")
	case otl.MessageSiteConnected, otl.MessageSiteLeft:
		s.Safe, s.SafeText, asked = "/account", v.Say("connected"), "asked_done" // it is no request any more
	case otl.MessageVerify, otl.MessageExisting, otl.MessageReset, otl.MessageDataExported:
	default:
		return
	}
	if v.data[DataAsked] != "" {
		s.Asked = v.Say(asked)
	}
	if base == "" {
		s.Safe = ""
	}
	if s.Safe != "" {
		s.Safe = base + s.Safe
	}
}

// maxPreview is how long a preview is at most, in characters.
const maxPreview = 90

// preview gives what lists of mails show after the subject. A code is never in it (OT-23):
// the template keeps the letter itself out of sight.
func (s *sheet) preview() string {
	text := []rune(s.Body)
	if s.Code+s.Token != "" && s.Info != "" {
		text = []rune(s.Info) // the body leads to a code that does not follow
	}
	if len(text) <= maxPreview {
		return string(text)
	}
	cut := string(text[:maxPreview-1])
	if i := strings.LastIndexByte(cut, ' '); i > 0 {
		cut = cut[:i]
	}
	return cut + "…"
}

// plain writes the same as text.
func (s *sheet) plain() string {
	var parts []string
	link, safe := s.Link, ""
	if link != "" && s.LinkText != "" {
		link = s.LinkText + ":\n" + link // on a line of its own, so that it is one to press
	}
	if s.Safe != "" {
		safe = s.SafeText + ": " + s.Safe
	}
	for _, p := range []string{s.Heading, s.Body, s.Newcomer, link, s.Code, s.Token, s.Info, s.Warning, s.Asked, s.Footer, safe, s.below(), "-- \n" + s.Site} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// below gives what stands below a letter of plain text.
func (s *sheet) below() string {
	out := s.Below
	for _, l := range s.Links {
		out += "\n" + l.Text + ": " + l.URL
	}
	return strings.TrimPrefix(out, "\n")
}

// wear gives the sheet the looks of a site, and its logo as a data URL.
func (s *sheet) wear(b otl.Brand) (logo string) {
	if b.Color != "" {
		s.Color = b.Color
	}
	s.Below, s.Links = b.Footer, b.Links
	return b.Logo
}

// customise puts what came with the message in the place of ours, and gives its logo as a
// data URL, "" for none.
func (s *sheet) customise(c Custom) (logo string) {
	for _, one := range []struct {
		dst  *string
		want string
	}{
		{&s.Subject, c.Subject},
		{&s.Color, c.Color},
		{&s.Heading, c.Heading},
		{&s.Body, c.Body},
		{&s.LinkText, c.LinkText},
		{&s.Info, c.Info},
		{&s.Footer, c.Footer},
	} {
		if one.want != "" {
			*one.dst = one.want
		}
	}
	if c.Logo == "" {
		return ""
	}
	return "data:image/" + imageType(c.Logo) + ";base64," + c.Logo
}

// imageType tells a PNG from a JPEG by how its base64 begins.
func imageType(encoded string) string {
	if strings.HasPrefix(encoded, "/9j/") {
		return "jpeg"
	}
	return "png"
}

// logoURL stands in the HTML of a letter for its logo.
const logoURL template.URL = "cid:logo"

// Showing gives the HTML of a letter with the address of its logo in it.
func (l Letter) Showing(address string) string {
	return strings.ReplaceAll(l.HTML, `"`+string(logoURL)+`"`, `"`+address+`"`) // what others wrote has no quotes there
}

// Whole gives the HTML of a letter with its logo in it, for where nothing goes beside it.
func (l Letter) Whole() string {
	if l.Logo == "" {
		return l.HTML
	}
	return l.Showing(l.Logo)
}

// Image gives the logo of a letter and its kind, "png" or "jpeg"; nothing where it has none.
func (l Letter) Image() (kind string, image []byte) {
	kind, encoded, _ := strings.Cut(strings.TrimPrefix(l.Logo, "data:image/"), ";base64,")
	image, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil { // checked when it was set
		return "", nil
	}
	return kind, image
}

// sms writes a code so that telephones offer to fill it in: the last line names
// the host it is for.
func (m *Messages) sms(v Voice, c Custom) string {
	said := v.Say("sms")
	if c.SMS != "" {
		said = strings.ReplaceAll(c.SMS, "{otp}", v.data[DataCode])
		said = strings.Replace(said, "{app}", v.data["site"], MaxApp)
	}
	if code := v.data[DataCode]; code != "" && m.Host != "" {
		said += "\n\n@" + m.Host + " #" + code
	}
	return said
}

// gsm7 are the characters of the alphabet in which 160 fit into one SMS (3GPP
// 23.038), but for those that count twice.
const gsm7 = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// gsm7Twice are those that count twice.
const gsm7Twice = "^{}\\[~]|€"

// GSM7 reports whether a text can be sent in the alphabet of 160 characters.
func GSM7(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(gsm7, r) && !strings.ContainsRune(gsm7Twice, r) })
}

// Parts gives how many SMS a text takes.
func Parts(s string) int {
	septets := 0
	for _, r := range s {
		switch {
		case strings.ContainsRune(gsm7, r):
			septets++
		case strings.ContainsRune(gsm7Twice, r):
			septets += 2
		default:
			return parts(utf16Len(s), 70, 67)
		}
	}
	return parts(septets, 160, 153)
}

func parts(n, whole, part int) int {
	if n <= whole {
		return 1
	}
	return (n + part - 1) / part
}

func utf16Len(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xffff {
			n++
		}
	}
	return n
}
