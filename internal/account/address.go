package account

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Changes replaces addresses and numbers of people by others that were proven (OT-17), and takes back
// by mail what somebody else may have changed.
type Changes struct {
	Store     *store.Store
	Sessions  *session.Sessions
	Factors   *factor.Factors
	Limits    *limit.Limits
	Messages  *message.Messages
	SMS       limit.SMS // where SMS are sent (OT-20)
	PublicURL string    // links lead there, whatever a request calls the server (OT-12)
	Now       func() time.Time
}

// Prefixes of the tokens in the links of a change.
const (
	confirmPrefix = "otl_ch_"
	undoPrefix    = otl.UndoPrefix
)

// ErrChange is the answer to the link of a change that is unknown, used or expired, or
// whose change was given up.
var ErrChange = &otl.Error{Kind: otl.Unauthenticated, Code: "change_invalid", Text: "The link was used already, has expired, or the change was given up."}

// ErrHeld is the answer to a further change while the one before can be undone.
var ErrHeld = &otl.Error{Kind: otl.Conflict, Code: "change_held", Text: "The address or number was changed a short while ago, and that can still be undone. Ask again afterwards."}

// Members of the data of a change's ticket.
const (
	dataWas      = otl.ChangedFrom
	dataVerified = otl.ChangedSeen
	dataTo       = otl.ChangedTo
)

// ask is an address or a number that waits to be proven.
type ask struct {
	site    otl.Site
	user    otl.User
	purpose otl.Purpose
	was, to string
	taken   bool // somebody else has it: the link to confirm it goes nowhere
}

