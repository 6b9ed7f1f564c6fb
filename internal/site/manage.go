package site

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Grace is how long a deleted site can be restored.
const Grace = 30 * 24 * time.Hour

const maxOrigins = 50

// Owned gives a site of the businesses a person owns, with its callback URLs and
// origins. Any other site is as unknown as one that never was (TE-01).
func (s *Sites) Owned(ctx context.Context, owner, id string) (otl.Site, error) {
	return owned(ctx, s.Store.Read, owner, id, false)
}

func owned(ctx context.Context, tx *store.Tx, owner, id string, deleted bool) (otl.Site, error) {
	if !secret.ValidID(id) {
		return otl.Site{}, otl.NoSuch("site")
	}
	site, err := tx.Sites.Owned(ctx, owner, id, deleted)
	if errors.Is(err, store.ErrNotFound) {
		return site, otl.NoSuch("site")
	}
	if err == nil {
		err = details(ctx, tx, &site)
	}
	return site, err
}

// details reads what a site has several of.
func details(ctx context.Context, tx *store.Tx, site *otl.Site) (err error) {
	if site.CallbackURLs, err = tx.Sites.Callbacks(ctx, site.ID); err != nil {
		return err
	}
	if site.Brand, err = tx.Brands.Of(ctx, site.ID); err != nil {
		return err
	}
	site.Origins, err = tx.Origins.Of(ctx, site.ID)
	return err
}

// Change is what of a site is to be set; nil leaves a member as it is, an empty value clears it, but
// for the name, the policy and the ways, of which there is always one.
type Change struct {
	Name, Domain, Region *string
	Callbacks, Origins   *[]string
	Requested, Required  *[]string
	MFA                  *string
	MFARoles             *[]string
	TrustDays            *int
	Ways                 *[]string  // all that people sign in with
	Brand                *otl.Brand // the whole of it
}

// roles gives the roles that a change may name: those the site has, and those it asks a second factor of
// already, which may be no more. It is nil for a change that names none.
func (c Change) roles(ctx context.Context, tx *store.Tx, was otl.Site) ([]string, error) {
	if c.MFARoles == nil {
		return nil, nil
	}
	known, err := tx.Roles.OfSite(ctx, was.ID)
	may := slices.Clone(was.MFARoles)
	for _, r := range known {
		may = append(may, r.Name)
	}
	return may, err
}

// apply checks a change, which may name these roles, and makes it to a site. Every faulty field is named at
// once.
func (c Change) apply(site *otl.Site, roles []string) error {
	bad := faults{}
	if c.Name != nil {
		site.Name = bad.name(*c.Name)
	}
	if c.Domain != nil {
		site.Domain = bad.domain(*c.Domain)
	}
	if c.Region != nil {
		site.Region = *c.Region
		bad.note(otl.CheckRegion(site.Region))
	}
	if c.Callbacks != nil {
		site.CallbackURLs = bad.list("callback_urls", *c.Callbacks, maxCallbacks, otl.CheckCallbackURL)
	}
	if c.Origins != nil {
		site.Origins = bad.list("allowed_origins", *c.Origins, maxOrigins, otl.CheckOrigin)
	}
	if c.Requested != nil {
		var err error
		site.Requested, err = otl.ParseFields("requested_fields", *c.Requested)
		bad.note(err)
	}
	if c.Required != nil {
		var err error
		site.Required, err = otl.ParseFields("required_fields", *c.Required)
		bad.note(err)
	}
	bad.required(*site)
	if c.Brand != nil {
		var err error
		site.Brand, err = otl.CheckBrand("branding", *c.Brand)
		bad.note(err)
	}
	if c.Ways != nil {
		on, err := otl.ParseWays("sign_in_ways", *c.Ways)
		site.Off = on.Others()
		bad.note(err)
	}
	c.policy(site, &bad, roles)
	return bad.err()
}

// brand writes how the mails of a site look, where that was set.
func (c Change) brand(ctx context.Context, tx *store.Tx, site otl.Site) error {
	if c.Brand == nil {
		return nil
	}
	return tx.Brands.Put(ctx, site.ID, site.Brand)
}

