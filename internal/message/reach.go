package message

import (
	"cmp"
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Errors where nobody delivers what is to be sent, for known and unknown people alike.
var (
	ErrNoMail = &otl.Error{Kind: otl.Unavailable, Code: "no_mail_provider", Text: "No provider of mail is configured.", RetryAfter: 5 * time.Minute}
	ErrNoSMS  = &otl.Error{Kind: otl.Unavailable, Code: "no_sms_provider", Text: "No provider of SMS is configured.", RetryAfter: 5 * time.Minute}
)

// Reaches reports whether somebody delivers messages of a channel. The error is ErrNoMail
// or ErrNoSMS. Whoever asks for a message is told by it; what is queued beside a change
// that was made is given up instead.
func (m *Messages) Reaches(c otl.Channel) error {
	switch {
	case m.Ways == nil, m.Ways[c], c == otl.ChannelDirect:
		return nil
	case c == otl.ChannelSMS:
		return ErrNoSMS
	}
	return ErrNoMail
}

// Owners queues a mail to each owner of a site, and says how many there are. It is in his
// language, not in that of whoever made the request it follows from.
func (m *Messages) Owners(ctx context.Context, tx *store.Tx, kind otl.MessageKind, siteID string, data map[string]string) (int, error) {
	owners, err := tx.Businesses.Owners(ctx, siteID)
	if err != nil {
		return 0, err
	}
	for _, o := range owners {
		o.Locale = cmp.Or(o.Locale, tags[0])
		if err := m.Mail(ctx, tx, kind, o, siteID, data); err != nil {
			return 0, err
		}
	}
	return len(owners), nil
}

// ToOperator queues a mail to the operator, if he has an address.
func (m *Messages) ToOperator(ctx context.Context, tx *store.Tx, kind otl.MessageKind, siteID string, data map[string]string) error {
	if m.Operator == "" {
		return nil
	}
	_, err := m.Queue(ctx, tx, Note{Kind: kind, Channel: otl.ChannelMail, To: m.Operator, SiteID: siteID, Locale: tags[0], Data: data})
	return err
}

// SMSStopped says that a site sends no more SMS to a range of numbers: in the log, to its
// owners, and to the operator where he has an address (OT-20).
func (m *Messages) SMSStopped(ctx context.Context, tx *store.Tx, siteID, prefix string) error {
	return m.stopped(ctx, tx, otl.EventSMSStopped, otl.MessageSMSStopped, siteID, map[string]string{DataRange: prefix})
}

// MailStopped says in the same way that mails of a site are refused, because more were asked
// for than it sends (OT-19).
func (m *Messages) MailStopped(ctx context.Context, tx *store.Tx, siteID string) error {
	return m.stopped(ctx, tx, otl.EventMailStopped, otl.MessageMailStopped, siteID, nil)
}

func (m *Messages) stopped(ctx context.Context, tx *store.Tx, t otl.EventType, kind otl.MessageKind, siteID string, data map[string]string) error {
	now := m.Now()
	if err := tx.Events.Append(ctx, otl.Event{ID: "evt_" + secret.NewID(now), Type: t, SiteID: siteID, Data: data, CreatedAt: now}); err != nil {
		return err
	}
	if _, err := m.Owners(ctx, tx, kind, siteID, data); err != nil {
		return err
	}
	return m.ToOperator(ctx, tx, kind, siteID, data)
}