// asks takes from a change what has to be proven first. The error is otl.ErrEmailTaken
// where somebody has the address, otl.ErrIndependent where nobody could be told, and limit.Exceeded for too many.
func (a *Changes) asks(ctx context.Context, site otl.Site, m Member, c *MemberChange) ([]ask, error) {
	var all []ask
	held := a.Now().Before(m.User.HeldUntil) // one change at a time can be taken back
	if p := c.Phone; p != nil && *p != m.User.Phone && !m.User.PhoneVerifiedAt.IsZero() && *p != "" {
		to, err := otl.ParsePhone(*p)
		if err != nil {
			return nil, err
		}
		if !m.Grant.Fields.Has(otl.FieldPhone) {
			return nil, consentFor(otl.FieldPhone)
		}
		all = append(all, ask{site: site, user: m.User, purpose: otl.PurposePhoneChange, was: m.User.Phone, to: to})
		c.Phone = nil
	}
	if c.Email != nil {
		to, err := otl.ParseEmail(*c.Email)
		if err != nil {
			return nil, err
		}
		if !m.Grant.Fields.Has(otl.FieldEmail) {
			return nil, consentFor(otl.FieldEmail)
		}
		if to.Key != m.User.Email.Key {
			if err := a.free(ctx, a.Store.Read, to, m.User.ID); err != nil {
				return nil, err
			}
			all = append(all, ask{site: site, user: m.User, purpose: otl.PurposeEmailChange, was: m.User.Email.Address, to: to.Address})
		}
	}
	if len(all) > 0 {
		if err := a.answerable(ctx, site.ID, m.User); err != nil {
			return nil, err
		}
	}
	for _, one := range all {
		if held {
			return nil, ErrHeld
		}
		at := one.to
		if e, err := otl.ParseEmail(at); err == nil {
			at = e.Key
		}
		uses := limit.Sending(at, "change "+one.user.ID+string(one.purpose))
		channel := otl.ChannelMail
		if one.purpose == otl.PurposePhoneChange {
			channel = otl.ChannelSMS
		}
		if err := a.Messages.Reaches(channel); err != nil {
			return nil, err
		}
		if channel == otl.ChannelSMS {
			if err := a.SMS.Reaches(ctx, site.ID, one.to); err != nil {
				return nil, err
			}
			uses = append(uses, a.SMS.Day(site.ID))
		}
		if err := a.Limits.Take(ctx, uses...); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// answerable is otl.ErrIndependent where a site asks for an address of somebody who is not its own and could not be
// told of it: it would be he everywhere by an address of its choice, and nobody could refuse (D1).
func (a *Changes) answerable(ctx context.Context, siteID string, u otl.User) error {
	if u.Email.Key != "" || !u.PhoneVerifiedAt.IsZero() {
		return nil
	}
	its, err := a.Store.Read.Grants.Owns(ctx, siteID, u.ID)
	if err == nil && !its {
		err = otl.ErrIndependent
	}
	return err
}

// free is otl.ErrEmailTaken for an address that somebody else has, or may have back: by the same statements as of any other (OT-10).
func (a *Changes) free(ctx context.Context, tx *store.Tx, e otl.Email, userID string) error {
	u, err := tx.Users.ByEmail(ctx, e.Key)
	has := err == nil && u.ID != userID
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	reserved, err := tx.Tickets.Reserved(ctx, e.Key, userID, a.Now())
	if err == nil && (has || reserved) {
		err = otl.ErrEmailTaken
	}
	return err
}

// send writes the tickets and letters of changes. Those asked for before are void.
func (a *Changes) send(ctx context.Context, tx *store.Tx, all []ask) error {
	for i, one := range all {
		if i == 0 {
			if err := tx.Tickets.VoidChanges(ctx, one.user.ID, a.Now()); err != nil {
				return err
			}
		}
		if err := a.sendOne(ctx, tx, one); err != nil {
			return err
		}
	}
	return nil
}

func (a *Changes) sendOne(ctx context.Context, tx *store.Tx, k ask) error {
	now := a.Now()
	verified := k.user.EmailVerifiedAt
	kind, channel, slot := "email", otl.ChannelMail, k.user.Email.Key
	if k.purpose == otl.PurposePhoneChange {
		kind, channel, slot, verified = "phone", otl.ChannelSMS, k.was, k.user.PhoneVerifiedAt
	}
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: k.purpose, UserID: k.user.ID, SiteID: k.site.ID, Channel: channel, CreatedAt: now, ExpiresAt: now.Add(otl.ChangeTTL),
		Data: map[string]string{dataWas: k.was, dataTo: k.to, dataVerified: ""},
	}
	if !verified.IsZero() {
		t.Data[dataVerified] = strconv.FormatInt(verified.UnixMilli(), 10)
	}
	undo := t
	undo.ID, undo.Purpose, undo.Slot, undo.ExpiresAt = secret.NewID(now), otl.PurposeUndo, slot, now.Add(otl.UndoTTL)
	confirm, refuse := secret.NewKey(confirmPrefix).Reveal(), secret.NewKey(undoPrefix).Reveal()
	if err := tx.Tickets.Insert(ctx, t, secret.Digest(confirm), nil); err != nil {
		return err
	}
	if err := tx.Tickets.Insert(ctx, undo, secret.Digest(refuse), nil); err != nil {
		return err
	}
	if err := tx.Events.Append(ctx, event(a.Now(), otl.EventChangeAsked, k.user.ID, k.site.ID, map[string]string{"changed": kind})); err != nil {
		return err
	}
	if channel == otl.ChannelSMS {
		if err := a.countSMS(ctx, tx, k); err != nil {
			return err
		}
	}
	to := k.to
	if k.taken {
		to = ""
	}
	if _, err := a.Messages.Queue(ctx, tx, message.Note{
		Kind: otl.MessageConfirmChange, Channel: channel, To: to, UserID: k.user.ID, SiteID: k.site.ID, Locale: k.user.Locale, Expires: t.ExpiresAt,
		Data: map[string]string{message.DataLink: a.link(confirm), message.DataTo: otl.Masked(k.to)},
	}); err != nil {
		return err
	}
	return a.tell(ctx, tx, k, map[string]string{message.DataLink: a.link(refuse), message.DataTo: otl.Masked(k.to)})
}

// countSMS counts a link by SMS as the codes are (OT-20).
func (a *Changes) countSMS(ctx context.Context, tx *store.Tx, k ask) error {
	stopped, err := limit.Sent(ctx, tx, k.site.ID, k.to, a.Now())
	if err != nil || !stopped {
		return err
	}
	return a.Messages.SMSStopped(ctx, tx, k.site.ID, limit.Range(k.to))
}

// tell says to whoever a person was so far what was asked for: by mail or, where nobody has proven the address, by SMS
// to the number that somebody has.
func (a *Changes) tell(ctx context.Context, tx *store.Tx, k ask, data map[string]string) error {
	switch known := !k.user.PhoneVerifiedAt.IsZero(); {
	case k.user.Email.Key == "" && !known:
		return nil // nobody has ever proven to be he
	case !known || !k.user.EmailVerifiedAt.IsZero():
		return a.Messages.Mail(ctx, tx, otl.MessageChangeAsked, k.user, k.site.ID, data)
	}
	_, err := a.Messages.Queue(ctx, tx, message.Note{
		Kind: otl.MessageChangeAsked, Channel: otl.ChannelSMS, To: k.user.Phone, UserID: k.user.ID, SiteID: k.site.ID, Locale: k.user.Locale, Data: data,
	})
	return err
}

// link gives the address of the page of a change; its host is the configured one
// whatever a request called the server (OT-12).
func (a *Changes) link(token string) string {
	return strings.TrimSuffix(a.PublicURL, "/") + "/c/" + token
}

// AskedChange is what the page of a change shows.
type AskedChange struct {
	Undo   bool   // it takes the change back rather than confirms it
	To     string // masked
	Was    string // what is changed, masked; "" for none, and for anybody but the person
	Gone   string // number that is given back, masked; "" where it takes something else back
	Locale string
}

// Look gives what the page of a change shows to who is signed in as the person by, "" for nobody:
// the mailbox of a new address may be a stranger's, by a slip, and what it takes the place of is the
// person's alone to see. Nothing is used up by it. The error is ErrChange.
func (a *Changes) Look(ctx context.Context, token, by string) (AskedChange, error) {
	for _, p := range purposesOf(token) {
		t, err := a.Store.Read.Tickets.Live(ctx, p, secret.Digest(token), a.Now())
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return AskedChange{}, err
		}
		u, err := a.Store.Read.Users.ByID(ctx, t.UserID)
		c := askedOf(t, u)
		if u.ID != by {
			c.Was = ""
		}
		return c, err
	}
	return AskedChange{}, ErrChange
}

