package outbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	mail "github.com/wneessen/go-mail"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// Post is what every mail of an installation has in common.
type Post struct {
	From    string // address
	ReplyTo string // address, "" for none
	Host    string // right half of the ids of mails
	Now     func() time.Time
	// Secret signs what webhooks are sent, "" for nothing; webhook.CheckSecret.
	Secret secret.Text
}

// compose makes the mail of a letter (RFC 5322). It is the same at every try but
// for its date, so that a mailbox that gets it twice can tell.
func (p Post) compose(l message.Letter) (*mail.Msg, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent()) // what program we are is nobody's business
	if err := m.To(l.To); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if err := m.FromFormat(l.Sender, p.From); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if p.ReplyTo != "" {
		if err := m.ReplyTo(p.ReplyTo); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	m.Subject(l.Subject)
	m.SetDateWithValue(p.Now())
	m.SetMessageIDWithValue(l.ID + "@" + p.Host)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no automatic answers
	if l.Thread != "" {
		m.SetGenHeader("References", "<"+l.Thread+"@"+p.Host+">")
	}
	if l.Request != "" {
		m.SetGenHeader("X-OTL-Request-Id", l.Request)
	}
	m.SetBodyString(mail.TypeTextPlain, l.Text)
	html, err := p.embed(m, l)
	m.AddAlternativeString(mail.TypeTextHTML, html)
	return m, err
}

// embed puts the logo of a letter into its mail (RFC 2392): mailboxes do not show images
// that stand in the HTML itself. It gives the HTML that shows it.
func (p Post) embed(m *mail.Msg, l message.Letter) (html string, err error) {
	kind, image := l.Image()
	if len(image) == 0 {
		return l.HTML, nil
	}
	id := "logo." + l.ID + "@" + p.Host
	err = m.EmbedReader("logo."+kind, bytes.NewReader(image), mail.WithFileContentID("<"+id+">"), mail.WithFileContentType(mail.ContentType("image/"+kind)))
	return l.Showing("cid:" + id), err
}

// SMTP hands mails to a mail server.
type SMTP struct {
	post    Post
	address string
	port    int
	options []mail.Option
	lines   lines
}

// ErrURL means that the URL of a provider cannot be understood.
var ErrURL = errors.New("must be smtp://user:password@host:587, smtps://…, webhook:https://…, dir:/path or log:; special characters of a password are written as %XX, such as %40 for @")

// NewSMTP reads smtp:// and smtps:// URLs. With smtp the connection is encrypted
// by STARTTLS before anything is said; ?tls=opportunistic does without where the
// server cannot, and ?tls=none does not try. With smtps it is encrypted from its
// first byte.
func NewSMTP(u *url.URL, p Post) (*SMTP, error) {
	policy, standard := mail.TLSMandatory, 587
	query := u.Query()
	switch query.Get("tls") {
	case "", "starttls":
	case "opportunistic":
		policy = mail.TLSOpportunistic
	case "none":
		policy = mail.NoTLS
	default:
		return nil, errors.New("?tls= must be starttls, opportunistic or none")
	}
	query.Del("tls")
	if u.Hostname() == "" || len(query) > 0 || u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return nil, ErrURL
	}
	s := &SMTP{post: p, address: u.Hostname(), options: []mail.Option{
		mail.WithTimeout(sendTime), mail.WithHELO(p.Host), mail.WithTLSConfig(&tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}),
		mail.WithoutNoop(),
	}}
	if u.Scheme == "smtps" {
		standard = 465
		s.options = append(s.options, mail.WithSSL())
	} else {
		s.options = append(s.options, mail.WithTLSPolicy(policy))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.options = append(s.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	s.port = standard
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return nil, ErrURL
		}
		s.port = n
	}
	s.options = append(s.options, mail.WithPort(s.port))
	_, err := mail.NewClient(s.address, s.options...)
	return s, err
}

// Name implements Sender.
func (s *SMTP) Name() string { return "smtp " + net.JoinHostPort(s.address, strconv.Itoa(s.port)) }

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, l message.Letter) error {
	m, err := s.post.compose(l)
	if err != nil {
		return err
	}
	return sorted(s.handOver(ctx, m))
}

