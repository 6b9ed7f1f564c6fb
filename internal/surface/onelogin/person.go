package onelogin

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
)

// personIn is what a person is made of, or what is to be different about him: members
// that are not there stay as they are.
type personIn map[string]json.RawMessage

// personChange is what is to be different about a person, as far as a request says it by itself.
type personChange struct {
	account.MemberChange
	attributes map[string]*string // custom ones; nil takes one away
	roles      *[]integer         // exactly those; nil: as they are
}

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

// idOf gives a member that is an id of somebody else's making: a text that some clients write as a number.
func (in personIn) idOf(name string) (*string, error) {
	var n json.Number
	if json.Unmarshal(in[name], &n) == nil && n != "" {
		text := n.String()
		return &text, nil
	}
	return in.textOf(name)
}

// noMoment is how one client writes a time that it does not mean.
const noMoment = `"0001-01-01T00:00:00Z"`

// there reports whether a request has a member and means it.
func (in personIn) there(name string) bool {
	raw := string(in[name])
	return raw != "" && raw != "null" && raw != noMoment
}

// details is the member of a record that holds what a site keeps of a person's work and of where
// it has him from.
const details = "details"

// The members of it: texts, ids that others made, and numbers.
func detailTexts() []string {
	return []string{"company", "department", "title", "comment", "distinguished_name", "member_of", "samaccountname", "userprincipalname", "openid_name"}
}
func detailIDs() []string { return []string{managerAD} }
func detailNumbers() []string {
	return []string{directoryID, groupID, "trusted_idp_id", "manager_user_id"}
}

// Members of a person that people are asked for by too.
const (
	directoryID = "directory_id"
	groupID     = "group_id"
	managerAD   = "manager_ad_id"
)

// isTrait reports whether people are asked for by a member of their details.
func isTrait(name string) bool {
	return slices.Contains([]string{"samaccountname", "userprincipalname", "member_of", directoryID, groupID, managerAD}, name)
}

// known are the members of a person that a request may have.
func known() []string {
	return slices.Concat([]string{
		"email", "username", "firstname", "lastname", "phone", "locale_code", "preferred_locale_code", "external_id", "state", "status", "role_id", "role_ids",
		"password", "password_confirmation", "password_algorithm", "salt", customAttributes,
	}, detailTexts(), detailIDs(), detailNumbers(), passing())
}

// passing are the members that change by themselves, and are passed over: some clients send what
// they were told some time ago.
func passing() []string { return []string{"updated_at", "last_login"} }