func askedOf(t otl.Ticket, u otl.User) AskedChange {
	c := AskedChange{Undo: t.Purpose == otl.PurposeUndo || t.Purpose == otl.PurposeFactorUndo, To: otl.Masked(t.Data[dataTo]), Was: otl.Masked(t.Data[dataWas]), Locale: u.Locale}
	if t.Purpose == otl.PurposeUndo && c.To == "" {
		c.Gone = c.Was
	}
	return c
}

// Stands gives what the link of a change put in force, as long as that holds. The error is
// ErrChange for any other link.
func (a *Changes) Stands(ctx context.Context, token string) (AskedChange, error) {
	for _, p := range purposesOf(token) {
		t, err := a.Store.Read.Tickets.Spent(ctx, p, secret.Digest(token))
		var u otl.User
		if err == nil {
			u, err = a.Store.Read.Users.ByID(ctx, t.UserID)
		}
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return AskedChange{}, err
		}
		if p == otl.PurposeEmailChange && u.Email.Address == t.Data[dataTo] || p == otl.PurposePhoneChange && u.Phone == t.Data[dataTo] {
			return askedOf(t, u), nil
		}
	}
	return AskedChange{}, ErrChange
}

func purposesOf(token string) []otl.Purpose {
	switch {
	case strings.HasPrefix(token, confirmPrefix):
		return []otl.Purpose{otl.PurposeEmailChange, otl.PurposePhoneChange}
	case strings.HasPrefix(token, undoPrefix):
		return []otl.Purpose{otl.PurposeUndo}
	case strings.HasPrefix(token, factor.UndoPrefix):
		return []otl.Purpose{otl.PurposeFactorUndo}
	}
	return nil
}

