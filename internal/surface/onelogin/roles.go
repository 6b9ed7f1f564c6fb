package onelogin

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
)

// roles are the calls about the roles of a site, and about who has them.
type roles struct{ *Surface }

func (s roles) serve() {
	for _, v := range []string{"/api/1", "/api/2"} {
		s.Mux.HandleFunc("GET "+v+"/roles", s.byClient(otl.ScopeUsers, s.list))
		s.Mux.HandleFunc("GET "+v+"/roles/{id}", s.byClient(otl.ScopeUsers, s.get))
	}
	s.Mux.HandleFunc("GET /api/1/users/{id}/roles", s.byClient(otl.ScopeUsers, s.of))
}

// roleOut is a role and its number.
type roleOut struct {
	ID   int
	Name string
}

// roleRefs gives what the numbers of a site's roles stand for.
func roleRefs(siteID string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = siteID + " " + n
	}
	return out
}

// numbered gives the roles of the site by name, with their numbers.
func (s roles) numbered(c *call) ([]roleOut, error) {
	all, err := s.Roles.List(c.ctx(), c.site.ID)
	if err != nil {
		return nil, err
	}
	refs, ids, err := s.Numbers.Below(c.ctx(), number.Role, c.site.ID+" ")
	if err != nil {
		return nil, err
	}
	out := make([]roleOut, len(all))
	for i, r := range all {
		out[i].Name = r.Name
		if at := slices.Index(refs, c.site.ID+" "+r.Name); at >= 0 {
			out[i].ID = ids[at]
		} else if out[i].ID, err = s.Numbers.Of(c.ctx(), number.Role, c.site.ID+" "+r.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pick reads what roles are asked for, and gives those of them. What is not known is refused, as
// where people are asked for.
func pick(q *paging, in url.Values, all []roleOut) ([]roleOut, error) {
	drop := func(unless func(roleOut) bool) {
		all = slices.DeleteFunc(all, func(r roleOut) bool { return !unless(r) })
	}
	for name, values := range in {
		value := values[0]
		switch known, err := q.add(name, value); {
		case err != nil:
			return nil, err
		case known:
			continue
		case len(values) > 1:
			return nil, invalid(name, "stands there twice")
		}
		switch name {
		case "id":
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, invalid(name, "must be a number")
			}
			drop(func(r roleOut) bool { return r.ID == n })
		case "name", "role_name": // the second is what the Python SDK calls it
			drop(func(r roleOut) bool { return like(value, r.Name) })
		case "app_id", "app_name": // no role is about an app here
			drop(func(roleOut) bool { return false })
		default:
			return nil, notAllowed(name)
		}
	}
	switch q.by {
	case "id":
		slices.SortFunc(all, func(a, b roleOut) int { return a.ID - b.ID })
	case "", "name":
	default:
		return nil, unsorted(q.by)
	}
	if q.desc {
		slices.Reverse(all)
	}
	return all, nil
}

// like reports whether a text is a pattern, in which * stands for anything, whatever its case.
func like(pattern, text string) bool {
	parts := strings.Split(otl.Fold(pattern), "*")
	text = otl.Fold(text)
	if len(parts) == 1 {
		return text == parts[0]
	}
	for i, part := range parts[:len(parts)-1] {
		at := strings.Index(text, part)
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

// list is GET /roles.
func (s roles) list(c *call) (reply, error) {
	in := c.r.URL.Query()
	q, err := newPaging(in)
	if err != nil {
		return reply{}, err
	}
	all, err := s.numbered(c)
	if err == nil {
		all, err = pick(&q, in, all)
	}
	if err != nil {
		return reply{}, err
	}
	from := min(q.offset(), len(all))
	out := []userOut{}
	for _, r := range all[from:min(from+q.limit, len(all))] {
		out = append(out, r.told(bare(c.r.URL.Path)).only(q.fields))
	}
	return s.listed(c, in, q, out, len(all)), nil
}

// told gives a role as a version has it. It opens no apps; whom it was given is said of each person.
func (r roleOut) told(bare bool) userOut {
	out := userOut{"id": r.ID, "name": r.Name}
	if bare {
		out["apps"] = []int{}
	}
	return out
}

// get is GET /roles/{id}.
func (s roles) get(c *call) (reply, error) {
	n, err := strconv.Atoi(c.r.PathValue("id"))
	if err != nil {
		return reply{}, invalid("id", "ID is incorrect")
	}
	all, err := s.numbered(c)
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(all, func(r roleOut) bool { return r.ID == n })
	if i < 0 {
		return reply{}, errNoRole
	}
	if bare(c.r.URL.Path) {
		return reply{http.StatusOK, all[i].told(true)}, nil
	}
	return success([]userOut{all[i].told(false)}), nil
}

// errNoRole is the answer to the id of no role of the site.
var errNoRole = literal(http.StatusNotFound, "Role does not exist")

// of is GET /api/1/users/{id}/roles: a list of one list of ids.
func (s roles) of(c *call) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	ids, err := s.Numbers.All(c.ctx(), number.Role, roleRefs(c.site.ID, m.Grant.Roles))
	return success([][]int{ids}), err
}

type rolesIn struct {
	IDs []integer `json:"role_id_array"`
}

func (s roles) add(c *call, in *rolesIn) (reply, error) {
	return s.change(c, in, func(has, named []string) []string { return append(has, named...) })
}

// take takes roles away; one he does not have is taken already.
func (s roles) take(c *call, in *rolesIn) (reply, error) {
	return s.change(c, in, func(has, named []string) []string {
		return slices.DeleteFunc(has, func(r string) bool { return slices.Contains(named, r) })
	})
}

// change makes of the roles a person has those he is to have: all of them, or none.
func (s roles) change(c *call, in *rolesIn, made func(has, named []string) []string) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	names, err := s.named(c, "role_id_array", in.IDs)
	if err == nil && len(names) == 0 {
		err = invalid("role_id_array", "is required")
	}
	if err != nil {
		return reply{}, err
	}
	ch := account.MemberChange{Roles: func(has []string) []string { return made(has, names) }}
	_, err = s.Members.Change(c.ctx(), c.site, m.User.ID, ch)
	return success(nil), err
}

// named gives the names of roles by their numbers, all of which must be roles of the site; a
// member of the request holds them.
func (s roles) named(c *call, member string, ids []integer) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := s.numbered(c)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		at := slices.IndexFunc(all, func(r roleOut) bool { return r.ID == int(id) })
		if at < 0 {
			return nil, invalid(member, "holds "+strconv.Itoa(int(id))+", which is no role")
		}
		names[i] = all[at].Name
	}
	return names, nil
}
