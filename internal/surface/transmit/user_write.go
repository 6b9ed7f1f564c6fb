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
	"github.com/onetimelogin/otl/internal/wire"
)

// userIn is a person as a client writes him (contract 3.9). What is nil stays as it is.
type userIn struct {
	Email      *string    `json:"email"`
	Phone      *string    `json:"phone_number"`
	Username   *string    `json:"username"`
	Name       *nameInOut `json:"name"`
	Picture    *string    `json:"picture"`
	Language   *string    `json:"language"`
	ExternalID *string    `json:"external_user_id"`
	Status     *string    `json:"status"`

	Credentials *struct {
		Password string `json:"password"`
		Replace  *bool  `json:"force_replace"`
	} `json:"credentials"`

	SecondaryEmails []string   `json:"secondary_emails"`
	SecondaryPhones []string   `json:"secondary_phone_numbers"`
	Birthday        *string    `json:"birthday"`
	Address         *addressIn `json:"address"`
	AccountID       *string    `json:"external_account_id"`

	CustomData    map[string]json.RawMessage `json:"custom_data"`
	CustomAppData map[string]json.RawMessage `json:"custom_app_data"`
}

type addressIn struct {
	Country string `json:"country,omitempty"`
	State   string `json:"state,omitempty"`
	City    string `json:"city,omitempty"`
	Street  string `json:"street_address,omitempty"`
	Postal  string `json:"postal_code,omitempty"`
	Type    string `json:"type,omitempty"` // Home, Work or Other
}

// Members of a person that the network does not know: the site keeps them for itself.
// keptName holds the parts of the name.
const keptName = "name"

func keptMembers() []string {
	return []string{"secondary_emails", "secondary_phone_numbers", "birthday", "address", "external_account_id", "custom_data", "custom_app_data"}
}

// mergedMembers are the objects of which single members are changed.
func mergedMembers() []string { return []string{"custom_data", "custom_app_data"} }