// Follow does what the link of a change says: puts the new address or number in
// force, takes it back, or takes second factors back. Nobody is signed in by it. The errors are ErrChange, and
// otl.ErrEmailTaken where somebody has the address by now.
func (a *Changes) Follow(ctx context.Context, token string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, p := range purposesOf(token) {
			t, err := tx.Tickets.Live(ctx, p, secret.Digest(token), a.Now())
			if err == nil {
				// Or another change could come into force meanwhile. It comes before the ticket: whoever proves the address of before
				// for the first time has the row of the person, and makes changes worthless next.
				if err := tx.Users.Lock(ctx, t.UserID); err != nil {
					return err
				}
				t, err = tx.Tickets.Use(ctx, p, secret.Digest(token), a.Now())
			}
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			u, err := tx.Users.ByID(ctx, t.UserID)
			if err != nil {
				return err
			}
			otl.RequestOf(ctx).UserID = u.ID
			switch p {
			case otl.PurposeUndo:
				return a.undo(ctx, tx, u, t)
			case otl.PurposeFactorUndo:
				return a.undoFactors(ctx, tx, u, t.SiteID)
			}
			return a.replace(ctx, tx, u, t)
		}
		return ErrChange
	})
}

// replace puts a new address or number in force that was just proven. Where a site asked for it, and the person is
// not its own, it opens that site alone for a time, and takes nothing away: who proved it may be the site (D1).
func (a *Changes) replace(ctx context.Context, tx *store.Tx, u otl.User, t otl.Ticket) error {
	now := a.Now()
	if !u.DisabledAt.IsZero() || now.Before(u.HeldUntil) {
		return ErrChange
	}
	proven := !u.EmailVerifiedAt.IsZero() || !u.PhoneVerifiedAt.IsZero()
	own, err := a.own(ctx, tx, t)
	if err != nil {
		return err
	}
	its, err := tx.Grants.Owns(ctx, t.SiteID, u.ID)
	if err != nil {
		return err
	}
	if !own && !its {
		u.HeldFor, u.HeldChannel, u.HeldUntil = t.SiteID, t.Channel, now.Add(otl.HoldTTL)
	}
	if t.Purpose == otl.PurposePhoneChange {
		if err := limit.Entered(ctx, tx, t.SiteID, t.Data[dataTo], t.CreatedAt); err != nil {
			return err
		}
		u.Phone, u.PhoneVerifiedAt = t.Data[dataTo], now
		return a.swap(ctx, tx, t, "phone", func() (bool, error) { return tx.Users.ChangePhone(ctx, u, t.Data[dataWas], now) })
	}
	to, err := otl.ParseEmail(t.Data[dataTo])
	if err != nil {
		return err
	}
	if err := a.free(ctx, tx, to, u.ID); err != nil {
		return err
	}
	was, first := u.Email.Key, (own || its) && (!proven || u.Email.Key != "" && u.EmailVerifiedAt.IsZero())
	u.Email, u.EmailVerifiedAt = to, now
	if asked, err := addressOf(t.Data[dataWas]); err != nil || asked.Key != was {
		return ErrChange // another change came first
	}
	if err := a.swap(ctx, tx, t, "email", func() (bool, error) { return tx.Users.ChangeEmail(ctx, u, was, now) }); err != nil {
		return err
	}
	if !first {
		return nil
	}
	gone, err := a.Sessions.Uproot(ctx, tx, a.Factors, u.ID, t.SiteID, "") // nobody had proven the address before: what was planted goes (OT-16)
	if err != nil {
		return err
	}
	return gone.Tell(ctx, tx, a.Messages, u, otl.ChannelMail, t.SiteID)
}

