package limit

import (
	"context"
	"slices"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Mail says how many mails a site sends that somebody asked for by an address alone
// (OT-19): codes, links, those to choose a password; and, counted apart, how many
// invitations, which the site itself asks for. 0 is no limit.
type Mail struct {
	PerMinute int
	PerDay    int

	Limits *Limits
	// Stopped tells, in a transaction, that mails of a site are refused. It is called
	// once a day at most. Nil tells nobody.
	Stopped func(ctx context.Context, tx *store.Tx, siteID string) error
}

// stopped is the rate of being told that mails of one site are refused.
var stopped = Rate{"mail-stopped", 1, 24 * time.Hour}

// of gives one more mail of a site, to somebody or to nobody, as uses of rates of a name.
func (m Mail) of(siteID, name string) []Use {
	var uses []Use
	for _, r := range []Rate{{name, m.PerMinute, time.Minute}, {name + "-day", m.PerDay, 24 * time.Hour}} {
		if r.Uses > 0 {
			uses = append(uses, Use{Rate: r, By: []string{siteID}})
		}
	}
	return uses
}

// Take counts a mail that somebody asked a site for by an address alone, with the uses it
// makes beside. Whoever is known where he is passes what the site has used up, which
// strangers can do by asking for nobody, as Keep says, and the same of his own day (PW-13).
func (m Mail) Take(ctx context.Context, siteID string, known func() (bool, error), uses ...Use) error {
	err := m.take(ctx, siteID, "send-site", uses)
	return m.Limits.Keep(ctx, err, known, uses...)
}

// Invite counts a mail that a site asks for itself.
func (m Mail) Invite(ctx context.Context, siteID string, uses ...Use) error {
	return m.take(ctx, siteID, "invite-site", uses)
}

func (m Mail) take(ctx context.Context, siteID, name string, uses []Use) error {
	site := m.of(siteID, name)
	err := m.Limits.Take(ctx, append(slices.Clone(site), uses...)...)
	if err == nil || otl.As(err).Kind != otl.Limited || m.Stopped == nil {
		return err
	}
	if bad := m.tell(ctx, siteID, site); bad != nil {
		return bad
	}
	return err
}

// tell has it told that mails of a site are refused, if it is that, and was not told today.
func (m Mail) tell(ctx context.Context, siteID string, site []Use) error {
	full, err := m.Limits.full(ctx, site...)
	if err != nil || !full {
		return err
	}
	once := Use{Rate: stopped, By: []string{siteID}}
	if told, err := m.Limits.full(ctx, once); err != nil || told {
		return err
	}
	return m.Limits.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := m.Limits.TakeIn(ctx, tx, once); err != nil {
			if otl.As(err).Kind == otl.Limited {
				return nil // another node was faster
			}
			return err
		}
		return m.Stopped(ctx, tx, siteID)
	})
}

// full reports whether a rate is used up that one of a few more uses would take.
func (l *Limits) full(ctx context.Context, uses ...Use) (bool, error) {
	if len(uses) == 0 {
		return false, nil
	}
	now := l.Now()
	paid, err := paidTo(ctx, l.Store.Read, uses, now)
	for i, u := range uses {
		if paid[i].After(now.Add(u.Rate.burst())) {
			return true, err
		}
	}
	return false, err
}
