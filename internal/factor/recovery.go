package factor

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

const (
	recoveryCodes = 10
	// recoverySize is the length of a code: of 5 bits each, 65 bits together (MF-07).
	recoverySize = 13
	// recoveryTTL is longer than anybody keeps a paper.
	recoveryTTL = 100 * 365 * 24 * time.Hour
)

// newRecoveryCode makes a code of letters and digits, which people may also type in
// capitals, with blanks or hyphens anywhere.
func newRecoveryCode() string { return strings.ToLower(rand.Text()[:recoverySize]) }

// recoveryDigest is what is kept of a code. A digest without a key is enough for what
// has 65 bits; whose it is is in it, so that equal codes of two people could not meet.
func recoveryDigest(userID, code string) []byte {
	return secret.Digest("recovery|" + userID + "|" + strings.ToLower(code))
}

// grouped gives a code as it is shown.
func grouped(code string) secret.Text {
	return secret.NewText(code[:4] + "-" + code[4:8] + "-" + code[8:])
}

const recoveryLabel = "Recovery codes"

// makeCodes writes ten new recovery codes of a person in the place of all before, with
// the factor they are.
func (f *Factors) makeCodes(ctx context.Context, tx *store.Tx, userID, siteID string) (otl.Factor, []secret.Text, error) {
	now := f.Now()
	one := otl.Factor{ID: secret.NewID(now), UserID: userID, Kind: otl.FactorRecovery, Label: recoveryLabel, CreatedAt: now, ConfirmedAt: now}
	if err := tx.Factors.Insert(ctx, one, nil); err != nil {
		return one, nil, err
	}
	if err := tx.Tickets.Void(ctx, userID, otl.PurposeRecovery, "", now); err != nil {
		return one, nil, err
	}
	shown := make([]secret.Text, recoveryCodes)
	for i := range shown {
		code := newRecoveryCode()
		t := otl.Ticket{ID: secret.NewID(now), Purpose: otl.PurposeRecovery, UserID: userID, SiteID: siteID, CreatedAt: now, ExpiresAt: now.Add(recoveryTTL)}
		t.Slot = t.ID
		if err := tx.Tickets.Insert(ctx, t, recoveryDigest(userID, code), nil); err != nil {
			return one, nil, err
		}
		shown[i] = grouped(code)
	}
	return one, shown, nil
}

// acceptRecovery uses one code up. The person is told by mail how many are left; the
// last one takes the factor with it.
func (f *Factors) acceptRecovery(ctx context.Context, tx *store.Tx, one otl.Factor, c Claim, code string) error {
	now := f.Now()
	_, err := tx.Tickets.Use(ctx, otl.PurposeRecovery, recoveryDigest(c.User.ID, code), now)
	if errors.Is(err, store.ErrNotFound) {
		return ErrProof
	}
	if err != nil {
		return err
	}
	left, err := tx.Tickets.Count(ctx, c.User.ID, otl.PurposeRecovery, now)
	if err != nil {
		return err
	}
	if left == 0 {
		_, err = tx.Factors.Delete(ctx, c.User.ID, one.ID)
	} else {
		_, err = tx.Factors.Accept(ctx, one.ID, 0, now)
	}
	if err != nil {
		return err
	}
	if err := tx.Events.Append(ctx, f.event(otl.EventRecoveryUsed, c.User.ID, c.SiteID, map[string]string{"left": strconv.Itoa(left)})); err != nil {
		return err
	}
	return f.Messages.Mail(ctx, tx, otl.MessageRecoveryUsed, c.User, c.SiteID, map[string]string{message.DataLeft: strconv.Itoa(left)})
}

// Elevated appends that a session has one more factor.
func (f *Factors) Elevated(ctx context.Context, tx *store.Tx, s otl.Session) error {
	e := f.event(otl.EventSessionElevated, s.UserID, s.SiteID, map[string]string{"amr": s.Methods.String()})
	e.SessionID = s.ID
	return tx.Events.Append(ctx, e)
}

func (f *Factors) event(t otl.EventType, userID, siteID string, data map[string]string) otl.Event {
	return event(f.Now(), t, userID, siteID, data)
}

func event(now time.Time, t otl.EventType, userID, siteID string, data map[string]string) otl.Event {
	return otl.Event{ID: "evt_" + secret.NewID(now), Type: t, UserID: userID, SiteID: siteID, Data: data, CreatedAt: now}
}
