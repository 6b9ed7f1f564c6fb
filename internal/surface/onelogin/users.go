package onelogin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
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
		s.Mux.HandleFunc("GET "+v+"/users/{id}/apps", s.byClient(otl.ScopeUsers, s.none))
		s.Mux.HandleFunc("GET "+v+"/users/custom_attributes", s.byClient(otl.ScopeUsers, attributes(s).list))
	}
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
	id, err := s.Numbers.Ref(c.ctx(), number.User, n)
	var m account.Member
	if err == nil {
		m, err = s.Members.Member(c.ctx(), c.site.ID, id)
	}
	if err != nil && otl.As(err).Kind == otl.NotFound {
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

// personIn is what a person is made of, or what is to be different about him: members
// that are not there stay as they are.
type personIn map[string]json.RawMessage

// textOf gives a member that is a text, nil where it is not there or null.
func (in personIn) textOf(name string) (*string, error) {
	var out *string
	if raw := in[name]; raw != nil {
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil, invalid(name, "must be a string")
		}
	}
	return out, nil
}

// noMoment is how one client writes a time that it does not mean.
const noMoment = `"0001-01-01T00:00:00Z"`

// known are the members of a person that this server keeps.
func known() []string {
	return []string{"email", "username", "firstname", "lastname", "phone", "locale_code", "external_id", "state", "password", "password_confirmation", customAttributes}
}

// change reads what is to be different; the name of a person of before is kept where
// only a part of it is given.
func (in personIn) change(before string) (c account.MemberChange, err error) {
	for name, raw := range in {
		if !slices.Contains(known(), name) && string(raw) != "null" && string(raw) != noMoment {
			return c, literal(http.StatusBadRequest, "unknown attribute: "+name)
		}
	}
	first, last, _ := strings.Cut(before, " ")
	texts := map[string]**string{
		"email": &c.Email, "username": &c.Username, "phone": &c.Phone, "locale_code": &c.Locale, "external_id": &c.ExternalID, "firstname": nil, "lastname": nil,
	}
	for name, dst := range texts {
		given, err := in.textOf(name)
		if err != nil {
			return c, err
		}
		switch {
		case given == nil:
		case name == "firstname":
			first = *given
		case name == "lastname":
			last = *given
		default:
			*dst = given
		}
	}
	if c.Username != nil && c.Email != nil && strings.EqualFold(*c.Username, *c.Email) {
		c.Username = nil // who has none is known by his address
	}
	if whole := strings.TrimSpace(first + " " + last); whole != before {
		c.Name = &whole
	}
	if raw := in["state"]; raw != nil && string(raw) != "null" {
		suspended := strings.Trim(string(raw), `"`) != strconv.Itoa(stateApproved)
		c.Suspended = &suspended
	}
	if raw := in[customAttributes]; raw != nil && string(raw) != "null" {
		c = keeping(raw, c)
	}
	return c, nil
}

// pass passes over what is as it is: some clients send all that they were told of a
// person.
func (in personIn) pass(is userOut) {
	for name, raw := range in {
		now, err := json.Marshal(is[name])
		if err != nil {
			continue
		}
		var given, kept any
		if json.Unmarshal(raw, &given) == nil && json.Unmarshal(now, &kept) == nil && reflect.DeepEqual(given, kept) {
			delete(in, name)
		}
	}
}

// create is POST /users. Whoever is known in the network joins by signing in.
func (s people) create(c *call, in *personIn) (reply, error) {
	ch, err := in.change("")
	if err != nil {
		return reply{}, err
	}
	made := account.Creation{Profile: ch.Profile, Site: &c.site}
	if ch.Email != nil {
		made.Email = *ch.Email
	}
	if made.Password, err = in.password(); err != nil {
		return reply{}, err
	}
	if len(ch.Data) > 0 {
		if err := attributes(s).name(c, ch.Data[customAttributes]); err != nil {
			return reply{}, err
		}
	}
	made.Change = account.MemberChange{ExternalID: ch.ExternalID, Suspended: ch.Suspended, Data: ch.Data, Merge: ch.Merge}
	m, err := s.Members.Create(c.ctx(), made)
	if err != nil {
		return reply{}, err
	}
	return s.told(c, http.StatusCreated, m)
}

// password gives the password that somebody is to start with, and its confirmation's
// error.
func (in personIn) password() (secret.Text, error) {
	given, err := in.textOf("password")
	if err != nil || given == nil {
		return secret.Text{}, err
	}
	if again, err := in.textOf("password_confirmation"); err != nil || again == nil || *again != *given {
		return secret.Text{}, invalid("password_confirmation", "must be the password")
	}
	return secret.NewText(*given), nil
}

func (s people) update(c *call, in *personIn) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	if _, there := (*in)["password"]; there {
		return reply{}, invalid("password", "is set by set_password_clear_text")
	}
	is, err := s.user(c, m)
	if err != nil {
		return reply{}, err
	}
	in.pass(is)
	ch, err := in.change(granted(visible(m.Grant), otl.FieldName, m.User.Name))
	if err == nil && len(ch.Data) > 0 {
		err = attributes(s).name(c, ch.Data[customAttributes])
	}
	if err == nil {
		m, err = s.Members.Change(c.ctx(), c.site, m.User.ID, ch)
	}
	if err != nil {
		return reply{}, err
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
	if in.State == nil || *in.State < 0 || *in.State > 3 {
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