// policy sets when a site asks for a second factor, and for how long a device spares it.
// A role that the site does not have would ask nobody.
func (c Change) policy(site *otl.Site, bad *faults, roles []string) {
	if c.MFA != nil {
		var err error
		site.MFA, err = otl.ParseMFAPolicy(*c.MFA)
		bad.note(err)
	}
	if c.MFARoles != nil {
		site.MFARoles = bad.list("mfa_roles", *c.MFARoles, otl.MaxRoles, func(field, name string) error {
			if err := otl.CheckRoleName(field, name); err != nil || slices.Contains(roles, name) {
				return err
			}
			return otl.InvalidField(field, "unknown_value", "must be a role of the site")
		})
	}
	if c.TrustDays != nil {
		if site.TrustDays = *c.TrustDays; site.TrustDays < 0 || site.TrustDays > otl.MaxTrustDays {
			bad.note(otl.InvalidField("trust_days", "out_of_range", "must be 0 to "+strconv.Itoa(otl.MaxTrustDays)))
		}
	}
	if site.MFA == otl.MFARoles && len(site.MFARoles) == 0 {
		bad.note(otl.InvalidField("mfa_roles", "required", "must name the roles that need a second factor"))
	}
}

// Set changes a site on behalf of an operator. It waits for whoever changes the site at that moment, so that the change of neither is lost.
func (s *Sites) Set(ctx context.Context, id string, c Change) (otl.Site, error) {
	var out otl.Site
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Roles.Lock(ctx, id); err != nil {
			return err
		}
		was, err := tx.Sites.ByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && was.FirstParty {
			return otl.NoSuch("site")
		}
		if err != nil {
			return err
		}
		if err := details(ctx, tx, &was); err != nil {
			return err
		}
		roles, err := c.roles(ctx, tx, was)
		if err != nil {
			return err
		}
		out = was
		if err := c.apply(&out, roles); err != nil {
			return err
		}
		return s.write(ctx, tx, was, &out, c, operator)
	})
	return out, err
}

// Update changes a site its owner read in the given version. Somebody else's
// change since then is otl.ErrVersion.
func (s *Sites) Update(ctx context.Context, owner, id string, version int, c Change) (otl.Site, error) {
	var out otl.Site
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		was, err := owned(ctx, tx, owner, id, false)
		if err != nil {
			return err
		}
		roles, err := c.roles(ctx, tx, was)
		if err != nil {
			return err
		}
		out = was
		if err := c.apply(&out, roles); err != nil {
			return err
		}
		out.Version = version
		return s.write(ctx, tx, was, &out, c, owner)
	})
	return out, err
}

// write writes what a change has made of a site, in the version it was read with, and what changed.
func (s *Sites) write(ctx context.Context, tx *store.Tx, was otl.Site, out *otl.Site, c Change, by string) error {
	now := s.Now()
	out.UpdatedAt = now
	if ok, err := tx.Sites.Update(ctx, *out); err != nil || !ok {
		return cmp.Or(err, error(otl.ErrVersion))
	}
	out.Version++
	if err := c.brand(ctx, tx, *out); err != nil {
		return err
	}
	if err := replace(was.CallbackURLs, out.CallbackURLs,
		func(u string) error { _, err := tx.Sites.AddCallback(ctx, out.ID, u, now); return err },
		func(u string) error { _, err := tx.Sites.RemoveCallback(ctx, out.ID, u); return err }); err != nil {
		return err
	}
	if err := replace(was.Origins, out.Origins,
		func(o string) error { return tx.Origins.Add(ctx, out.ID, o) },
		func(o string) error { return tx.Origins.Remove(ctx, out.ID, o) }); err != nil {
		return err
	}
	changes := otl.Changes(siteState(was), siteState(*out))
	return appendEvent(ctx, tx, otl.EventSiteUpdated, out.ID, now, map[string]string{otl.DataBy: by, otl.DataChanged: fieldsOf(changes)}, changes...)
}