// swap writes a change and what goes with it: what was sent to the old address opens
// nothing any more.
func (a *Changes) swap(ctx context.Context, tx *store.Tx, t otl.Ticket, changed string, write func() (bool, error)) error {
	switch ok, err := write(); {
	case errors.Is(err, store.ErrTaken):
		return otl.ErrEmailTaken
	case err != nil:
		return err
	case !ok:
		return ErrChange
	}
	for _, p := range []otl.Purpose{otl.PurposeReset, otl.PurposeSignIn} {
		if err := tx.Tickets.Void(ctx, t.UserID, p, "", a.Now()); err != nil {
			return err
		}
	}
	if err := tx.Tickets.VoidChanges(ctx, t.UserID, a.Now()); err != nil {
		return err
	}
	return tx.Events.Append(ctx, event(a.Now(), otl.EventUserUpdated, t.UserID, t.SiteID, map[string]string{otl.DataChanged: changed}))
}

// undo refuses a change or takes it back, on behalf of whoever reads the mails to the
// address before it. All sessions end: somebody unwanted asked for it, and second factors that were
// set up since may be his, of which the mails went to his address (ADR 46). Changes that
// came after it cannot be undone for their part.
func (a *Changes) undo(ctx context.Context, tx *store.Tx, u otl.User, t otl.Ticket) error {
	now := a.Now()
	var verified time.Time
	if ms, err := strconv.ParseInt(t.Data[dataVerified], 10, 64); err == nil {
		verified = time.UnixMilli(ms).UTC()
	}
	later, err := tx.Tickets.VoidLater(ctx, t, now)
	if err != nil {
		return err
	}
	if t.Channel == otl.ChannelSMS {
		is := t.Data[dataTo]
		if u.Phone == "" && slices.ContainsFunc(later, func(l map[string]string) bool { return l[dataWas] == is }) {
			is = "" // it came into force, and somebody has taken it away since
		}
		u.Phone, u.PhoneVerifiedAt = t.Data[dataWas], verified
		u.HeldFor, u.HeldChannel, u.HeldUntil = "", "", time.Time{}
		if _, err := tx.Users.ChangePhone(ctx, u, is, now); err != nil {
			return err // unless it never came into force, or is another one by now
		}
	} else if err := a.restore(ctx, tx, &u, t, verified); err != nil {
		return err
	}
	for _, p := range []otl.Purpose{otl.PurposeReset, otl.PurposeSignIn} {
		if err := tx.Tickets.Void(ctx, u.ID, p, "", now); err != nil {
			return err
		}
	}
	if err := tx.Events.Append(ctx, event(a.Now(), otl.EventChangeUndone, u.ID, t.SiteID, nil)); err != nil {
		return err
	}
	if _, err := a.Sessions.EndAll(ctx, tx, u.ID, "", "", otl.EndAddressRestored); err != nil {
		return err
	}
	return factor.Undos{Factors: a.Factors}.Since(ctx, tx, u, t.SiteID, t.CreatedAt)
}

// undoFactors takes all second factors of a person away, on behalf of whoever reads the mails to his
// address: the first of them was set up within the time, and so were all. All sessions end.
func (a *Changes) undoFactors(ctx context.Context, tx *store.Tx, u otl.User, siteID string) error {
	if _, err := a.Sessions.EndAll(ctx, tx, u.ID, "", "", otl.EndFactorUndone); err != nil {
		return err
	}
	return factor.Undos{Factors: a.Factors}.Undo(ctx, tx, u, siteID)
}

// addressOf reads an address as a ticket keeps it: none may be one.
func addressOf(s string) (otl.Email, error) {
	if s == "" {
		return otl.Email{}, nil
	}
	return otl.ParseEmail(s)
}

// restore gives a person the address before a change again.
func (a *Changes) restore(ctx context.Context, tx *store.Tx, u *otl.User, t otl.Ticket, verified time.Time) error {
	was, err := addressOf(t.Data[dataWas])
	if err != nil || was.Key == u.Email.Key {
		return err // it never came into force
	}
	before := u.Email.Key
	u.Email, u.EmailVerifiedAt = was, verified
	u.HeldFor, u.HeldChannel, u.HeldUntil = "", "", time.Time{}
	_, err = tx.Users.ChangeEmail(ctx, *u, before, a.Now())
	if errors.Is(err, store.ErrTaken) {
		err = otl.ErrEmailTaken
	}
	return err
}
