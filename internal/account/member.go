package account

import (
	"context"
	"errors"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Member is a person as one of a site's.
type Member = store.Member

// maxSearch is the longest text that is searched for.
const maxSearch = 200

// Members gives people of a site after an id, oldest first: those whose address
// is email, and those whose granted address or name fits text; "" for all.
func (a *Accounts) Members(ctx context.Context, siteID, email, text, after string, limit int) ([]Member, error) {
	text, err := otl.CheckText("q", text, maxSearch)
	if err != nil {
		return nil, err
	}
	s := store.Search{Text: otl.Fold(text)}
	if email != "" {
		parsed, err := otl.ParseEmail(email)
		if err != nil {
			return nil, err
		}
		s.EmailKey = parsed.Key
	}
	return a.Store.Read.Grants.Members(ctx, siteID, s, after, limit)
}

// Member gives one person of a site. Somebody who is not one of its people is as
// unknown as somebody who never was (TE-01).
func (a *Accounts) Member(ctx context.Context, siteID, userID string) (Member, error) {
	if !secret.ValidID(userID) {
		return Member{}, otl.NoSuch("user")
	}
	m, err := a.Store.Read.Grants.Member(ctx, siteID, userID)
	if errors.Is(err, store.ErrNotFound) {
		err = otl.NoSuch("user")
	}
	return m, err
}

// Leave ends what a person granted a site, and his sessions there, as the site wants it.
func (a *Accounts) Leave(ctx context.Context, siteID, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return leave(ctx, tx, a, siteID, userID) })
}

// Disconnect is Leave at the person's own will. He is told by mail, in case it was not his.
func (a Consents) Disconnect(ctx context.Context, siteID, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := leave(ctx, tx, a.Accounts, siteID, userID); err != nil {
			return err
		}
		site, err := tx.Sites.ByID(ctx, siteID)
		if errors.Is(err, store.ErrNotFound) {
			return nil // the site is gone, too
		}
		if err != nil {
			return err
		}
		return session.TellLeft(ctx, tx, a.Sessions, session.Connection{UserID: userID, Site: site, Home: a.Factors.Home})
	})
}

// leave ends what a person granted a site, and what was sent to him to sign in there, or handed to the site: by that it would have
// him back, without his doing anything (D1). It begins with his row, as all does that takes away what was sent to somebody; where whoever
// uses that at the same moment holds it already, PostgreSQL ends one of the two, which is tried again.
func leave(ctx context.Context, tx *store.Tx, a *Accounts, siteID, userID string) error {
	_, err := tx.Grants.Member(ctx, siteID, userID)
	if errors.Is(err, store.ErrNotFound) {
		err = otl.NoSuch("user")
	}
	if err == nil {
		err = tx.Users.Lock(ctx, userID)
	}
	if err == nil {
		err = recall(ctx, tx, a, siteID, userID)
	}
	if err != nil {
		return err
	}
	was, err := tx.Grants.Revoke(ctx, userID, siteID, a.Now())
	if err != nil {
		return err
	}
	if !was { // somebody was faster
		return otl.NoSuch("user")
	}
	if err := tx.Records.Delete(ctx, siteID, userID); err != nil {
		return err
	}
	if err := tx.Events.Append(ctx, a.event(otl.EventConsentRevoked, userID, siteID, nil)); err != nil {
		return err
	}
	_, err = a.Sessions.EndAll(ctx, tx, userID, siteID, "", otl.EndConsentWithdrawn)
	return err
}

// recall makes worthless what was sent to a person to sign in with at a site, or handed to the site; what opened links gave
// it ends with his sessions.
func recall(ctx context.Context, tx *store.Tx, a *Accounts, siteID, userID string) error {
	sent, err := tx.Tickets.Of(ctx, userID, otl.PurposeSignIn, siteID, a.Now(), mostSent)
	if err != nil {
		return err
	}
	for _, t := range sent {
		if _, err := tx.Tickets.Drop(ctx, userID, t.Purpose, t.ID, a.Now()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// mostSent is more than what a person has been sent at a site that is still good.
const mostSent = 100

// Delete removes a person from the network, at once and for good, and tells him nothing: that is whose want it
// is to do. What happened stays in the log of events under his id, which is never used again.
func (a *Accounts) Delete(ctx context.Context, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return Erasures{a}.erase(ctx, tx, userID) })
}

// memberships gives the ids of the sites that know a person, for those who are told
// when nothing else says it any more.
func memberships(ctx context.Context, tx *store.Tx, userID string) (string, error) {
	grants, err := tx.Grants.OfPerson(ctx, userID)
	ids := make([]string, len(grants))
	for i, g := range grants {
		ids[i] = g.SiteID
	}
	return strings.Join(ids, " "), err
}
