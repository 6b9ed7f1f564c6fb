package message

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Messages queues messages and writes them.
type Messages struct {
	Store  *store.Store
	Master secret.Master
	Now    func() time.Time
	Host   string // of the installation, for the last line of an SMS
	// PublicURL is where its pages are, for what leads to one of them in a letter that was
	// not made for it; "" for nowhere.
	PublicURL string
	// Ways are the channels that somebody delivers; nil for all.
	Ways     map[otl.Channel]bool
	Operator string // address of who runs the installation, "" for none
}

func place(id string) string { return "messages|" + id + "|data" }

// Note is a message to be queued.
type Note struct {
	Kind    otl.MessageKind
	Channel otl.Channel
	To      string // address or number
	UserID  string
	SiteID  string
	Locale  string            // BCP 47, "" for that of whoever makes the request it follows from
	Data    map[string]string // see the constants of members
	Expires time.Time         // when it is of no use any more; zero: never
}

// Members of a message's data.
const (
	DataCode    = "code"    // a one-time code
	DataLink    = "link"    // a one-time link
	DataToken   = "token"   // a one-time token to be copied
	DataMinutes = "minutes" // how long they are good
	// DataLinkMinutes is how long the link of a sign-in is, whatever the code beside it.
	DataLinkMinutes = "link_minutes"
	// DataAttempts is how many attempts there were, of pages.
	DataAttempts = "attempts"
	DataTo       = "to"       // a new address or number, masked
	DataCustom   = "custom"   // Custom, as JSON
	DataLabel    = "label"    // second factors, as Factors writes them
	DataLeft     = "left"     // how many recovery codes are left
	DataDate     = "date"     // of what is to come
	DataRange    = "range"    // the first digits of numbers, with "+"
	DataThread   = "thread"   // what messages of one conversation share; see Thread
	DataRequest  = "request"  // id of the request it follows from
	DataAsked    = "asked"    // when, by what device and from where that was made
	DataName     = "name"     // of the site it is about
	DataShared   = "shared"   // fields that site sees, as otl.Fields writes them
	DataNewcomer = "newcomer" // not "" where the link may make an account, or connect one with the site
	DataAlso     = "also"     // what went with a password: "sessions", "factors" or both, with a space between
)

// Thread names the conversation about something that has an id, "" for none. The id
// itself stays out of mails.
func Thread(id string) string {
	if id == "" {
		return ""
	}
	return hex.EncodeToString(secret.Digest(id))[:20]
}

// withRequest adds to the data of a message which request it follows from, when that was made and, as far as
// it is known, by what device and from where: where a site's server asks, what the site says of the person.
func withRequest(ctx context.Context, data map[string]string, now time.Time) map[string]string {
	out, from := map[string]string{}, otl.RequestOf(ctx)
	maps.Copy(out, data)
	out[DataRequest] = from.ID
	if from.ID == "" && !from.Client.IsValid() { // nobody asked
		return out
	}
	asked := []string{now.UTC().Format("2006-01-02 15:04 UTC")}
	if device := otl.Agent(from.UserAgent); device != "" {
		asked = append(asked, device)
	}
	if from.Client.IsValid() {
		asked = append(asked, from.Client.String())
	}
	out[DataAsked] = strings.Join(asked, ", ")
	return out
}

// Queue writes a message beside what it tells of and gives its id. One to nobody is
// written all the same, and never sent: time does not tell whether there was anybody.
func (m *Messages) Queue(ctx context.Context, tx *store.Tx, n Note) (string, error) {
	now, spoken := m.Now(), Speak(nil, otl.RequestOf(ctx).Locales...).Lang // for nobody, too
	one := store.StoredMessage{Message: otl.Message{
		ID: "msg_" + secret.NewID(now), Kind: n.Kind, Channel: n.Channel, UserID: n.UserID, SiteID: n.SiteID,
		Recipient: n.To, Locale: cmp.Or(n.Locale, spoken), CreatedAt: now, ExpiresAt: n.Expires, State: otl.MessageWaiting,
	}}
	if n.To == "" {
		one.State, one.SettledAt = otl.MessageVoid, now
	}
	plain, err := json.Marshal(withRequest(ctx, n.Data, now))
	if err != nil {
		return "", err
	}
	one.Sealed = m.Master.Seal(plain, place(one.ID))
	return one.ID, tx.Messages.Insert(ctx, one)
}

// Mail queues a mail to the address a person has on record, never to one that
// came with a request (PW-16).
func (m *Messages) Mail(ctx context.Context, tx *store.Tx, kind otl.MessageKind, to otl.User, siteID string, data map[string]string) error {
	if to.Email.Key == "" {
		return nil // he has none
	}
	_, err := m.Queue(ctx, tx, Note{
		Kind: kind, Channel: otl.ChannelMail, To: to.Email.Address, UserID: to.ID, SiteID: siteID, Locale: to.Locale, Data: data,
	})
	return err
}

// Tell is Mail for what is news to a person and opens nothing. An address that nobody has proven may be
// somebody else's, who is told nothing.
func (m *Messages) Tell(ctx context.Context, tx *store.Tx, kind otl.MessageKind, to otl.User, siteID string, data map[string]string) error {
	if to.EmailVerifiedAt.IsZero() {
		return nil
	}
	return m.Mail(ctx, tx, kind, to, siteID, data)
}

// Farewell queues the last mail to the address of somebody who is deleted in the same transaction. It
// is of no person, or it would go with him, and the outbox keeps nothing of it once it was handed over or given up (PR-05).
func (m *Messages) Farewell(ctx context.Context, tx *store.Tx, was otl.User, siteID string) error {
	if was.EmailVerifiedAt.IsZero() {
		return nil
	}
	_, err := m.Queue(ctx, tx, Note{
		Kind: otl.MessageDeleteDone, Channel: otl.ChannelMail, To: was.Email.Address, SiteID: siteID, Locale: was.Locale, Expires: m.Now().Add(farewellTTL),
	})
	return err
}

// farewellTTL is how long the address of somebody who was deleted is kept at most for the mail that says so.
const farewellTTL = 3 * 24 * time.Hour

// Open gives a stored message with its data, if that is still kept.
func (m *Messages) Open(s store.StoredMessage) (otl.Message, error) {
	if len(s.Sealed) == 0 {
		return s.Message, nil
	}
	plain, err := m.Master.Open(s.Sealed, place(s.ID))
	if err == nil {
		err = json.Unmarshal(plain, &s.Data)
	}
	if err != nil {
		return s.Message, fmt.Errorf("message %s: %w", s.ID, err)
	}
	return s.Message, nil
}