// change reads what is to be different; the name of a person of before is kept where
// only a part of it is given.
func (in personIn) change(before string) (c personChange, err error) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !slices.Contains(known(), name) && in.there(name) {
			return c, literal(http.StatusBadRequest, "unknown attribute: "+name)
		}
	}
	for _, read := range []func(personIn, *personChange) error{
		func(in personIn, c *personChange) error { return in.profile(c, before) }, personIn.standing, personIn.roleIDs, personIn.kept, personIn.passwordOf,
	} {
		if err := read(in, &c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// profile reads the members that are the person's own.
func (in personIn) profile(c *personChange, before string) (err error) {
	first, last, _ := strings.Cut(before, " ")
	for name, dst := range map[string]**string{"email": &c.Email, "username": &c.Username, "phone": &c.Phone, "locale_code": &c.Locale} {
		if *dst, err = in.textOf(name); err != nil {
			return err
		}
	}
	if in.there("preferred_locale_code") {
		if c.Locale, err = in.textOf("preferred_locale_code"); err != nil {
			return err
		}
	}
	if c.ExternalID, err = in.idOf("external_id"); err != nil {
		return err
	}
	for name, dst := range map[string]*string{"firstname": &first, "lastname": &last} {
		given, err := in.textOf(name)
		if err != nil {
			return err
		}
		if given != nil {
			*dst = *given
		}
	}
	if c.Username != nil && c.Email != nil && strings.EqualFold(*c.Username, *c.Email) {
		c.Username = nil // who has none is known by his address
	}
	if whole := strings.TrimSpace(first + " " + last); whole != before {
		c.Name = &whole
	}
	return nil
}

// names gives what a request calls the members that the rules have other names for.
func (in personIn) names() map[string]string {
	out := map[string]string{"name": "firstname", "locale": "locale_code"}
	if len(in["lastname"]) > len(in["firstname"]) { // it is too long, or holds what a name cannot
		out["name"] = "lastname"
	}
	if in.there("preferred_locale_code") {
		out["locale"] = "preferred_locale_code"
	}
	return out
}

// numberOf gives a member that is a number, nil where it is not there or null.
func (in personIn) numberOf(name string) (*integer, error) {
	if !in.there(name) {
		return nil, nil
	}
	n := new(integer)
	if err := n.UnmarshalJSON(in[name]); err != nil {
		return nil, invalid(name, "must be a number")
	}
	return n, nil
}

// standing reads whether the site lets the person in: not where either of the two says that
// it does not.
func (in personIn) standing(c *personChange) error {
	for name, most := range map[string]integer{"state": stateMost, "status": statusSuspended} {
		n, err := in.numberOf(name)
		if err != nil || n == nil {
			if err != nil {
				return err
			}
			continue
		}
		if *n < 0 || *n > most || name == "status" && *n == 0 {
			return invalid(name, map[string]string{"state": "must be a number from 0 to 3", "status": "can be set to 1 or 2 alone"}[name])
		}
		barred := *n != stateApproved || c.Suspended != nil && *c.Suspended // statusActive is the same number
		c.Suspended = &barred
	}
	return nil
}

// roleIDs reads the roles he is to have, and no others: one or several.
func (in personIn) roleIDs(c *personChange) error {
	for _, name := range []string{"role_id", "role_ids"} {
		if !in.there(name) {
			continue
		}
		var all []integer
		if json.Unmarshal(in[name], &all) != nil {
			var one integer
			if json.Unmarshal(in[name], &one) != nil {
				return invalid(name, "must be ids of roles")
			}
			all = []integer{one}
		}
		c.roles = &all
	}
	return nil
}

// kept reads what the site keeps of the person for itself.
func (in personIn) kept(c *personChange) (err error) {
	if in.there(customAttributes) {
		if c.attributes, err = readAttributes(in[customAttributes]); err != nil {
			return err
		}
		if err := c.keep(customAttributes, c.attributes); err != nil {
			return err
		}
	}
	given := map[string]*string{}
	texts := map[string]func(string) (*string, error){}
	for _, name := range detailTexts() {
		texts[name] = in.textOf
	}
	for _, name := range detailIDs() {
		texts[name] = in.idOf
	}
	for _, name := range detailNumbers() {
		texts[name] = in.digits
	}
	for name, read := range texts {
		if !in.there(name) {
			continue
		}
		text, err := read(name)
		if err != nil {
			return err
		}
		if *text, err = otl.CheckText(name, *text, maxKept); err != nil {
			return err
		}
		if given[name] = text; *text == "" {
			given[name] = nil
		}
	}
	if len(given) == 0 {
		return nil
	}
	return c.keep(details, given)
}

// digits gives a member that is a number as a text, "" for 0.
func (in personIn) digits(name string) (*string, error) {
	n, err := in.numberOf(name)
	if err != nil {
		return nil, err
	}
	text := ""
	if *n != 0 {
		text = strconv.Itoa(int(*n))
	}
	return &text, nil
}

// keep adds texts that the site keeps to a change, under a member of the record, and those that
// people are asked for by; nil takes one away.
func (c *personChange) keep(member string, texts map[string]*string) error {
	raw, err := json.Marshal(texts)
	if err != nil {
		return err
	}
	if c.Data == nil {
		c.Data, c.Traits = map[string]json.RawMessage{}, map[string]string{}
	}
	c.Data[member], c.Merge = raw, append(c.Merge, member)
	for name, text := range texts {
		if member == details && !isTrait(name) {
			continue
		}
		value := ""
		if text != nil {
			value = *text
		}
		c.Traits[traitOf(member, name)] = value
	}
	return nil
}

// traitOf gives the name under which people are found by a text that a site keeps.
func traitOf(member, name string) string {
	if member == details {
		return name
	}
	return member + "." + name
}

// keptOut is what a site keeps of a person, as a record has it.
type keptOut struct {
	Attributes map[string]string `json:"custom_attributes"`
	Details    map[string]string `json:"details"`
}

// keptOf gives it; what is not there is null.
func keptOf(r otl.Record) userOut {
	var kept keptOut
	if r.Data != "" && json.Unmarshal([]byte(r.Data), &kept) != nil {
		kept = keptOut{}
	}
	out := userOut{customAttributes: nil}
	if len(kept.Attributes) > 0 {
		out[customAttributes] = kept.Attributes
	}
	for _, name := range slices.Concat(detailTexts(), detailIDs()) {
		out[name] = orNull(kept.Details[name])
	}
	for _, name := range detailNumbers() {
		out[name] = nil
		if n, err := strconv.Atoi(kept.Details[name]); err == nil {
			out[name] = n
		}
	}
	return out
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
