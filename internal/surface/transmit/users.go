package transmit

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// userOut is a person as this wire shows him (contract 3.9): only what he granted the
// site. Times are milliseconds since 1970.
type userOut struct {
	ID        string     `json:"user_id"`
	Status    string     `json:"status"` // Active or Disabled
	CreatedAt int64      `json:"created_at"`
	UpdatedAt int64      `json:"updated_at"`
	LastAuth  *int64     `json:"last_auth,omitempty"`
	Email     *emailOut  `json:"email,omitempty"`
	Phone     *phoneOut  `json:"phone_number,omitempty"`
	Username  string     `json:"username,omitempty"`
	Name      *nameInOut `json:"name,omitempty"`
	Picture   string     `json:"picture,omitempty"`
	Language  string     `json:"language,omitempty"`
}

type emailOut struct {
	Value      string `json:"value"`
	Verified   bool   `json:"email_verified"`
	VerifiedAt *int64 `json:"verified_at,omitempty"`
}

type phoneOut struct {
	Value      string `json:"value"`
	Verified   bool   `json:"phone_number_verified"`
	VerifiedAt *int64 `json:"verified_at,omitempty"`
}

type nameInOut struct {
	Title  string `json:"title,omitempty"`
	First  string `json:"first_name,omitempty"`
	Middle string `json:"middle_name,omitempty"`
	Last   string `json:"last_name,omitempty"`
}

