package site

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// ClientChange is what of a client is to be set; nil leaves a member as it is, an empty list clears it, but for
// the scopes, of which there is always one. How a client proves itself stays: another way is another client.
type ClientChange struct {
	Name, LinkConfirm        *string
	Scopes                   *[]string
	RedirectURIs, PostLogout *[]string
	SignUp, AutoCreate       *bool
	Of                       string // ClientMark of the client it was made from; "" for whatever it is by now
}

// apply checks a change and makes it to a client. Every faulty field is named at once.
func (c ClientChange) apply(to *otl.Client) error {
	bad := faults{}
	var err error
	if c.Name != nil {
		to.Name = bad.name(*c.Name)
	}
	if c.LinkConfirm != nil {
		to.LinkConfirm, err = otl.ParseConfirm(*c.LinkConfirm)
		bad.note(err)
	}
	if c.Scopes != nil {
		if to.Scopes, err = otl.ParseScopes(*c.Scopes); err == nil {
			bad.powers(*to)
		}
		bad.note(err)
	}
	if c.RedirectURIs != nil {
		to.RedirectURIs = bad.addresses(*to, "redirect_uris", *c.RedirectURIs)
	}
	if c.PostLogout != nil {
		to.PostLogout = bad.addresses(*to, "post_logout_redirect_uris", *c.PostLogout)
	}
	if c.SignUp != nil {
		to.SignUp = *c.SignUp
	}
	if c.AutoCreate != nil {
		to.AutoCreate = *c.AutoCreate
	}
	return bad.err()
}

// ClientMark tells states of a client apart, as far as they can be changed.
func ClientMark(c otl.Client) string {
	state := []string{c.Name, c.Scopes.String(), strings.Join(c.RedirectURIs, " "), strings.Join(c.PostLogout, " "), string(c.LinkConfirm), strconv.FormatBool(c.SignUp), strconv.FormatBool(c.AutoCreate)}
	return hex.EncodeToString(secret.Digest(strings.Join(state, "\n"))[:8])
}

// Update changes a client of a site; what it may do no more is refused from the next call on. It fails with
// NotFound where the site has no such client, and with otl.ErrVersion where it is another than the change
// was made from.
func (s *Clients) Update(ctx context.Context, siteID, id string, c ClientChange) (otl.Client, error) {
	return s.change(ctx, siteID, id, func(of *otl.Client) error {
		if c.Of != "" && c.Of != ClientMark(*of) {
			return otl.ErrVersion
		}
		return c.apply(of)
	})
}

// AddRedirect registers one more redirect URI of a client; twice is once. It fails with
// NotFound where the site has no such client.
func (s *Clients) AddRedirect(ctx context.Context, siteID, id, uri string) error {
	_, err := s.change(ctx, siteID, id, func(c *otl.Client) error {
		all := append(slices.Clone(c.RedirectURIs), uri)
		return ClientChange{RedirectURIs: &all}.apply(c)
	})
	return err
}

// AddPostLogout registers one more address that a client may have people sent to who
// signed out, as AddRedirect does.
func (s *Clients) AddPostLogout(ctx context.Context, siteID, id, uri string) error {
	_, err := s.change(ctx, siteID, id, func(c *otl.Client) error {
		all := append(slices.Clone(c.PostLogout), uri)
		return ClientChange{PostLogout: &all}.apply(c)
	})
	return err
}

// change changes a client of a site, and notes what changed. Nobody else changes one of the site's meanwhile.
func (s *Clients) change(ctx context.Context, siteID, id string, change func(*otl.Client) error) (c otl.Client, err error) {
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Roles.Lock(ctx, siteID); err != nil {
			return err
		}
		was, of, _, err := tx.Clients.ByID(ctx, clean(id))
		if errors.Is(err, store.ErrNotFound) || err == nil && of.ID != siteID {
			return otl.NoSuch("client")
		}
		if err != nil {
			return err
		}
		c = was
		if err := change(&c); err != nil {
			return err
		}
		changes := otl.Changes(clientState(was), clientState(c))
		if len(changes) == 0 {
			return nil
		}
		if live, err := tx.Clients.Update(ctx, c); err != nil || !live {
			return cmp.Or(err, error(otl.NoSuch("client"))) // it was revoked in this moment
		}
		return appendEvent(ctx, tx, otl.EventClientUpdated, siteID, s.Now(), map[string]string{"client_id": c.ID, otl.DataChanged: fieldsOf(changes)}, changes...)
	})
	return c, err
}

// powers checks what a client may do: one that cannot prove itself at all has no power of its own, and one that
// knows people by other ids no calls about them by their own.
func (f *faults) powers(c otl.Client) {
	switch {
	case c.Empowered(), len(c.Scopes) == 1 && c.Scopes.Has(otl.ScopeAuth):
	case c.Auth == otl.AuthNone:
		f.note(otl.InvalidField("scopes", "not_allowed", "must be auth for a public client"))
	default:
		f.note(otl.InvalidField("scopes", "not_allowed", "must be auth for a client of pairwise subjects: the calls of the others are about people by their own ids"))
	}
}

// addresses checks where a client may have people sent, and gives them in order; an app may be reached at
// a scheme of its own, which nothing keeps another app from claiming: it has to be public, and to
// be told apart by PKCE. By the profile FAPI they are https.
func (f *faults) addresses(c otl.Client, field string, uris []string) []string {
	check := otl.CheckCallbackURL
	if c.Auth == otl.AuthNone {
		check = otl.CheckAppURL
	}
	if c.FAPI && slices.ContainsFunc(uris, func(uri string) bool { return !strings.HasPrefix(uri, "https://") }) {
		f.note(otl.InvalidField(field, "not_allowed", "must be https by the profile FAPI"))
	}
	return f.list(field, uris, maxRedirects, check)
}