// status is the enhanced status code in an answer that is final (RFC 3463), which many servers give without having
// announced it (RFC 2034).
var status = regexp.MustCompile(`\b5\d\d "?5\.(\d{1,3}\.\d{1,3})\b`) // an error quotes what was said

// sorted tells what a mail server refuses for good: a mailbox, which nobody else finds either; the letter, which
// another server may take; and us, which is no refusal: whoever runs this may mend it while the letter waits.
// Before it has been told whom a letter is for a server can only mean us.
func sorted(err error) error {
	var failed *mail.SendError
	if !errors.As(err, &failed) || failed.ErrorCode()/100 != 5 {
		return err
	}
	detail := ""
	if found := status.FindStringSubmatch(err.Error()); found != nil {
		detail = found[1]
	}
	switch failed.Reason {
	case mail.ErrSMTPRcptTo:
		if failed.ErrorCode() == 530 { // no authentication
			return err
		}
		if strings.HasPrefix(detail, "7.") { // no relaying, a blocked network, an address that is not served
			return fmt.Errorf("%w: %w", errRelay, err)
		}
	case mail.ErrSMTPData, mail.ErrSMTPDataClose:
	default:
		return err
	}
	switch detail {
	case "1.1", "1.2", "1.4", "1.6", "1.10", "2.0", "2.1", "2.2", "2.3": // the others of 5.1 are of senders, but for 5.1.3: what an address may look like is one server's opinion
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// Directory writes mails and SMS into files, for whoever picks them up.
type Directory struct {
	post Post
	path string
}

// NewDirectory writes into a directory, which is made if it is missing.
func NewDirectory(path string, p Post) (*Directory, error) {
	if path == "" {
		return nil, ErrURL
	}
	return &Directory{p, path}, os.MkdirAll(path, 0o700) //nolint:gosec // the operator's own directory
}

// Name implements Sender.
func (d *Directory) Name() string { return "directory" }

// Send implements Sender. A reader sees all of a file or none; a second try writes
// the same one.
func (d *Directory) Send(_ context.Context, l message.Letter) error {
	tmp, err := os.CreateTemp(d.path, ".letter-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	name := l.ID + ".txt"
	if l.Channel == otl.ChannelMail {
		name = l.ID + ".eml"
		m, composeErr := d.post.compose(l)
		if composeErr == nil {
			_, composeErr = m.WriteTo(tmp)
		}
		err = composeErr
	} else {
		_, err = fmt.Fprintf(tmp, "To: %s\n\n%s\n", l.To, l.Text)
	}
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(d.path, name))
}

// NewMail makes the senders of mail from a list of URLs separated by blanks: when
// the first one fails, the next one is tried.
func NewMail(list string, p Post, note func(string, ...any)) ([]Sender, error) {
	p.From, p.ReplyTo = otl.Mailbox(p.From), otl.Mailbox(p.ReplyTo)
	return senders(list, func(u *url.URL) (Sender, error) {
		switch u.Scheme {
		case "smtp", "smtps":
			return NewSMTP(u, p)
		case "dir":
			return NewDirectory(u.Opaque+u.Path, p)
		case "log":
			return Log{note}, nil
		case "webhook":
			return NewWebhook(rest(u), p.From, p)
		}
		return nil, ErrURL
	})
}

// NewSMS makes the senders of SMS from a list of URLs separated by blanks.
func NewSMS(list string, p Post, note func(string, ...any)) ([]Sender, error) {
	return senders(list, func(u *url.URL) (Sender, error) {
		switch u.Scheme {
		case "dir":
			return NewDirectory(u.Opaque+u.Path, p)
		case "log":
			return Log{note}, nil
		case "twilio":
			g, err := newGateway(u, "api.twilio.com")
			return Twilio{g}, err
		case "vonage":
			g, err := newGateway(u, "rest.nexmo.com")
			return Vonage{g}, err
		case "webhook":
			return NewWebhook(rest(u), "", p)
		}
		return nil, errors.New("must be twilio://SID:TOKEN@?from=NUMBER, vonage://KEY:SECRET@?from=SENDER, webhook:https://…, dir:/path or log: for the log alone")
	})
}

// rest gives what of a URL stands behind its scheme.
func rest(u *url.URL) string {
	out := u.Opaque
	if u.RawQuery != "" {
		out += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		out += "#" + u.Fragment
	}
	return out
}
