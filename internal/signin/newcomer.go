package signin

import (
	"context"
	"errors"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// ErrNewcomer is the answer to a code of a link that would add somebody to a site which takes nobody new by it: not
// any more, or not at this call.
var ErrNewcomer = &otl.Error{Kind: otl.Forbidden, Code: "newcomer_refused", Text: "The link would add somebody to the site, which takes nobody new this way."}

// newcomer reports whether a link goes to an address of none of the site's people, as the caller wants it. Whether
// the network knows the address is not looked at: it is the same work and the same mail for everybody (ADR 59). Only
// a mail shows who holds the address, and only the address may name him.
func (r CodeRequest) newcomer(u otl.User, err error) bool {
	return r.Newcomer && u.ID == "" && errors.Is(err, store.ErrNotFound) && r.Who.Type == ByEmail && r.Channel == otl.ChannelMail
}

// newcomers gives where such a link stands: in a place of its own, where nobody's code takes its place that
// strangers ask for elsewhere (PW-13).
func (i Identifier) newcomers() string {
	return secret.Slot(string(i.Type) + " " + i.Value + " newcomer")
}

// reached reports whether what went to an address went where the mail of the person goes who has it, to the letter but for
// capitals in the domain. One key does not make them one mailbox: its server may tell capitals before the @ apart, and another
// may read a domain outside ASCII as a different one (OT-13).
func reached(u otl.User, at otl.Email) bool {
	has, domain, _ := strings.Cut(u.Email.Address, "@")
	went, to, _ := strings.Cut(at.Address, "@")
	return has == went && strings.EqualFold(domain, to)
}

// holder gives whom the code of a newcomer's link lets in: whoever has the address by now, or somebody who is added with it
// in the same transaction, so that nobody is there whose address was not proven. The error is ErrNewcomer, also where the
// address of whoever has it is spelled in another way.
func (a LinkAttempt) holder(ctx context.Context, tx *store.Tx, t otl.Ticket) (userID string, added bool, err error) {
	at, err := otl.ParseEmail(t.Data[dataProves])
	if err != nil {
		return "", false, err
	}
	u, err := tx.Users.ByEmail(ctx, at.Key)
	if errors.Is(err, store.ErrNotFound) {
		if a.Add == nil {
			return "", false, ErrNewcomer
		}
		if u, err = a.Add(ctx, tx, at.Address); err == nil {
			return u.ID, true, nil
		}
		if !errors.Is(err, otl.ErrEmailTaken) {
			return "", false, err
		}
		if u, err = tx.Users.ByEmail(ctx, at.Key); errors.Is(err, store.ErrNotFound) {
			return "", false, ErrNewcomer // somebody may still have the address back
		}
	}
	if err == nil && !reached(u, at) {
		err = ErrNewcomer
	}
	if err != nil || a.Add != nil {
		return u.ID, false, err
	}
	g, err := tx.Grants.Of(ctx, u.ID, t.SiteID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !g.Live() {
		err = ErrNewcomer
	}
	return u.ID, false, err
}