// whole puts the parts of a name together, as it is kept here.
func (n *nameInOut) whole() string {
	return strings.Join(strings.Fields(strings.Join([]string{n.Title, n.First, n.Middle, n.Last}, " ")), " ")
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

type resultOut struct {
	Result any `json:"result"`
}

func newUserOut(m account.Member) resultOut {
	u, see := m.User, m.Grant.Fields
	out := userOut{ID: u.ID, Status: "Active", CreatedAt: u.CreatedAt.UnixMilli(), UpdatedAt: u.UpdatedAt.UnixMilli(), LastAuth: millis(m.Grant.LastLoginAt)}
	if !u.DisabledAt.IsZero() {
		out.Status = "Disabled"
	}
	if see.Has(otl.FieldEmail) {
		out.Email, out.Username = &emailOut{u.Email.Address, !u.EmailVerifiedAt.IsZero(), millis(u.EmailVerifiedAt)}, u.Email.Address
	}
	if see.Has(otl.FieldPhone) && u.Phone != "" {
		out.Phone = &phoneOut{u.Phone, !u.PhoneVerifiedAt.IsZero(), millis(u.PhoneVerifiedAt)}
	}
	if see.Has(otl.FieldName) && u.Name != "" {
		first, last, _ := strings.Cut(u.Name, " ")
		out.Name = &nameInOut{First: first, Last: last}
	}
	if see.Has(otl.FieldPicture) {
		out.Picture = u.Picture
	}
	if see.Has(otl.FieldLocale) {
		out.Language = u.Locale
	}
	return resultOut{out}
}

// users serves the calls about people of the site. All need the scope users.
func (s *Surface) users() {
	s.both("GET /v1/users/{id}", s.byUsers(http.StatusOK, func(c *call, r *http.Request) (any, error) {
		return s.member(c, r.Context(), r.PathValue("id"))
	}))
	for path, field := range map[string]string{"email": "email", "username": "email", "phone-number": "phone", "phone": "phone"} {
		s.both("GET /v1/users/"+path+"/{value}", s.byUsers(http.StatusOK, func(c *call, r *http.Request) (any, error) {
			id, err := s.named(c, r.Context(), field, r.PathValue("value"))
			if err != nil {
				return nil, err
			}
			return s.member(c, r.Context(), id)
		}))
	}
	s.both("DELETE /v1/users/{id}/apps", s.byUsers(http.StatusNoContent, func(c *call, r *http.Request) (any, error) {
		m, err := s.Accounts.Member(r.Context(), c.site.ID, r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		return nil, s.Accounts.Leave(r.Context(), c.site.ID, m.User.ID)
	}))
}

// member gives one of the site's people; anybody else is as unknown as nobody.
func (s *Surface) member(c *call, ctx context.Context, id string) (any, error) {
	m, err := s.Accounts.Member(ctx, c.site.ID, id)
	if err != nil {
		return nil, err
	}
	return newUserOut(m), nil
}

// named gives the id of the one of the site's people with an address or a number that
// he granted the site.
func (s *Surface) named(c *call, ctx context.Context, field, value string) (string, error) {
	if field == "phone" {
		id, err := s.Accounts.ByPhone(ctx, c.site.ID, value)
		return id, err
	}
	found, err := s.Accounts.Members(ctx, c.site.ID, value, "", "", 1)
	if err != nil || len(found) == 0 {
		if err == nil || otl.As(err).Kind == otl.Invalid {
			err = otl.NoSuch("user")
		}
		return "", err
	}
	return found[0].User.ID, nil
}

// byUsers serves an operation on people.
func (s *Surface) byUsers(success int, do func(*call, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authorise(r, otl.ScopeUsers)
		if err != nil {
			fail(w, r, restShape, err)
			return
		}
		out, err := do(c, r)
		switch {
		case err != nil:
			failUsers(w, r, err)
		case out == nil:
			w.WriteHeader(success)
		default:
			write(w, success, out)
		}
	}
}

// failUsers words errors as these calls do: every 400 is a list of messages.
func failUsers(w http.ResponseWriter, r *http.Request, err error) {
	e := otl.As(err)
	otl.RequestOf(r.Context()).Err = err
	switch {
	case e.Code == otl.NoSuch("").Code:
		write(w, http.StatusNotFound, map[string]any{"message": "User not found", "error_code": http.StatusNotFound})
	case e.Kind == otl.Conflict:
		write(w, http.StatusConflict, map[string]any{"message": "A user with this identifier exists already", "error_code": http.StatusConflict, "ts_error_code": "identifier_already_in_use"})
	case e.Kind == otl.Invalid || e.Kind == otl.Malformed:
		var all []string
		for _, one := range e.More {
			all = append(all, one.Field+": "+one.Text)
		}
		if len(all) == 0 {
			all = []string{e.Text}
		}
		write(w, http.StatusBadRequest, map[string]any{"message": all, "error_code": http.StatusBadRequest})
	default:
		fail(w, r, restShape, err)
	}
}

type createUserIn struct {
	Email       string     `json:"email"`
	Phone       string     `json:"phone_number"`
	Name        *nameInOut `json:"name"`
	Picture     string     `json:"picture"`
	Language    string     `json:"language"`
	Credentials struct {
		Password string `json:"password"`
	} `json:"credentials"`
}

// createUser is POST /v1/users. Whoever is known in the network is a 409: he joins by
// signing in.
func (s *Surface) createUser(w http.ResponseWriter, r *http.Request) {
	c, err := s.authorise(r, otl.ScopeUsers)
	if err != nil {
		fail(w, r, restShape, err)
		return
	}
	var all map[string]json.RawMessage
	if err := read(w, r, &all); err != nil {
		failUsers(w, r, err)
		return
	}
	m, err := s.create(c, r.Context(), all)
	if err != nil {
		failUsers(w, r, err)
		return
	}
	write(w, http.StatusCreated, newUserOut(m))
}

func (s *Surface) create(c *call, ctx context.Context, all map[string]json.RawMessage) (account.Member, error) {
	for name := range all {
		if !slices.Contains([]string{"email", "phone_number", "name", "picture", "language", "credentials"}, name) {
			return account.Member{}, otl.InvalidField(name, "unsupported", "is not kept by this server")
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return account.Member{}, err
	}
	var in createUserIn
	if err := json.Unmarshal(raw, &in); err != nil {
		return account.Member{}, otl.InvalidField("body", "wrong_type", "holds a member of the wrong type")
	}
	cr := account.Creation{Email: in.Email, Site: &c.site, Password: secret.NewText(in.Credentials.Password)}
	for _, one := range []struct {
		given string
		dst   **string
	}{{in.Phone, &cr.Profile.Phone}, {in.Picture, &cr.Profile.Picture}, {in.Language, &cr.Profile.Locale}} {
		if one.given != "" {
			*one.dst = &one.given
		}
	}
	if in.Name != nil {
		name := in.Name.whole()
		cr.Profile.Name = &name
	}
	return s.Accounts.Create(ctx, cr)
}
