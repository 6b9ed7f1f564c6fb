package account

import (
	"context"
	"encoding/json"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Export is everything that is kept of a person, but for secrets (PR-04).
type Export struct {
	ExportedAt time.Time          `json:"exported_at"`
	Profile    ExportedProfile    `json:"profile"`
	Password   *time.Time         `json:"password_set_at"`
	Factors    []ExportedFactor   `json:"factors"`
	Sites      []ExportedSite     `json:"sites"`
	Consents   []ExportedConsent  `json:"consents"`
	Readings   []ExportedReading  `json:"readings"`
	Sessions   []ExportedSession  `json:"sessions"`
	Businesses []ExportedBusiness `json:"businesses"`
	Messages   []ExportedMessage  `json:"messages"`
	Activity   []ExportedEvent    `json:"activity"`
}

// ExportedProfile is who somebody is here.
type ExportedProfile struct {
	ID              string          `json:"id"`
	Email           string          `json:"email"`
	EmailVerifiedAt *time.Time      `json:"email_verified_at"`
	Username        string          `json:"username"`
	Name            string          `json:"name"`
	DisplayName     string          `json:"display_name"`
	Phone           string          `json:"phone"`
	PhoneVerifiedAt *time.Time      `json:"phone_verified_at"`
	Picture         string          `json:"picture"`
	Locale          string          `json:"locale"`
	Preferences     json.RawMessage `json:"preferences"`
	CreatedAt       time.Time       `json:"created_at"`
	CreatedBy       string          `json:"created_by"` // id of the site that added him
	UpdatedAt       time.Time       `json:"updated_at"`
	LastLoginAt     *time.Time      `json:"last_login_at"`
	DisabledAt      *time.Time      `json:"disabled_at"`
	DeleteAt        *time.Time      `json:"delete_at"`
	HeldFor         string          `json:"held_for"` // id of the site that alone a new address opens
	HeldUntil       *time.Time      `json:"held_until"`
}

// ExportedFactor is a second factor, without what makes it one.
type ExportedFactor struct {
	Kind       otl.FactorKind `json:"kind"`
	Label      string         `json:"label"`
	Number     string         `json:"number"`
	CreatedAt  time.Time      `json:"created_at"`
	LastUsedAt *time.Time     `json:"last_used_at"`
}

// ExportedSite is a site somebody lets in, and what it keeps of him here.
type ExportedSite struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Fields      otl.Fields      `json:"fields"`
	Asked       otl.Fields      `json:"asked_fields"`
	Roles       []string        `json:"roles"`
	Since       time.Time       `json:"since"`
	UpdatedAt   time.Time       `json:"updated_at"`
	LastLoginAt *time.Time      `json:"last_login_at"`
	SuspendedAt *time.Time      `json:"suspended_at"`
	LockedUntil *time.Time      `json:"suspended_until"`
	ExternalID  string          `json:"external_id"`
	Data        json.RawMessage `json:"data"`
	PendingAt   *time.Time      `json:"pending_at"`
}

// ExportedConsent is what a site might see for some time.
type ExportedConsent struct {
	SiteID string     `json:"site_id"`
	Fields otl.Fields `json:"fields"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"` // null while it is in force
}

// ExportedReading is how often a site was shown the same fields on one day.
type ExportedReading struct {
	SiteID string     `json:"site_id"`
	Day    string     `json:"day"`
	Fields otl.Fields `json:"fields"`
	Times  int64      `json:"times"`
	First  time.Time  `json:"first_at"`
	Last   time.Time  `json:"last_at"`
}

