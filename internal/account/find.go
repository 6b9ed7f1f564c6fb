package account

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// ByEmail gives the one of a site's people who granted it this address, or NotFound.
func (a *Members) ByEmail(ctx context.Context, siteID, address string) (Member, error) {
	e, err := otl.ParseEmail(address)
	if err != nil {
		return Member{}, otl.NoSuch("user")
	}
	m, err := a.Store.Read.Grants.MemberByEmail(ctx, siteID, e.Key) // by one statement of whoever is none of them (ADR 57)
	return a.known(ctx, siteID, m.User, otl.FieldEmail, err)
}

// ByPhone gives the one of a site's people who granted it this number: whoever has proven it before all who
// only wrote it. It is NotFound where nobody did, or several who are as good as each other.
func (a *Members) ByPhone(ctx context.Context, siteID, number string) (Member, error) {
	number, err := otl.ParsePhone(number)
	if err != nil {
		return Member{}, otl.NoSuch("user")
	}
	m, err := a.Store.Read.Grants.MemberByPhone(ctx, siteID, number)
	return a.known(ctx, siteID, m.User, otl.FieldPhone, err)
}

// ByUsername gives the one of a site's people who granted it this username, or NotFound.
func (a *Members) ByUsername(ctx context.Context, siteID, name string) (Member, error) {
	n, err := otl.ParseUsername(name)
	if err != nil {
		return Member{}, otl.NoSuch("user")
	}
	m, err := a.Store.Read.Grants.MemberByUsername(ctx, siteID, n.Key)
	return a.known(ctx, siteID, m.User, otl.FieldUsername, err)
}

// ByExternalID gives the one of a site's people whom it calls this, or NotFound.
func (a *Members) ByExternalID(ctx context.Context, siteID, externalID string) (Member, error) {
	if !utf8.ValidString(externalID) || strings.ContainsRune(externalID, 0) {
		return Member{}, otl.NoSuch("user")
	}
	id, err := a.Store.Read.Records.Holder(ctx, siteID, externalID)
	if errors.Is(err, store.ErrNotFound) {
		return Member{}, otl.NoSuch("user")
	}
	if err != nil {
		return Member{}, err
	}
	return a.Member(ctx, siteID, id)
}

// known gives somebody who was found as one of a site's people who granted it a field.
func (a *Members) known(ctx context.Context, siteID string, u otl.User, f otl.Field, err error) (Member, error) {
	if errors.Is(err, store.ErrNotFound) {
		return Member{}, otl.NoSuch("user")
	}
	if err != nil {
		return Member{}, err
	}
	m, err := a.Member(ctx, siteID, u.ID)
	if err == nil && !m.Grant.Fields.Has(f) {
		return Member{}, otl.NoSuch("user")
	}
	return m, err
}

// Search gives some of a site's people and how many there are in all.
func (a *Members) Search(ctx context.Context, siteID string, q store.Query) ([]Member, int, error) {
	if _, err := otl.CheckText("search_prefix", q.Prefix, maxSearch); err != nil {
		return nil, 0, err
	}
	q.Prefix = otl.Fold(q.Prefix)
	n, err := a.Store.Read.Grants.Count(ctx, siteID, q)
	if err != nil || n <= q.Offset || q.Limit == 0 {
		return nil, n, err
	}
	found, err := a.Store.Read.Grants.Search(ctx, siteID, q)
	return found, n, err
}

// Query is a question for some of a site's people.
type Query = store.Query
