package onelogin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
)

// people are the calls about a site's people (contract 2.9 and 2.14), in both versions.
type people struct{ *Surface }

func (s people) serve() {
	for _, v := range []string{"/api/1", "/api/2"} {
		s.Mux.HandleFunc("GET "+v+"/users", s.byClient(otl.ScopeUsers, s.list))
		s.Mux.HandleFunc("POST "+v+"/users", withBody(s.Surface, otl.ScopeUsers, s.create))
		s.Mux.HandleFunc("GET "+v+"/users/{id}", s.byClient(otl.ScopeUsers, s.get))
		s.Mux.HandleFunc("PUT "+v+"/users/{id}", withBody(s.Surface, otl.ScopeUsers, s.update))
		s.Mux.HandleFunc("DELETE "+v+"/users/{id}", s.byClient(otl.ScopeUsers, s.remove))
	}
	s.Mux.HandleFunc("GET /api/1/users/{id}/apps", s.byClient(otl.ScopeUsers, s.none))
	attributes(s).serve()
	who := roles(s)
	acts := map[string]http.HandlerFunc{
		"logout": s.byClient(otl.ScopeAuth, s.logout), "set_state": withBody(s.Surface, otl.ScopeUsers, s.setState),
		"lock_user": withBody(s.Surface, otl.ScopeUsers, s.lock), "set_custom_attributes": withBody(s.Surface, otl.ScopeUsers, attributes(s).set),
		"add_roles": withBody(s.Surface, otl.ScopeUsers, who.add), "remove_roles": withBody(s.Surface, otl.ScopeUsers, who.take),
	}
	passwords := map[string]http.HandlerFunc{ // whose paths have the id at their end
		"set_password_clear_text": withBody(s.Surface, otl.ScopeUsers, s.setPassword), "set_password_using_salt": withBody(s.Surface, otl.ScopeUsers, s.setDigest),
	}
	s.Mux.HandleFunc("PUT /api/1/users/{id}/{act}", func(w http.ResponseWriter, r *http.Request) {
		do := acts[r.PathValue("act")]
		if set := passwords[r.PathValue("id")]; set != nil {
			r.SetPathValue("id", r.PathValue("act"))
			do = set
		}
		if do == nil {
			do = func(w http.ResponseWriter, r *http.Request) { Fail(w, r, errRoute) }
		}
		do(w, r)
	})
}

// errNoUser is the answer to the id of nobody, and of nobody of this site.
var errNoUser = literal(http.StatusNotFound, "User does not exist")

// member gives the one of the site's people that a path names; anybody else is as
// unknown as nobody.
func (s *Surface) member(c *call) (account.Member, error) {
	n, err := strconv.Atoi(c.r.PathValue("id"))
	if err != nil {
		return account.Member{}, invalid("id", "ID is incorrect")
	}
	ids, err := s.Numbers.Members(c.ctx(), c.site.ID, []int{n})
	if err == nil && len(ids) == 0 {
		err = errNoUser
	}
	var m account.Member
	if err == nil {
		m, err = s.Members.Member(c.ctx(), c.site.ID, ids[0])
	}
	if err != nil && otl.As(err).Kind == otl.NotFound { // he left meanwhile
		err = errNoUser
	}
	if err == nil {
		otl.RequestOf(c.ctx()).UserID = m.User.ID
	}
	return m, err
}

// told answers with a person, as the version of the path does.
func (s people) told(c *call, code int, m account.Member) (reply, error) {
	u, err := s.user(c, m)
	if bare(c.r.URL.Path) {
		return reply{code, u}, err
	}
	return success([]userOut{u}), err
}

func (s people) get(c *call) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	return s.told(c, http.StatusOK, m)
}

// none answers with an empty list of what there is none of here.
func (s people) none(c *call) (reply, error) {
	if _, err := s.member(c); err != nil {
		return reply{}, err
	}
	if bare(c.r.URL.Path) {
		return reply{http.StatusOK, []any{}}, nil
	}
	return success([]any{}), nil
}