// ExportedSession is a live session.
type ExportedSession struct {
	ID         string    `json:"id"`
	SiteID     string    `json:"site_id"`
	Client     string    `json:"client_id"`
	Methods    []string  `json:"amr"`
	ProvenAt   time.Time `json:"proven_at"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	IP         string    `json:"ip"`
	UserAgent  string    `json:"user_agent"`
	HandedBy   string    `json:"handed_by"` // id of the site whose session token opened it, "" for none
}

// ExportedBusiness is a business somebody belongs to.
type ExportedBusiness struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// ExportedMessage is a message somebody was sent, without its text: that may have held
// a one-time secret, and is not kept.
type ExportedMessage struct {
	Kind      otl.MessageKind  `json:"kind"`
	Channel   otl.Channel      `json:"channel"`
	To        string           `json:"to"`
	SiteID    string           `json:"site_id"`
	CreatedAt time.Time        `json:"created_at"`
	State     otl.MessageState `json:"state"`
}

// ExportedEvent is an entry of the log about somebody.
type ExportedEvent struct {
	ID        string            `json:"id"`
	Type      otl.EventType     `json:"type"`
	At        time.Time         `json:"at"`
	SiteID    string            `json:"site_id"`
	SessionID string            `json:"session_id"`
	IP        string            `json:"ip"`
	Data      map[string]string `json:"data"`
}

// most is how many sessions, messages and events an export holds at most, the newest.
const most = 10_000

// Export gives everything that is kept of a person, and notes that he was given it. He
// may have it five times a day.
func (a Consents) Export(ctx context.Context, userID string) (Export, error) {
	return a.export(ctx, userID, func(context.Context, *store.Tx) error { return nil })
}

// HandOut is Export to the person himself, who is told of it by mail: what is handed out at once to whoever
// sits in his session cannot be taken back (ADR 53).
func (a Consents) HandOut(ctx context.Context, userID string) (Export, error) {
	return a.export(ctx, userID, func(ctx context.Context, tx *store.Tx) error {
		u, err := tx.Users.ByID(ctx, userID)
		if err != nil {
			return err
		}
		return a.Messages.Tell(ctx, tx, otl.MessageDataExported, u, a.Factors.Home, nil)
	})
}

// export is Export, with what else is written beside it.
func (a Consents) export(ctx context.Context, userID string, beside func(context.Context, *store.Tx) error) (Export, error) {
	if err := a.Limits.Take(ctx, limit.Use{Rate: exports, By: []string{userID}}); err != nil {
		return Export{}, err
	}
	out, err := a.gather(ctx, userID)
	if err != nil {
		return out, err
	}
	return out, a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Events.Append(ctx, a.event(otl.EventUserExported, userID, "", nil)); err != nil {
			return err
		}
		return beside(ctx, tx)
	})
}

func (a Consents) gather(ctx context.Context, userID string) (Export, error) {
	u, err := a.Find(ctx, userID)
	if err != nil {
		return Export{}, err
	}
	out := Export{ExportedAt: a.Now().UTC(), Profile: profileOf(u)}
	tx := a.Store.Read
	for _, part := range []func() error{
		func() error { return a.exportSites(ctx, &out, userID) },
		func() error { return a.exportLedger(ctx, &out, userID) },
		func() error { return a.exportSessions(ctx, &out, userID) },
		func() error { return exportEvents(ctx, tx, &out, userID) },
		func() error { return exportRest(ctx, tx, &out, userID) },
	} {
		if err := part(); err != nil {
			return Export{}, err
		}
	}
	return out, nil
}

func profileOf(u otl.User) ExportedProfile {
	return ExportedProfile{
		ID: u.ID, Email: u.Email.Address, EmailVerifiedAt: when(u.EmailVerifiedAt), Username: u.Username.Name, Name: u.Name, DisplayName: u.DisplayName,
		Phone: u.Phone, PhoneVerifiedAt: when(u.PhoneVerifiedAt), Picture: u.Picture, Locale: u.Locale, Preferences: json.RawMessage(u.Preferences),
		CreatedAt: u.CreatedAt, CreatedBy: u.CreatedBy, UpdatedAt: u.UpdatedAt, LastLoginAt: when(u.LastLoginAt), DisabledAt: when(u.DisabledAt),
		DeleteAt: when(u.DeleteAt), HeldFor: u.HeldFor, HeldUntil: when(u.HeldUntil),
	}
}

// when gives a time, nil for none.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (a Consents) exportSites(ctx context.Context, out *Export, userID string) error {
	sites, err := a.Sites(ctx, userID)
	if err != nil {
		return err
	}
	records, err := a.Store.Read.Records.OfPerson(ctx, userID)
	if err != nil {
		return err
	}
	out.Sites = []ExportedSite{}
	for _, s := range sites {
		kept := records[s.Site.ID]
		one := ExportedSite{
			ID: s.Site.ID, Name: s.Site.Name, Fields: s.Grant.Fields, Asked: s.Grant.Asked, Roles: s.Grant.Roles, Since: s.Grant.CreatedAt, UpdatedAt: s.Grant.UpdatedAt,
			LastLoginAt: when(s.Grant.LastLoginAt), SuspendedAt: when(s.Grant.SuspendedAt), LockedUntil: when(s.Grant.SuspendedUntil), ExternalID: kept.ExternalID, PendingAt: when(kept.PendingAt),
		}
		if kept.Data != "" {
			one.Data = json.RawMessage(kept.Data)
		}
		out.Sites = append(out.Sites, one)
	}
	return nil
}

func (a Consents) exportLedger(ctx context.Context, out *Export, userID string) error {
	consents, err := a.Store.Read.Ledger.Consents(ctx, userID)
	if err != nil {
		return err
	}
	out.Consents, out.Readings = []ExportedConsent{}, []ExportedReading{}
	for _, c := range consents {
		out.Consents = append(out.Consents, ExportedConsent{c.SiteID, c.Fields, c.Since, when(c.Until)})
	}
	readings, err := a.Ledger.Of(ctx, userID)
	for _, r := range readings {
		day := time.Unix(int64(r.Day)*24*60*60, 0).UTC().Format(time.DateOnly)
		out.Readings = append(out.Readings, ExportedReading{r.SiteID, day, r.Fields, r.Times, r.First, r.Last})
	}
	return err
}

// exportSessions gives the live ones; that others were is in the activity.
func (a Consents) exportSessions(ctx context.Context, out *Export, userID string) error {
	sessions, err := a.Store.Read.Sessions.Live(ctx, userID, "", "", a.Now(), most)
	out.Sessions = []ExportedSession{}
	for _, s := range sessions {
		out.Sessions = append(out.Sessions, ExportedSession{
			ID: s.ID, SiteID: s.SiteID, Client: s.Client, Methods: s.Methods.Strings(), ProvenAt: s.AuthAt, CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt,
			ExpiresAt: s.ExpiresAt, IP: s.IP, UserAgent: s.UserAgent, HandedBy: s.HandedBy,
		})
	}
	return err
}

func exportEvents(ctx context.Context, tx *store.Tx, out *Export, userID string) error {
	out.Activity = []ExportedEvent{}
	for before := ""; len(out.Activity) < most; {
		page, err := tx.Events.List(ctx, userID, "", before, 500)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			before = e.ID
			one := ExportedEvent{ID: e.ID, Type: e.Type, At: e.CreatedAt, SiteID: e.SiteID, SessionID: e.SessionID, IP: e.From, Data: e.Data}
			if e.Via != "" && e.By.Kind != otl.ActorPerson {
				one.IP = "" // of the site's server
			}
			out.Activity = append(out.Activity, one)
		}
	}
	return nil
}

func exportRest(ctx context.Context, tx *store.Tx, out *Export, userID string) error {
	set, err := tx.Passwords.ChangedAt(ctx, userID)
	if err != nil {
		return err
	}
	out.Password = when(set)
	factors, err := tx.Factors.Of(ctx, userID)
	if err != nil {
		return err
	}
	out.Factors, out.Businesses, out.Messages = []ExportedFactor{}, []ExportedBusiness{}, []ExportedMessage{}
	for _, f := range factors {
		out.Factors = append(out.Factors, ExportedFactor{f.Kind, f.Label, f.Target, f.CreatedAt, when(f.LastUsedAt)})
	}
	businesses, err := tx.Businesses.OfPerson(ctx, userID)
	if err != nil {
		return err
	}
	for _, b := range businesses {
		out.Businesses = append(out.Businesses, ExportedBusiness{b.ID, b.Name, b.Role})
	}
	messages, err := tx.Messages.OfPerson(ctx, userID, most)
	for _, m := range messages {
		if m.Kind == otl.MessageConfirmChange && (m.Recipient == "" || m.Recipient != out.Profile.Email && m.Recipient != out.Profile.Phone) {
			continue // it went to whoever he named, and whether it went tells whether that is somebody's (OT-10)
		}
		out.Messages = append(out.Messages, ExportedMessage{m.Kind, m.Channel, m.Recipient, m.SiteID, m.CreatedAt, m.State})
	}
	return err
}
