package account

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// dataSent is the member of the data of a reset ticket that says which address its token
// was sent to; "-" for one that was handed to a site. Only the person's own proves it.
const dataSent = "sent"

// inviteTTL is how long an invitation can be used.
const inviteTTL = time.Hour

// Invite gives a site a token with which a person of its own chooses a password. Using
// it proves nothing about his address. The error is otl.ErrIndependent.
func (a *Members) Invite(ctx context.Context, site otl.Site, userID string) (secret.Text, error) {
	return a.invite(ctx, site, userID, "")
}

// SendInvite sends such a token by mail, to the person's address or another one. The
// error is otl.ErrIndependent, or limit.Exceeded for too many.
func (a *Members) SendInvite(ctx context.Context, site otl.Site, userID, to string) error {
	e, err := otl.ParseEmail(to)
	if err != nil {
		return err
	}
	if err := a.Messages.Reaches(otl.ChannelMail); err != nil {
		return err
	}
	m, err := a.Member(ctx, site.ID, userID)
	if err != nil {
		return err
	}
	if err := a.Mail.Invite(ctx, site.ID, limit.Sending(limit.To(m.User), e.Key)...); err != nil {
		return err
	}
	_, err = a.invite(ctx, site, userID, e.Address)
	return err
}

func (a *Members) invite(ctx context.Context, site otl.Site, userID, to string) (secret.Text, error) {
	token, now := hex.EncodeToString(secret.Bytes(20)), a.Now()
	t := otl.Ticket{
		ID: secret.NewID(now), Purpose: otl.PurposeReset, UserID: userID, SiteID: site.ID, Data: map[string]string{dataSent: "-"}, CreatedAt: now, ExpiresAt: now.Add(inviteTTL),
	}
	if to != "" {
		t.Data[dataSent] = to
	}
	return secret.NewText(token), a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		u, err := tx.Users.ByID(ctx, userID)
		if err != nil {
			return err
		}
		if owns, err := tx.Grants.Owns(ctx, site.ID, u.ID); err != nil || !owns {
			if err == nil {
				err = otl.ErrIndependent
			}
			return err
		}
		if err := tx.Tickets.Void(ctx, userID, otl.PurposeReset, "", now); err != nil {
			return err
		}
		if err := tx.Tickets.Insert(ctx, t, secret.Digest(token), nil); err != nil {
			return err
		}
		if err := tx.Events.Append(ctx, a.event(otl.EventUserInvited, userID, site.ID, nil)); err != nil || to == "" {
			return err
		}
		_, err = a.Messages.Queue(ctx, tx, message.Note{
			Kind: otl.MessageInvite, Channel: otl.ChannelMail, To: to, UserID: userID, SiteID: site.ID, Locale: u.Locale, Expires: t.ExpiresAt,
			Data: map[string]string{message.DataToken: token, message.DataLink: strings.TrimSuffix(a.PublicURL, "/") + "/reset/" + token, message.DataMinutes: strconv.Itoa(int(inviteTTL.Minutes()))},
		})
		return err
	})
}

// proves reports whether using a reset ticket proves the address of its person: whether
// it was sent there.
func proves(t otl.Ticket, u otl.User) bool {
	to, told := t.Data[dataSent]
	return !told || to == u.Email.Address
}
