package site

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Clients keeps the programs of sites that prove themselves with an id and a
// secret.
type Clients struct {
	Store *store.Store
	Now   func() time.Time
}

// ClientPrefix starts every client secret.
const ClientPrefix = "otc_"

const (
	maxClients   = 50
	maxRedirects = 50
	maxResources = 20
)

// NewClient is what a client is made of.
type NewClient struct {
	ID           string      // "" to make one
	Secret       secret.Text // empty to make one
	Name         string
	Scopes       otl.Scopes // empty for all
	RedirectURIs []string
	Resources    []string
	LinkConfirm  string // auto if empty
	SignUp       bool
	NoPKCE       bool
}

// MadeClient is a new client with its secret, which is shown this once.
type MadeClient struct {
	otl.Client
	Secret secret.Text
}

// ErrClient is the answer to a client that cannot prove itself, whatever is
// wrong: nobody learns which clients there are.
var ErrClient = &otl.Error{Kind: otl.Unauthenticated, Code: "invalid_client", Text: "The client id or the secret is wrong."}

// ErrResource is the answer to a client that would get tokens for an audience which is
// another site's: whoever believes those tokens believes that site (TE-04).
var ErrResource = &otl.Error{Kind: otl.Conflict, Code: "resource_taken", Text: "A resource belongs to the first site that names it, and this one is another site's.", Field: "resources"}

// Create adds a client to a site. A resource becomes the site's by it; the error is
// ErrResource where it is another's.
func (s *Clients) Create(ctx context.Context, siteID string, n NewClient) (MadeClient, error) {
	if err := n.check(); err != nil {
		return MadeClient{}, err
	}
	now := s.Now()
	made := MadeClient{Secret: n.Secret, Client: otl.Client{
		ID: n.ID, SiteID: siteID, Name: n.Name, Scopes: n.Scopes, RedirectURIs: n.RedirectURIs, Resources: n.Resources, LinkConfirm: otl.Confirm(n.LinkConfirm), SignUp: n.SignUp, NoPKCE: n.NoPKCE, CreatedAt: now,
	}}
	if made.ID == "" {
		made.ID = secret.NewID(now)
	}
	if made.Secret.Empty() {
		made.Secret = secret.NewKey(ClientPrefix)
	}
	again := otl.RequestOf(ctx).Once
	return made, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		have, err := tx.Clients.OfSite(ctx, siteID)
		if err != nil {
			return err
		}
		if len(have) >= maxClients {
			return &otl.Error{Kind: otl.Conflict, Code: "too_many_clients", Text: "A site has at most 50 clients. Revoke one first."}
		}
		for _, r := range made.Resources {
			if its, err := tx.Clients.Claim(ctx, r, siteID, now); err != nil || !its {
				if err == nil {
					err = ErrResource
				}
				return err
			}
		}
		if err := tx.Clients.Insert(ctx, made.Client, secret.Digest(made.Secret.Reveal())); err != nil {
			return err
		}
		if err := appendEvent(ctx, tx, otl.EventClientCreated, siteID, now, map[string]string{"client_id": made.ID, "scopes": made.Scopes.String()}, otl.Changes(nil, clientState(made.Client))...); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, again, now, made)
	})
}

func (n *NewClient) check() error {
	bad := faults{}
	n.Name = bad.name(n.Name)
	if len(n.Scopes) == 0 {
		n.Scopes = otl.AllScopes()
	}
	n.RedirectURIs = bad.list("redirect_uris", n.RedirectURIs, maxRedirects, otl.CheckCallbackURL)
	if len(n.Resources) > maxResources {
		bad.note(otl.InvalidField("resources", "too_many", "must be at most "+strconv.Itoa(maxResources)))
	}
	confirm, err := otl.ParseConfirm(n.LinkConfirm)
	bad.note(err)
	n.LinkConfirm = string(confirm)
	for _, r := range n.Resources {
		bad.note(otl.CheckResource("resources", r))
	}
	return bad.err()
}

// Authenticate finds the client of an id and a secret, with its site. Whatever is
// wrong the error is ErrClient.
func (s *Clients) Authenticate(ctx context.Context, id string, given secret.Text) (otl.Client, otl.Site, error) {
	c, site, digest, err := s.Store.Read.Clients.ByID(ctx, clean(id))
	if errors.Is(err, store.ErrNotFound) {
		return otl.Client{}, otl.Site{}, ErrClient
	}
	if err != nil {
		return otl.Client{}, otl.Site{}, err
	}
	if !secret.SameDigest(secret.Digest(given.Reveal()), digest) {
		return otl.Client{}, otl.Site{}, ErrClient
	}
	return c, site, nil
}

// Find gives a client that may still act, with its site, or ErrClient.
func (s *Clients) Find(ctx context.Context, id string) (otl.Client, otl.Site, error) {
	c, site, _, err := s.Store.Read.Clients.ByID(ctx, clean(id))
	if errors.Is(err, store.ErrNotFound) {
		err = ErrClient
	}
	return c, site, err
}

// clean makes an id that cannot be one into none, rather than hand it to a
// database that refuses some characters.
func clean(id string) string {
	if !secret.ValidID(id) {
		return ""
	}
	return id
}

// List gives the clients of a site that are not revoked, oldest first.
func (s *Clients) List(ctx context.Context, siteID string) ([]otl.Client, error) {
	return s.Store.Read.Clients.OfSite(ctx, siteID)
}

// Revoke ends a client at once, or fails with NotFound.
func (s *Clients) Revoke(ctx context.Context, siteID, id string) error {
	if !secret.ValidID(id) {
		return otl.NoSuch("client")
	}
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		live, err := tx.Clients.Revoke(ctx, siteID, id, s.Now())
		if err != nil {
			return err
		}
		if !live {
			return otl.NoSuch("client")
		}
		return appendEvent(ctx, tx, otl.EventClientRevoked, siteID, s.Now(), map[string]string{"client_id": id})
	})
}
