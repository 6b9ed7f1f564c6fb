package site

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Roles keeps what people can be at sites; who is what, account.Members says.
type Roles struct {
	Store *store.Store
	Now   func() time.Time
}

// List gives the roles a site knows, by name.
func (s *Roles) List(ctx context.Context, siteID string) ([]otl.Role, error) {
	return s.Store.Read.Roles.OfSite(ctx, siteID)
}

func checkRole(r *otl.Role) error {
	bad := faults{}
	bad.note(otl.CheckRoleName("name", r.Name))
	var err error
	r.Description, err = otl.CheckText("description", r.Description, otl.MaxDescription)
	bad.note(err)
	bad.note(otl.CheckPermissions(r.Permissions))
	return bad.err()
}

// Create adds a role to a site.
func (s *Roles) Create(ctx context.Context, r otl.Role) (otl.Role, error) {
	r.CreatedAt = s.Now()
	if err := checkRole(&r); err != nil {
		return r, err
	}
	again := otl.RequestOf(ctx).Once
	return r, s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Roles.Lock(ctx, r.SiteID); err != nil {
			return err
		}
		have, err := tx.Roles.OfSite(ctx, r.SiteID)
		if err != nil {
			return err
		}
		if len(have) >= otl.MaxRoles {
			return otl.InvalidField("name", "too_many", "would be one role more than "+strconv.Itoa(otl.MaxRoles))
		}
		fresh, err := tx.Roles.Insert(ctx, r)
		if err == nil && !fresh {
			err = &otl.Error{Kind: otl.Conflict, Code: "role_exists", Text: "The site has a role of this name.", Field: "name"}
		}
		if err != nil {
			return err
		}
		if err := appendEvent(ctx, tx, otl.EventRoleCreated, r.SiteID, r.CreatedAt, map[string]string{otl.DataRole: r.Name}, otl.Changes(nil, roleState(r))...); err != nil {
			return err
		}
		return tx.Answers.Keep(ctx, again, s.Now(), r)
	})
}

// Update writes everything but the name of a role.
func (s *Roles) Update(ctx context.Context, siteID, name string, change func(*otl.Role)) (r otl.Role, err error) {
	err = s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Roles.Lock(ctx, siteID); err != nil {
			return err
		}
		if r, err = findRole(ctx, tx, siteID, name); err != nil {
			return err
		}
		was := roleState(r)
		change(&r)
		if err := checkRole(&r); err != nil {
			return err
		}
		if _, err = tx.Roles.Update(ctx, r); err != nil {
			return err
		}
		return appendEvent(ctx, tx, otl.EventRoleUpdated, siteID, s.Now(), map[string]string{otl.DataRole: name}, otl.Changes(was, roleState(r))...)
	})
	return r, err
}

// findRole gives a role of a site; a name that no role can have is none.
func findRole(ctx context.Context, tx *store.Tx, siteID, name string) (otl.Role, error) {
	if otl.CheckRoleName("name", name) != nil {
		return otl.Role{}, otl.NoSuch("role")
	}
	r, err := tx.Roles.ByName(ctx, siteID, name)
	if errors.Is(err, store.ErrNotFound) {
		err = otl.NoSuch("role")
	}
	return r, err
}

// takeStep is how many people lose a role in one statement's worth of rows.
const takeStep = 200

// Delete removes a role and takes it from everybody who has it.
func (s *Roles) Delete(ctx context.Context, siteID, name string) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Roles.Lock(ctx, siteID); err != nil {
			return err
		}
		r, err := findRole(ctx, tx, siteID, name)
		if err != nil {
			return err
		}
		if _, err := tx.Roles.Delete(ctx, siteID, name); err != nil {
			return err
		}
		if err := appendEvent(ctx, tx, otl.EventRoleDeleted, siteID, s.Now(), map[string]string{otl.DataRole: name}, otl.Changes(roleState(r), nil)...); err != nil {
			return err
		}
		for {
			held, err := tx.Grants.WithRole(ctx, siteID, name, takeStep)
			if err != nil || len(held) == 0 {
				return err
			}
			for _, g := range held {
				if err := s.take(ctx, tx, g, name); err != nil {
					return err
				}
			}
		}
	})
}

// take takes a role from a person of a site who has it.
func (s *Roles) take(ctx context.Context, tx *store.Tx, g otl.Grant, name string) error {
	left := slices.DeleteFunc(slices.Clone(g.Roles), func(r string) bool { return r == name })
	kept, err := tx.Grants.SetRoles(ctx, g, left)
	if err != nil {
		return err
	}
	if !kept {
		return otl.ErrVersion
	}
	now := s.Now()
	return tx.Events.Append(ctx, otl.Event{
		ID: "evt_" + secret.NewID(now), Type: otl.EventRoleRemoved, UserID: g.UserID, SiteID: g.SiteID,
		Data: map[string]string{otl.DataRole: name}, Changes: otl.Changes(rolesState(g.Roles), rolesState(left)), CreatedAt: now,
	})
}