// readUser reads a person strictly: a member that nobody keeps would be lost
// unnoticed, and one that only the server sets is none of the caller's (TE-09).
func readUser(w http.ResponseWriter, r *http.Request, without ...string) (in userIn, all map[string]json.RawMessage, err error) {
	if err := read(w, r, &all); err != nil {
		return in, nil, err
	}
	known := append([]string{"email", "phone_number", "username", "name", "picture", "language", "external_user_id", "status", "credentials"}, keptMembers()...)
	for name := range all {
		if !slices.Contains(known, name) || slices.Contains(without, name) {
			return in, nil, otl.InvalidField(name, "unsupported", "is not kept by this server")
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return in, nil, err
	}
	if err := parse(raw, &in); err != nil {
		return in, nil, err
	}
	return in, all, in.check()
}

// maxKeptText is the longest text in code points of a member the site keeps, maxKept
// how many of one there may be.
const (
	maxKeptText = 150
	maxKept     = 20
)

func (in *userIn) check() error {
	if len(in.SecondaryEmails) > maxKept || len(in.SecondaryPhones) > maxKept {
		return otl.InvalidField("secondary_emails", "too_many", "and secondary_phone_numbers must be at most 20 each")
	}
	for _, e := range in.SecondaryEmails {
		if _, err := otl.ParseEmail(e); err != nil {
			return otl.InvalidField("secondary_emails", "not_an_address", "must be e-mail addresses")
		}
	}
	for _, p := range in.SecondaryPhones {
		if _, err := otl.ParsePhone(p); err != nil {
			return otl.InvalidField("secondary_phone_numbers", "not_e164", "must be in E.164 form")
		}
	}
	if b := in.Birthday; b != nil {
		_, day := time.Parse(time.DateOnly, *b)
		if _, err := time.Parse(time.RFC3339, *b); err != nil && day != nil {
			return otl.InvalidField("birthday", "not_a_date", "must be a date, such as 1990-12-31")
		}
	}
	if a := in.Address; a != nil {
		if a.Type != "" && a.Type != "Home" && a.Type != "Work" && a.Type != "Other" {
			return otl.InvalidField("address.type", "unknown_value", "must be Home, Work or Other")
		}
		for _, text := range []string{a.Country, a.State, a.City, a.Street, a.Postal} {
			if _, err := otl.CheckText("address", text, maxKeptText); err != nil {
				return err
			}
		}
	}
	if in.AccountID != nil {
		if _, err := otl.CheckText("external_account_id", *in.AccountID, otl.MaxExternalID); err != nil {
			return err
		}
	}
	return nil
}

// kept gives what of a body the site keeps for itself.
func (in *userIn) kept(all map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for _, name := range keptMembers() {
		if raw, given := all[name]; given {
			out[name] = raw
		}
	}
	if in.Address != nil { // without members nobody knows
		raw, err := json.Marshal(in.Address)
		if err != nil {
			return nil, err
		}
		out["address"] = raw
	}
	if in.Name != nil {
		raw, err := json.Marshal(in.Name)
		if err != nil {
			return nil, err
		}
		out[keptName] = raw
	}
	return out, nil
}

func (in *userIn) profile() account.Profile {
	p := account.Profile{Username: in.Username, Phone: in.Phone, Picture: in.Picture, Locale: in.Language}
	if in.Name != nil {
		name := in.Name.whole()
		p.Name = &name
	}
	return p
}

// createUser is POST /v1/users. Whoever is known in the network by his address or username is a 409: he joins
// by signing in. So is a number that one of the site's people has, as far as the site sees it.
func (s users) createUser(c *call, r *http.Request) (any, error) {
	in, all, err := readUser(c.w, r, "status")
	if err != nil {
		return nil, err
	}
	change := account.MemberChange{ExternalID: in.ExternalID, Merge: mergedMembers()}
	if change.Data, err = in.kept(all); err != nil {
		return nil, err
	}
	if in.Credentials != nil && in.Credentials.Password == "" { // whoever sends them thinks that he has one
		return nil, otl.InvalidField("credentials.password", "required", "is required")
	}
	cr := account.Creation{Site: &c.site, Profile: in.profile(), Change: change, Sole: true}
	if in.Email != nil {
		cr.Email = *in.Email
	}
	if in.Credentials != nil {
		cr.Password, cr.Replace = secret.NewText(in.Credentials.Password), forced(in.Credentials.Replace)
	}
	m, err := s.Members.Create(r.Context(), cr)
	if err != nil {
		return nil, err
	}
	return s.result(r.Context(), c, m)
}

// updateUser is PUT /v1/users/{id}: what is not given stays as it is.
func (s users) updateUser(c *call, r *http.Request) (any, error) {
	in, all, err := readUser(c.w, r, "credentials")
	if err != nil {
		return nil, err
	}
	change := account.MemberChange{Profile: in.profile(), Email: in.Email, ExternalID: in.ExternalID, Merge: mergedMembers()}
	if change.Data, err = in.kept(all); err != nil {
		return nil, err
	}
	if in.Status != nil {
		suspended := *in.Status == "Disabled"
		change.Suspended, change.Pending = &suspended, *in.Status == "Pending"
		if !slices.Contains([]string{"Active", "Disabled", "Pending"}, *in.Status) {
			return nil, otl.InvalidField("status", "unknown_value", "must be Active, Disabled or Pending")
		}
	}
	m, err := s.Members.Change(r.Context(), c.site, r.PathValue("id"), change)
	if err != nil {
		return nil, err
	}
	return s.result(r.Context(), c, m)
}

type passwordOfIn struct {
	Password string `json:"password"`
	Username string `json:"username"`
	Replace  *bool  `json:"force_replace"`
}

// forced reports whether a password is to be replaced before it lets its person in: it is
// unless the client says otherwise.
func forced(replace *bool) bool { return replace == nil || *replace }

// byPassword is POST and PUT /v1/users/{id}/password: of the site's own people alone
// (decision D1). Members that ask for less than our rules of passwords are passed over.
func (s users) byPassword(success int, replace bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authorise(r, otl.ScopeUsers)
		if err != nil {
			fail(w, r, restShape, err)
			return
		}
		var in passwordOfIn
		if err = read(w, r, &in); err == nil {
			err = needed("password", in.Password)
		}
		if err == nil {
			err = s.setPassword(r.Context(), c, r.PathValue("id"), in, replace)
		}
		if err != nil {
			failPassword(w, r, err)
			return
		}
		wire.JSON(w, success, resultOut{map[string]string{"message": "Password registered"}})
	}
}

func (s users) setPassword(ctx context.Context, c *call, id string, in passwordOfIn, replace bool) error {
	var p account.Profile
	if in.Username != "" && !strings.Contains(in.Username, "@") { // his address he is known by anyway
		p.Username = &in.Username
	}
	return s.Members.SetPassword(ctx, c.site, id, account.GivenPassword{Password: secret.NewText(in.Password), Replace: replace, Initial: forced(in.Replace), Profile: p})
}

// failPassword words errors as these two calls do.
func failPassword(w http.ResponseWriter, r *http.Request, err error) {
	e := otl.As(err)
	var word string
	text, code := e.Text, http.StatusBadRequest
	switch {
	case e.Code == wire.CodeTooLarge:
		word, code = "system_invalid_input", wire.Status(e)
	case e.Code == otl.NoSuch("").Code:
		word, text, code = "user_not_found", "User not found", http.StatusNotFound
	case e.Code == account.ErrHasPassword.Code, e.Code == account.ErrNoPassword.Code:
		word, code = "auth_password_already_configured", http.StatusConflict
	case e.Field == "password" && !slices.Contains([]string{"required", "wrong_type", "bad_characters"}, e.More[0].Code):
		word = "auth_password_weak"
	case e.Kind == otl.Invalid, e.Kind == otl.Malformed:
		word = "system_invalid_input"
	default:
		failUsers(w, r, err)
		return
	}
	otl.RequestOf(r.Context()).Err = err
	if e.Field != "" {
		text = said(e)
	}
	wire.JSON(w, code, map[string]any{"error_code": word, "message": text})
}
