package account

import (
	"context"
	"errors"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
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

// Leave ends what a person granted a site, and his sessions there.
func (a *Accounts) Leave(ctx context.Context, siteID, userID string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		was, err := tx.Grants.Revoke(ctx, userID, siteID, a.Now())
		if err != nil {
			return err
		}
		if !was {
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
	})
}

// Delete removes a person from the network, at once and for good. What happened
// stays in the log of events under his id, which is never used again.
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
