package site

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Sites registers sites and checks their keys.
type Sites struct {
	Store *store.Store
	Now   func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // key id to when it was last used, not yet stored
}

// Registration is what a new site is made of. Owner and Business may both be
// empty: the site then belongs to the installation's first business.
type Registration struct {
	Owner     string // user id; gets a business if he owns none
	Business  string // name of a business to make, "" for the name of the site
	Slug      string // "" to derive it from the name
	Name      string
	Domain    string
	Region    string
	Callbacks []string
	Requested otl.Fields
	Required  otl.Fields  // of those
	Scopes    otl.Scopes  // of the first key; empty for all
	Key       secret.Text // the first key; empty to make one
}

// Registered is a new site with its first key, which is shown this once.
type Registered struct {
	Site   otl.Site
	Key    secret.Text
	KeyRow otl.SiteKey
}

const (
	maxSiteName  = 100
	maxSlug      = 63 // one DNS label: it is a subdomain on the OneLogin wire
	maxCallbacks = 50
	// KeyPrefix starts every site key.
	KeyPrefix = "otr_"
)

// Register adds a site, its callback URLs and its first key in one transaction
// (seed 000, steps 1 to 3). Every field is checked and all the faulty ones are
// named at once.
func (s *Sites) Register(ctx context.Context, r Registration) (Registered, error) {
	if err := r.check(); err != nil {
		return Registered{}, err
	}
	now := s.Now()
	var out Registered
	again := otl.RequestOf(ctx).Once
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		business, err := s.business(ctx, tx, r)
		if err != nil {
			return err
		}
		out.Site = otl.Site{
			ID: secret.NewID(now), BusinessID: business, Slug: r.Slug, Name: r.Name, Domain: r.Domain,
			Region: r.Region, Requested: r.Requested, Required: r.Required, CallbackURLs: r.Callbacks, MFA: otl.MFAOptional, MFARoles: []string{}, TrustDays: otl.DefaultTrustDays, Version: 1, CreatedAt: now, UpdatedAt: now,
		}
		if err := insertSite(ctx, tx, &out.Site, r.Slug != ""); err != nil {
			return err
		}
		for _, u := range r.Callbacks {
			if _, err := tx.Sites.AddCallback(ctx, out.Site.ID, u, now); err != nil {
				return err
			}
		}
		if err := appendEvent(ctx, tx, otl.EventSiteCreated, out.Site.ID, now, map[string]string{"name": r.Name, "owner": r.Owner}, otl.Changes(nil, siteState(out.Site))...); err != nil {
			return err
		}
		first, err := s.addKey(ctx, tx, out.Site.ID, NewKey{Name: "first key", Scopes: r.Scopes, Key: r.Key})
		if err != nil {
			return err
		}
		out.Key, out.KeyRow = first.Key, first.SiteKey
		return tx.Answers.Keep(ctx, again, now, out)
	})
	return out, err
}

func (r *Registration) check() error {
	bad := faults{}
	r.Name = bad.name(r.Name)
	var err error
	r.Business, err = otl.CheckText("business", r.Business, maxSiteName)
	bad.note(err)
	r.Domain = bad.domain(r.Domain)
	if r.Slug != "" && (len(r.Slug) > maxSlug || Slug(r.Slug) != r.Slug) {
		bad.note(otl.InvalidField("slug", "not_a_label", "must be a DNS label: lower-case letters, digits and single hyphens"))
	}
	bad.note(otl.CheckRegion(r.Region))
	if len(r.Callbacks) > maxCallbacks {
		bad.note(otl.InvalidField("callback_url", "too_many", "must be at most "+strconv.Itoa(maxCallbacks)))
	}
	for _, u := range r.Callbacks {
		bad.note(otl.CheckCallbackURL("callback_url", u))
	}
	if len(r.Requested) == 0 {
		r.Requested = otl.MinimalFields()
	}
	bad.required(otl.Site{Requested: r.Requested, Required: r.Required})
	if len(r.Scopes) == 0 {
		r.Scopes = otl.AllScopes()
	}
	return bad.err()
}

// business finds or makes the business a new site belongs to.
func (s *Sites) business(ctx context.Context, tx *store.Tx, r Registration) (string, error) {
	find := tx.Businesses.Oldest
	if r.Owner != "" {
		find = func(ctx context.Context) (otl.Business, error) { return tx.Businesses.OwnedBy(ctx, r.Owner) }
	}
	b, err := find(ctx)
	if !errors.Is(err, store.ErrNotFound) {
		return b.ID, err
	}
	name := r.Business
	if name == "" {
		name = r.Name
	}
	b = otl.Business{ID: secret.NewID(s.Now()), Name: name, CreatedAt: s.Now()}
	if err := tx.Businesses.Insert(ctx, b); err != nil {
		return "", err
	}
	if r.Owner == "" {
		return b.ID, nil
	}
	return b.ID, tx.Businesses.AddOwner(ctx, b.ID, r.Owner, s.Now())
}

