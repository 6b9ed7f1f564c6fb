package onelogin

import (
	"maps"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
)

// A person's status and state as this wire counts them.
const (
	statusActive    = 1
	statusSuspended = 2
	statusLocked    = 3
	stateApproved   = 1
	stateRejected   = 2
	stateMost       = 3
)

// userOut is a person as this wire shows him: only what he granted the site. Members
// are those of contract 2.14, and null where there is nothing to say.
type userOut map[string]any

// untold gives the members of a person that no site is told of: they are about his account, which
// is that of every site.
func untold() []string {
	return []string{"password_changed_at", "invalid_login_attempts", "invitation_sent_at"}
}

// user gives a person.
func (s *Surface) user(c *call, m account.Member) (userOut, error) {
	id, err := s.Numbers.Of(c.ctx(), number.User, m.User.ID)
	if err != nil {
		return nil, err
	}
	roles, err := s.Numbers.All(c.ctx(), number.Role, roleRefs(c.site.ID, m.Grant.Roles))
	if err != nil {
		return nil, err
	}
	u, see := m.User, visible(m.Grant)
	s.Ledger.Note(c.site, u.ID, see.Without(otl.FieldPicture).Without(otl.FieldPreferences).Without(otl.FieldDisplayName))
	first, last, _ := strings.Cut(granted(see, otl.FieldName, u.Name), " ")
	locale := orNull(granted(see, otl.FieldLocale, u.Locale))
	out := keptOf(m.Record)
	maps.Copy(out, userOut{
		"id": id, "email": granted(see, otl.FieldEmail, u.Email.Address), "username": granted(see, otl.FieldUsername, u.Username.Name),
		"firstname": first, "lastname": last, "phone": orNull(granted(see, otl.FieldPhone, u.Phone)), "locale_code": locale, "preferred_locale_code": locale,
		"external_id": orNull(m.Record.ExternalID), "role_id": roles, "role_ids": roles, "status": statusActive, "state": stateApproved,
		"created_at": moment(u.CreatedAt), "updated_at": moment(u.UpdatedAt), "activated_at": moment(m.Grant.CreatedAt), "last_login": moment(m.Grant.LastLoginAt),
		"locked_until": moment(m.Grant.SuspendedUntil),
	})
	for _, name := range untold() {
		out[name] = nil
	}
	if out["username"] == "" { // people without one are known by their address
		out["username"] = out["email"]
	}
	if !u.DisabledAt.IsZero() || !m.Grant.SuspendedAt.IsZero() {
		out["status"] = statusSuspended
	}
	switch {
	case !m.Grant.SuspendedUntil.IsZero():
		out["status"] = statusLocked
	case !m.Grant.SuspendedAt.IsZero():
		out["state"] = stateRejected
	}
	return out, nil
}

// visible gives what a site may see of a person: before he has joined it, what his
// sign-in there grants.
func visible(g otl.Grant) otl.Fields {
	if g.SiteID != "" && g.RevokedAt.IsZero() {
		return g.Fields
	}
	return otl.MinimalFields()
}

func granted(see otl.Fields, f otl.Field, value string) string {
	if !see.Has(f) {
		return ""
	}
	return value
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// moment writes a time as this wire does nearly everywhere, nil for none.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// only gives the members that were asked for beside the id, all where none were.
func (u userOut) only(fields []string) userOut {
	if fields == nil {
		return u
	}
	out := userOut{"id": u["id"]}
	for _, name := range fields {
		if v, known := u[name]; known {
			out[name] = v
		}
	}
	return out
}

// brief gives the members that the answer to a sign-in has, and those that were asked
// for besides. Who called himself by his username sees it, whatever he granted.
func (u userOut) brief(person otl.User, a asked) userOut {
	out := userOut{}
	for _, name := range append([]string{"id", "email", "username", "firstname", "lastname"}, strings.Split(a.fields, ",")...) {
		if v, known := u[strings.TrimSpace(name)]; known {
			out[strings.TrimSpace(name)] = v
		}
	}
	if person.Username.Key != "" && strings.EqualFold(a.typed, person.Username.Name) {
		out["username"] = person.Username.Name
	}
	return out
}
