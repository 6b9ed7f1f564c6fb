package signin

import (
	"context"
	"errors"

	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/store"
)

// Rivals are two sessions of two people in one browser.
type Rivals struct{ *Flows }

// Find gives the session of somebody else that a script of a site's page opened beside the
// one a browser holds. A browser does not say in such a call whom it is signed in as, so that
// the person could not be asked then; he is when he comes to his pages, and is who he was
// until he says otherwise (AD-02). It is false where there is none.
func (s Rivals) Find(ctx context.Context, held []secret.Text) (Handed, bool, error) {
	if len(held) < 2 {
		return Handed{}, false, nil
	}
	b, err := s.Who(ctx, held[1:])
	if err != nil || b.Session.ID == "" {
		return Handed{}, false, err
	}
	was, err := s.Who(ctx, held[:1])
	if err != nil || was.Session.ID == "" || was.User.ID == b.User.ID {
		return Handed{}, false, err
	}
	from, err := s.Store.Read.Sites.ByID(ctx, b.Session.HandedBy)
	if errors.Is(err, store.ErrNotFound) { // deleted this moment: its session opens nothing any more
		return Handed{}, false, nil
	}
	return Handed{Browser: b, Person: b.User, From: from, Was: was}, err == nil, err
}

// With gives a visit with whom cookies say that its browser is signed in as. Whom a site's
// page planted there is to be chosen before he counts (AD-02).
func (s Rivals) With(ctx context.Context, v Visit, held []secret.Text) (Visit, error) {
	v.subjects = s.Subjects
	all, err := s.All(ctx, held)
	if err != nil || len(all) == 0 {
		return v, err
	}
	v.Who, v.beside = all[0], all[1:]
	planted, err := s.planted(ctx, held, v.Who)
	v.Asked.Choose = v.Asked.Choose || planted
	return v, err
}

// planted reports whether the one session that a browser still holds is that of somebody else
// than whose ended: a site's page opened it beside his, and nobody asked him (AD-02).
func (s Rivals) planted(ctx context.Context, held []secret.Text, who session.Browser) (bool, error) {
	if len(held) < 2 || who.Session.HandedBy == "" {
		return false, nil
	}
	was, err := session.Formers{Sessions: s.Sessions}.Whose(ctx, held[0])
	return was != "" && was != who.User.ID, err
}

// Settle ends one of the two sessions that Find gave: the one there was, if the person wants to
// be signed in as whom the site proposes, otherwise that of the site.
func (s Rivals) Settle(ctx context.Context, h Handed, change bool) error {
	goes := h.Browser
	if change {
		goes = h.Was
	}
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return s.Sessions.Supersede(ctx, tx, goes) })
}