// insertSite adds the site under the slug asked for, or under the first free
// one derived from its name.
func insertSite(ctx context.Context, tx *store.Tx, site *otl.Site, fixed bool) error {
	base := Slug(site.Name)
	for n := 1; n < 100; n++ {
		if !fixed {
			site.Slug = base
			if n > 1 {
				site.Slug = base + "-" + strconv.Itoa(n)
			}
		}
		ok, err := tx.Sites.Insert(ctx, *site)
		if err != nil || ok {
			return err
		}
		if fixed {
			break
		}
	}
	return &otl.Error{Kind: otl.Conflict, Code: "slug_taken", Text: "Another site has this slug.", Field: "slug"}
}

// Slug makes a DNS label of a name: lower-case letters, digits and single
// hyphens. A name without any of them becomes "site".
func Slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	slug := b.String()
	slug = strings.Trim(slug[:min(len(slug), maxSlug-3)], "-")
	if slug == "" {
		return "site"
	}
	return slug
}

// Get gives one site with its callback URLs, by id or slug.
func (s *Sites) Get(ctx context.Context, idOrSlug string) (otl.Site, error) {
	site, err := s.Store.Read.Sites.ByID(ctx, idOrSlug)
	if errors.Is(err, store.ErrNotFound) {
		site, err = s.Store.Read.Sites.BySlug(ctx, idOrSlug)
	}
	if errors.Is(err, store.ErrNotFound) {
		return site, otl.NoSuch("site")
	}
	if err != nil {
		return site, err
	}
	return site, details(ctx, s.Store.Read, &site)
}

// List gives sites after an id, oldest first, with their callback URLs: those
// of the businesses a person owns, or all partner sites for owner "".
func (s *Sites) List(ctx context.Context, owner, after string, limit int) ([]otl.Site, error) {
	list := s.Store.Read.Sites.List
	if owner != "" {
		list = func(ctx context.Context, after string, limit int) ([]otl.Site, error) {
			return s.Store.Read.Sites.OwnedBy(ctx, owner, after, limit)
		}
	}
	sites, err := list(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	for i := range sites {
		if err := details(ctx, s.Store.Read, &sites[i]); err != nil {
			return nil, err
		}
	}
	return sites, nil
}

// Several reports whether the installation has more than one partner site.
func (s *Sites) Several(ctx context.Context) (bool, error) {
	some, err := s.Store.Read.Sites.List(ctx, "", 2)
	return len(some) > 1, err
}

// Brand gives how the mails and pages of a site look.
func (s *Sites) Brand(ctx context.Context, siteID string) (otl.Brand, error) {
	return s.Store.Read.Brands.Of(ctx, siteID)
}

// AddCallback registers one more callback URL of a site; twice is once.
func (s *Sites) AddCallback(ctx context.Context, siteID, url string) error {
	if err := otl.CheckCallbackURL("callback_url", url); err != nil {
		return err
	}
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		have, err := tx.Sites.Callbacks(ctx, siteID)
		if err != nil {
			return err
		}
		if len(have) >= maxCallbacks {
			return otl.InvalidField("callback_url", "too_many", "must be at most "+strconv.Itoa(maxCallbacks))
		}
		added, err := tx.Sites.AddCallback(ctx, siteID, url, s.Now())
		if err != nil || !added {
			return err
		}
		if err := tx.Sites.Touch(ctx, siteID, s.Now()); err != nil {
			return err
		}
		return s.callbacksChanged(ctx, tx, siteID, have)
	})
}

// callbacksChanged writes that a site has other callback URLs than it had.
func (s *Sites) callbacksChanged(ctx context.Context, tx *store.Tx, siteID string, had []string) error {
	have, err := tx.Sites.Callbacks(ctx, siteID)
	if err != nil {
		return err
	}
	changes := otl.Changes(siteState(otl.Site{CallbackURLs: had}), siteState(otl.Site{CallbackURLs: have}))
	return appendEvent(ctx, tx, otl.EventSiteUpdated, siteID, s.Now(), map[string]string{otl.DataChanged: fieldsOf(changes)}, changes...)
}

// RemoveCallback unregisters a callback URL, or fails with NotFound.
func (s *Sites) RemoveCallback(ctx context.Context, siteID, url string) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		had, err := tx.Sites.Callbacks(ctx, siteID)
		if err != nil {
			return err
		}
		removed, err := tx.Sites.RemoveCallback(ctx, siteID, url)
		if err != nil {
			return err
		}
		if !removed {
			return otl.NoSuch("callback URL")
		}
		if err := tx.Sites.Touch(ctx, siteID, s.Now()); err != nil {
			return err
		}
		return s.callbacksChanged(ctx, tx, siteID, had)
	})
}
