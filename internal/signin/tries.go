package signin

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Tries counts the wrong codes of a visit since the latest was sent, for the page that takes
// them. What makes a code worthless is counted with the code; this is the same whether or
// not there is anybody (OT-10).
type Tries struct{ *Flows }

// Missed notes a wrong code, and gives the visit as it is then: others may have been counted
// meanwhile, and nobody who proved himself for it in another browser is lost (OT-07).
func (s Tries) Missed(ctx context.Context, v Visit) (Visit, error) {
	return s.noted(ctx, v, func(p *otl.Progress) { p.Missed++ })
}

// Named notes what somebody calls himself who gave a password, so that he need not write it
// again where he chooses a new one; not once a code was sent, which is for whom it went to. The
// visit lives on from then.
func (s Tries) Named(ctx context.Context, v Visit, name string) error {
	_, err := s.noted(ctx, v, func(p *otl.Progress) { // a code may have been sent while the password was looked at
		if p.SentAt.IsZero() && len(name) <= otl.MaxEmail {
			p.Call(name)
		}
	})
	return err
}

func (s Tries) noted(ctx context.Context, v Visit, change func(*otl.Progress)) (Visit, error) {
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		f, err := tx.Flows.Extend(ctx, v.ID, s.Now(), s.Now().Add(flowTTL))
		if errors.Is(err, store.ErrNotFound) {
			return ErrFlow // it ended meanwhile
		}
		if err != nil {
			return err
		}
		change(&f.Progress)
		v.Flow = f
		return tx.Flows.Save(ctx, f)
	})
	return v, err
}

// Mistaken notes the address of whoever gave a wrong password, so that he need not write it again
// where he chooses a new one. Whoever sits there next may be somebody else, so pages show a hint
// of it; what is no address may be the password itself and is not kept. Nothing is written where
// the visit has the name.
func (s Tries) Mistaken(ctx context.Context, v Visit, name string) error {
	if _, err := otl.ParseEmail(name); err != nil || name == v.Progress.Name {
		return nil //nolint:nilerr // see above
	}
	_, err := s.noted(ctx, v, func(p *otl.Progress) {
		if p.SentAt.IsZero() && name != p.Name {
			p.Name, p.Masked = name, true
		}
	})
	return err
}

// Left gives how many tries the code of a visit has left, 0 for none.
func (s Tries) Left(v Visit) int { return max(s.Codes.Tries-v.Progress.Missed, 0) }

// Over reports whether the time of the code of a visit is over.
func (s Tries) Over(v Visit) bool { return s.Now().Sub(v.Progress.SentAt) >= s.Codes.TTL }

// longestWait is how long one waits at most for another message to be sent.
const longestWait = 2 * time.Minute

// Resend gives when another link and code can be asked for in a visit: each time later than
// the time before, so that mails that are only slow do not pile up.
func (v Visit) Resend() time.Time {
	wait := limit.Sends[0].Per
	for range v.Progress.Sends - 1 {
		wait = min(2*wait, longestWait)
	}
	return v.Progress.SentAt.Add(wait)
}

// Death is why a link no longer works.
type Death string

// The deaths. Of a link that is not known any more nothing can be said.
const (
	DeadUsed     Death = "used"
	DeadDenied   Death = "denied" // by whoever got it, or by a wrong number
	DeadExpired  Death = "expired"
	DeadReplaced Death = "replaced" // by a newer one
	DeadUnknown  Death = "unknown"
)

// Deaths tells whoever holds a link that no longer works why.
type Deaths struct{ *Codes }

// Why gives the death of a link for a purpose, and when that was; the zero time where nobody knows.
func (s Deaths) Why(ctx context.Context, p otl.Purpose, token string) (Death, time.Time, error) {
	_, why, at, err := s.find(ctx, p, token)
	return why, at, err
}

// find gives the ticket of a link that no longer works, or the one that took its place; none where it is
// unknown.
func (s Deaths) find(ctx context.Context, p otl.Purpose, token string) (otl.Ticket, Death, time.Time, error) {
	digest := secret.Digest(token)
	t, err := s.Store.Read.Tickets.Any(ctx, p, digest)
	switch {
	case errors.Is(err, store.ErrNotFound):
		t, err = s.Store.Read.Tickets.Replacing(ctx, p, digest)
		if errors.Is(err, store.ErrNotFound) {
			return t, DeadUnknown, time.Time{}, nil
		}
		return t, DeadReplaced, t.CreatedAt, err
	case err != nil:
		return t, DeadUnknown, time.Time{}, err
	case t.Data[dataDenied] != "":
		return t, DeadDenied, t.UsedAt, nil
	case !t.UsedAt.IsZero() && t.UsedAt.Before(t.ExpiresAt): // otherwise it was voided
		return t, DeadUsed, t.UsedAt, nil
	case !s.Now().Before(t.ExpiresAt):
		return t, DeadExpired, t.ExpiresAt, nil
	}
	return t, DeadUnknown, time.Time{}, nil
}
