package account

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// lock lets no other transaction change the roles of a site until this one ends, if the change is
// about roles. It comes before everything else, as it does where roles themselves are changed.
func (c MemberChange) lock(ctx context.Context, tx *store.Tx, siteID string) error {
	if c.Roles == nil {
		return nil
	}
	return tx.Roles.Lock(ctx, siteID)
}

// SetRole gives a person of a site a role, twice is once, or takes it from him, and gives the roles he has
// then. One that he does not have is not there to be taken (NotFound).
func (a *Members) SetRole(ctx context.Context, site otl.Site, userID, name string, on bool) ([]string, error) {
	had := false
	m, err := a.Change(ctx, site, userID, MemberChange{Roles: func(has []string) []string {
		had = slices.Contains(has, name)
		if on {
			return append(has, name)
		}
		return missing(has, []string{name})
	}})
	if err == nil && !on && !had {
		err = otl.NoSuch("role")
	}
	return m.Grant.Roles, err
}

// assign gives a person of a site the roles that are made of those he has: all of them, or
// none where one is unknown (NotFound) or they are too many. Each that comes or goes is an event.
func (a people) assign(ctx context.Context, tx *store.Tx, m *Member, made func(has []string) []string) error {
	has := slices.Sorted(slices.Values(m.Grant.Roles))
	want := slices.Compact(slices.Sorted(slices.Values(made(slices.Clone(has)))))
	added, taken := missing(want, has), missing(has, want)
	if len(added)+len(taken) == 0 {
		return nil
	}
	for _, name := range added {
		if otl.CheckRoleName("role", name) != nil {
			return otl.NoSuch("role")
		}
		if _, err := tx.Roles.ByName(ctx, m.Grant.SiteID, name); errors.Is(err, store.ErrNotFound) {
			return otl.NoSuch("role")
		} else if err != nil {
			return err
		}
	}
	if len(added) > 0 && len(want) > otl.MaxUserRoles {
		return otl.InvalidField("role", "too_many", "would be one of more than "+strconv.Itoa(otl.MaxUserRoles))
	}
	kept, err := tx.Grants.SetRoles(ctx, m.Grant, want)
	if err == nil && !kept {
		err = otl.ErrVersion
	}
	if err != nil {
		return err
	}
	m.Grant.Roles = want
	for _, name := range taken {
		next := missing(has, []string{name})
		if err := a.roleEvent(ctx, tx, m, otl.EventRoleRemoved, name, has, next); err != nil {
			return err
		}
		has = next
	}
	for _, name := range added {
		next := slices.Sorted(slices.Values(append(slices.Clone(has), name)))
		if err := a.roleEvent(ctx, tx, m, otl.EventRoleAssigned, name, has, next); err != nil {
			return err
		}
		has = next
	}
	return nil
}

// missing gives what stands in all and not in some.
func missing(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// roleEvent appends that a role came or went, with the roles before and after it.
func (a people) roleEvent(ctx context.Context, tx *store.Tx, m *Member, t otl.EventType, name string, before, after []string) error {
	e := a.event(t, m.User.ID, m.Grant.SiteID, map[string]string{otl.DataRole: name})
	state := func(roles []string) map[string]string { return map[string]string{"roles": strings.Join(roles, " ")} }
	e.Changes = otl.Changes(state(before), state(after))
	return tx.Events.Append(ctx, e)
}