// create is POST /users. Whoever is known in the network joins by signing in.
func (s people) create(c *call, in *personIn) (reply, error) {
	ch, err := s.changeOf(c, in, "")
	if err != nil {
		return reply{}, err
	}
	made := account.Creation{Profile: ch.Profile, Site: &c.site, Change: ch}
	if ch.Email != nil {
		made.Email = *ch.Email
	}
	if p := ch.Password; p != nil {
		made.Password, made.Digest = p.Password, p.Digest
	}
	m, err := s.Members.Create(c.ctx(), made)
	if err != nil {
		return reply{}, called(err, in.names())
	}
	return s.told(c, http.StatusCreated, m)
}

// changeOf reads what a person is to be, or what is to be different about one of this name, and
// gives new custom attributes their numbers.
func (s people) changeOf(c *call, in *personIn, before string) (account.MemberChange, error) {
	ch, err := in.change(before)
	if err == nil && ch.roles != nil {
		var names []string
		names, err = roles(s).named(c, "role_ids", *ch.roles)
		ch.Roles = func([]string) []string { return names }
	}
	if err == nil {
		err = attributes(s).name(c, ch.attributes)
	}
	return ch.MemberChange, err
}

func (s people) update(c *call, in *personIn) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	is, err := s.user(c, m)
	if err != nil {
		return reply{}, err
	}
	in.pass(is)
	ch, err := s.changeOf(c, in, granted(visible(m.Grant), otl.FieldName, m.User.Name))
	if err == nil {
		m, err = s.Members.Change(c.ctx(), c.site, m.User.ID, ch)
	}
	if err != nil {
		return reply{}, called(err, in.names())
	}
	return s.told(c, http.StatusOK, m)
}

// remove is DELETE /users/{id}: the person leaves the site (decision D2).
func (s people) remove(c *call) (reply, error) {
	m, err := s.member(c)
	if err == nil {
		err = s.Members.Leave(c.ctx(), c.site.ID, m.User.ID)
	}
	if bare(c.r.URL.Path) {
		return reply{http.StatusNoContent, nil}, err
	}
	return success(nil), err
}

// logout is PUT /api/1/users/{id}/logout (contract 2.9).
func (s people) logout(c *call) (reply, error) {
	m, err := s.member(c)
	if err == errNoUser { //nolint:errorlint // it is a value to compare with
		err = invalid("id", "ID is incorrect")
	}
	if err == nil {
		err = s.Second.LogOut(c.ctx(), c.site.ID, m.User.ID)
	}
	return success(nil), err
}

type stateIn struct {
	State *integer `json:"state"`
}

// setState bars a person from the site, or lets him in again.
func (s people) setState(c *call, in *stateIn) (reply, error) {
	if in.State == nil || *in.State < 0 || *in.State > stateMost {
		return reply{}, invalid("state", "must be a number from 0 to 3")
	}
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	suspended := *in.State != stateApproved
	_, err = s.Members.Change(c.ctx(), c.site, m.User.ID, account.MemberChange{Suspended: &suspended})
	return success(nil), err
}

type lockIn struct {
	Until *integer `json:"locked_until"` // minutes
}

// maxLock is how many minutes somebody can be locked out for: a year.
const maxLock = 365 * 24 * 60

// lock is PUT /api/1/users/{id}/lock_user: bars a person from the site for a time, or for 0
// until set_state lets him in.
func (s people) lock(c *call, in *lockIn) (reply, error) {
	if in.Until == nil || *in.Until < 0 || *in.Until > maxLock {
		return reply{}, invalid("locked_until", "must be a number of minutes from 0 to 525600")
	}
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	suspended := true
	ch := account.MemberChange{Suspended: &suspended}
	if *in.Until > 0 {
		ch.Until = s.Now().Add(time.Duration(*in.Until) * time.Minute)
	}
	_, err = s.Members.Change(c.ctx(), c.site, m.User.ID, ch)
	return success(nil), err
}
