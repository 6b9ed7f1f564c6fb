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
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// userOut is a person as this wire shows him (contract 3.9): only what he granted the
// site, and what the site keeps of him. Times are milliseconds since 1970.
type userOut struct {
	ID         string     `json:"user_id"`
	Status     string     `json:"status"` // Active, Disabled or Pending
	CreatedAt  int64      `json:"created_at"`
	UpdatedAt  int64      `json:"updated_at"`
	LastAuth   *int64     `json:"last_auth,omitempty"`
	Email      *emailOut  `json:"email,omitempty"`
	Phone      *phoneOut  `json:"phone_number,omitempty"`
	Username   string     `json:"username,omitempty"`
	Name       *nameInOut `json:"name,omitempty"`
	Picture    string     `json:"picture,omitempty"`
	Language   string     `json:"language,omitempty"`
	ExternalID string     `json:"external_user_id,omitempty"`

	Identities []identityOut        `json:"identities,omitempty"`
	Password   *passwordInformation `json:"password_information,omitempty"`

	kept map[string]json.RawMessage // members of the site's own
}

// MarshalJSON puts the site's own members beside the others.
func (u userOut) MarshalJSON() ([]byte, error) {
	type plain userOut
	raw, err := json.Marshal(plain(u))
	if err != nil || len(u.kept) == 0 {
		return raw, err
	}
	own, err := json.Marshal(u.kept)
	return append(append(raw[:len(raw)-1], ','), own[1:]...), err
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

func newUserOut(m account.Member) (userOut, error) {
	u, see := m.User, m.Grant.Fields
	out := userOut{
		ID: u.ID, Status: statusOf(m), CreatedAt: u.CreatedAt.UnixMilli(), UpdatedAt: u.UpdatedAt.UnixMilli(), LastAuth: millis(m.Grant.LastLoginAt),
		ExternalID: m.Record.ExternalID,
	}
	if m.Record.Data != "" {
		if err := json.Unmarshal([]byte(m.Record.Data), &out.kept); err != nil {
			return out, err
		}
	}
	var name nameInOut
	if raw := out.kept[keptName]; raw != nil {
		_ = json.Unmarshal(raw, &name) // of a shape that was checked
		delete(out.kept, keptName)
	}
	if see.Has(otl.FieldEmail) && u.Email.Key != "" {
		out.Email = &emailOut{u.Email.Address, !u.EmailVerifiedAt.IsZero(), millis(u.EmailVerifiedAt)}
	}
	if see.Has(otl.FieldPhone) && u.Phone != "" {
		out.Phone = &phoneOut{u.Phone, !u.PhoneVerifiedAt.IsZero(), millis(u.PhoneVerifiedAt)}
	}
	if see.Has(otl.FieldUsername) {
		out.Username = u.Username.Name
	}
	if see.Has(otl.FieldName) && u.Name != "" {
		if name.whole() != u.Name { // it is another one by now
			first, last, _ := strings.Cut(u.Name, " ")
			name = nameInOut{First: first, Last: last}
		}
		out.Name = &name
	}
	if see.Has(otl.FieldPicture) {
		out.Picture = u.Picture
	}
	if see.Has(otl.FieldLocale) {
		out.Language = u.Locale
	}
	return out, nil
}

// statusOf gives the status of a person at the site.
func statusOf(m account.Member) string {
	switch {
	case !m.User.DisabledAt.IsZero(), !m.Grant.SuspendedAt.IsZero():
		return "Disabled"
	case m.Grant.LastLoginAt.Before(m.Record.PendingAt):
		return "Pending"
	}
	return "Active"
}

// shown gives a person to his site, which is noted.
func (s users) shown(m account.Member) (userOut, error) {
	s.Ledger.NoteAt(m.Grant.SiteID, m.User.ID, m.Grant.Fields)
	return newUserOut(m)
}

// identityOut is a way in which a person signed in at the site.
type identityOut struct {
	Type string `json:"auth_type"`
}

type passwordInformation struct {
	Expired   bool  `json:"expired"` // never here
	Temporary bool  `json:"temporary"`
	UpdatedAt int64 `json:"updated_at"` // milliseconds since 1970
}

// maxLive is of how many live sessions the methods are shown.
const maxLive = 100

// identityTypes are this wire's names of methods.
func identityTypes() map[otl.Method]string {
	return map[otl.Method]string{
		otl.MethodKey: "webauthn", otl.MethodMailCode: "email_otp", otl.MethodSMS: "sms_otp", otl.MethodDirect: "direct_otp",
		otl.MethodMailLink: "email_magic_link", otl.MethodPassword: "password", otl.MethodTOTP: "totp",
	}
}

// result gives one person with what only a single one is shown with: the methods of his
// live sessions at the site, and of a person of the site's own the state of the password.
func (s users) result(ctx context.Context, c *call, m account.Member) (any, error) {
	out, err := s.shown(m)
	if err != nil {
		return nil, err
	}
	p, err := s.Members.PasswordOf(ctx, c.site.ID, m.User)
	if err != nil {
		return nil, err
	}
	if !p.ChangedAt.IsZero() {
		out.Password = &passwordInformation{Temporary: p.Temporary, UpdatedAt: p.ChangedAt.UnixMilli()}
	}
	live, err := s.SignIn.List(ctx, signin.Scope{UserID: m.User.ID, SiteID: c.site.ID}, "", maxLive)
	if err != nil {
		return nil, err
	}
	for _, one := range live {
		for _, how := range one.Methods {
			if is := (identityOut{identityTypes()[how]}); is.Type != "" && !slices.Contains(out.Identities, is) {
				out.Identities = append(out.Identities, is)
			}
		}
	}
	return resultOut{out}, nil
}

// users are the calls about people of the site. All need the scope users.
type users struct{ *Surface }

func (s users) routes() {
	get := func(path string, do func(*call, *http.Request) (any, error)) {
		s.serve("GET /v1/users/"+path, s.byUsers(http.StatusOK, do))
	}
	get("{id}", func(c *call, r *http.Request) (any, error) { return s.member(c, r.Context(), r.PathValue("id")) })
	for path, kind := range map[string]string{
		"email": "email", "username": "username", "phone-number": "phone_number", "phone": "phone_number", "external-user-id": "external_user_id",
	} {
		get(path+"/{value}", func(c *call, r *http.Request) (any, error) {
			return s.named(c, r.Context(), kind, r.PathValue("value"))
		})
	}
	get("identifier", s.byIdentifier)
	s.serve("GET /v1/users", s.byUsers(http.StatusOK, s.searchUsers))
	get("count", s.countUsers)
	s.serve("POST /v1/users", s.byUsers(http.StatusCreated, s.createUser))
	s.serve("PUT /v1/users/{id}", s.byUsers(http.StatusOK, s.updateUser))
	s.serve("POST /v1/users/{id}/password", s.byPassword(http.StatusCreated, false))
	s.serve("PUT /v1/users/{id}/password", s.byPassword(http.StatusOK, true))
	s.serve("DELETE /v1/users/{id}/apps", s.byUsers(http.StatusNoContent, s.removeUser))
	s.serve("DELETE /v1/manage/users/{id}", s.byUsers(http.StatusNoContent, s.removeUser))
}

// removeUser lets a person leave the site: what he is elsewhere is not the site's to
// delete (decision D2).
func (s users) removeUser(c *call, r *http.Request) (any, error) {
	m, err := s.Members.Member(r.Context(), c.site.ID, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return nil, s.Members.Leave(r.Context(), c.site.ID, m.User.ID)
}

// member gives one of the site's people; anybody else is as unknown as nobody.
func (s users) member(c *call, ctx context.Context, id string) (any, error) {
	m, err := s.Members.Member(ctx, c.site.ID, id)
	if err != nil {
		return nil, err
	}
	return s.result(ctx, c, m)
}

// named gives the one of the site's people who granted it this address, number or
// username, or whom the site calls this.
func (s users) named(c *call, ctx context.Context, kind, value string) (any, error) {
	by := map[string]func(context.Context, string, string) (account.Member, error){
		"email": s.Members.ByEmail, "phone_number": s.Members.ByPhone, "username": s.Members.ByUsername, "external_user_id": s.Members.ByExternalID,
	}
	m, err := by[kind](ctx, c.site.ID, value)
	if err != nil {
		return nil, err
	}
	return s.result(ctx, c, m)
}

// byIdentifier is GET /v1/users/identifier.
func (s users) byIdentifier(c *call, r *http.Request) (any, error) {
	q := r.URL.Query()
	value := q.Get("identifier_value")
	if value == "" {
		return nil, otl.InvalidField("identifier_value", "required", "is required")
	}
	switch name := q.Get("identifier_name"); name {
	case "email", "username":
		return s.named(c, r.Context(), name, value)
	case "phoneNumber", "phone_number":
		return s.named(c, r.Context(), "phone_number", value)
	case "externalUserId", "external_user_id":
		return s.named(c, r.Context(), "external_user_id", value)
	case "user_id":
		return s.member(c, r.Context(), value)
	case "":
		return nil, otl.InvalidField("identifier_name", "required", "is required")
	}
	return nil, otl.InvalidField("identifier_name", "unknown_value", "must be email, phoneNumber, username or externalUserId")
}

// byUsers serves an operation on people.
func (s users) byUsers(success int, do func(*call, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authorise(r, otl.ScopeUsers)
		if err != nil {
			fail(w, r, restShape, err)
			return
		}
		c.w = w
		out, err := do(c, r)
		switch {
		case err != nil:
			failUsers(w, r, err)
		case out == nil:
			w.WriteHeader(success)
		default:
			wire.JSON(w, success, out)
		}
	}
}

// failUsers words errors as these calls do: every 400 is a list of messages.
func failUsers(w http.ResponseWriter, r *http.Request, err error) {
	e := otl.As(err)
	otl.RequestOf(r.Context()).Err = err
	switch {
	case e.Code == otl.NoSuch("").Code:
		wire.JSON(w, http.StatusNotFound, restBody{Message: "User not found", Code: http.StatusNotFound})
	case e.Code == otl.ErrEmailTaken.Code, e.Code == otl.ErrUsernameTaken.Code, e.Code == account.ErrPhoneTaken.Code, e.Code == account.ErrExternalIDTaken.Code:
		wire.JSON(w, http.StatusConflict, restBody{"A user with this identifier exists already", http.StatusConflict, "identifier_already_in_use"})
	case e.Kind == otl.Invalid || e.Kind == otl.Malformed && e.Code != wire.CodeTooLarge:
		var all []string
		for _, one := range e.More {
			all = append(all, named(one.Field)+": "+one.Text)
		}
		if len(all) == 0 {
			all = []string{e.Text}
		}
		wire.JSON(w, http.StatusBadRequest, restBody{Message: all, Code: http.StatusBadRequest})
	default:
		fail(w, r, restShape, err)
	}
}
