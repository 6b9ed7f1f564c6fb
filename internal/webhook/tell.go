package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/event"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// MaxBody is the most a body may be, in bytes (WH-13).
const MaxBody = 20 << 10

// Told is what a site is told of an event: the body of a delivery but for the number
// of the attempt (contract 1.7).
type Told struct {
	ID        string         `json:"id"`
	Type      otl.EventType  `json:"type"`
	CreatedAt time.Time      `json:"created_at"`
	SiteID    string         `json:"site_id"`
	Seq       int64          `json:"sequence"`                // rises from event to event of the site
	UserSeq   int64          `json:"user_sequence,omitempty"` // of the events about one person: 1, 2, 3 … without a gap
	Attempt   int            `json:"attempt,omitempty"`
	Test      bool           `json:"test,omitempty"`
	Withheld  bool           `json:"withheld,omitempty"` // nothing personal is told: the endpoint is not verified
	Data      map[string]any `json:"data"`

	userID string     // whose fields are in the data
	fields otl.Fields // which, none for nobody's
}

// Body writes the bytes that are sent and signed.
func (t Told) Body(attempt int) ([]byte, error) {
	t.Attempt = attempt
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it stands in no page, and would be longer
	if err := enc.Encode(t); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Tell gives what a site is told of an event of its log. What it holds of the person
// is what he is at this moment, and what he lets the site see at this moment: nothing
// is copied that a withdrawal or an erasure would have to find again. Ok is false where
// nothing may be told any more (PR-06).
func (w *Webhooks) Tell(ctx context.Context, e otl.SiteEvent) (told Told, ok bool, err error) {
	as, played := e.Shown()
	told = Told{ID: e.ID, Type: as, Test: played, CreatedAt: e.CreatedAt, SiteID: e.SiteID, Seq: e.Seq, UserSeq: e.UserSeq}
	if played {
		told.Data = sample(told.Type, e.SiteID, e.CreatedAt)
		_, err := replace(told.Data, e.Data[otl.DataSet])
		return told, true, err
	}
	switch e.Type {
	case otl.EventUserCreated, otl.EventUserUpdated, otl.EventSessionCreated:
		ok, err = w.personal(ctx, e, &told)
		return told, ok, err
	}
	told.Data = data(e)
	return told, true, nil
}

// Shown notes for whom it concerns that somebody of the site has read what it is told.
func (w *Webhooks) Shown(t Told) { w.Ledger.NoteAt(t.SiteID, t.userID, t.fields) }

// data gives the data of events that hold no more of a person than his id.
func data(e otl.SiteEvent) map[string]any {
	d := map[string]any{"user_id": e.UserID}
	switch e.Type {
	case otl.EventSessionRevoked:
		version, _ := strconv.Atoi(e.Data[otl.DataSessionVersion])
		d["session"] = map[string]any{"id": e.SessionID}
		d["reason"], d["session_version"] = e.Data[otl.DataReason], version
	case otl.EventConsentGranted:
		d["fields"] = otl.StoredFields(e.Data[otl.DataFields])
	case otl.EventRoleAssigned:
		d["role"], d["assigned_by"] = e.Data[otl.DataRole], e.By.ID
	case otl.EventRoleRemoved:
		d["role"], d["removed_by"] = e.Data[otl.DataRole], e.By.ID
	case otl.EventFactorAdded, otl.EventFactorRemoved:
		d["factor"] = map[string]any{"id": e.Data[otl.DataFactor], "kind": e.Data[otl.DataKind]}
	case otl.EventPaymentDone:
		amount, _ := strconv.ParseInt(e.Data[otl.DataAmount], 10, 64)
		d = map[string]any{"order": map[string]any{
			"id": e.Data[otl.DataOrder], "plan": e.Data[otl.DataPlan], "amount": amount, "currency": e.Data[otl.DataCurrency],
		}}
	}
	return d
}

// personal writes the data of events that hold more of a person than his id: only
// while he lets the site in. Ok is false where nothing may be told any more.
func (w *Webhooks) personal(ctx context.Context, e otl.SiteEvent, told *Told) (ok bool, err error) {
	told.Data = map[string]any{"user": map[string]any{"id": e.UserID}}
	if event.Stranger(e.Event, e.SiteID) {
		return true, nil
	}
	m, err := w.Store.Read.Grants.Member(ctx, e.SiteID, e.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return e.Type == otl.EventUserCreated, nil
	}
	if err != nil {
		return false, err
	}
	if e.Type == otl.EventSessionCreated {
		told.Data = map[string]any{"user_id": e.UserID, "session": map[string]any{
			"id": e.SessionID, "site_id": e.SiteID, "created_at": e.CreatedAt, "ip": e.Data[otl.DataIP], "user_agent": e.Data[otl.DataUserAgent],
			"amr": otl.StoredMethods(e.Data[otl.DataMethods]).AMR(),
		}}
		return true, nil
	}
	told.Data = map[string]any{"user": person(m)}
	told.userID, told.fields = e.UserID, m.Grant.Fields.Without(otl.FieldUsername)
	if e.Type == otl.EventUserCreated {
		told.Data["source"] = e.Data[otl.DataSource]
		return true, nil
	}
	changed := event.Seen(m.Grant.Fields, e.Event)
	told.Data["changed"], told.Data["version"] = changed, m.User.Version
	return len(changed) > 0, nil
}

// person gives what a person lets a site see of him.
func person(m store.Member) map[string]any {
	u, out := m.User, map[string]any{"id": m.User.ID, "version": m.User.Version, "updated_at": m.User.UpdatedAt}
	for _, f := range m.Grant.Fields {
		switch f {
		case otl.FieldEmail:
			out["email"], out["email_verified"] = u.Email.Address, !u.EmailVerifiedAt.IsZero()
		case otl.FieldName:
			out["name"] = u.Name
		case otl.FieldDisplayName:
			out["display_name"] = u.DisplayName
		case otl.FieldPhone:
			out["phone"], out["phone_verified"] = u.Phone, !u.PhoneVerifiedAt.IsZero()
		case otl.FieldPicture:
			out["picture"] = u.Picture
		case otl.FieldLocale:
			out["locale"] = u.Locale
		case otl.FieldPreferences:
			out["preferences"] = json.RawMessage(u.Preferences)
		}
	}
	return out
}

// sample gives the data of a test that plays a type of event.
func sample(t otl.EventType, siteID string, now time.Time) map[string]any {
	const user, session = "01HKZ3M5Q8J9X2V7C4B6N1D0FG", "01HKZ4C9F2G5H8J1K3N6Q7R0ST"
	jane := map[string]any{
		"id": user, "email": "jane@example.com", "email_verified": true, "name": "Jane Doe", "display_name": "Jane",
		"phone": "+14155550123", "phone_verified": true, "picture": "https://example.com/jane.png", "locale": "en", "preferences": map[string]any{},
		"version": 2, "updated_at": now,
	}
	d := map[string]any{"user_id": user}
	switch t {
	case otl.EventUserCreated:
		d = map[string]any{"user": jane, "source": "register"}
	case otl.EventUserUpdated:
		d = map[string]any{"user": jane, "changed": []string{"name"}, "version": 2}
	case otl.EventSessionCreated:
		d["session"] = map[string]any{"id": session, "site_id": siteID, "created_at": now, "ip": "192.0.2.7", "user_agent": "Mozilla/5.0", "amr": []string{"pwd"}}
	case otl.EventSessionRevoked:
		d["session"], d["reason"], d["session_version"] = map[string]any{"id": session}, string(otl.EndLogout), 3
	case otl.EventConsentGranted:
		d["fields"] = []string{"email", "name"}
	case otl.EventRoleAssigned:
		d["role"], d["assigned_by"] = "editor", user
	case otl.EventRoleRemoved:
		d["role"], d["removed_by"] = "editor", user
	case otl.EventFactorAdded, otl.EventFactorRemoved:
		d["factor"] = map[string]any{"id": session, "kind": "totp"}
	case otl.EventPaymentDone:
		d = map[string]any{"order": map[string]any{"id": session, "plan": "pro", "amount": 4900, "currency": "EUR"}}
	case otl.EventUserDeleted, otl.EventConsentRevoked:
	default:
		d = map[string]any{"message": "This is a test of a webhook endpoint."}
	}
	return d
}
