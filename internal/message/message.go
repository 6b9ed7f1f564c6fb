package message

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Messages queues messages.
type Messages struct {
	Store  *store.Store
	Master secret.Master
	Now    func() time.Time
}

func place(id string) string { return "messages|" + id + "|data" }

// Mail queues a mail to the address a person has on record, never to one that
// came with a request (PW-16).
func (m *Messages) Mail(ctx context.Context, tx *store.Tx, kind otl.MessageKind, to otl.User, siteID string, data map[string]string) error {
	now := m.Now()
	one := otl.Message{
		ID: "msg_" + secret.NewID(now), Kind: kind, Channel: otl.ChannelMail, UserID: to.ID, SiteID: siteID,
		Recipient: to.Email.Address, Locale: to.Locale, CreatedAt: now,
	}
	plain, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return tx.Messages.Insert(ctx, one, m.Master.Seal(plain, place(one.ID)))
}

// Waiting gives messages that wait to be sent, oldest first, with their data.
func (m *Messages) Waiting(ctx context.Context, limit int) ([]otl.Message, error) {
	queued, err := m.Store.Read.Messages.Waiting(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]otl.Message, len(queued))
	for i, q := range queued {
		plain, err := m.Master.Open(q.Data, place(q.ID))
		if err != nil {
			return nil, fmt.Errorf("message %s: %w", q.ID, err)
		}
		out[i] = q.Message
		if err := json.Unmarshal(plain, &out[i].Data); err != nil {
			return nil, fmt.Errorf("message %s: %w", q.ID, err)
		}
	}
	return out, nil
}
