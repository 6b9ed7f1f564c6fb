package onelogin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
)

// attributes are the calls about custom attributes (contract 2.14): texts that a site
// keeps of its people under names of its own. Nobody else sees them, and they go when the
// person leaves the site.
type attributes struct{ *Surface }

// customAttributes is the member that holds them.
const customAttributes = "custom_attributes"

// Bounds of custom attributes, in bytes of a name and in names of a site.
const (
	maxAttribute  = 64
	maxAttributes = 200
)

// attributeOut is a custom attribute in version 2.
type attributeOut struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Short string `json:"shortname"`
}

// known gives the names a site has used, with their numbers.
func (s attributes) known(c *call) ([]string, []int, error) {
	refs, ids, err := s.Numbers.Below(c.ctx(), number.Attribute, c.site.ID+" ")
	for i, ref := range refs {
		refs[i] = strings.TrimPrefix(ref, c.site.ID+" ")
	}
	return refs, ids, err
}

// list is GET /users/custom_attributes: in version 1 a list of one list of names.
func (s attributes) list(c *call) (reply, error) {
	names, ids, err := s.known(c)
	if !bare(c.r.URL.Path) {
		return success([][]string{append([]string{}, names...)}), err
	}
	out := make([]attributeOut, len(names))
	for i, n := range names {
		out[i] = attributeOut{ids[i], n, n}
	}
	return reply{http.StatusOK, out}, err
}

// name checks what is to be kept and gives every new name of it a number.
func (s attributes) name(c *call, raw json.RawMessage) error {
	var given map[string]*string
	if err := json.Unmarshal(raw, &given); err != nil {
		return invalid(customAttributes, "must be an object of strings")
	}
	names, _, err := s.known(c)
	if err != nil {
		return err
	}
	var fresh []string
	for n := range given {
		if n == "" || len(n) > maxAttribute || strings.Trim(n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return invalid(customAttributes, "has a name that is not 1 to 64 letters, digits, _ or -")
		}
		if !slices.Contains(names, n) {
			fresh = append(fresh, n)
		}
	}
	if len(names)+len(fresh) > maxAttributes {
		return invalid(customAttributes, "has too many names: a site has at most "+strconv.Itoa(maxAttributes))
	}
	slices.Sort(fresh)
	for _, n := range fresh {
		if _, err := s.Numbers.Of(c.ctx(), number.Attribute, c.site.ID+" "+n); err != nil {
			return err
		}
	}
	return nil
}

type attributesIn struct {
	Attributes json.RawMessage `json:"custom_attributes"`
}

// set is PUT /api/1/users/{id}/set_custom_attributes: the others stay as they are, and
// null takes one away.
func (s attributes) set(c *call, in *attributesIn) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	if len(in.Attributes) == 0 || string(in.Attributes) == "null" {
		return reply{}, invalid(customAttributes, "is required")
	}
	if err := s.name(c, in.Attributes); err != nil {
		return reply{}, err
	}
	_, err = s.Members.Change(c.ctx(), c.site, m.User.ID, keeping(in.Attributes, account.MemberChange{}))
	return success(nil), err
}

// keeping adds custom attributes to a change.
func keeping(raw json.RawMessage, ch account.MemberChange) account.MemberChange {
	ch.Data, ch.Merge = map[string]json.RawMessage{customAttributes: raw}, []string{customAttributes}
	return ch
}

// attributesOf gives the custom attributes of a person, nil for none.
func attributesOf(r otl.Record) any {
	var kept struct {
		Attributes map[string]string `json:"custom_attributes"`
	}
	if r.Data == "" || json.Unmarshal([]byte(r.Data), &kept) != nil || len(kept.Attributes) == 0 {
		return nil
	}
	return kept.Attributes
}
