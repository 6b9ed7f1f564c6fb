package signin

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// A request that a client sends ahead (RFC 9126) is a flow that no browser has yet.

// PushedPrefix begins the name of a request that was sent ahead.
const PushedPrefix = "urn:ietf:params:oauth:request_uri:"

// PushedTTL is how long a browser may take to bring the name of a request.
const PushedTTL = 90 * time.Second

// ErrPushed is the answer to the name of a request that is unknown, over, or was brought
// before.
var ErrPushed = &otl.Error{Kind: otl.Invalid, Code: "request_unknown", Text: "names no request, or one that is over", Field: "request_uri"}

// Push keeps what a client asked for, which the caller has checked, and gives the name by
// which a browser brings it, once, within PushedTTL. The error is limit.Exceeded for more
// than a client may have waiting.
func (s *Flows) Push(ctx context.Context, site otl.Site, a otl.Asked) (name string, err error) {
	if err := s.Pushes.Take(ctx, a.Client); err != nil {
		return "", err
	}
	now := s.Now()
	f := otl.Flow{ID: secret.NewKey(flowPrefix).Reveal(), Browser: []byte{}, SiteID: site.ID, Asked: a, Nonce: secret.Bytes(nonceSize), CreatedAt: now, ExpiresAt: now.Add(PushedTTL)}
	return PushedPrefix + f.ID, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Flows.Insert(ctx, f) })
}

// Claim gives a request that a client sent ahead to the browser that brought its name. The
// error is ErrPushed for one that is no more, and for another client's.
func (s *Flows) Claim(ctx context.Context, site otl.Site, client, name string, browser secret.Text, held []secret.Text) (Visit, error) {
	id, ok := strings.CutPrefix(name, PushedPrefix)
	if _, valid := secret.CheckKey(flowPrefix, id); !ok || !valid {
		return Visit{}, ErrPushed
	}
	now := s.Now()
	v := Visit{Site: site}
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		v.Flow, err = tx.Flows.Claim(ctx, id, secret.Digest(browser.Reveal()), now, now.Add(flowTTL))
		if errors.Is(err, store.ErrNotFound) || err == nil && v.Asked.Client != client {
			return ErrPushed // and another client's stays as it was
		}
		if err != nil {
			return err
		}
		v.Progress = seen(ctx)
		v.Progress.Name = v.Asked.Hint
		return tx.Flows.Save(ctx, v.Flow)
	})
	if err != nil {
		return Visit{}, err
	}
	return Rivals{s}.With(ctx, v, held)
}