// replace adds what is new in a list and removes what is gone.
func replace(was, now []string, add, remove func(string) error) error {
	for _, one := range now {
		if !slices.Contains(was, one) {
			if err := add(one); err != nil {
				return err
			}
		}
	}
	for _, one := range was {
		if !slices.Contains(now, one) {
			if err := remove(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// ErrTurnedOff is the answer to an owner who restores what whoever runs the server turned off.
var ErrTurnedOff = &otl.Error{Kind: otl.Forbidden, Code: "site_turned_off", Text: "Whoever runs the server turned this site off, and alone can turn it on again."}

// Delete turns a site off at once: its keys and its tokens are refused from the
// next call on. Within Grace its owner can restore it; then it is gone. It gives
// the end of the grace.
func (s *Sites) Delete(ctx context.Context, owner, id string) (time.Time, error) {
	now := s.Now()
	return now.Add(Grace), s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := owned(ctx, tx, owner, id, false); err != nil {
			return err
		}
		return turnOff(ctx, tx, id, owner, now)
	})
}

func turnOff(ctx context.Context, tx *store.Tx, id, by string, now time.Time) error {
	was, err := tx.Sites.Delete(ctx, id, by == operator, now)
	if err == nil && !was {
		err = otl.NoSuch("site")
	}
	if err != nil {
		return err
	}
	return appendEvent(ctx, tx, otl.EventSiteDeleted, id, now, map[string]string{otl.DataBy: by})
}

// Restore turns a site on again that its owner deleted. Its keys and sessions are good as
// far as they have not ended otherwise. It is ErrTurnedOff where whoever runs the server did.
func (s *Sites) Restore(ctx context.Context, owner, id string) (otl.Site, error) {
	var out otl.Site
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := owned(ctx, tx, owner, id, true); err != nil {
			return err
		}
		err := turnOn(ctx, tx, id, owner, s.Now())
		if otl.Is(err, "not_found") {
			held, failed := tx.Sites.Held(ctx, id)
			if err = cmp.Or(failed, err); failed == nil && held {
				err = ErrTurnedOff
			}
		}
		if err == nil {
			out, err = owned(ctx, tx, owner, id, false)
		}
		return err
	})
	return out, err
}

func turnOn(ctx context.Context, tx *store.Tx, id, by string, now time.Time) error {
	was, err := tx.Sites.Restore(ctx, id, by == operator, now.Add(-Grace), now)
	if err == nil && !was {
		err = otl.NoSuch("site")
	}
	if err != nil {
		return err
	}
	return appendEvent(ctx, tx, otl.EventSiteRestored, id, now, map[string]string{otl.DataBy: by})
}

// Purge removes sites whose grace has ended, a few at a time.
func (s *Sites) Purge(ctx context.Context) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := s.Now()
		gone, err := tx.Sites.Purge(ctx, now.Add(-Grace), 10)
		if err != nil {
			return err
		}
		for _, id := range gone {
			if err := appendEvent(ctx, tx, otl.EventSitePurged, id, now, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Allows reports whether a site, or any for "", lets scripts of an origin call.
func (s *Sites) Allows(ctx context.Context, siteID, origin string) (bool, error) {
	if err := otl.CheckOrigin("origin", origin); err != nil {
		return false, nil //nolint:nilerr // what is no origin is allowed nowhere
	}
	return s.Store.Read.Origins.Allows(ctx, siteID, origin)
}

// faults collects the fields at fault of one request.
type faults []otl.FieldError

func (f *faults) note(err error) {
	var e *otl.Error
	if errors.As(err, &e) {
		*f = append(*f, e.More...)
	}
}

func (f *faults) err() error {
	if len(*f) == 0 {
		return nil
	}
	return otl.InvalidFields(*f)
}

func (f *faults) name(s string) string {
	s, err := otl.CheckText("name", s, maxSiteName)
	f.note(err)
	if err == nil && s == "" {
		f.note(otl.InvalidField("name", "required", "is required"))
	}
	return s
}

// required refuses a site that requires what it does not ask for.
func (f *faults) required(s otl.Site) {
	if len(s.Lacks(s.Requested)) > 0 {
		f.note(otl.InvalidField("required_fields", "not_requested", "must be among requested_fields"))
	}
}

func (f *faults) domain(s string) string {
	if s == "" {
		return "" // it is not told
	}
	s, err := otl.CheckDomain(s)
	f.note(err)
	return s
}

// list checks every text of a list and gives them in order, each once.
func (f *faults) list(field string, all []string, most int, check func(field, s string) error) []string {
	if len(all) > most {
		f.note(otl.InvalidField(field, "too_many", "must be at most "+strconv.Itoa(most)))
		return nil
	}
	for i, one := range all {
		f.note(check(field+"."+strconv.Itoa(i), one))
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}
