package onelogin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/number"
)

// attributes are the calls about custom attributes (contract 2.14): texts that a site
// keeps of its people under names of its own. Nobody else sees them, and they go when the
// person leaves the site.
type attributes struct{ *Surface }

// customAttributes is the member that holds them.
const customAttributes = "custom_attributes"

// Bounds of custom attributes: in bytes of a name, in names of a site, and in code points of a
// value, as of the other texts that a site keeps.
const (
	maxAttribute  = 64
	maxAttributes = 200
	maxKept       = 400
)

// known gives the names a site has used, with their numbers.
func (s attributes) known(c *call) ([]string, []int, error) {
	refs, ids, err := s.Numbers.Below(c.ctx(), number.Attribute, c.site.ID+" ")
	for i, ref := range refs {
		refs[i] = strings.TrimPrefix(ref, c.site.ID+" ")
	}
	return refs, ids, err
}

// isAttribute reports whether a text can be the name of a custom attribute.
func isAttribute(n string) bool {
	return n != "" && len(n) <= maxAttribute && strings.Trim(n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// readAttributes reads custom attributes; one that is null or empty is taken away.
func readAttributes(raw json.RawMessage) (map[string]*string, error) {
	var given map[string]*string
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, invalid(customAttributes, "must be an object of strings")
	}
	for n, text := range given {
		switch {
		case !isAttribute(n):
			return nil, invalid(customAttributes, "has a name that is not 1 to 64 letters, digits, _ or -")
		case text == nil:
		case *text == "":
			given[n] = nil
		case utf8.RuneCountInString(*text) > maxKept:
			return nil, invalid(customAttributes, "has a value of more than "+strconv.Itoa(maxKept)+" characters: "+n)
		}
	}
	return given, nil
}

// name gives every new name of custom attributes a number.
func (s attributes) name(c *call, given map[string]*string) error {
	if len(given) == 0 {
		return nil
	}
	names, _, err := s.known(c)
	if err != nil {
		return err
	}
	var fresh []string
	for n := range given {
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
	ch := personChange{}
	if ch.attributes, err = readAttributes(in.Attributes); err == nil && len(ch.attributes) == 0 {
		err = literal(http.StatusBadRequest, "custom_attributes is empty")
	}
	if err == nil {
		err = s.name(c, ch.attributes)
	}
	if err != nil {
		return reply{}, err
	}
	if err := ch.keep(customAttributes, ch.attributes); err != nil {
		return reply{}, err
	}
	_, err = s.Members.Change(c.ctx(), c.site, m.User.ID, ch.MemberChange)
	return success(nil), err
}
