package onelogin

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
)

// roles are the calls about the roles of a site, and about who has them.
type roles struct{ *Surface }

func (s roles) serve() {
	s.Mux.HandleFunc("GET /api/1/roles", s.byClient(otl.ScopeUsers, s.list))
	s.Mux.HandleFunc("GET /api/2/roles", s.byClient(otl.ScopeUsers, s.list))
	s.Mux.HandleFunc("GET /api/1/users/{id}/roles", s.byClient(otl.ScopeUsers, s.of))
}

type roleOut struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// roleRefs gives what the numbers of a site's roles stand for.
func roleRefs(siteID string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = siteID + " " + n
	}
	return out
}

func (s roles) list(c *call) (reply, error) {
	all, err := s.Roles.List(c.ctx(), c.site.ID)
	if err != nil {
		return reply{}, err
	}
	out := make([]roleOut, len(all))
	for i, r := range all {
		n, err := s.Numbers.Of(c.ctx(), number.Role, c.site.ID+" "+r.Name)
		if err != nil {
			return reply{}, err
		}
		out[i] = roleOut{n, r.Name}
	}
	if bare(c.r.URL.Path) {
		return reply{http.StatusOK, out}, nil
	}
	return page(out, pagination{}), nil
}

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
	return s.each(c, in, func(m account.Member, name string) error {
		_, err := s.Roles.Assign(c.ctx(), c.site.ID, m.User.ID, name)
		return err
	})
}

// take takes roles away; one he does not have is taken already.
func (s roles) take(c *call, in *rolesIn) (reply, error) {
	return s.each(c, in, func(m account.Member, name string) error {
		_, err := s.Roles.Unassign(c.ctx(), c.site.ID, m.User.ID, name)
		if otl.Is(err, otl.NoSuch("").Code) {
			err = nil
		}
		return err
	})
}

// each does something for every role of a list, all of which must be roles of the site.
func (s roles) each(c *call, in *rolesIn, do func(account.Member, string) error) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	all, err := s.Roles.List(c.ctx(), c.site.ID)
	if err != nil {
		return reply{}, err
	}
	there := map[string]bool{}
	for _, r := range all {
		there[r.Name] = true
	}
	names := make([]string, len(in.IDs))
	for i, id := range in.IDs {
		ref, err := s.Numbers.Ref(c.ctx(), number.Role, int(id))
		if err != nil && otl.As(err).Kind != otl.NotFound {
			return reply{}, err
		}
		name, own := strings.CutPrefix(ref, c.site.ID+" ")
		if !own || !there[name] {
			return reply{}, invalid("role_id_array", "holds "+strconv.Itoa(int(id))+", which is no role")
		}
		names[i] = name
	}
	if len(names) == 0 {
		return reply{}, invalid("role_id_array", "is required")
	}
	for _, name := range names {
		if err := do(m, name); err != nil {
			return reply{}, err
		}
	}
	return success(nil), nil
}
